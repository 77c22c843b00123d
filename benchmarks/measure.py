"""One measurement: a contender's process from start to end, and what it and the servers took.

Compared is the work: from after the imports until the rows are committed, the same for every
contender. The whole process, interpreter and imports included, is noted beside it.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import psycopg

from benchmarks.checking import check
from benchmarks.contenders.job import DONE, Done, Job
from benchmarks.contestants import Contestant
from benchmarks.databases import Databases
from benchmarks.folders import ROOT
from benchmarks.results import Measurement, Published
from benchmarks.server_process import HttpServer
from benchmarks.worlds import PRINCIPAL

OUTPUT_SHOWN = 3000
SETTINGS = ("HOLDFAST_", "HIRO_", "PG", "DATABASE_URL")
"""How the names begin of what the caller's environment may hold and no contender should see."""


class ContenderFailed(Exception):
    """A contender's process ended with an error."""


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    server: HttpServer
    databases: Databases
    scratch: Path

    @contextmanager
    def track(self, case: str, contestant: Contestant, repetition: int) -> Iterator["Track"]:
        """A contender with a fresh database and an empty folder; both are gone afterwards."""
        folder = self.scratch / contestant.name
        folder.mkdir(parents=True)
        try:
            with self.databases.fresh(migrated=contestant.migrated) as database_url:
                yield Track(self, case, contestant, database_url, folder, repetition)
        finally:
            shutil.rmtree(folder)


@dataclass(frozen=True)
class Track:
    """One contender on a database of its own, which loads that follow each other go into."""

    bench: Bench
    case: str
    contestant: Contestant
    database_url: str
    folder: Path
    repetition: int

    def load(
        self,
        world: str,
        *,
        latency_ms: int = 0,
        connections: int | None = None,
        limit: float,
        again: bool = False,
        principals: tuple[str, ...] = (PRINCIPAL,),
    ) -> Measurement:
        """Have the contender load a world, and check what it loaded.

        `connections`: as many as it can use of these; None: as many as it is fastest with. It is
        cut off after `limit` seconds. Raises ContenderFailed, WrongResult.
        """
        bench, contestant = self.bench, self.contestant
        truth = bench.server.prepare(world)
        wanted = contestant.connections if connections is None else connections
        most = contestant.most if len(principals) == 1 else contestant.most_of_many
        job = Job(
            base_url=bench.server.base_url(world, latency_ms),
            database_url=self.database_url,
            principals=principals,
            rows=truth.rows,
            connections=min(wanted, most),
            folder=str(self.folder),
            options=dict(contestant.options),
            again=again,
        )
        bench.databases.checkpoint()
        wal, cpu = bench.databases.wal_position(), bench.databases.cpu_seconds()
        stats = bench.server.stats()
        done, process_seconds = _run(contestant, job, limit)
        if not done:
            bench.databases.end_backends()
        took = bench.server.stats() - stats
        cpu = bench.databases.cpu_seconds() - cpu
        wal = bench.databases.wal_position() - wal
        if done:
            check(self.database_url, contestant, truth)
        return Measurement(
            case=self.case,
            contestant=contestant.name,
            world=world,
            rows=truth.rows,
            latency_ms=latency_ms,
            allowed=connections,
            connections=job.connections,
            repetition=self.repetition,
            again=again,
            limit=limit,
            seconds=done.seconds if done else None,
            process_seconds=process_seconds,
            cpu_seconds=done.cpu_seconds if done else None,
            peak_bytes=done.peak_bytes if done else None,
            parts=done.parts if done else {},
            requests=took.requests - 1,  # the second look at the stats is one itself
            server_cpu_seconds=took.cpu_seconds,
            postgres_cpu_seconds=cpu,
            wal_bytes=wal,
            published=self._published() if done and len(principals) == 1 else None,
        )

    def _published(self) -> Published | None:
        if not self.contestant.published:
            return None
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(self.contestant.published).fetchone()
        return Published(*cast("tuple[str, int, int, float]", row))


def _run(contestant: Contestant, job: Job, limit: float) -> tuple[Done | None, float]:
    """What the contender tells (None where it was cut off), and the seconds of its process."""
    told = Path(job.folder, DONE)
    told.unlink(missing_ok=True)
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [contestant.python, "-m", contestant.program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=_environment(),
    )
    try:
        output, _ = process.communicate(job.to_json(), timeout=limit)
    except subprocess.TimeoutExpired:
        return None, time.perf_counter() - began
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise ContenderFailed(f"{contestant.name} failed:\n{output[-OUTPUT_SHOWN:]}")
    return msgspec.json.decode(told.read_bytes(), type=Done), seconds


def _environment() -> dict[str, str]:
    """The caller's, without settings of ours and without a proxy on the way to the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
