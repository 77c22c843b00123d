"""Moments that are told, in place of those that the database's clock measured.

A snapshot is of the moment when its walk was made: an API answers "now", and nothing may be written
under a past time. There are two exceptions. A proof may know the moment better than the clock (none
does yet). And a demo or a test may want months of history in a minute: its database is marked while
it is empty, so that no moment can ever be made up beside real ones.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from psycopg import sql

from pipelines.errors import ConfigurationError, MomentRefused
from pipelines.providers.proofs import Proof
from pipelines.warehouse.registry import PublishedSnapshot
from pipelines.warehouse.schema import snapshot

MARK = "holdfast_made_up_history"
"""A schema with nothing in it. It goes with each copy of the database, and needs no right that who
makes the tables does not have (a setting of the database would: SET on a parameter of ours)."""

KNOW_THEIR_MOMENT: frozenset[Proof] = frozenset()
"""Proofs whose moment comes from the provider, as of a block that the pages are pinned to."""


@dataclass(frozen=True)
class Moment:
    """The bounds of the moment whose state a snapshot is, both with a time zone."""

    at: datetime
    until: datetime


def mark_as_made_up(connection: sa.Connection) -> None:
    """Let moments be given in this database, from now on: it is a demo's or a test's.

    Raises ConfigurationError where it holds snapshots already, unless it was marked before them.
    """
    if is_made_up(connection):
        return
    if connection.scalar(sa.select(sa.exists(sa.select(snapshot.c.snapshot_id)))):
        raise ConfigurationError(
            "this database holds snapshots: only an empty one can be marked as a demo's or a test's"
        )
    cursor = connection.connection.cursor()
    cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(MARK)))
    cursor.execute(
        sql.SQL("comment on schema {} is {}").format(
            sql.Identifier(MARK),
            sql.Literal("Marks the history in this database as made up, for a demo or a test."),
        )
    )


def is_made_up(connection: sa.Connection) -> bool:
    """Whether moments may be given in this database."""
    return connection.scalar(sa.select(sa.func.to_regnamespace(MARK))) is not None


def check_moment(
    connection: sa.Connection,
    moment: Moment,
    proof: str,
    last: PublishedSnapshot | None,
    now: datetime,
) -> None:
    """Raise MomentRefused for a moment that nobody may tell, or that the history has no room for.

    `last` is the newest snapshot of the target, `now` the database's clock. Nothing is bent.
    """
    if proof not in KNOW_THEIR_MOMENT and not is_made_up(connection):
        raise MomentRefused(
            f"the proof {proof} does not know the moment of its state, and this database is not"
            " marked as a demo's or a test's: its snapshots are of the time when they are taken"
        )
    if moment.at.tzinfo is None or moment.until.tzinfo is None:
        raise MomentRefused("a given moment has no time zone")
    if moment.at > moment.until:
        raise MomentRefused(f"a given moment ends before it begins: {_span(moment)}")
    if moment.until > now:
        raise MomentRefused(f"a given moment lies in the future: {_span(moment)}")
    if last and (moment.at <= last.snapshot_at or moment.at < last.finished_at):
        raise MomentRefused(
            f"a given moment does not follow the last snapshot, which was taken until"
            f" {last.finished_at.isoformat()}: {_span(moment)}"
        )


def _span(moment: Moment) -> str:
    return f"{moment.at.isoformat()} to {moment.until.isoformat()}"
