"""A desk for walks in this process's memory, in place of Postgres (see pipelines.walks.Desk)."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pipelines.desk import Proven, PublishedCollect
from pipelines.errors import OutOfOrder, TornWalk
from pipelines.extract.missing import Known
from pipelines.extract.tips import Base
from pipelines.providers.pages import Row
from pipelines.providers.provider import Dataset
from pipelines.warehouse.postgres import DatabaseClock


class MemoryStage:
    """One walk's rows."""

    def __init__(self, dataset: Dataset) -> None:
        self.cut_attributes = 0
        self.rows: list[Row] = []
        self._key = [dataset.column_names.index(name) for name in dataset.key]

    def clear(self) -> None:
        self.rows = []

    def write(self, rows: Iterable[Row]) -> None:
        self.rows.extend(rows)

    def finish(self, rows: int) -> None:
        """Raises TornWalk where a key stands twice."""
        distinct = {tuple(row[place] for place in self._key) for row in self.rows}
        if len(distinct) != len(self.rows):
            raise OutOfOrder(f"{len(self.rows) - len(distinct)} of {rows} rows were given twice")
        if len(self.rows) != rows:
            raise TornWalk(f"{len(self.rows)} rows arrived of {rows} that were read")


class MemoryListing:
    """Published rows as they stood in the list, from the first to the last."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.in_order = tuple(rows)
        self._known = {
            row: Known(rank, rank) for rank, row in enumerate(reversed(self.in_order), start=1)
        }

    @property
    def rows(self) -> int:
        return len(self.in_order)

    def find(self, rows: Sequence[Row]) -> list[Known | None]:
        return [self._known.get(row) for row in rows]

    def without(self, removed: Iterable[tuple[int, int]]) -> list[Row]:
        gone = {
            place for low, high in removed for place in range(low + 1, min(high, self.rows + 1))
        }
        return [row for row in self.in_order if self._known[row].place not in gone]


class MemoryDesk:
    """Two stages, and what was published last. `partial`: a walk may rest on it."""

    def __init__(self, dataset: Dataset, *, partial: bool = False) -> None:
        self.stagings = (MemoryStage(dataset), MemoryStage(dataset))
        self.published: PublishedCollect | None = None
        self._listing = MemoryListing(())
        self._partial = partial
        self._ordered = True
        self._orphaned: set[str] = set()

    @property
    def listing(self) -> MemoryListing | None:
        rests = self._partial and self._ordered and self.published
        return self._listing if rests else None

    def same(self) -> bool:
        return frozenset(self.stagings[0].rows) == frozenset(self.stagings[1].rows)

    def same_as_published(self, place: int) -> bool:
        return frozenset(self.stagings[place].rows) == frozenset(self._listing.in_order)

    def clock(self, before: DatabaseClock | None = None) -> DatabaseClock:
        """This machine's clock, by which the sandbox's world lives too."""
        asked = time.monotonic()
        reading = datetime.now(UTC)
        taken = (asked, time.monotonic(), reading)
        return DatabaseClock((*(before.readings if before else ()), taken))

    def publish(self, proven: Proven) -> Sequence[Row]:
        """Make a proven walk the last published one; returns the whole set's rows."""
        collect = proven.collect
        rows = list(self.stagings[proven.place].rows)
        if proven.removed is not None:
            rows += self._listing.without(proven.removed)
        self._listing = MemoryListing(rows)
        self._ordered = proven.ordered
        tip = proven.tip if self._partial else None
        base = Base(tip.block, tip.block.hash) if tip else None
        self.published = PublishedCollect(
            collect.rows, collect.page_size, collect.extra, base, proven.api, collect.last_tip
        )
        return rows

    def learn(self, orphaned: Collection[str]) -> None:
        """Blocks were found to be no longer part of the chain: the warehouse remembers that for the
        runs to come."""
        new = set(orphaned) - self._orphaned
        self._orphaned |= new
        if new and self.published and (base := self.published.base):
            gone = base.is_orphaned or base.block.hash in self._orphaned
            base = replace(base, is_orphaned=gone, forked=True)
            self.published = replace(self.published, base=base)

    def forget(self) -> None:
        """As if nothing had ever been published."""
        self.published = None
