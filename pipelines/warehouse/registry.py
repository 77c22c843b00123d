"""Targets, their snapshots and their failures: what is known beside the rows."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from cronsim import CronSim
from sqlalchemy.dialects.postgresql import ARRAY, insert

from pipelines.errors import ConfigurationError, HeldBack, HoldfastError
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import DEFAULT_LIST, Target
from pipelines.warehouse.schema import snapshot, walk_failure
from pipelines.warehouse.schema import target as target_table
from pipelines.warehouse.text import cut, escape


@dataclass(frozen=True)
class Run:
    """The tick or the manual run on whose behalf targets are taken. A repeat has the same key.

    `cron` is the schedule of the targets (five fields, UTC), None where they have none;
    `list_name` the list that brings them, as it was at `listed_at` (None: as it is now). `run_id`
    names the run's row (warehouse.runs); without one nobody can end it from outside, as in trials.
    """

    key: str
    scheduled_at: datetime | None = None
    cron: str | None = None
    list_name: str = DEFAULT_LIST
    run_id: str | None = None
    listed_at: datetime | None = None

    def next_due(self, after: datetime) -> datetime | None:
        """The next tick of the schedule after a moment."""
        return next(CronSim(self.cron, after.astimezone(UTC)), None) if self.cron else None


@dataclass(frozen=True)
class PublishedSnapshot:
    """A row of `snapshot`. All times are UTC, of the database's clock."""

    snapshot_id: int
    target_id: int
    previous_id: int | None
    run_key: str
    scheduled_at: datetime | None
    started_at: datetime
    snapshot_at: datetime
    snapshot_until: datetime
    finished_at: datetime
    published_at: datetime
    proof: str
    rows: int
    entered: int
    exited: int
    increased: int
    decreased: int
    reacquired: int
    profile: int
    amount_sum: Decimal | None
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
    top_place: int | None
    reordered: bool
    next_due_at: datetime | None
    chain_tip: str | None
    api: str | None

    @property
    def is_first_and_empty(self) -> bool:
        """Published, but worth a look: a mistyped id looks just like it."""
        return self.previous_id is None and self.rows == 0


def register_target(connection: sa.Connection, target: Target, run: Run) -> int:
    """The target's id; a target that is new here is entered. It belongs to the run's list from now
    on.

    Raises ConfigurationError where it was retired after the list was read that the run goes by.
    """
    described = {
        "list": run.list_name,
        "subject": target.subject,
        "options": target.options,
        "label": escape(target.label) if target.label else None,
    }
    statement = insert(target_table).values(provider=target.provider, name=target.name, **described)
    known = sa.select(target_table.c.target_id).where(
        target_table.c.name == target.name,
        target_table.c.label.is_not_distinct_from(described["label"]),
        target_table.c.list == run.list_name,
        target_table.c.retired_at.is_(None),
    )
    with connection.begin():
        found = connection.scalar(known)
        if found is None:
            if run.listed_at:
                _refuse_retired(connection, target, run.listed_at)
            found = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[target_table.c.name], set_=described
                ).returning(target_table.c.target_id)
            ).scalar_one()
    return int(found)


def _refuse_retired(connection: sa.Connection, target: Target, listed_at: datetime) -> None:
    retired_at = connection.scalar(
        sa.select(target_table.c.retired_at).where(target_table.c.name == target.name)
    )
    if retired_at and retired_at > listed_at:
        raise ConfigurationError(
            f"it was retired at {retired_at:%Y-%m-%d %H:%M:%S} UTC, and this run goes by a list of"
            f" {listed_at:%H:%M:%S}: a run of the present list takes it, if it is on that"
        )


MOST_RETIRED = 0.5
"""The share of a provider's targets that a list may retire without a person's word."""


@dataclass(frozen=True)
class Absent:
    """Targets that belong to a list and are no longer on it, of one provider, which has `current`
    targets of that list."""

    provider: str
    names: tuple[str, ...]
    current: int

    @property
    def is_doubtful(self) -> bool:
        """Whether they are more than a change of a list explains: an empty or a wrong file."""
        return len(self.names) > MOST_RETIRED * self.current

    def __str__(self) -> str:
        return (
            f"{len(self.names)} of {self.current} {self.provider} targets are no longer on the list"
        )

    @property
    def advice(self) -> str:
        """What to do about doubtful ones, for a person."""
        return (
            f"{self}, and are held, as the file may be the wrong one. If it is right: holdfast"
            " targets retire --absent. If another list loads into this warehouse, give each a name"
            " in its targets.yaml, as in list: traders"
        )


def find_absent(
    connection: sa.Connection, list_name: str, watched: Collection[str]
) -> list[Absent]:
    """What `list_name` brought and does not name any more, by provider. `watched`: the names that
    are on it now."""
    is_absent = target_table.c.name != sa.all_(sa.literal(list(watched), ARRAY(sa.Text)))
    names = sa.func.array_agg(target_table.c.name).filter(is_absent)
    with connection.begin():
        found = connection.execute(
            sa.select(target_table.c.provider, names.label("names"), sa.func.count().label("all"))
            .where(target_table.c.list == list_name, target_table.c.retired_at.is_(None))
            .group_by(target_table.c.provider)
            .order_by(target_table.c.provider)
        ).all()
    return [Absent(row.provider, tuple(sorted(row.names)), row.all) for row in found if row.names]


def retire(connection: sa.Connection, names: Collection[str]) -> list[str]:
    """Retire targets; returns the names of those that were current.

    They leave "now" and keep their history. A target that is watched again goes on where it
    stopped, at its next snapshot: the time between counts as one without snapshots.
    """
    wanted = target_table.c.name == sa.any_(sa.literal(list(names), ARRAY(sa.Text)))
    with connection.begin():
        retired = connection.execute(
            target_table.update()
            .where(wanted, target_table.c.retired_at.is_(None))
            .values(retired_at=sa.func.clock_timestamp())
            .returning(target_table.c.name)
        )
        return sorted(retired.scalars())


def return_from_retirement(connection: sa.Connection, target_id: int, began: datetime) -> None:
    """A target is part of now again when a walk is published that began after its retirement: one
    that was under way at that moment knew nothing of it."""
    connection.execute(
        target_table.update()
        .where(target_table.c.target_id == target_id, target_table.c.retired_at < began)
        .values(retired_at=None)
    )


def oldest_first(connection: sa.Connection, targets: Sequence[Target]) -> list[Target]:
    """The targets in the order of their last snapshot, those without one first: a run that is ended
    before its end must not leave the same ones out each time."""
    last_taken = (
        sa.select(snapshot.c.snapshot_at)
        .where(snapshot.c.target_id == target_table.c.target_id)
        .order_by(snapshot.c.snapshot_at.desc())
        .limit(1)
        .lateral()
    )
    taken = (
        sa.select(target_table.c.name, last_taken.c.snapshot_at)
        .join(last_taken, sa.true())
        .where(target_table.c.name.in_([target.name for target in targets]))
    )
    with connection.begin():
        last = {row.name: row.snapshot_at for row in connection.execute(taken)}
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(targets, key=lambda target: last.get(target.name, never))


def known_names(connection: sa.Connection) -> list[str]:
    """The names and the labels of all targets."""
    rows = connection.execute(sa.select(target_table.c.name, target_table.c.label))
    return [name for row in rows for name in row if name]


def find_name(connection: sa.Connection, name: str) -> str | None:
    """The name of the target that has this name or label. A label may have been given to several
    targets, one after the other: one that is not retired comes first, then the newest."""
    found = sa.select(target_table.c.name).where(
        sa.or_(target_table.c.name == name, target_table.c.label == name)
    )
    order = (target_table.c.name != name, target_table.c.retired_at.is_not(None))
    return connection.scalar(found.order_by(*order, target_table.c.target_id.desc()).limit(1))


def known_name(connection: sa.Connection, name: str) -> str:
    """As `find_name`. Raises ConfigurationError, with what comes close, where there is none."""
    if found := find_name(connection, name):
        return found
    close = difflib.get_close_matches(name, known_names(connection), n=3, cutoff=0.4)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    raise ConfigurationError(f"the warehouse has no target {name!r}{meant}")


def find_published(
    connection: sa.Connection, target_id: int, run_key: str
) -> PublishedSnapshot | None:
    """What this run has already published of this target."""
    return _one(
        connection,
        sa.select(snapshot).where(snapshot.c.target_id == target_id, snapshot.c.run_key == run_key),
    )


def last_published(connection: sa.Connection, target_id: int) -> PublishedSnapshot | None:
    """The newest snapshot of a target."""
    return _one(
        connection,
        sa.select(snapshot)
        .where(snapshot.c.target_id == target_id)
        .order_by(snapshot.c.snapshot_at.desc())
        .limit(1),
    )


def partial_in_a_row(connection: sa.Connection, target_id: int) -> int:
    """How many snapshots of a target rest on the one before since the last whole walk."""
    mine = snapshot.c.target_id == target_id
    whole = sa.select(sa.func.max(snapshot.c.snapshot_at)).where(
        mine, snapshot.c.proof.not_in([proof for proof in Proof if proof.rests_on_last])
    )
    after = sa.select(sa.func.count()).where(mine, snapshot.c.snapshot_at > whole.scalar_subquery())
    return int(connection.scalar(after) or 0)


def held_rows(connection: sa.Connection, last: PublishedSnapshot, run_key: str) -> int | None:
    """How many rows the last walk had that was held back since `last`, by another run than this."""
    return connection.scalar(
        sa.select(walk_failure.c.held_rows)
        .where(
            walk_failure.c.target_id == last.target_id,
            walk_failure.c.run_key != run_key,
            walk_failure.c.failed_at > last.published_at,
            walk_failure.c.held_rows.is_not(None),
        )
        .order_by(walk_failure.c.failed_at.desc())
        .limit(1)
    )


def record_failure(
    connection: sa.Connection, target_id: int, run: Run, error: HoldfastError
) -> None:
    """Keep why a target was not published."""
    with connection.begin():
        connection.execute(
            walk_failure.insert().values(
                target_id=target_id,
                run_key=run.key,
                scheduled_at=run.scheduled_at,
                reason=type(error).__name__,
                transient=error.transient,
                message=cut(escape(str(error))),
                held_rows=error.rows if isinstance(error, HeldBack) else None,
            )
        )


def _one(connection: sa.Connection, statement: sa.Select[Any]) -> PublishedSnapshot | None:
    found = connection.execute(statement).mappings().one_or_none()
    return PublishedSnapshot(**found) if found else None
