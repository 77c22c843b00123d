"""Charts as SVG for a page without scripts.

They are drawn at the width of a phone, and the page sets them in columns of about that width, so
that their text is as large as the text around them. Colours are the page's CSS classes, which know
light and dark. Every chart says in words what it shows, for those who do not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from pipelines.analysis.report.axes import number_range, number_ticks, time_ticks
from pipelines.analysis.report.data import Movement, Point
from pipelines.analysis.report.words import percent, short_numbers

WIDTH, HEIGHT = 344, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 24
_LABEL = 62
"""Pixels that a label below the time axis takes."""
_CHARACTER = 6.4
"""Pixels of one character beside an axis."""
_LEAST_BAR = 1.5


@dataclass(frozen=True)
class Plane:
    """Where moments and values lie in a picture."""

    start: datetime
    end: datetime
    low: float
    high: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM

    def x(self, moment: datetime) -> float:
        inner = self.width - self.left - self.right
        length = (self.end - self.start).total_seconds() or 1.0
        return round(self.left + inner * (moment - self.start).total_seconds() / length, 1)

    def y(self, value: float) -> float:
        inner = self.height - self.top - self.bottom
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.height - self.bottom - inner * share, 1)


def lines(
    name: str,
    title: str,
    series: Sequence[Sequence[Point]],
    *,
    shares: bool = False,
    whole: bool = False,
) -> Markup:
    """One line for each series: a value holds until the next. `shares` are shown in percent from 0
    to 1, `whole` numbers get no ticks in between. `name` is the picture's id in the page."""
    points = [point for line in series for point in line]
    values = [float(extreme) for point in points for extreme in (point.smallest, point.largest)]
    low, high = (0.0, 1.0) if shares else number_range(values, whole=whole)
    start, end = min(p.at for p in points), max(p.at for p in points)
    plane = _plane(start, end, low, high, shares=shares)
    parts = [_grid(plane, shares=shares)]
    for place, line in enumerate(series, 1):
        parts.append(_band(plane, line, place))
        parts.append(_step(plane, line, f"line line-{place}"))
        last = line[-1]
        parts.append(
            Markup('<circle class="dot dot-{}" cx="{}" cy="{}" r="3"/>').format(
                place, plane.x(last.at), plane.y(float(last.value))
            )
        )
    return _picture(name, title, _told(series[0], shares=shares), parts)


def bars(name: str, title: str, movements: Sequence[Movement], end: datetime) -> Markup:
    """Bars upwards for what came, downwards for what went."""
    low = -float(max(movement.exited for movement in movements))
    high = float(max(movement.entered for movement in movements))
    low, high = number_range([low, high, 0.0], whole=True)
    width = movements[0].width
    end = max(end, movements[-1].begins + width)
    plane = _plane(movements[0].begins, end, low, high, shares=False)
    thick = max(_LEAST_BAR, (plane.x(plane.start + width) - plane.x(plane.start)) * 0.8)
    parts = [_grid(plane)]
    for movement in movements:
        left = round(plane.x(movement.begins + width / 2) - thick / 2, 1)
        for kind, value in (("came", movement.entered), ("went", -movement.exited)):
            top, base = sorted((plane.y(value), plane.y(0)))
            if value:
                parts.append(
                    Markup(
                        '<rect class="{}" x="{}" y="{}" width="{:.1f}" height="{:.1f}"/>'
                    ).format(kind, left, top, thick, base - top)
                )
    parts.append(_horizontal(plane, 0.0, "zero"))
    came = sum(movement.entered for movement in movements)
    went = sum(movement.exited for movement in movements)
    return _picture(name, title, f"In all {came:,} came and {went:,} went.", parts)


def sparkline(points: Sequence[Point]) -> Markup:
    """A line without axes, for a table; the numbers stand beside it."""
    values = [float(point.value) for point in points]
    low, high = min(values), max(values)
    margin = (high - low or 1.0) * 0.1
    plane = Plane(points[0].at, points[-1].at, low - margin, high + margin, 96, 24, 2, 5, 3, 3)
    dot = Markup('<circle class="dot dot-1" cx="{}" cy="{}" r="2.2"/>').format(
        plane.x(points[-1].at), plane.y(values[-1])
    )
    return Markup('<svg class="spark" viewBox="0 0 96 24" aria-hidden="true">{}{}</svg>').format(
        _step(plane, points, "line line-1"), dot
    )


def _picture(name: str, title: str, told: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-t {n}-d">'
        '<title id="{n}-t">{t}</title><desc id="{n}-d">{d}</desc>{parts}</svg>'
    ).format(w=WIDTH, h=HEIGHT, n=name, t=title, d=told, parts=Markup().join(parts))


def _labels(low: float, high: float, *, shares: bool) -> list[str]:
    values = [abs(value) for value in number_ticks(low, high)]  # below zero stand as many that went
    return [f"{value * 100:.0f} %" for value in values] if shares else short_numbers(values)


def _plane(start: datetime, end: datetime, low: float, high: float, *, shares: bool) -> Plane:
    """A plane with room for the labels on its left."""
    longest = max(len(label) for label in _labels(low, high, shares=shares))
    return Plane(start, end, low, high, left=max(_LEFT, round(longest * _CHARACTER) + 8))


def _grid(plane: Plane, *, shares: bool = False) -> Markup:
    parts = []
    labels = _labels(plane.low, plane.high, shares=shares)
    for value, label in zip(number_ticks(plane.low, plane.high), labels, strict=True):
        parts.append(_horizontal(plane, value, "grid"))
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                plane.left - 6, round(plane.y(value) + 3.5, 1), label
            )
        )
    room = (plane.width - plane.left - plane.right) // _LABEL
    free = 0.0  # from here on nothing is written yet
    for moment, label in time_ticks(plane.start, plane.end, most=room):
        x = plane.x(moment)
        anchor = "end" if x > plane.width - _LABEL / 2 else "middle"
        left = x - (_LABEL if anchor == "end" else _LABEL / 2)
        written = label if left >= free - _CHARACTER else ""
        if written:
            free = left + _LABEL
        parts.append(
            Markup(
                '<path class="grid" d="M{x} {y}v4"/>'
                '<text class="tick" x="{x}" y="{below}" text-anchor="{anchor}">{written}</text>'
            ).format(
                x=x,
                y=plane.height - plane.bottom,
                below=plane.height - 6,
                anchor=anchor,
                written=written,
            )
        )
    return Markup().join(parts)


def _horizontal(plane: Plane, value: float, kind: str) -> Markup:
    return Markup('<path class="{}" d="M{} {}H{}"/>').format(
        kind, plane.left, plane.y(value), plane.width - plane.right
    )


def _step(plane: Plane, points: Sequence[Point], kind: str) -> Markup:
    """A line that holds each value until the next one."""
    x, y = plane.x(points[0].at), plane.y(float(points[0].value))
    drawn = [f"M{x:g} {y:g}"]
    for point in points[1:]:
        x, below = plane.x(point.at), plane.y(float(point.value))
        if below != y:
            drawn.append(f"H{x:g}V{below:g}")
            y = below
    drawn.append(f"H{x:g}")
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(drawn))


def _band(plane: Plane, points: Sequence[Point], place: int) -> Markup:
    """What lay between where many snapshots are one point."""
    if all(point.smallest == point.largest for point in points):
        return Markup()
    drawn = []
    before = plane.x(points[0].at)
    for point in points:
        x, top = plane.x(point.at), plane.y(float(point.largest))
        height = round(plane.y(float(point.smallest)) - top, 1)
        if height:
            width = round(max(x - before, 1.0), 1)
            drawn.append(f"M{x - width:g} {top:g}h{width:g}v{height:g}h{-width:g}z")
        before = x
    return Markup('<path class="band band-{}" d="{}"/>').format(place, "".join(drawn))


def _told(points: Sequence[Point], *, shares: bool) -> str:
    def say(value: object) -> str:
        return percent(float(str(value))) if shares else f"{value:,f}"  # exact, for the ear

    first, last = points[0], points[-1]
    smallest, largest = min(p.smallest for p in points), max(p.largest for p in points)
    return (
        f"From {say(first.value)} at {first.at:%Y-%m-%d %H:%M} to {say(last.value)} at"
        f" {last.at:%Y-%m-%d %H:%M} UTC; smallest {say(smallest)}, largest {say(largest)}."
    )
