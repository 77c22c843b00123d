"""Where a walk's rows wait until they are proven: temp tables, which only this module names, makes
and drops.

Each walk has a table with a random name: a session that a pooler puts in place of ours has no such
table, and one that it shares with others has no clash. A few pages at a time are copied and
committed (`on commit preserve rows`): memory does not grow with the rows, and no transaction stays
open while the network is waited for. A thread of its own copies them while the next ones are made
ready.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.schema import CreateTable, DropTable

from pipelines.errors import HoldfastError, OutOfOrder, TornWalk
from pipelines.providers.pages import Row
from pipelines.providers.provider import Dataset
from pipelines.warehouse.copy_text import CopyText
from pipelines.warehouse.schema import analyze, value_columns
from pipelines.warehouse.session import TABLE_PREFIX, same_session

logger = logging.getLogger(__name__)

_NO_WAIT = "set local synchronous_commit to off"
"""A commit need not reach the disk: what is in a temp table dies with the session anyway. Waiting
for it took half of the time of a walk whose pages come at once."""

BLOCK_BYTES = 1024 * 1024
"""What is gathered before it is copied. Large enough that the statements around it do not count,
small enough that the pages which are fetched meanwhile do not stand still for long."""


class Copier:
    """The one thread that copies on a connection, a block at a time.

    The connection belongs to that thread until `settle`: both collects of a target share it, so
    what either of them, or anybody else, does on it has to settle first.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "copy")
        self._under_way: Future[None] | None = None

    def start(self, copy: Callable[[], None]) -> None:
        """Have a block copied, after the one before it. Raises what became of that one."""
        self.settle()
        self._under_way = self._thread.submit(copy)

    def settle(self) -> None:
        """Wait until nothing is being copied. Raises what became of it."""
        under_way, self._under_way = self._under_way, None
        if under_way:
            under_way.result()

    def close(self) -> None:
        """Wait until nothing is being copied, whatever became of it."""
        self._thread.shutdown()
        self._under_way = None


class Staging:
    """The rows of one collect, in a temp table that `clear` makes and `drop` removes."""

    def __init__(
        self,
        connection: sa.Connection,
        dataset: Dataset,
        copier: Copier,
        *,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.cut_attributes = 0
        self._made: sa.Table | None = None
        self._written = 0
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._block_bytes = block_bytes
        self._copier = copier
        self._text = CopyText(dataset)
        self._dataset = dataset
        self._connection = connection

    @property
    def table(self) -> sa.Table:
        """The table of the present walk."""
        if self._made is None:
            raise RuntimeError("a walk is written to staging before it is cleared")
        return self._made

    def clear(self) -> None:
        """Make an empty table, in place of the last walk's."""
        self._copier.settle()
        self.cut_attributes = self._written = 0
        self._forget_gathered()
        last, self._made = self._made, None
        table = _new_table(self._dataset)
        with same_session(self._connection):
            if last is not None:
                self._connection.execute(DropTable(last, if_exists=True))
            self._connection.execute(CreateTable(table))
        self._made = table

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows; with some of those before, in a transaction of their own, when they are
        enough. `finish` writes what is left."""
        page = tuple(rows)
        text, cut_attributes = self._text.of(page, self._written)
        self.cut_attributes += cut_attributes
        self._written += len(page)
        self._gathered.append(text)
        self._gathered_bytes += len(text)
        if self._gathered_bytes >= self._block_bytes:
            self._copier.start(partial(self._copy_block, self.table, b"".join(self._gathered)))
            self._forget_gathered()

    def finish(self, rows: int) -> None:
        """Write what is left and check that there are `rows` rows, each with a key of its own.

        Raises TornWalk where a key stands twice: the row moved while the pages were read.
        """
        self._copier.settle()
        if self._gathered_bytes:
            self._copy_block(self.table, b"".join(self._gathered))
        self._forget_gathered()
        key = self.table.c.key_hash
        with same_session(self._connection):
            # Nothing but the key is ever joined by: its statistics cost half of those of all.
            analyze(self._connection, self.table, key.name)
            found, distinct = self._connection.execute(
                sa.select(sa.func.count(), sa.func.count(key.distinct()))
            ).one()
        if distinct != found:
            raise OutOfOrder(f"{found - distinct} of {found} rows were given twice")
        if found != rows:
            raise TornWalk(f"{found} rows arrived of {rows} that were read")

    def drop(self) -> None:
        """Remove the table, where there is one. Raises what Postgres says."""
        table, self._made = self._made, None
        if table is not None:
            with same_session(self._connection):
                self._connection.execute(DropTable(table, if_exists=True))

    def _copy_block(self, table: sa.Table, block: bytes) -> None:
        statement = sql.SQL("copy {} ({}) from stdin (encoding 'UTF8')").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns),
        )
        with same_session(self._connection):
            driver = self._connection.connection.cursor()
            driver.execute(_NO_WAIT)
            with driver.copy(statement) as copy:
                copy.write(block)

    def _forget_gathered(self) -> None:
        self._gathered = []
        self._gathered_bytes = 0


class StagingArea:
    """Both collects of a target, on the one connection that they share. Has to be closed before the
    connection goes back."""

    def __init__(
        self, connection: sa.Connection, dataset: Dataset, *, block_bytes: int = BLOCK_BYTES
    ) -> None:
        self._connection = connection
        self._copier = Copier()
        self.collects = (
            Staging(connection, dataset, self._copier, block_bytes=block_bytes),
            Staging(connection, dataset, self._copier, block_bytes=block_bytes),
        )

    def settle(self) -> None:
        """Wait until the connection is free. Raises what became of what was being copied."""
        self._copier.settle()

    def same(self) -> bool:
        """Whether both finished collects hold the same set of rows, in whatever order."""
        return _same_rows(self._connection, *(collect.table for collect in self.collects))

    def close(self) -> None:
        """Drop the tables. Where that fails, as on a lost connection, they go with their session,
        and what ended the walk is the error to tell."""
        self._copier.close()
        if self._connection.invalidated:
            return
        for collect in self.collects:
            try:
                collect.drop()
            except (HoldfastError, sa.exc.DBAPIError, psycopg.Error) as error:
                logger.info("a staging table stays until its session ends: %s", error)


def _new_table(dataset: Dataset) -> sa.Table:
    """A table with a name that no other session and no other walk has; `position` counts a walk's
    rows from 0 as they came."""
    position = [sa.Column("position", sa.BigInteger)] if dataset.ordered else []
    return sa.Table(
        f"{TABLE_PREFIX}{secrets.token_hex(8)}",
        sa.MetaData(),
        sa.Column("key_hash", UUID),
        *position,
        *value_columns(dataset),
        prefixes=["temporary"],
        postgresql_on_commit="preserve rows",
    )


def _same_rows(connection: sa.Connection, one: sa.Table, other: sa.Table) -> bool:
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
    with same_session(connection):
        return not connection.scalar(sa.select(found))
