"""The published rows of a target in the provider's order (see extract.to_last.Listing).

No index keeps that order: it would cost every load, and each question here is one scan of the
target's rows.
"""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from pipelines.extract.missing import Known
from pipelines.providers.provider import Dataset, Row
from pipelines.warehouse.schema import dataset_tables
from pipelines.warehouse.text import cut, escape, key_hash


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
        self._connection = connection
        self._dataset = dataset
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
        names, key = self._dataset.column_names, self._dataset.key
        wanted = []
        for row in rows:
            stored = [escape(value) if isinstance(value, str) else value for value in row]
            parts = tuple(str(stored[names.index(name)]) for name in key)
            values = [
                cut(value) if isinstance(value, str) and name not in key else value
                for name, value in zip(names, stored, strict=True)
            ]
            wanted.append((key_hash(parts), *values))
        hashes = sa.literal([found[0] for found in wanted], ARRAY(UUID))
        current = self._current.c
        known = self._connection.execute(
            sa.select(current.place, current.key_hash, *(current[name] for name in names)).where(
                self._here, current.key_hash == sa.any_(hashes), current.place.is_not(None)
            )
        )
        place_of = {tuple(row[1:]): row[0] for row in known}
        return [place_of.get(row) for row in wanted]

    def _ranks(self, places: Sequence[int]) -> dict[int, int]:
        """The rank of each of these places, in ascending order, by one scan."""
        if not places:
            return {}
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
