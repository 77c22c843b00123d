"""How unevenly each snapshot's amount is spread over its holders, kept so that a dashboard need not
sort every holder of every snapshot anew.

What is kept follows from the snapshots alone, so that nothing is lost where it is missing: it is
made after they are published, newest first, as that is what people look at, in one transaction
each. Killed, it goes on where it stopped; several at once share the work.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql

from pipelines.paths import shipped
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Dataset
from pipelines.warehouse.schema import (
    dataset_tables,
    snapshot,
    snapshot_concentration,
    target,
)

STATEMENT = shipped("sql/refresh/concentration.sql")
WORK_MEM = "64MB"
"""Holds the sort of half a million holders; what is larger goes to disk."""

BLOCK = 1_000
"""Snapshots looked up at once. After each block what was published meanwhile comes first."""


@dataclass(frozen=True)
class RefreshProgress:
    """How far it has come: snapshots that were given their row, and those that still have none."""

    done: int
    left: int

    def __str__(self) -> str:
        return f"concentration of {self.done:,} snapshots computed, {self.left:,} to go"


@dataclass(frozen=True)
class _Missing:
    """A snapshot without figures."""

    snapshot_id: int
    target_id: int
    snapshot_at: datetime
    provider: str


def refresh_concentration(
    connection: sa.Connection,
    *,
    seconds: float | None = None,
    on_progress: Callable[[RefreshProgress], None] | None = None,
) -> int:
    """Compute what is missing in `snapshot_concentration`; how many snapshots were given their row.

    `connection` is one on which nothing is begun (`Warehouse.connect`). After so many `seconds` no
    further snapshot is begun, and the next call goes on there. A million holders take seconds.
    """
    began = time.monotonic()
    done = 0
    busy: set[int] = set()
    while block := _missing(connection, busy):
        left = count_missing(connection) if on_progress else 0
        for missing in block:
            if seconds is not None and time.monotonic() - began >= seconds:
                return done
            added = _refresh_one(connection, missing)
            if added is None:
                busy.add(missing.snapshot_id)
            elif added:
                done, left = done + added, max(left - added, 0)
                if on_progress:
                    on_progress(RefreshProgress(done, left))
    return done


def count_missing(connection: sa.Connection) -> int:
    """How many snapshots whose rows have amounts are not in `snapshot_concentration` yet."""
    with connection.begin():
        counted = connection.scalar(_without_figures(sa.func.count()))
    return int(counted or 0)


def lock_of(snapshot_id: int) -> sa.ColumnElement[int]:
    """The advisory lock of whoever is at a snapshot."""
    return sa.func.hashtextextended(f"holdfast concentration {snapshot_id}", 0)


def _missing(connection: sa.Connection, busy: set[int]) -> list[_Missing]:
    """The newest snapshots without figures; those that another process was found at are left to
    it."""
    of = snapshot.c
    newest = (
        _without_figures(of.snapshot_id, of.target_id, of.snapshot_at, target.c.provider)
        .order_by(of.snapshot_at.desc(), of.snapshot_id.desc())
        .limit(BLOCK + len(busy))
    )
    with connection.begin():
        found = [_Missing(**row) for row in connection.execute(newest).mappings()]
    return [missing for missing in found if missing.snapshot_id not in busy]


def _without_figures(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    with_amounts = [name for name, provider in PROVIDERS.items() if provider.dataset.amount]
    figures = snapshot_concentration.c
    return (
        sa.select(*columns)
        .select_from(snapshot)
        .join(target, target.c.target_id == snapshot.c.target_id)
        .outerjoin(snapshot_concentration, figures.snapshot_id == snapshot.c.snapshot_id)
        .where(figures.snapshot_id.is_(None), target.c.provider.in_(with_amounts))
    )


def _refresh_one(connection: sa.Connection, missing: _Missing) -> int | None:
    """Give a snapshot its row, and those before it that have the same; how many there were. None
    where another process is at it."""
    with connection.begin():
        is_ours = connection.scalar(
            sa.select(
                sa.func.pg_try_advisory_xact_lock(lock_of(missing.snapshot_id)),
                sa.func.set_config("work_mem", WORK_MEM, True),
                # What a crash takes with it is computed again.
                sa.func.set_config("synchronous_commit", "off", True),
            )
        )
        if not is_ours:
            return None
        statement = _statement(PROVIDERS[missing.provider].dataset)
        driver = cast("psycopg.Connection", connection.connection.driver_connection)
        # Not prepared: a plan for any moment would be a bad one for most.
        return driver.execute(statement, asdict(missing), prepare=False).rowcount


@cache
def _statement(dataset: Dataset) -> sql.Composed:
    tables = dataset_tables(dataset)
    return sql.SQL(STATEMENT.read_text(encoding="utf-8")).format(
        current=sql.Identifier(tables.current.name),
        history=sql.Identifier(tables.history.name),
        amount=sql.Identifier(dataset.amount or ""),
    )
