"""From staging to published: the delta, the guards, and the one transaction that changes what is
visible.

A reader sees the old state or the new one. Killed at any point, nothing is half there. A first
snapshot goes from staging straight into `current`; a later one by its delta (delta.py), with one
statement each for what goes to history, leaves, changes and enters.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from pipelines.errors import Contradicted, HeldBack, Superseded, TargetBusy
from pipelines.extract.tips import Tip
from pipelines.providers.pages import Value
from pipelines.providers.provider import Dataset
from pipelines.warehouse.delta import Removed, count_kinds, learn, make_delta, whole_difference
from pipelines.warehouse.moments import Moment, check_moment
from pipelines.warehouse.places import NO_PLACES, Places, number_anew, places_of
from pipelines.warehouse.registry import (
    PublishedSnapshot,
    Run,
    find_published,
    held_rows,
    last_published,
    return_from_retirement,
)
from pipelines.warehouse.runs import fence
from pipelines.warehouse.schema import KINDS, DatasetTables, dataset_tables, snapshot
from pipelines.warehouse.session import same_session
from pipelines.warehouse.staging import Staging
from pipelines.warehouse.tips import keep_tip

LOCK_PATIENCE = 30.0
"""Seconds that a publish waits for another one of the same target."""


@dataclass(frozen=True)
class Accepted:
    """What is known of a proven walk beside its rows; the fields are columns of `snapshot`, `extra`
    has those that are its provider's own. `tip` is what a later walk may rest on; `ordered` says
    whether the rows came in the provider's order, where the dataset keeps one."""

    started_at: datetime
    snapshot_at: datetime
    snapshot_until: datetime
    finished_at: datetime
    proof: str
    rows: int
    extra: Mapping[str, Value]
    cut_attributes: int
    walks: int
    pages: int
    requests: int
    seconds: Decimal
    page_size: int
    first_tip: str | None
    last_tip: str | None
    api: str | None = None
    tip: Tip | None = None
    ordered: bool = True


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
    difference = whole_difference(dataset, target_id, staging.table, merge=False)
    with same_session(connection):
        return not connection.scalar(sa.select(sa.exists(difference)))


def publish(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    run: Run,
    staging: Staging,
    accepted: Accepted,
    guard: Guard,
    *,
    known: PublishedSnapshot | None,
    rests_on_known: bool = False,
    removed: Removed | None = None,
    moment: Moment | None = None,
) -> tuple[PublishedSnapshot, bool]:
    """Make a proven walk the present, in one transaction.

    `known` is the newest snapshot of the target as of before the walk; `rests_on_known` says that
    the proof needs it to be so still. With `removed`, staging holds only what entered since that
    one, and `removed` tells what left. `moment` is the snapshot's where it is given; without one it
    is the walk's, by the database's clock. Returns the snapshot and False; or what the same run has
    published before and True. Raises Superseded for a walk that overlaps one published meanwhile,
    Contradicted where `removed` and staging do not fit what is published, MomentRefused where
    `moment` does not fit, HeldBack where a guard holds the set, TargetBusy when another process
    does not let go of the target, SessionNotKept where a pooler answers from a session that does
    not hold the walk, RunEnded where the run was ended from outside.
    """
    with same_session(connection):
        _lock(connection, target_id)
        if run.run_id is not None:
            fence(connection, run.run_id)
        if repeated := find_published(connection, target_id, run.key):
            return repeated, True
        last = last_published(connection, target_id)
        is_known = last is None or (known is not None and known.snapshot_id == last.snapshot_id)
        if last and not is_known and (rests_on_known or accepted.started_at < last.finished_at):
            raise Superseded(
                f"a snapshot taken until {last.finished_at:%Y-%m-%d %H:%M:%S} UTC was published"
                f" while this walk, begun {accepted.started_at:%H:%M:%S}, was under way"
            )
        now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        accepted = _between(accepted, last.published_at if last and is_known else None, now)
        began = accepted.started_at
        if moment:
            check_moment(connection, moment, accepted.proof, last, now)
            accepted = _as_if_walked_at(accepted, moment)
        if last:
            delta = make_delta(connection, dataset, target_id, staging.table, removed)
            counts = count_kinds(connection, delta)
            if removed is not None:
                _check_sum(counts, last, accepted.rows)
            _check_guard(connection, run, last, accepted.rows, guard)
            order = _replace(connection, dataset, target_id, staging, delta, accepted, last)
        else:
            counts = dict.fromkeys(KINDS, 0) | {"entered": accepted.rows}
            order = _enter_all(connection, dataset, target_id, staging.table, accepted)
        return_from_retirement(connection, target_id, began)
        if accepted.tip:
            keep_tip(connection, target_id, accepted.tip)
        inserted = connection.execute(
            snapshot.insert()
            .values(
                target_id=target_id,
                previous_id=last.snapshot_id if last else None,
                run_key=run.key,
                scheduled_at=run.scheduled_at,
                next_due_at=run.next_due(accepted.snapshot_at),
                amount_sum=_amount_sum(connection, dataset, staging),
                **_columns(accepted),
                **({"published_at": moment.until} if moment else {}),
                **counts,
                **asdict(order),
            )
            .returning(snapshot)
        )
        return PublishedSnapshot(**inserted.mappings().one()), False


def _as_if_walked_at(accepted: Accepted, moment: Moment) -> Accepted:
    """The walk as one that was made at a given moment: all times of a snapshot tell one story."""
    return replace(
        accepted,
        started_at=moment.at,
        snapshot_at=moment.at,
        snapshot_until=moment.until,
        finished_at=moment.until,
    )


def _columns(accepted: Accepted) -> dict[str, Any]:
    fields = asdict(accepted)
    own: dict[str, Any] = fields.pop("extra")
    del fields["tip"], fields["ordered"]
    fields["chain_tip"] = accepted.tip.block.hash if accepted.tip else None
    return fields | own


@dataclass(frozen=True)
class _Order:
    """What `snapshot` keeps of the rows' order."""

    top_place: int | None = None
    reordered: bool = False


def _between(accepted: Accepted, after: datetime | None, now: datetime) -> Accepted:
    """The walk with tighter bounds: it began after the snapshot that it knew was published, and is
    over. Its own were widened by what asking the database for its time took.
    """
    earliest = max(accepted.started_at, after) if after else accepted.started_at
    at = max(accepted.snapshot_at, earliest)
    until = max(at, min(accepted.snapshot_until, now))
    return replace(
        accepted,
        started_at=earliest,
        snapshot_at=at,
        snapshot_until=until,
        finished_at=max(until, min(accepted.finished_at, now)),
    )


def _check_sum(counts: dict[str, int], last: PublishedSnapshot, rows: int) -> None:
    """Raise Contradicted unless what was published and the changes make the rows that are there."""
    if last.rows + counts["entered"] - counts["exited"] != rows:
        raise Contradicted(
            f"{last.rows} published rows, {counts['entered']} more and {counts['exited']} fewer are"
            f" not the {rows} that were counted"
        )


def _lock(connection: sa.Connection, target_id: int) -> None:
    """Take the target's lock. An advisory one blocks no foreign key and dies with its session."""
    name = sa.func.hashtextextended(f"holdfast target {target_id}", 0)
    deadline = time.monotonic() + LOCK_PATIENCE
    while not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(name))):
        if time.monotonic() > deadline:
            raise TargetBusy(f"another process has been publishing it for {LOCK_PATIENCE:g} s")
        time.sleep(0.1)


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


def _enter_all(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    staging: sa.Table,
    accepted: Accepted,
) -> _Order:
    """The first snapshot of a target: all rows enter."""
    keeps_order = dataset.ordered and accepted.ordered
    places = Places(base=0, changed=accepted.rows) if keeps_order else NO_PLACES
    _enter(connection, dataset, target_id, staging, accepted.snapshot_at, places, sa.true())
    return _Order(top_place=accepted.rows if keeps_order else None)


def _replace(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    staging: Staging,
    delta: sa.Table,
    accepted: Accepted,
    last: PublishedSnapshot,
) -> _Order:
    """Apply a delta to what the last snapshot left."""
    keeps_order = dataset.ordered and accepted.ordered
    places = places_of(connection, delta, last.top_place) if keeps_order else NO_PLACES
    _apply(connection, dataset, target_id, delta, accepted.snapshot_at, places)
    if accepted.api != last.api:
        learn(connection, dataset, target_id, staging.table)
    if not keeps_order:
        return _Order()
    if places.base is not None:
        return _Order(top_place=places.base + places.changed)
    number_anew(connection, dataset, target_id, staging.table, accepted.rows)
    return _Order(top_place=accepted.rows, reordered=last.top_place is not None)


def _apply(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    delta: sa.Table,
    at: datetime,
    places: Places,
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
            **({"place": places.of(delta)} if dataset.ordered else {}),
        )
    )
    _enter(connection, dataset, target_id, delta, at, places, delta.c.change == "entered")


def _enter(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    rows: sa.Table,
    at: datetime,
    places: Places,
    condition: sa.ColumnElement[bool],
) -> None:
    """Insert rows of staging or of the delta into `current`, in the order of its primary key."""
    current = dataset_tables(dataset).current
    moment = sa.literal(at, sa.DateTime(timezone=True))
    values: dict[str, sa.ColumnElement[Any]] = {
        "target_id": sa.literal(target_id),
        "key_hash": rows.c.key_hash,
        **{name: rows.c[name] for name in dataset.column_names},
        "held_since": moment,
        "valid_from": moment,
        **({"place": places.of(rows)} if dataset.ordered else {}),
    }
    entering = sa.select(*values.values()).where(condition).order_by(rows.c.key_hash)
    connection.execute(current.insert().from_select(list(values), entering))


def _keep_history(
    connection: sa.Connection,
    tables: DatasetTables,
    delta: sa.Table,
    here: sa.ColumnElement[bool],
    moment: sa.ColumnElement[datetime],
) -> None:
    names = [column.name for column in tables.history.c if column.name != "valid_to"]
    ended = (
        sa.select(*(tables.current.c[name] for name in names), moment)
        .where(here, delta.c.change != "entered")
        .order_by(tables.current.c.key_hash)
    )
    connection.execute(tables.history.insert().from_select([*names, "valid_to"], ended))


def _amount_sum(connection: sa.Connection, dataset: Dataset, staging: Staging) -> Decimal | None:
    if not dataset.amount:
        return None
    total = sa.func.coalesce(sa.func.sum(staging.table.c[dataset.amount]), 0)
    return connection.scalar(sa.select(total))
