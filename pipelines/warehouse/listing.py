"""The published rows of a target in the provider's order (see extract.to_last.Listing).

No index keeps that order: it would cost every load. Where nothing changed, one scan of the target's
rows tells the ranks that are asked for; where something did, one sort tells all of them.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from pipelines.extract.missing import Known
from pipelines.providers.pages import Row
from pipelines.providers.provider import Dataset
from pipelines.warehouse.copy_text import CopyText
from pipelines.warehouse.schema import dataset_tables


class PublishedListing:
    """What `current` holds of one target, where its last snapshot has a `top_place`.

    `settle` is called before the connection is used.
    """

    def __init__(
        self,
        connection: sa.Connection,
        dataset: Dataset,
        target_id: int,
        rows: int,
        settle: Callable[[], None],
    ) -> None:
        self.rows = rows
        self._settle = settle
        self._counted = False
        self._stretches: _Stretches | None = None
        self._connection = connection
        self._dataset = dataset
        self._text = CopyText(dataset)
        self._current = dataset_tables(dataset).current
        self._here = self._current.c.target_id == target_id

    def find(self, rows: Sequence[Row]) -> list[Known | None]:
        """Where exactly these rows stand; None for one that does not, or not so."""
        if not rows:
            return []
        self._settle()
        with self._connection.begin():
            places = self._places(rows)
            ranks = self._ranks(sorted(place for place in places if place is not None))
        return [None if place is None else Known(ranks[place], place) for place in places]

    def _places(self, rows: Sequence[Row]) -> list[int | None]:
        wanted = [(UUID(key), *values) for key, *values in self._text.stored(rows)]
        hashes = sa.literal([found[0] for found in wanted], ARRAY(postgresql.UUID))
        current, names = self._current.c, self._dataset.column_names
        known = self._connection.execute(
            sa.select(current.place, current.key_hash, *(current[name] for name in names)).where(
                self._here, current.key_hash == sa.any_(hashes), current.place.is_not(None)
            )
        )
        place_of = {tuple(row[1:]): row[0] for row in known}
        return [place_of.get(row) for row in wanted]

    def _ranks(self, places: Sequence[int]) -> dict[int, int]:
        """The rank of each of these places, which are in ascending order.

        The first ones are counted: most targets have not changed, and nothing else is asked. Who
        asks again is looking for what left, and will ask many times.
        """
        if not places:
            return {}
        if not self._counted:
            self._counted = True
            return self._count_from_top(places)
        if self._stretches is None:
            self._stretches = self._read_stretches()
        return {place: self._stretches.rank(place) for place in places}

    def _count_from_top(self, places: Sequence[int]) -> dict[int, int]:
        place = self._current.c.place
        bucket = sa.func.width_bucket(place, sa.literal(list(places), ARRAY(sa.BigInteger)))
        counted = self._connection.execute(
            sa.select(bucket, sa.func.count())
            .where(self._here, place >= places[0])
            .group_by(bucket)
        )
        from_here: dict[int, int] = {row[0]: row[1] for row in counted}
        ranks: dict[int, int] = {}
        above = 0
        for number, at in zip(range(len(places), 0, -1), reversed(places), strict=True):
            above += from_here[number]
            ranks[at] = self.rows - above + 1
        return ranks

    def _read_stretches(self) -> "_Stretches":
        place = self._current.c.place
        number = sa.func.row_number().over(order_by=place)
        placed = (
            sa.select(place, (place - number).label("stretch"))
            .where(self._here, place.is_not(None))
            .subquery()
        )
        first = sa.func.min(placed.c.place)
        found = self._connection.execute(
            sa.select(first, sa.func.count()).group_by(placed.c.stretch).order_by(first)
        )
        starts, before, rows = array("q"), array("q"), 0
        for start, count in found:
            starts.append(start)
            before.append(rows)
            rows += count
        return _Stretches(starts, before)


@dataclass(frozen=True)
class _Stretches:
    """Places without a hole between them: where each stretch starts, and the rows below it. There
    are as many as rows have left since all places were given anew, at most."""

    starts: "array[int]"
    before: "array[int]"

    def rank(self, place: int) -> int:
        stretch = bisect_right(self.starts, place) - 1
        return self.before[stretch] + place - self.starts[stretch] + 1
