"""A run that is ended in Dagster, by the button in its pages, while pages are fetched.

Everything is Dagster's own: the request is the one that the button sends, the code server and the
run are processes.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_graphql.schema import create_schema

from pipelines.sandbox.world import World
from tests.end_to_end.crashes import HERE, checksum
from tests.patience import PATIENCE, wait_until

JOB = "hiro_snapshots"
PAGES, PAGE_SIZE = 45, 20
LAUNCH = """
mutation ($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
TERMINATE = """
mutation ($run: String!) {
  terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) { __typename }
}
"""


class Dagster:
    """What Dagster's pages ask of it."""

    def __init__(self, instance: dg.DagsterInstance, context: WorkspaceRequestContext) -> None:
        self._instance = instance
        self._context = context
        self._schema = create_schema()

    def launch(self) -> str:
        selector = {
            "repositoryLocationName": "holdfast",
            "repositoryName": "__repository__",
            "jobName": JOB,
        }
        parameters = {"selector": selector, "runConfigData": {}, "mode": "default"}
        answer = self._ask(LAUNCH, parameters=parameters)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def terminate(self, run: str) -> None:
        assert self._ask(TERMINATE, run=run)["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def ended(self, run: str) -> dg.DagsterRunStatus | None:
        status = self._instance.get_run_by_id(run).status
        return status if self._instance.get_run_by_id(run).is_finished else None

    def _ask(self, question: str, **variables: Any) -> dict[str, Any]:
        asked = self._schema.execute_async(question, context=self._context, variables=variables)
        answer = asyncio.run(asked)
        assert answer.errors is None, answer.errors
        return answer.data


@pytest.fixture
def targets(world: World, tmp_path: Path) -> list[str]:
    """A small principal, and one of many pages: taken in this order, the largest number last."""
    keys = [world.add_hiro_principal(20), world.add_hiro_principal(PAGES * PAGE_SIZE)]
    entries = "".join(f"    - principal: {key.removeprefix('hiro:')}\n" for key in keys)
    (tmp_path / "targets.yaml").write_text(f"hiro:\n  targets:\n{entries}")
    return keys


@pytest.fixture
def dagster(
    sandbox, database_url: str, targets: list[str], tmp_path: Path, monkeypatch
) -> Iterator[Dagster]:
    environment = {
        "DATABASE_URL": database_url,
        "HOLDFAST_HOME": str(tmp_path / "home"),
        "HOLDFAST_TARGETS": str(tmp_path / "targets.yaml"),
        "HIRO_BASE_URL": sandbox.url("hiro"),
        "HIRO_REQUESTS_PER_MINUTE": "60000",
        "HIRO_PAGE_SIZE": str(PAGE_SIZE),
        "HIRO_CONCURRENCY": "1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "dagster"
    folder.mkdir()
    settings = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        # The queue of the default one is emptied by the daemon, which is not needed here.
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "DefaultRunCoordinator",
        },
    }
    code = ModuleTarget("pipelines.definitions", None, None, "holdfast")
    with (
        dg.DagsterInstance.local_temp(str(folder), overrides=settings) as instance,
        WorkspaceProcessContext(instance, code, code_server_log_level="ERROR") as process,
    ):
        yield Dagster(instance, process.create_request_context())
        end_runs()
        process._grpc_server_registry.shutdown_all_processes()
        process._grpc_server_registry.wait_for_processes()


def end_runs() -> None:
    """End what a failed test left running; a code server waits for its runs."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # one that has ended, or that nobody waited for yet
            if "grpc" in child.cmdline():
                for of_a_run in child.children(recursive=True):
                    of_a_run.kill()


def test_ended_while_pages_are_fetched_keeps_what_is_committed_and_nothing_of_the_rest(
    dagster: Dagster, pipeline, sandbox, world: World, targets: list[str]
):
    small, large = targets
    for key in (large, small):  # the next run begins with the one whose snapshot is oldest
        pipeline.take(key, run="first")
    pipeline.take(large, run="second")
    world.tick(5)
    under_way, ended = threading.Event(), threading.Event()
    asked = []

    def answer_slowly(exchange):
        if large.removeprefix("hiro:") in exchange.target:
            asked.append(exchange)
            if len(asked) > 3:
                under_way.set()
                ended.wait(1 if len(asked) < PAGES - 5 else PATIENCE)

    sandbox.before_response = answer_slowly
    run = dagster.launch()
    assert under_way.wait(PATIENCE)
    before = checksum(pipeline)
    assert published(pipeline, f"run {run}") == [small]
    dagster.terminate(run)
    wait_until(lambda: dagster.ended(run), "the run to end")
    ended.set()
    assert dagster.ended(run) is dg.DagsterRunStatus.CANCELED
    assert len(asked) < PAGES, "the walk went on to its end"
    assert checksum(pipeline) == before
    assert pipeline.sql("select name, reason from walk_failure join target using (target_id)") == [
        (large, "Cancelled")
    ]
    wait_until(lambda: left_over(pipeline) == [(0, 0, 0)], "locks, sessions and temp tables to go")

    again = dagster.launch()
    wait_until(lambda: dagster.ended(again), "the next run to end")
    assert dagster.ended(again) is dg.DagsterRunStatus.SUCCESS
    assert sorted(published(pipeline, f"run {again}")) == sorted(targets)


def published(pipeline, run: str) -> list[str]:
    taken = "select name from snapshot join target using (target_id) where run_key = :run"
    return [name for (name,) in pipeline.sql(taken, run=run)]


def left_over(pipeline) -> list[tuple[int, int, int]]:
    pipeline.warehouse.close()
    return pipeline.sql(
        "select (select count(*) from pg_locks l join pg_database d on d.oid = l.database"
        f" where locktype = 'advisory' and {HERE}),"
        f" (select count(*) from pg_stat_activity where {HERE}"
        " and backend_type = 'client backend' and pid <> pg_backend_pid()),"
        " (select count(*) from pg_class where relpersistence = 't' and relkind = 'r')"
    )
