"""From staging to published: the delta, the guards, and the one transaction that changes what is
visible.

A reader sees the old state or the new one. Killed at any point, nothing is half there. The
statements are the ones measured best at 1 M rows: a full join into a temp table, then one statement
each for what goes to history, leaves, changes and enters.
"""

import time
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from pipelines.errors import HeldBack, Superseded, TargetBusy
from pipelines.providers.provider import Dataset
from pipelines.warehouse.registry import (
    PublishedSnapshot,
    Run,
    find_published,
    held_rows,
    last_published,
    return_from_retirement,
)
from pipelines.warehouse.schema import KINDS, DatasetTables, analyze, dataset_tables, snapshot
from pipelines.warehouse.staging import Staging

LOCK_PATIENCE = 30.0
"""Seconds that a publish waits for another one of the same target."""


@dataclass(frozen=True)
class Accepted:
    """What is known of a proven walk beside its rows; the fields are columns of `snapshot`."""

    started_at: datetime
    snapshot_at: datetime
    snapshot_until: datetime
    finished_at: datetime
    proof: str
    rows: int
    migrated_amount: Decimal | None
    migrated_unconfirmed: Decimal | None
    cut_attributes: int
    walks: int
    pages: int
    requests: int
    seconds: Decimal
    page_size: int
    first_tip: str | None
    last_tip: str | None


@dataclass(frozen=True)
class Guard:
    """When a proven set is still held back until a walk of a later run agrees.

    `max_drop_share`: the share of its rows that a set may lose at once. `allow_empty`: whether a
    set that had rows may become empty at all. `accept_empty`: a person vouches for it, this once.
    """

    max_drop_share: float
    allow_empty: bool
    accept_empty: bool = False


def same_as_current(
    connection: sa.Connection, dataset: Dataset, target_id: int, staging: Staging
) -> bool:
    """Whether a finished collect is exactly what is published, attributes included."""
    delta = _delta(dataset, target_id, staging, merge=False)
    with connection.begin():
        return not connection.scalar(sa.select(sa.exists(delta)))


def publish(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    run: Run,
    staging: Staging,
    accepted: Accepted,
    guard: Guard,
    *,
    first_collect: int | None = None,
) -> PublishedSnapshot:
    """Make a proven walk the present, in one transaction.

    `first_collect` is the snapshot that the walk was compared with, where the proof rests on it.
    Returns what the same run has published before, if it has. Raises Superseded for a walk that
    overlaps one published meanwhile, HeldBack where a guard holds it, TargetBusy when another
    process does not let go of the target.
    """
    with connection.begin():
        _lock(connection, target_id)
        if repeated := find_published(connection, target_id, run.key):
            return repeated
        last = last_published(connection, target_id)
        if last and (accepted.started_at < last.finished_at or _is_other(first_collect, last)):
            raise Superseded(
                f"a snapshot taken until {last.finished_at:%Y-%m-%d %H:%M:%S} UTC was published"
                f" while this walk, begun {accepted.started_at:%H:%M:%S}, was under way"
            )
        delta = _make_delta(connection, dataset, target_id, staging)
        counts = _count(connection, delta)
        if last:
            _check_guard(connection, run, last, accepted.rows, guard)
        _apply(connection, dataset, target_id, delta, accepted.snapshot_at)
        return_from_retirement(connection, target_id, accepted.started_at)
        inserted = connection.execute(
            snapshot.insert()
            .values(
                target_id=target_id,
                previous_id=last.snapshot_id if last else None,
                run_key=run.key,
                scheduled_at=run.scheduled_at,
                amount_sum=_amount_sum(connection, dataset, staging),
                **asdict(accepted),
                **counts,
            )
            .returning(snapshot)
        )
        return PublishedSnapshot(**inserted.mappings().one())


def _is_other(first_collect: int | None, last: PublishedSnapshot) -> bool:
    return first_collect is not None and first_collect != last.snapshot_id


def _lock(connection: sa.Connection, target_id: int) -> None:
    """Take the target's lock. An advisory one blocks no foreign key and dies with its session."""
    name = sa.func.hashtextextended(f"holdfast target {target_id}", 0)
    deadline = time.monotonic() + LOCK_PATIENCE
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(name))):
        if time.monotonic() > deadline:
            raise TargetBusy(f"another process has been publishing it for {LOCK_PATIENCE:g} s")
        time.sleep(0.1)


def _delta(dataset: Dataset, target_id: int, staging: Staging, *, merge: bool) -> sa.Select[Any]:
    """What differs between a finished collect and what is published: key_hash, change, the values.

    With `merge`, columns that an answer may leave out keep the value known before.
    """
    new = staging.table
    current = dataset_tables(dataset).current
    old = sa.select(current).where(current.c.target_id == target_id).subquery("old")
    values = {
        name: sa.func.coalesce(new.c[name], old.c[name])
        if merge and name in dataset.kept_when_absent
        else new.c[name]
        for name in dataset.value_names
    }
    entered, exited = old.c.key_hash.is_(None), new.c.key_hash.is_(None)
    kinds: list[tuple[sa.ColumnElement[bool], str]] = [(entered, "entered"), (exited, "exited")]
    if dataset.acquisition:
        name = dataset.acquisition
        kinds.append((new.c[name] != old.c[name], "reacquired"))
    if dataset.amount:
        kinds.append((new.c[dataset.amount] > old.c[dataset.amount], "increased"))
        kinds.append((new.c[dataset.amount] < old.c[dataset.amount], "decreased"))
    differs = (value.is_distinct_from(old.c[name]) for name, value in values.items())
    return (
        sa.select(
            sa.func.coalesce(new.c.key_hash, old.c.key_hash).label("key_hash"),
            sa.case(*kinds, else_="profile").label("change"),
            *(new.c[name].label(name) for name in dataset.key),
            *(value.label(name) for name, value in values.items()),
        )
        .select_from(new.join(old, new.c.key_hash == old.c.key_hash, full=True))
        .where(sa.or_(entered, exited, *differs))
    )


def _make_delta(
    connection: sa.Connection, dataset: Dataset, target_id: int, staging: Staging
) -> sa.Table:
    delta = sa.Table(
        "delta",
        sa.MetaData(),
        sa.Column("key_hash", UUID),
        sa.Column("change", sa.Text),
        *(sa.Column(name, staging.table.c[name].type) for name in dataset.column_names),
        prefixes=["temporary"],
        postgresql_on_commit="drop",
    )
    delta.create(connection)
    select = _delta(dataset, target_id, staging, merge=True)
    connection.execute(delta.insert().from_select([column.name for column in delta.c], select))
    analyze(connection, delta)
    return delta


def _count(connection: sa.Connection, delta: sa.Table) -> dict[str, int]:
    counted = connection.execute(
        sa.select(delta.c.change, sa.func.count().label("rows")).group_by(delta.c.change)
    )
    return dict.fromkeys(KINDS, 0) | {row.change: row.rows for row in counted}


def _check_guard(
    connection: sa.Connection,
    run: Run,
    last: PublishedSnapshot,
    rows: int,
    guard: Guard,
) -> None:
    """Raise HeldBack where too much is gone at once, unless a walk of an earlier run agrees."""
    lost_all = rows == 0 and last.rows > 0
    if guard.accept_empty and lost_all:
        return
    if lost_all and not guard.allow_empty:
        raise HeldBack(
            f"empty, where there were {last.rows} rows. If that is true, set allow_empty on the"
            " target in targets.yaml, or run holdfast snapshot --accept-empty for it once",
            rows=rows,
        )
    lost = last.rows - rows
    if lost <= guard.max_drop_share * last.rows:
        return
    held = held_rows(connection, last, run.key)
    if held is None or not _agree(held, rows, guard.max_drop_share):
        raise HeldBack(
            f"{lost} of {last.rows} rows are gone at once, more than {guard.max_drop_share:.0%};"
            " published when the walk of a later run agrees",
            rows=rows,
        )


def _agree(held: int, rows: int, share: float) -> bool:
    return min(held, rows) >= (1 - share) * max(held, rows)


def _apply(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    delta: sa.Table,
    at: datetime,
) -> None:
    tables = dataset_tables(dataset)
    current = tables.current
    here = sa.and_(current.c.target_id == target_id, current.c.key_hash == delta.c.key_hash)
    moment = sa.literal(at, sa.DateTime(timezone=True))
    _keep_history(connection, tables, delta, here, moment)
    connection.execute(current.delete().where(here, delta.c.change == "exited"))
    reacquired = delta.c.change == "reacquired"
    connection.execute(
        current.update()
        .where(here, delta.c.change.not_in(["entered", "exited"]))
        .values(
            held_since=sa.case((reacquired, moment), else_=current.c.held_since),
            valid_from=moment,
            **{name: delta.c[name] for name in dataset.value_names},
        )
    )
    entering = (
        sa.select(
            sa.literal(target_id),
            delta.c.key_hash,
            *(delta.c[name] for name in dataset.column_names),
            moment,
            moment,
        )
        .where(delta.c.change == "entered")
        .order_by(delta.c.key_hash)
    )
    connection.execute(
        current.insert().from_select([column.name for column in current.c], entering)
    )


def _keep_history(
    connection: sa.Connection,
    tables: DatasetTables,
    delta: sa.Table,
    here: sa.ColumnElement[bool],
    moment: sa.ColumnElement[datetime],
) -> None:
    ended = (
        sa.select(*tables.current.c, moment)
        .where(here, delta.c.change != "entered")
        .order_by(tables.current.c.key_hash)
    )
    names = [column.name for column in tables.current.c]
    connection.execute(tables.history.insert().from_select([*names, "valid_to"], ended))


def _amount_sum(connection: sa.Connection, dataset: Dataset, staging: Staging) -> Decimal | None:
    if not dataset.amount:
        return None
    total = sa.func.coalesce(sa.func.sum(staging.table.c[dataset.amount]), 0)
    return connection.scalar(sa.select(total))
