"""What a run of the benchmark leaves: a file of JSON that tables and plots are made from."""

from pathlib import Path

import msgspec


class Published(msgspec.Struct, frozen=True):
    """What Holdfast's own `snapshot` table says of a load; `seconds` from first request to last
    answer."""

    proof: str
    requests: int
    pages: int
    seconds: float


class Measurement(msgspec.Struct, frozen=True):
    """One load. `connections` were used of those `allowed` (None: as many as it is fastest with).
    `seconds` is the work after the imports, None where it was cut off at `limit`;
    `process_seconds` is the whole process. CPU is that of the contender's process, of Postgres and
    of the HTTP server; `requests` is what the HTTP server counted."""

    case: str
    contestant: str
    world: str
    rows: int
    latency_ms: int
    allowed: int | None
    connections: int
    repetition: int
    again: bool
    limit: float
    seconds: float | None
    process_seconds: float
    cpu_seconds: float | None
    peak_bytes: int | None
    parts: dict[str, float]
    requests: int
    server_cpu_seconds: float
    postgres_cpu_seconds: float
    wal_bytes: int
    published: Published | None = None


class Storage(msgspec.Struct, frozen=True):
    """The bytes that a history takes after so many snapshots; `wal_bytes` of each of them."""

    contestant: str
    rows: int
    changes: int
    snapshots: int
    heap_bytes: int
    index_bytes: int
    wal_bytes: list[int]


class Machine(msgspec.Struct, frozen=True):
    """Where a run took place, and with what."""

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    postgres: str
    postgres_settings: dict[str, str]
    peers: dict[str, str]
    load_before: float


class Results(msgspec.Struct):
    """A run. `failures` are contenders that ended with an error or loaded something wrong; `done`
    are the cases that it has got through."""

    name: str
    began_at: str
    repetitions: int
    machine: Machine
    measurements: list[Measurement] = msgspec.field(default_factory=list)
    storage: list[Storage] = msgspec.field(default_factory=list)
    failures: list[str] = msgspec.field(default_factory=list)
    done: list[str] = msgspec.field(default_factory=list)
    seconds: float = 0.0

    def of(self, case: str) -> list[Measurement]:
        return [measurement for measurement in self.measurements if measurement.case == case]


def write(results: Results, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read(path: Path) -> Results:
    """Raises msgspec.ValidationError for a file of another version."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
