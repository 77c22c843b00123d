"""Where the ticks of an axis stand: at round numbers, and at round moments in UTC."""

import math
from datetime import UTC, datetime, timedelta

_STEPS = (
    *(timedelta(seconds=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=count) for count in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=count) for count in (1, 2, 3, 6, 12)),
    *(timedelta(days=count) for count in (1, 2, 7, 14)),
)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
_MONTH = timedelta(days=30.44)
_TRIES = 3
"""A wider range may have wider steps; after three there is nothing left to widen."""
_LEAST = 1e-300
"""Below it a float has no room left to divide."""


def number_ticks(low: float, high: float, most: int = 4) -> list[float]:
    """At most `most` + 1 round numbers from `low` to `high`, both included where they are round."""
    step = _step(low, high, most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def _step(low: float, high: float, most: int = 4) -> float:
    raw = max((high - low) / most, _LEAST)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.9999)


def number_range(values: list[float], *, whole: bool = False) -> tuple[float, float]:
    """The range of an axis that shows those values, from a round number to a round number."""
    low, high = min(values), max(values)
    if high == low:
        margin = max(abs(high) * 0.05, 1.0) if whole else max(abs(high) * 0.05, 0.01)
        low, high = (max(0.0, low - margin) if low >= 0 else low - margin), high + margin
    if whole and high - low < 4:
        high = low + 4
    for _ in range(_TRIES):
        step = _step(low, high)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return low, high


def time_ticks(start: datetime, end: datetime, most: int = 4) -> list[tuple[datetime, str]]:
    """At most `most` round moments from `start` to `end`, with what to write below them."""
    length = end - start
    for step in _STEPS:
        if length / step <= most:
            first = _MONDAY + -(-(start - _MONDAY) // step) * step
            count = (end - first) // step + 1
            return [(first + n * step, _clock(first + n * step, step)) for n in range(count)]
    months = next((count for count in _MONTHS if length / (_MONTH * count) <= most), _MONTHS[-1])
    return [(moment, f"{moment:%b %Y}") for moment in _month_ticks(start, end, months)]


def _month_ticks(start: datetime, end: datetime, step: int) -> list[datetime]:
    place = -(-(start.year * 12 + start.month - 1) // step) * step
    found = []
    while (moment := datetime(place // 12, place % 12 + 1, 1, tzinfo=UTC)) <= end:
        if moment >= start:
            found.append(moment)
        place += step
    return found


def _clock(moment: datetime, step: timedelta) -> str:
    if step >= timedelta(days=1):
        return f"{moment:%b} {moment.day}"
    return (
        f"{moment:%H:%M:%S}"
        if step < timedelta(minutes=1)
        else f"{moment:%b} {moment.day} {moment:%H:%M}"
    )
