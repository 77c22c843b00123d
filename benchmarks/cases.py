"""What is measured: the cases, at full and at quick sizes.

Every case is a list of loads on one track (a contender with a database of its own). Contenders take
turns within a repetition, so that a slow minute of the machine does not fall on one of them alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.checking import WrongResult
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.measure import Bench, ContenderFailed, Track
from benchmarks.results import Measurement, Storage
from benchmarks.worlds import many_principals

FLOORS = ("bare_floor", "indexed_floor")
FIRST = (*FLOORS, "holdfast", "expert_dlt", "natural_dlt")
AGAIN = (
    *("merge_floor", "holdfast", "holdfast_full_walk"),
    *("expert_dlt", "natural_dlt_scd2_memory", "natural_dlt_scd2"),
)
MEMORY = ("bare_floor", "holdfast", "expert_dlt", "natural_dlt")
MEMORY_LARGEST = ("holdfast", "expert_dlt")
STORED = ("holdfast", "append_floor")
MANY = ("holdfast", "natural_dlt")
REQUESTS = ("holdfast", "holdfast_full_walk")

TITLES = {
    "a": "first snapshot, answers at once",
    "b": "first snapshot, each answer after some time",
    "c": "second snapshot, 1 % of the rows changed",
    "d": "most memory that a process held",
    "e": "bytes of a history",
    "f": "many small targets in one run",
    "g": "requests of a second snapshot",
}


@dataclass(frozen=True)
class Sizes:
    """How large the cases are; `limit` in seconds is where a load is cut off."""

    repetitions: int
    limit: float
    first_rows: tuple[int, ...]
    latency_rows: int
    latency_ms: int
    latency_connections: tuple[int, ...]
    again_rows: tuple[int, ...]
    again_names: tuple[str, ...]
    memory_rows: tuple[int, ...]
    memory_largest: tuple[int, ...]
    stored_rows: int
    stored_snapshots: int
    many_targets: int
    many_rows: int
    many_latencies: tuple[int, ...]
    request_rows: tuple[int, ...]
    request_changes: tuple[int, ...]


FULL = Sizes(
    repetitions=3,
    limit=120,
    first_rows=(20_000, 200_000, 1_000_000),
    latency_rows=200_000,
    latency_ms=50,
    latency_connections=(1, 4, 16),
    again_rows=(200_000, 1_000_000),
    again_names=AGAIN,
    memory_rows=(100_000, 1_000_000),
    memory_largest=(2_000_000,),
    stored_rows=50_000,
    stored_snapshots=50,
    many_targets=1000,
    many_rows=30,
    many_latencies=(0, 50),
    request_rows=(20_000, 200_000, 1_000_000),
    request_changes=(0, 10, 1000),
)
QUICK = Sizes(
    repetitions=1,
    limit=25,
    first_rows=(20_000, 200_000),
    latency_rows=200_000,
    latency_ms=50,
    latency_connections=(16,),
    again_rows=(200_000,),
    again_names=AGAIN[:-1],  # dlt's scd2 with the default work_mem would take a minute by itself
    memory_rows=(100_000,),
    memory_largest=(400_000,),
    stored_rows=20_000,
    stored_snapshots=10,
    many_targets=100,
    many_rows=30,
    many_latencies=(0, 50),
    request_rows=(20_000,),
    request_changes=(0, 10, 1000),
)

Loads = Callable[[Track], Iterator[Measurement]]
"""What is done on one track; only what it yields is kept."""


@dataclass
class Runner:
    """Runs cases for the chosen contenders, handing over each result as it comes."""

    bench: Bench
    sizes: Sizes
    chosen: Sequence[str]
    on_measurement: Callable[[Measurement], None]
    on_storage: Callable[[Storage], None]
    on_failure: Callable[[str], None]

    def run(self, case: str) -> None:
        getattr(self, f"_case_{case}")()
        self.bench.server.forget()

    def _case_a(self) -> None:
        for rows in self.sizes.first_rows:
            self._tracks("a", FIRST, self._first(rows))

    def _case_b(self) -> None:
        """A contender that can use one connection alone is run once, not for each number. With
        fewer than the most, waiting is nearly all of it and hardly varies: one repetition."""
        sizes, done = self.sizes, set[tuple[str, int]]()
        for connections in sizes.latency_connections:
            names = []
            for name in FIRST:
                used = (name, min(connections, CONTESTANTS[name].most))
                if used not in done:
                    done.add(used)
                    names.append(name)
            loads = self._first(sizes.latency_rows, sizes.latency_ms, connections)
            often = None if connections == max(sizes.latency_connections) else 1
            self._tracks("b", names, loads, repetitions=often)

    def _case_c(self) -> None:
        """Who was cut off is not tried with more rows."""
        names: Sequence[str] = self.sizes.again_names
        for rows in self.sizes.again_rows:
            names = self._tracks("c", names, self._again(rows, rows // 100))

    def _case_d(self) -> None:
        for rows in self.sizes.memory_rows:
            self._tracks("d", MEMORY, self._first(rows), repetitions=1)
        for rows in self.sizes.memory_largest:
            self._tracks("d", MEMORY_LARGEST, self._first(rows), repetitions=1)

    def _case_e(self) -> None:
        self._tracks("e", STORED, self._store, repetitions=1)

    def _case_f(self) -> None:
        sizes = self.sizes
        world = f"m{sizes.many_targets}x{sizes.many_rows}"
        principals = tuple(many_principals(sizes.many_targets))

        for latency_ms in sizes.many_latencies:

            def loads(track: Track, latency_ms: int = latency_ms) -> Iterator[Measurement]:
                yield track.load(
                    world,
                    latency_ms=latency_ms,
                    connections=16,
                    limit=sizes.limit,
                    principals=principals,
                )

            self._tracks("f", MANY, loads, repetitions=1)

    def _case_g(self) -> None:
        for rows in self.sizes.request_rows:
            for changes in sorted({*self.sizes.request_changes, rows // 100}):
                self._tracks("g", REQUESTS, self._again(rows, changes), repetitions=1)

    def _first(self, rows: int, latency_ms: int = 0, connections: int | None = None) -> Loads:
        def loads(track: Track) -> Iterator[Measurement]:
            yield track.load(
                f"n{rows}",
                latency_ms=latency_ms,
                connections=connections,
                limit=self.sizes.limit,
            )

        return loads

    def _again(self, rows: int, changes: int) -> Loads:
        def loads(track: Track) -> Iterator[Measurement]:
            before = track.load(f"n{rows}", limit=self.sizes.limit)
            if before.seconds is None:
                yield before
            else:
                yield track.load(f"n{rows}x{changes}", limit=self.sizes.limit, again=True)

        return loads

    def _store(self, track: Track) -> Iterator[Measurement]:
        """Every snapshot is a load as in any other case; what is stored is weighed at the end."""
        rows, snapshots = self.sizes.stored_rows, self.sizes.stored_snapshots
        changes, wal = rows // 100, []
        for number in range(snapshots):
            world = f"n{rows}x{changes}r{number}" if number else f"n{rows}"
            measured = track.load(world, limit=self.sizes.limit, again=number > 0)
            wal.append(measured.wal_bytes)
            yield measured
            self.bench.server.forget()
        heap, indexes = self.bench.databases.sizes(track.database_url)
        self.on_storage(
            Storage(track.contestant.name, rows, changes, snapshots, heap, indexes, wal)
        )

    def _tracks(
        self, case: str, names: Sequence[str], loads: Loads, *, repetitions: int | None = None
    ) -> list[str]:
        """Let contenders take turns; one that failed or was cut off is not run again. The names of
        the others."""
        left = [CONTESTANTS[name] for name in names if name in self.chosen]
        for repetition in range(repetitions or self.sizes.repetitions):
            left = [
                contestant for contestant in left if self._runs(case, contestant, repetition, loads)
            ]
        return [contestant.name for contestant in left]

    def _runs(self, case: str, contestant: Contestant, repetition: int, loads: Loads) -> bool:
        try:
            with self.bench.track(case, contestant, repetition) as track:
                for measured in loads(track):
                    self.on_measurement(measured)
                    if measured.seconds is None:
                        return False
        except (ContenderFailed, WrongResult) as error:
            self.on_failure(f"case {case}: {error}")
            return False
        return True
