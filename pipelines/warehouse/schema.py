"""The tables, as SQLAlchemy Core sees them.

The migrations under sql/ make them; a test compares the two. Dataset tables are derived from the
provider's `Dataset`, so that nothing here is particular to a provider.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import JSONB, UUID

from pipelines.providers.provider import Column, Dataset

metadata = sa.MetaData()

_TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "numeric": sa.Numeric,
    "bigint": sa.BigInteger,
}


def _time(name: str, *, nullable: bool = False, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **options)


target = sa.Table(
    "target",
    metadata,
    sa.Column("target_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("options", JSONB, nullable=False),
    sa.Column("label", sa.Text),
    _time("created_at", server_default=sa.func.now()),
    _time("retired_at", nullable=True),
    sa.Column("list", sa.Text, nullable=False, server_default="targets"),
)

provider_api = sa.Table(
    "provider_api",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("api", sa.Text, nullable=False),
    _time("since", server_default=sa.func.clock_timestamp()),
    _time("tried_at", server_default=sa.func.clock_timestamp()),
)

provider_notice = sa.Table(
    "provider_notice",
    metadata,
    sa.Column("notice_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("header", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    _time("first_seen_at", server_default=sa.func.clock_timestamp()),
    _time("last_seen_at", server_default=sa.func.clock_timestamp()),
    sa.UniqueConstraint("provider", "header", "text"),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("worker", sa.Text),
    _time("started_at", nullable=True),
    _time("seen_at", nullable=True),
    _time("waits_until", nullable=True),
    _time("looked_at", nullable=True),
    _time("silent_since", nullable=True),
    _time("finished_at", nullable=True),
    _time("ended_at", nullable=True),
    sa.Column("ended_why", sa.Text),
)

snapshot = sa.Table(
    "snapshot",
    metadata,
    sa.Column("snapshot_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("target_id", sa.ForeignKey("target.target_id"), nullable=False),
    sa.Column("previous_id", sa.ForeignKey("snapshot.snapshot_id")),
    sa.Column("run_key", sa.Text, nullable=False),
    _time("scheduled_at", nullable=True),
    _time("started_at"),
    _time("snapshot_at"),
    _time("snapshot_until"),
    _time("finished_at"),
    _time("published_at", server_default=sa.func.clock_timestamp()),
    sa.Column("proof", sa.Text, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("entered", sa.BigInteger, nullable=False),
    sa.Column("exited", sa.BigInteger, nullable=False),
    sa.Column("increased", sa.BigInteger, nullable=False),
    sa.Column("decreased", sa.BigInteger, nullable=False),
    sa.Column("reacquired", sa.BigInteger, nullable=False),
    sa.Column("profile", sa.BigInteger, nullable=False),
    sa.Column("amount_sum", sa.Numeric),
    sa.Column("migrated_amount", sa.Numeric),
    sa.Column("migrated_unconfirmed", sa.Numeric),
    sa.Column("cut_attributes", sa.BigInteger, nullable=False),
    sa.Column("walks", sa.Integer, nullable=False),
    sa.Column("pages", sa.Integer, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Numeric, nullable=False),
    sa.Column("page_size", sa.Integer, nullable=False),
    sa.Column("first_tip", sa.Text),
    sa.Column("last_tip", sa.Text),
    sa.Column("top_place", sa.BigInteger),
    sa.Column("reordered", sa.Boolean, nullable=False, server_default=sa.false()),
    _time("next_due_at", nullable=True),
    sa.Column("chain_tip", sa.Text),
    sa.Column("api", sa.Text),
)

chain_tip = sa.Table(
    "chain_tip",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("height", sa.BigInteger),
    sa.Column("line", sa.Text, nullable=False),
    _time("seen_at", server_default=sa.func.clock_timestamp()),
    _time("followed_at", nullable=True),
    _time("orphaned_at", nullable=True),
)

snapshot_concentration = sa.Table(
    "snapshot_concentration",
    metadata,
    sa.Column("snapshot_id", sa.ForeignKey("snapshot.snapshot_id"), primary_key=True),
    sa.Column("holders", sa.BigInteger, nullable=False),
    sa.Column("top_1", sa.Numeric, nullable=False),
    sa.Column("top_10", sa.Numeric, nullable=False),
    sa.Column("top_100", sa.Numeric, nullable=False),
    sa.Column("gini", sa.Numeric),
    sa.Column("herfindahl", sa.Numeric),
    sa.Column("nakamoto", sa.BigInteger),
)

walk_failure = sa.Table(
    "walk_failure",
    metadata,
    sa.Column("failure_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("target_id", sa.ForeignKey("target.target_id"), nullable=False),
    sa.Column("run_key", sa.Text, nullable=False),
    _time("scheduled_at", nullable=True),
    _time("failed_at", server_default=sa.func.clock_timestamp()),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("transient", sa.Boolean, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("held_rows", sa.BigInteger),
)

request_budget = sa.Table(
    "request_budget",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    _time("next_at", server_default="-infinity"),
    _time("closed_until", server_default="-infinity"),
    sa.Column("share", sa.Double, nullable=False, server_default="1"),
    _time("share_at", nullable=True),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("openings", sa.Integer, nullable=False, server_default="0"),
    _time("down_since", nullable=True),
    _time("gives_up_at", nullable=True),
    _time("open_until", nullable=True),
    _time("probe_until", nullable=True),
    _time("answered_at", nullable=True),
    _time("failed_at", nullable=True),
    sa.Column("last_error", sa.Text),
)

request_budget_setting = sa.Table(
    "request_budget_setting",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("requests_per_minute", sa.Integer, primary_key=True, autoincrement=False),
    _time("asked_at"),
)

KINDS = ("entered", "exited", "increased", "decreased", "reacquired", "profile")
"""The kinds of change, each a count in `snapshot`."""


@dataclass(frozen=True)
class DatasetTables:
    """The tables of one dataset."""

    current: sa.Table
    history: sa.Table


@cache
def dataset_tables(dataset: Dataset) -> DatasetTables:
    """A dataset's tables, in a MetaData of their own: several threads may ask first, all at once,
    and then each makes them; one MetaData would refuse the second."""
    own = sa.MetaData()

    def held() -> list[sa.Column[Any]]:
        return [
            sa.Column("target_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("key_hash", UUID, primary_key=True),
            *value_columns(dataset),
            _time("held_since"),
        ]

    place = [sa.Column("place", sa.BigInteger)] if dataset.ordered else []
    return DatasetTables(
        current=sa.Table(f"{dataset.name}_current", own, *held(), _time("valid_from"), *place),
        history=sa.Table(
            f"{dataset.name}_history",
            own,
            *held(),
            _time("valid_from", primary_key=True),
            _time("valid_to"),
        ),
    )


def analyze(connection: sa.Connection, table: sa.Table, *columns: str) -> None:
    """Let the planner know what is in a temp table, or in some of its columns; autovacuum can't see
    those."""
    statement = sql.SQL("analyze {}").format(sql.Identifier(table.name))
    if columns:
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        statement = sql.SQL("{} ({})").format(statement, names)
    connection.connection.cursor().execute(statement)


def value_columns(dataset: Dataset) -> list[sa.Column[Any]]:
    """The columns that the provider gives, keys and values."""

    def column(of: Column) -> sa.Column[Any]:
        return sa.Column(of.name, _TYPES[of.type])

    return [column(of) for of in dataset.columns]
