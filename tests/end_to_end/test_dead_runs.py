"""A run's process that is killed, or stopped and continued, while pages are fetched: Dagster can't
tell, the warehouse can. The runs are processes of Dagster's own."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import psutil
import pytest

from pipelines.orchestration.dead_runs import OurRuns, end_dead_runs
from pipelines.sandbox.world import World
from tests.end_to_end.crashes import checksum, wait_until
from tests.end_to_end.test_crashes_dagster import Dagster, dagster, published, targets

__all__ = ["dagster", "targets"]  # fixtures of the other module

OURS = OurRuns(frozenset())
MINUTES = 1.9
Held = tuple[str, threading.Event]


@pytest.fixture(autouse=True)
def a_server_of_some_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are moved back below; when Postgres was started can't be."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(
        "pipelines.orchestration.dead_runs.server_started", lambda connection: long_ago
    )


@pytest.fixture
def held_run(dagster: Dagster, sandbox, targets: list[str]) -> Held:
    """A run that waits for an answer in the middle of the large target: its id, and the event that
    lets it go on."""
    under_way, go_on = threading.Event(), threading.Event()
    asked = []

    def hold(exchange):
        if targets[1].removeprefix("hiro:") in exchange.target:
            asked.append(exchange)
            if len(asked) > 3 and not go_on.is_set():
                under_way.set()
                go_on.wait(20)

    sandbox.before_response = hold
    run = dagster.launch()
    assert under_way.wait(120)
    return run, go_on


def process_of(pipeline, run: str) -> psutil.Process:
    """The one that the run's row names."""
    [(worker,)] = pipeline.sql("select worker from run where run_id = :run", run=run)
    return psutil.Process(int(worker.rpartition(" ")[2]))


def stop_between_writes(process: psutil.Process, home: Path) -> None:
    """Stop it while it holds no lock of Dagster's SQLite files: one that it kept for ever would be
    SQLite's trouble, not what is tried here."""
    files = [*home.rglob("*.db")]
    assert files

    def stopped() -> bool:
        process.suspend()
        if all(can_be_written(file) for file in files):
            return True
        process.resume()
        return False

    wait_until(stopped, "the process to be between two writes")


def can_be_written(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return False
        connection.execute("rollback")
    return True


def looks_without_a_sign(dagster: Dagster, pipeline) -> list[str]:
    """Three looks, 1.9 minutes apart."""
    told: list[str] = []
    for _ in range(3):
        told += end_dead_runs(dagster._instance, pipeline.warehouse, OURS)
        pipeline.sql(
            "update run set seen_at = seen_at - make_interval(secs => :s),"
            " waits_until = waits_until - make_interval(secs => :s),"
            " looked_at = looked_at - make_interval(secs => :s),"
            " silent_since = silent_since - make_interval(secs => :s)",
            s=MINUTES * 60,
        )
    return told


def test_a_run_that_was_killed_is_ended_and_the_next_one_takes_the_rest(
    dagster: Dagster, pipeline, targets: list[str], held_run: Held
):
    run, go_on = held_run
    killed = process_of(pipeline, run)
    killed.kill()
    wait_until(lambda: not alive(killed), "the process to be gone")
    assert dagster._instance.get_run_by_id(run).status is dg.DagsterRunStatus.STARTED
    go_on.set()
    [told] = looks_without_a_sign(dagster, pipeline)
    assert "no sign of life" in told
    assert dagster.ended(run) is dg.DagsterRunStatus.FAILURE
    again = dagster.launch()
    wait_until(lambda: dagster.ended(again), "the next run to end")
    assert dagster.ended(again) is dg.DagsterRunStatus.SUCCESS
    assert sorted(published(pipeline, f"run {again}")) == sorted(targets)


def test_a_run_that_was_stopped_and_goes_on_after_its_end_publishes_nothing(
    dagster: Dagster, pipeline, world: World, targets: list[str], held_run: Held
):
    run, go_on = held_run
    stopped = process_of(pipeline, run)
    stop_between_writes(stopped, Path(dagster._instance.root_directory))
    try:
        [told] = looks_without_a_sign(dagster, pipeline)
        assert f"process {stopped.pid} since" in told
        assert dagster.ended(run) is dg.DagsterRunStatus.FAILURE
        before = checksum(pipeline)
    finally:
        stopped.resume()
        go_on.set()
    wait_until(lambda: not alive(stopped), "the process to end by itself")
    assert checksum(pipeline) == before
    assert targets[1] not in published(pipeline, f"run {run}")
    assert pipeline.sql("select count(*) from walk_failure") == [(0,)]


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
