"""Which published rows are missing from a provider's list now, as stretches of their ranks."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate

HIGHEST_PLACE = 2**63 - 1


@dataclass(frozen=True, order=True)
class Known:
    """Where a published row stood: `rank` counts from the end of the list, the last row being 1;
    `place` is the number by which the warehouse keeps that order, with holes in it."""

    rank: int
    place: int


END = Known(0, 0)
"""Below the last row."""


def before_first(rows: int) -> Known:
    """Above the first of `rows` rows."""
    return Known(rows + 1, HIGHEST_PLACE)


class Missing:
    """Published rows that were seen to be missing."""

    def __init__(self) -> None:
        self._holes: list[tuple[Known, Known]] = []
        self._counts: list[int] | None = None

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """The holes, lowest first, as pairs of places: what is missing stands between them."""
        return tuple((low.place, high.place) for low, high in self._holes)

    @property
    def count(self) -> int:
        return self._sums()[-1]

    def add(self, low: Known, high: Known) -> None:
        """All that stood between two rows is missing; they themselves are not."""
        if high.rank - low.rank < 2:
            return
        first = bisect_right(self._holes, low.rank, key=lambda hole: hole[1].rank)
        last = bisect_left(self._holes, high.rank, key=lambda hole: hole[0].rank)
        meeting = self._holes[first:last]
        if meeting:
            low, high = min(low, meeting[0][0]), max(high, meeting[-1][1])
        self._holes[first:last] = [(low, high)]
        self._counts = None

    def below(self, rank: int) -> int:
        """How many are missing below the row of this rank."""
        holes = bisect_right(self._holes, rank, key=lambda hole: hole[1].rank)
        return self._sums()[holes]

    def __contains__(self, rank: int) -> bool:
        hole = bisect_right(self._holes, rank, key=lambda hole: hole[1].rank)
        return hole < len(self._holes) and self._holes[hole][0].rank < rank

    def _sums(self) -> list[int]:
        if self._counts is None:
            sizes = (high.rank - low.rank - 1 for low, high in self._holes)
            self._counts = list(accumulate(sizes, initial=0))
        return self._counts
