"""What a run leaves: a file of JSON that the tables are made from, plans included."""

from datetime import timedelta
from pathlib import Path

import msgspec

from benchmarks.results import Machine
from benchmarks.sql.ask import Line
from benchmarks.sql.storage import Stored


class Answers(msgspec.Struct, frozen=True):
    """One world: how it was made, what it takes, and how its questions were answered. The last
    `concentrated` snapshots have a row in `mart.concentration`; they took `concentration_seconds`
    to compute."""

    holders: int
    snapshots: int
    step_seconds: float
    history_rows: int
    generated_seconds: float
    concentrated: int
    concentration_seconds: float
    stored: Stored
    lines: list[Line]

    @property
    def title(self) -> str:
        rhythm = {timedelta(days=1): "daily", timedelta(hours=1): "hourly"}
        step = rhythm.get(timedelta(seconds=self.step_seconds), "")
        return f"{self.holders:,} holders, {self.snapshots:,} {step} snapshots".replace("  ", " ")


class Results(msgspec.Struct):
    """A run."""

    began_at: str
    machine: Machine
    worlds: list[Answers] = msgspec.field(default_factory=list)
    seconds: float = 0.0


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    """Raises msgspec.ValidationError for a file of another version."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
