"""Worlds of one item whose holders trade: its whole history, written straight into the tables.

It is what years of snapshots would have left, row for row: `holdfast audit` finds nothing. One slot
of ten changes every 12 snapshots, the others every 600: about 1 % of the rows a snapshot. Every
fifth change hands the whole balance to another holder, the others change how much it is.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

STATEMENTS = Path(__file__).parent / "world"
FIRST_AT = datetime(2025, 1, 1, tzinfo=UTC)
OFTEN, RARELY = 12, 600
"""After so many snapshots a row of a lively and of a quiet slot changes."""
FILLED = 0.99
"""The share of slots that are held at a time."""
SETTINGS = {
    "work_mem": "256MB",
    "temp_buffers": "256MB",
    "synchronous_commit": "off",
    "jit": "off",
}
"""Of the session that generates; those of the sessions that are measured stay as they are."""


@dataclass(frozen=True)
class World:
    """About so many holders (within a hundredth), so many snapshots, `step` apart."""

    holders: int
    snapshots: int
    step: timedelta

    @property
    def subject(self) -> str:
        return f"0x{'a1' * 20}/1"

    @property
    def target(self) -> str:
        return f"altura:{self.subject}"

    def moment(self, number: int) -> datetime:
        """`snapshot_at` of a snapshot, counted from 0."""
        return FIRST_AT + number * self.step


def generate(url: str, world: World) -> None:
    """Fill a fresh migrated database with a world, vacuumed and analysed."""
    parameters = {
        "slots": round(world.holders / FILLED),
        "snapshots": world.snapshots,
        "often": OFTEN,
        "rarely": RARELY,
        "target": world.target,
        "subject": world.subject,
        "first_at": FIRST_AT,
        "step": world.step,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute("select set_config(%s, %s, false)", [name, value])
        connection.execute(statement("table"))
        for name in ("target", "versions", "snapshot", "history", "current"):
            connection.execute(statement(name), parameters)
        connection.execute("vacuum (analyze)")


def statement(name: str) -> Any:
    """A file under world/, its parameters named as psycopg has them: %(name)s, and %% for %."""
    return (STATEMENTS / f"{name}.sql").read_text(encoding="utf-8")
