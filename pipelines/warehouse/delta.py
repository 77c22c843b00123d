"""What a proven walk changes: a temp table of the rows that enter, leave or differ.

The statements are the ones measured best at 1 M rows: a full join into a temp table, then one
statement each for what goes to history, leaves, changes and enters (load.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from pipelines.errors import Contradicted
from pipelines.providers.provider import Dataset
from pipelines.warehouse.schema import KINDS, analyze, dataset_tables

Removed = Sequence[tuple[int, int]]
"""Pairs of places, in ascending order: what stands between them has left."""


def make_delta(
    connection: sa.Connection,
    dataset: Dataset,
    target_id: int,
    staging: sa.Table,
    removed: Removed | None,
) -> sa.Table:
    """The delta, analyzed: key_hash, change, the values, and where `dataset.ordered` the position.

    Staging holds the whole set; with `removed`, what entered since the last snapshot, and all the
    rest is as it was but for what has left. Raises Contradicted where a row stands twice then.
    """
    position = [sa.Column("position", sa.BigInteger)] if dataset.ordered else []
    delta = sa.Table(
        "delta",
        sa.MetaData(),
        sa.Column("key_hash", UUID),
        sa.Column("change", sa.Text),
        *position,
        *(sa.Column(name, staging.c[name].type) for name in dataset.column_names),
        prefixes=["temporary"],
        postgresql_on_commit="drop",
    )
    delta.create(connection)
    names = [column.name for column in delta.c]
    if removed is None:
        whole = whole_difference(dataset, target_id, staging, merge=True)
        connection.execute(delta.insert().from_select(names, whole))
    else:
        _refuse_twice(connection, dataset, target_id, staging, removed)
        entered = _entered(dataset, target_id, staging)
        connection.execute(delta.insert().from_select(names, entered))
        if removed:
            exited = _exited(dataset, target_id, staging, removed)
            connection.execute(delta.insert().from_select(["key_hash", "change"], exited))
    analyze(connection, delta)
    return delta


def count_kinds(connection: sa.Connection, delta: sa.Table) -> dict[str, int]:
    """How many rows there are of each kind of change."""
    counted = connection.execute(
        sa.select(delta.c.change, sa.func.count().label("rows")).group_by(delta.c.change)
    )
    return dict.fromkeys(KINDS, 0) | {row.change: row.rows for row in counted}


def whole_difference(
    dataset: Dataset, target_id: int, new: sa.Table, *, merge: bool
) -> sa.Select[Any]:
    """What differs between a whole set in staging and what is published.

    With `merge`, columns that an answer may leave out keep the value known before. What one API
    tells and another does not differs only where both have told it.
    """
    old = _published(dataset, target_id)
    kept = (dataset.kept_when_absent if merge else frozenset()) | dataset.told_by_some
    values = {
        name: sa.func.coalesce(new.c[name], old.c[name]) if name in kept else new.c[name]
        for name in dataset.value_names
    }
    differs = (
        value != old.c[name]
        if name in dataset.told_by_some
        else value.is_distinct_from(old.c[name])
        for name, value in values.items()
    )
    return (
        _changed(dataset, old, new, values)
        .select_from(new.join(old, new.c.key_hash == old.c.key_hash, full=True))
        .where(sa.or_(old.c.key_hash.is_(None), new.c.key_hash.is_(None), *differs))
    )


def learn(connection: sa.Connection, dataset: Dataset, target_id: int, new: sa.Table) -> None:
    """Fill in what this API tells of rows that stay and the one before did not: they are the same
    versions still, of which more is known."""
    current = dataset_tables(dataset).current
    unknown = [current.c[name].is_(None) for name in sorted(dataset.told_by_some)]
    if not unknown:
        return
    told = {name: sa.func.coalesce(current.c[name], new.c[name]) for name in dataset.told_by_some}
    connection.execute(
        current.update()
        .where(
            current.c.target_id == target_id,
            current.c.key_hash == new.c.key_hash,
            sa.or_(*unknown),
            sa.or_(*(new.c[name].is_not(None) for name in dataset.told_by_some)),
        )
        .values(told)
    )


def _entered(dataset: Dataset, target_id: int, new: sa.Table) -> sa.Select[Any]:
    old = _published(dataset, target_id)
    values = {name: new.c[name] for name in dataset.value_names}
    return _changed(dataset, old, new, values).select_from(
        new.outerjoin(old, new.c.key_hash == old.c.key_hash)
    )


def _exited(dataset: Dataset, target_id: int, new: sa.Table, removed: Removed) -> sa.Select[Any]:
    old = _published(dataset, target_id)
    again = sa.exists().where(new.c.key_hash == old.c.key_hash)
    return sa.select(old.c.key_hash, sa.literal("exited")).where(_left(old, removed), ~again)


def _refuse_twice(
    connection: sa.Connection, dataset: Dataset, target_id: int, new: sa.Table, removed: Removed
) -> None:
    """What entered may have stood there before only where that row has left."""
    old = _published(dataset, target_id)
    both = new.join(old, new.c.key_hash == old.c.key_hash)
    stays = ~_left(old, removed) if removed else sa.true()
    twice = connection.scalar(sa.select(sa.func.count()).select_from(both).where(stays))
    if twice:
        raise Contradicted(f"{twice} of the rows that are new at the top stand further down, too")


def _left(old: sa.Subquery, removed: Removed) -> sa.ColumnElement[bool]:
    """Whether a place is in one of the stretches, each of which begins one above its lower end."""
    bounds = [bound for low, high in removed for bound in (low + 1, high)]
    stretch = sa.func.width_bucket(old.c.place, sa.literal(bounds, ARRAY(sa.BigInteger)))
    return stretch % 2 == 1


def _published(dataset: Dataset, target_id: int) -> sa.Subquery:
    current = dataset_tables(dataset).current
    return sa.select(current).where(current.c.target_id == target_id).subquery("old")


def _changed(
    dataset: Dataset,
    old: sa.Subquery,
    new: sa.Table,
    values: Mapping[str, sa.ColumnElement[Any]],
) -> sa.Select[Any]:
    """The columns of the delta."""
    entered, exited = old.c.key_hash.is_(None), new.c.key_hash.is_(None)
    kinds: list[tuple[sa.ColumnElement[bool], str]] = [(entered, "entered"), (exited, "exited")]
    if dataset.acquisition:
        name = dataset.acquisition
        kinds.append((new.c[name] != old.c[name], "reacquired"))
    if dataset.amount:
        kinds.append((new.c[dataset.amount] > old.c[dataset.amount], "increased"))
        kinds.append((new.c[dataset.amount] < old.c[dataset.amount], "decreased"))
    position = [new.c.position] if dataset.ordered else []
    return sa.select(
        sa.func.coalesce(new.c.key_hash, old.c.key_hash).label("key_hash"),
        sa.case(*kinds, else_="profile").label("change"),
        *position,
        *(new.c[name].label(name) for name in dataset.key),
        *(value.label(name) for name, value in values.items()),
    )
