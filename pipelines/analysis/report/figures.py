"""Which charts a target's chapter has, and what is written above each."""

from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from pipelines.analysis.report import svg
from pipelines.analysis.report.data import BUCKETS, Detail, Point
from pipelines.analysis.report.words import duration, number, percent

_TOP = (
    ("top_1_share", "largest"),
    ("top_10_share", "10 largest"),
    ("top_100_share", "100 largest"),
)
_WIDTHS = {
    timedelta(minutes=1): "a minute",
    timedelta(hours=1): "an hour",
    timedelta(days=1): "a day",
    timedelta(days=7): "a week",
    timedelta(days=28): "four weeks",
}


@dataclass(frozen=True)
class Key:
    """A line of a chart: its class, what it is called and its last value."""

    place: int | str
    name: str
    value: Markup | str


@dataclass(frozen=True)
class Figure:
    """A chart with its heading, and the last value or a key to its lines."""

    title: str
    drawn: Markup
    latest: Markup | str = ""
    keys: tuple[Key, ...] = ()
    note: str = ""


def figures(detail: Detail) -> list[Figure]:
    """The charts that there is enough history for: none after a single snapshot."""
    if detail.target.snapshots < 2:
        return []
    rows = detail.target.rows_word
    found = [_line(detail, "positions", rows, whole=True), _movements(detail)]
    if detail.target.has_amounts:
        found.append(_line(detail, "quantity", "Amount in all"))
        found.append(_shares(detail))
        found.append(_line(detail, "gini", "Gini coefficient"))
        found.append(_line(detail, "nakamoto", "Nakamoto coefficient", whole=True))
    return [figure for figure in found if figure]


def _line(detail: Detail, series: str, title: str, *, whole: bool = False) -> Figure | None:
    points = detail.series.get(series, [])
    if len(points) < 2:
        return None
    last = points[-1].value
    notes = {
        "gini": "0: all hold the same. Towards 1: one holds all.",
        "nakamoto": "The fewest who together hold over half.",
    }
    return Figure(
        title,
        svg.lines(_id(detail, series), f"{title} over time", [points], whole=whole),
        f"{last:.3f}" if series == "gini" else number(last),
        note=notes.get(series, _grown(points)),
    )


def _grown(points: list[Point]) -> str:
    first, last = points[0], points[-1]
    same_day = first.at.date() == last.at.date()
    when = f"at {first.at:%H:%M:%S}" if same_day else f"on {first.at:%Y-%m-%d}"
    grown = last.value - first.value
    if not grown:
        return f"As many as {when}."
    size = number(abs(grown)).striptags()
    return f"{size} {'more' if grown > 0 else 'fewer'} than {when}."


def _movements(detail: Detail) -> Figure | None:
    if not detail.movements:
        return None
    width = detail.movements[0].width
    title = f"Came and went in {_WIDTHS.get(width, duration(width))}"
    end = detail.target.snapshot_at or detail.movements[-1].begins
    came = sum(movement.entered for movement in detail.movements)
    went = sum(movement.exited for movement in detail.movements)
    return Figure(
        title,
        svg.bars(_id(detail, "movements"), title, detail.movements, end),
        keys=(Key("came", "came", number(came)), Key("went", "went", number(went))),
    )


def _shares(detail: Detail) -> Figure | None:
    present = [(name, word, detail.series.get(name, [])) for name, word in _TOP]
    if any(len(points) < 2 for _, _, points in present):
        return None
    title = "Share of the largest"
    return Figure(
        title,
        svg.lines(_id(detail, "top"), title, [points for *_, points in present], shares=True),
        keys=tuple(
            Key(place, word, percent(points[-1].value))
            for place, (_, word, points) in enumerate(present, 1)
        ),
    )


def is_thinned(detail: Detail) -> bool:
    """Whether a point of the lines stands for more than one snapshot."""
    return detail.target.snapshots > BUCKETS


def _id(detail: Detail, name: str) -> str:
    return f"t{detail.target.target_id}-{name}"
