"""What a history takes on disk, beside every row of every snapshot appended to a table.

So many rows are appended as a million holders are, taken from snapshots over the whole time; the
others are the same rows with other moments, so their bytes are computed in proportion.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
import psycopg

from benchmarks.sql.generate import World, statement

SAMPLE = 400_000
"""About so many rows are appended at least."""
MOST = 0.05
"""The share of the appended bytes that ours are held to."""


class Bytes(msgspec.Struct, frozen=True):
    """Of tables (heap and TOAST) and of their indexes."""

    table: int
    index: int

    @property
    def whole(self) -> int:
        return self.table + self.index


class Stored(msgspec.Struct, frozen=True):
    """`ours` are current and history with all their indexes; `sampled` of all `rows` were appended,
    `appended` is what all of them would take."""

    rows: int
    sampled: int
    ours: Bytes
    appended: Bytes

    @property
    def ratio(self) -> float:
        return self.ours.whole / self.appended.whole

    @property
    def ratio_of_tables(self) -> float:
        return self.ours.table / self.appended.table


SIZES: LiteralString = """
    select sum(pg_table_size(oid))::bigint, sum(pg_indexes_size(oid))::bigint
    from unnest(%s::regclass[]) oid
"""


def stored(connection: psycopg.Connection[Any], world: World) -> Stored:
    number = min(world.snapshots, -(-SAMPLE // world.holders))
    connection.execute(statement("append"))
    try:
        for place in range(number):
            moment = world.moment(place * (world.snapshots - 1) // max(number - 1, 1))
            connection.execute(statement("appended"), {"moment": moment})
        sample = _bytes(connection, ["appended"])
        sampled = _number(connection, "select count(*) from appended")
    finally:
        connection.execute("drop table appended")
    rows = _number(connection, "select sum(rows)::bigint from snapshot")
    return Stored(
        rows=rows,
        sampled=sampled,
        ours=_bytes(connection, ["altura_item_holders_current", "altura_item_holders_history"]),
        appended=Bytes(sample.table * rows // sampled, sample.index * rows // sampled),
    )


def _bytes(connection: psycopg.Connection[Any], tables: Sequence[str]) -> Bytes:
    row = connection.execute(SIZES, [list(tables)]).fetchone()
    if row is None:
        raise LookupError(tables)
    return Bytes(*row)


def _number(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    if row is None:
        raise LookupError(query)
    return int(row[0])
