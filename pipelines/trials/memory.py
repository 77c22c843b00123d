"""A desk for walks in this process's memory, in place of Postgres (see pipelines.walks.Desk)."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from pipelines.errors import TornWalk
from pipelines.providers.provider import Dataset, Row
from pipelines.walks import Proven, PublishedCollect
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
            raise TornWalk(f"{len(self.rows) - len(distinct)} of {rows} rows were given twice")
        if len(self.rows) != rows:
            raise TornWalk(f"{len(self.rows)} rows arrived of {rows} that were read")


class MemoryDesk:
    """Two stages, and what was published last."""

    def __init__(self, dataset: Dataset) -> None:
        self.stagings = (MemoryStage(dataset), MemoryStage(dataset))
        self.published: PublishedCollect | None = None
        self._published_rows: frozenset[Row] = frozenset()

    def same(self) -> bool:
        return frozenset(self.stagings[0].rows) == frozenset(self.stagings[1].rows)

    def same_as_published(self, place: int) -> bool:
        return frozenset(self.stagings[place].rows) == self._published_rows

    def clock(self, before: DatabaseClock | None = None) -> DatabaseClock:
        """This machine's clock, by which the sandbox's world lives too."""
        asked = time.monotonic()
        reading = datetime.now(UTC)
        taken = (asked, time.monotonic(), reading)
        return DatabaseClock((*(before.readings if before else ()), taken))

    def publish(self, proven: Proven) -> None:
        collect = proven.collect
        self._published_rows = frozenset(self.stagings[proven.place].rows)
        self.published = PublishedCollect(0, collect.rows, collect.page_size, collect.aggregate)

    def forget(self) -> None:
        """As if nothing had ever been published."""
        self.published = None
