"""Where a walk's rows wait until they are proven: a temp table of the session.

Each page is copied and committed by itself (`on commit preserve rows`): memory does not grow with
the rows, and no transaction stays open while the network is waited for.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.schema import CreateTable

from pipelines.errors import TornWalk
from pipelines.providers.provider import Dataset, Row, Value
from pipelines.warehouse.schema import analyze, dataset_tables
from pipelines.warehouse.text import cut, escape, key_hash


class Staging:
    """One of the two staging tables of a dataset, on one connection."""

    def __init__(self, connection: sa.Connection, dataset: Dataset, number: int) -> None:
        self.table = dataset_tables(dataset).staging[number]
        self.cut_attributes = 0
        self._connection = connection
        self._dataset = dataset
        self._copy = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(self.table.name),
            sql.SQL(", ").join(sql.Identifier(column.name) for column in self.table.columns),
        )
        self._key_places = [dataset.column_names.index(name) for name in dataset.key]

    def clear(self) -> None:
        """Make the table, or empty the one that this session has."""
        self.cut_attributes = 0
        with self._connection.begin():
            self._connection.execute(CreateTable(self.table, if_not_exists=True))
            self._connection.connection.cursor().execute(
                sql.SQL("truncate {}").format(sql.Identifier(self.table.name))
            )

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows, in a transaction of their own."""
        with self._connection.begin():
            driver = self._connection.connection.cursor()
            with driver.copy(self._copy) as copy:
                for row in rows:
                    copy.write_row(self._as_stored(row))

    def finish(self, rows: int) -> None:
        """Analyze, and check that there are `rows` rows with a key of their own.

        Raises TornWalk where a key stands twice: the row moved while the pages were read.
        """
        key = self.table.c.key_hash
        with self._connection.begin():
            analyze(self._connection, self.table)
            found, distinct = self._connection.execute(
                sa.select(sa.func.count(), sa.func.count(key.distinct()))
            ).one()
        if distinct != found:
            raise TornWalk(f"{found - distinct} of {found} rows were given twice")
        if found != rows:
            raise TornWalk(f"{found} rows arrived of {rows} that were read")

    def _as_stored(self, row: Row) -> list[object]:
        stored: list[Value] = [escape(value) if isinstance(value, str) else value for value in row]
        key = key_hash(tuple(str(stored[place]) for place in self._key_places))
        for place, value in enumerate(stored):
            if isinstance(value, str) and place not in self._key_places:
                stored[place] = cut(value)
                self.cut_attributes += stored[place] is not value
        return [key, *stored]


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
            if column.name != "key_hash"
        ),
    )
    found = sa.exists().select_from(pairs).where(differs)
    with connection.begin():
        return not connection.scalar(sa.select(found))
