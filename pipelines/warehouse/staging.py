"""Where a walk's rows wait until they are proven: a temp table of the session.

A few pages at a time are copied and committed (`on commit preserve rows`): memory does not grow
with the rows, and no transaction stays open while the network is waited for. A thread of its own
copies them while the next ones are made ready.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.schema import CreateTable

from pipelines.errors import TornWalk
from pipelines.providers.provider import Dataset, Row
from pipelines.warehouse.copy_text import CopyText
from pipelines.warehouse.schema import dataset_tables

_NO_WAIT = "set local synchronous_commit to off"
"""A commit need not reach the disk: what is in a temp table dies with the session anyway. Waiting
for it took half of the time of a walk whose pages come at once."""

BLOCK_BYTES = 1024 * 1024
"""What is gathered before it is copied. Large enough that the statements around it do not count,
small enough that the pages which are fetched meanwhile do not stand still for long."""


class Staging:
    """One of the two staging tables of a dataset, on one connection.

    Between `write` and `settle`, `finish` or `clear` the connection is in use by another thread.
    Whoever makes a Staging has to `close` it before the connection goes back.
    """

    def __init__(self, connection: sa.Connection, dataset: Dataset, number: int) -> None:
        self.table = dataset_tables(dataset).staging[number]
        self.cut_attributes = 0
        self._written = 0
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._copier = ThreadPoolExecutor(1, "copy")
        self._copying: Future[None] | None = None
        self._text = CopyText(dataset)
        self._connection = connection
        # Nothing but the key is ever joined by: its statistics cost half of those of all columns.
        self._analyze = sql.SQL("analyze {} ({})").format(
            sql.Identifier(self.table.name), sql.Identifier("key_hash")
        )
        self._copy = sql.SQL("copy {} ({}) from stdin (encoding 'UTF8')").format(
            sql.Identifier(self.table.name),
            sql.SQL(", ").join(sql.Identifier(column.name) for column in self.table.columns),
        )

    def clear(self) -> None:
        """Make the table, or empty the one that this session has."""
        self.settle()
        self.cut_attributes = self._written = 0
        self._forget_gathered()
        with self._connection.begin():
            self._connection.execute(CreateTable(self.table, if_not_exists=True))
            self._connection.connection.cursor().execute(
                sql.SQL("truncate {}").format(sql.Identifier(self.table.name))
            )

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows; with some of those before, in a transaction of their own, when they are
        enough. `finish` writes what is left."""
        page = tuple(rows)
        text, cut_attributes = self._text.of(page, self._written)
        self.cut_attributes += cut_attributes
        self._written += len(page)
        self._gathered.append(text)
        self._gathered_bytes += len(text)
        if self._gathered_bytes >= BLOCK_BYTES:
            self.settle()
            self._copying = self._copier.submit(self._copy_block, b"".join(self._gathered))
            self._forget_gathered()

    def settle(self) -> None:
        """Wait until nothing is being copied. Raises what became of it."""
        copying, self._copying = self._copying, None
        if copying:
            copying.result()

    def close(self) -> None:
        """Wait until nothing is being copied, whatever became of it."""
        if self._copying:
            wait([self._copying])
        self._copier.shutdown()

    def finish(self, rows: int) -> None:
        """Write what is left and check that there are `rows` rows, each with a key of its own.

        Raises TornWalk where a key stands twice: the row moved while the pages were read.
        """
        self.settle()
        if self._gathered_bytes:
            self._copy_block(b"".join(self._gathered))
        self._forget_gathered()
        key = self.table.c.key_hash
        with self._connection.begin():
            self._connection.connection.cursor().execute(self._analyze)
            found, distinct = self._connection.execute(
                sa.select(sa.func.count(), sa.func.count(key.distinct()))
            ).one()
        if distinct != found:
            raise TornWalk(f"{found - distinct} of {found} rows were given twice")
        if found != rows:
            raise TornWalk(f"{found} rows arrived of {rows} that were read")

    def _copy_block(self, block: bytes) -> None:
        with self._connection.begin():
            driver = self._connection.connection.cursor()
            driver.execute(_NO_WAIT)
            with driver.copy(self._copy) as copy:
                copy.write(block)

    def _forget_gathered(self) -> None:
        self._gathered = []
        self._gathered_bytes = 0


def same_rows(connection: sa.Connection, first: Staging, second: Staging) -> bool:
    """Whether two finished collects hold the same set of rows, in whatever order."""
    one, other = first.table, second.table
    pairs = one.join(other, one.c.key_hash == other.c.key_hash, full=True)
    differs = sa.or_(
        one.c.key_hash.is_(None),
        other.c.key_hash.is_(None),
        *(
            column.is_distinct_from(other.c[column.name])
            for column in one.columns
            if column.name not in ("key_hash", "position")
        ),
    )
    found = sa.exists().select_from(pairs).where(differs)
    with connection.begin():
        return not connection.scalar(sa.select(found))
