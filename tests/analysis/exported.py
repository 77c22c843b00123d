"""Files of a warehouse's relations, written and read back."""

import io
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from pipelines.analysis import relations
from pipelines.analysis.columns import columns_of
from pipelines.analysis.export import write_parquet
from pipelines.analysis.relations import Relation, Source
from tests.analysis.small_world import WALLET, SmallWorld

ANYTHING = Relation("anything")
ALL = [pytest.param(one, id=one.plain_name) for one in relations.relations()]


def silent(_rows: int) -> None:
    """No heartbeat."""


def moments_for(relation: Relation, told: SmallWorld) -> list[datetime]:
    first, last = told.of_item[0].snapshot_at, datetime.now(UTC)
    return {0: [], 1: [last], 2: [first, last]}[relation.moments]


def values_for(relation: Relation) -> dict[str, object]:
    values = {"only_holder": WALLET.upper().replace("X", "x"), "how_many": 3}
    return {argument.name: values[argument.name] for argument in relation.options}


def asked(driver: psycopg.Connection, query: str) -> Source:
    """A source that is any query."""
    rows = sql.SQL("({}) q").format(sql.SQL(query))
    described = driver.execute(sql.SQL("select * from {} limit 0").format(rows)).description
    return Source(ANYTHING, columns_of(described), rows)


def as_parquet(driver: psycopg.Connection, source: Source, **options: Any) -> pa.Table:
    file = io.BytesIO()
    rows = write_parquet(driver, source, file, silent, **options)
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert rows == table.num_rows
    return table


def truth(driver: psycopg.Connection, source: Source) -> list[tuple[Any, ...]]:
    return driver.execute(sql.SQL("select * from {}").format(source.rows)).fetchall()
