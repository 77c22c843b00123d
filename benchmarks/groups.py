"""Measurements of the same thing, put together: what tables and plots are made from."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.results import Measurement


def plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass(frozen=True)
class Setup:
    """What was the same for contenders that are compared. `connections` are those that each was
    allowed; None: as many as it is fastest with."""

    world: str
    rows: int
    latency_ms: int
    connections: int | None

    @property
    def described(self) -> str:
        many = f" in {self.world[1:].partition('x')[0]} targets" if self.world[0] == "m" else ""
        latency = f"{self.latency_ms} ms an answer" if self.latency_ms else "answers at once"
        allowed = f", {plural(self.connections, 'connection')} at most" if self.connections else ""
        return f"{self.rows:,} rows{many}, {latency}{allowed}"


@dataclass(frozen=True)
class Group:
    """All repetitions of one contender in one setup."""

    contestant: str
    measurements: Sequence[Measurement]

    @property
    def seconds(self) -> float | None:
        """The median; None where it was cut off."""
        seconds = [m.seconds for m in self.measurements if m.seconds is not None]
        return statistics.median(seconds) if len(seconds) == len(self.measurements) else None

    @property
    def range(self) -> tuple[float, float]:
        seconds = [m.seconds for m in self.measurements if m.seconds is not None]
        return min(seconds), max(seconds)

    @property
    def last(self) -> Measurement:
        return self.measurements[-1]

    def median(self, name: str) -> float:
        """The median of another figure of the measurements."""
        return float(statistics.median(getattr(m, name) for m in self.measurements))

    def parts(self) -> dict[str, float]:
        return {
            name: statistics.median(m.parts[name] for m in self.measurements)
            for name in self.last.parts
        }


def setups(measurements: Iterable[Measurement]) -> dict[Setup, list[Group]]:
    """Setups in the order of their first measurement, each with its contenders'."""
    found: dict[Setup, dict[str, list[Measurement]]] = {}
    for measured in measurements:
        setup = Setup(_base(measured.world), measured.rows, measured.latency_ms, measured.allowed)
        found.setdefault(setup, {}).setdefault(measured.contestant, []).append(measured)
    return {
        setup: [Group(name, repeated) for name, repeated in by_name.items()]
        for setup, by_name in found.items()
    }


def _base(world: str) -> str:
    """The world of a first snapshot that a second one's belongs to: where a contender was cut off
    at the first, it still stands beside those that were not."""
    return world.partition("x")[0] if world.startswith("n") else world
