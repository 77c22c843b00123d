"""The marts as pandas frames, for notebooks.

    from pipelines.analysis import connect, holders_as_of

    with connect() as marts:
        holders = holders_as_of(marts, datetime(2026, 11, 1, tzinfo=UTC), "My vault")

Quantities are Decimal objects: a float would round what a token contract holds. Python rounds what
it computes with them to 28 digits, unless `decimal.getcontext().prec = 100` asks for more. Shares
and other quotients are float64, for plots. Times are datetime64[us, UTC], counts and ranks Int64,
text str. An empty result has the same columns and types.

A target is meant by its name or its label. All functions raise ConfigurationError, with what comes
close, for one that is not known, and for a moment without a time zone; WarehouseUnreachable where
Postgres is gone.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from pipelines.analysis.columns import Kind, columns_of
from pipelines.errors import ConfigurationError
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import known_name

if TYPE_CHECKING:
    import pandas as pd

_DTYPES = {
    Kind.WHOLE: "Int64",
    Kind.EXACT: "object",
    Kind.RATIO: "float64",
    Kind.MOMENT: "datetime64[us, UTC]",
    Kind.DAY: "datetime64[s]",
    Kind.DURATION: "timedelta64[us]",
    Kind.TRUTH: "boolean",
    Kind.TEXT: "str",
    Kind.LIST: "object",
}


class Marts:
    """A warehouse to read: what `connect` opens and the functions of this module are given."""

    def __init__(self, warehouse: Warehouse, stack: ExitStack) -> None:
        self._warehouse = warehouse
        self._stack = stack

    def close(self) -> None:
        """Give the connections back."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<marts of {self._warehouse.place}>"

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that can change nothing; the block sees one state of the warehouse."""
        return reading(self._warehouse)

    def ask(self, statement: str, **parameters: object) -> "pd.DataFrame":
        """The result of any SQL, typed as all frames here; `:name` in it is a parameter.

        marts.ask("select * from mart.top_holders(:n)", n=10)

        A numeric column is float64 where its name is that of a quotient in the marts
        (`pipelines.analysis.columns.RATIOS`), else Decimal. Raises ConfigurationError where two
        columns have the same name, as those of two marts that are joined.
        """
        with self.reading() as connection:
            return _frame(connection, statement, parameters)


def connect(*, demo: bool = False) -> Marts:
    """The warehouse that the settings name: DATABASE_URL's, else the project's own, which is
    started where it does not run. With `demo`, the one that `make demo` fills.

    No transaction is left open between two questions: a notebook may stay open for days.

    Raises ConfigurationError for settings that can't be used, SchemaNotReady for a database that
    has to be migrated, WarehouseUnreachable.
    """
    from pipelines.runtime import Runtime  # noqa: PLC0415 - whoever only prints needs no provider
    from pipelines.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    if demo:
        from pipelines.demo import demo_settings  # noqa: PLC0415 - nobody else needs the sandbox

        settings = demo_settings(settings)
    with ExitStack() as stack:
        warehouse = stack.enter_context(Runtime(settings, {}).open_warehouse(connections=1))
        return Marts(warehouse, stack.pop_all())


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[sa.Connection]:
    """A transaction that can change nothing and sees one state of the warehouse to its end."""
    with warehouse.connect() as connection:
        one_state = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        with one_state.begin():
            try:
                yield one_state
            except BaseException as error:
                if not isinstance(error, Exception):  # Ctrl-C may leave a query under way
                    one_state.invalidate()
                raise


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ConfigurationError for one without a time zone."""
    if not isinstance(moment, datetime) or moment != moment:  # noqa: PLR0124 - pandas' NaT
        raise ConfigurationError(f"expected a datetime with its time zone, found {moment!r}")
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"{moment} could be meant in any time zone: say {moment.isoformat()}+00:00,"
            " in Python datetime(…, tzinfo=UTC)"
        )
    return moment.astimezone(UTC)


def holders_as_of(marts: Marts, moment: datetime, target: str | None = None) -> "pd.DataFrame":
    """Who held how much, as known at a moment, the largest holders of each target first.

    One row for each target, holder and asset: provider, target_id, target, label, holder, asset,
    tokens (Int64: how many positions), quantity (Decimal), held_since, rank (Int64), share (of the
    target's sum, 0 to 1), snapshot_id and snapshot_at: the snapshot that answers. No row for a
    target that had no snapshot by then.
    """
    return _ask(
        marts,
        "select * from mart.holders_as_of(:moment, :target)"
        " order by provider, target, rank, holder, asset",
        target=target,
        moment=in_utc(moment),
    )


def changes(
    marts: Marts,
    target: str | None = None,
    *,
    after: datetime | None = None,
    until: datetime | None = None,
) -> "pd.DataFrame":
    """What changed from each snapshot to the next, oldest first; with bounds, the changes that
    happened after the one and not after the other for certain.

    One row for each change: provider, target_id, target, label, kind (entered, exited, increased,
    decreased, reacquired or profile), holder, asset, token, quantity_before (Decimal; None: did not
    hold), quantity_after, delta, changed_after and changed_until (it happened in between; no API
    tells when), snapshot_id, key_hash.
    """
    return _ask(
        marts,
        "select * from mart.changes where (cast(:target as text) is null or target = :target)"
        " and (cast(:after as timestamptz) is null or changed_after >= :after)"
        " and (cast(:until as timestamptz) is null or changed_until <= :until)"
        " order by changed_until, target, holder, asset, token, key_hash",
        target=target,
        after=after and in_utc(after),
        until=until and in_utc(until),
    )


def changes_between(
    marts: Marts, earlier: datetime, later: datetime, target: str | None = None
) -> "pd.DataFrame":
    """The net effect of all changes between two moments: who came and left in between is not in it.

    One row for each position that differs; columns as `changes`, with earlier_snapshot_id and
    later_snapshot_id, the two that are compared. No row for a target without a snapshot as old as
    `earlier`.
    """
    return _ask(
        marts,
        "select * from mart.changes_between(:earlier, :later, :target)"
        " order by target, kind, holder, asset, token, key_hash",
        target=target,
        earlier=in_utc(earlier),
        later=in_utc(later),
    )


def concentration(marts: Marts, target: str | None = None) -> "pd.DataFrame":
    """How unevenly each item or asset is spread over its holders, over time, oldest first.

    One row for each snapshot whose rows have amounts: provider, target_id, target, label,
    snapshot_at, holders (Int64), quantity (Decimal), top_1_share, top_10_share, top_100_share,
    gini, herfindahl (float64, 0 to 1), nakamoto (Int64: fewest who hold more than half),
    snapshot_id.
    """
    return _ask(
        marts,
        "select * from mart.concentration where cast(:target as text) is null or target = :target"
        " order by snapshot_at, target",
        target=target,
    )


def holder_history(marts: Marts, holder: str) -> "pd.DataFrame":
    """All that one wallet, principal or device did, in all targets, oldest first.

    One row for each change of a position; columns as `changes`, with held_since. kind is also
    first seen: it was there in the first snapshot, and changed_after is NaT. A holder that was
    never seen has no row.
    """
    return _ask(marts, "select * from mart.holder_history(:holder)", holder=holder)


def snapshots(marts: Marts, target: str | None = None) -> "pd.DataFrame":
    """When each target was seen, why that is one true state and what it cost, oldest first.

    One row for each snapshot: provider, target_id, target, label, snapshot_id, snapshot_at and
    snapshot_until (it was true at a moment between them), previous_at, since_previous (timedelta),
    due_at, begun_late_by, proof, rows (Int64), quantity (Decimal), entered, exited, increased,
    decreased, reacquired, profile (Int64), migrated_quantity, scheduled_at, published_at, walks,
    pages, requests, seconds, cut_attributes, reordered (boolean).
    """
    return _ask(
        marts,
        "select * from mart.snapshots where cast(:target as text) is null or target = :target"
        " order by snapshot_at, target",
        target=target,
    )


def _ask(marts: Marts, statement: str, **parameters: object) -> "pd.DataFrame":
    with marts.reading() as connection:
        if isinstance(target := parameters.get("target"), str):
            parameters["target"] = known_name(connection, target)
        return _frame(connection, statement, parameters)


def _frame(
    connection: sa.Connection, statement: str, parameters: dict[str, object]
) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415 - takes longer than most commands, which show no frame

    result = connection.execute(sa.text(statement), parameters)
    columns = columns_of(result.cursor.description if result.cursor else None)
    values = list(zip(*result.all(), strict=True)) or [()] * len(columns)
    return pd.DataFrame({
        column.name: pd.Series(list(of_column), dtype=_DTYPES[column.kind])
        for column, of_column in zip(columns, values, strict=True)
    })  # fmt: skip
