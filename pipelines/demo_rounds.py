"""The demo: the real pipeline on the sandbox's world, round after round, and what changed."""

from pathlib import Path

import dagster as dg
from rich.console import Console

from pipelines.analysis.frames import query
from pipelines.analysis.tables import frame_table, snapshots_table
from pipelines.demo import TARGETS, demo_runtime, demo_settings, living_sandbox
from pipelines.orchestration import after_snapshots
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.schedules import job_name, partition_range, run_config
from pipelines.paths import REPORT_FILE
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Target
from pipelines.runtime import Runtime
from pipelines.service.announcement import command_of
from pipelines.settings import Settings
from pipelines.snapshots import Taken
from pipelines.targets import WatchList, load_targets
from pipelines.warehouse.registry import Run, find_published, register_target

ROUNDS = 3
TICKS_A_ROUND = 4
SILENT = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
QUESTION = "select provider, kind, count(*) from mart.changes group by 1, 2 order by 1, 2"


def run_demo(settings: Settings, console: Console, rounds: int = ROUNDS) -> bool:
    """Take `rounds` snapshots of every demo target and show them. Returns whether all succeeded."""
    home = demo_settings(settings).holdfast_home
    watched = load_targets(TARGETS)
    with living_sandbox(home) as sandbox:
        runtime = demo_runtime(settings, sandbox.urls)
        targets = len(list(watched.targets()))
        console.print(f"Sandbox: {targets} targets of {len(sandbox.urls)} providers on")
        for name, url in sandbox.urls.items():
            console.print(f"  {url}  {PROVIDERS[name].title}")
        with runtime.open_warehouse() as warehouse:
            console.print(f"Postgres: {warehouse.place}")
        succeeded = True
        with dg.DagsterInstance.local_temp(
            str(_made(home / "dagster")), overrides=SILENT
        ) as instance:
            for number in range(1, rounds + 1):
                sandbox.world.tick(TICKS_A_ROUND)
                succeeded &= _round(number, watched, runtime, instance, console)
            succeeded &= _report(watched, runtime, instance, console)
    _show_changes(runtime, console)
    _show_next(home, console)
    return succeeded


def _round(
    number: int,
    watched: WatchList,
    runtime: Runtime,
    instance: dg.DagsterInstance,
    console: Console,
) -> bool:
    definitions = build_definitions(watched, runtime)
    taken: list[Taken] = []
    failed: list[str] = []
    for name, watch in watched.watches.items():
        with console.status(f"Round {number}: {PROVIDERS[name].title} …"):
            result = definitions.resolve_job_def(job_name(PROVIDERS[name])).execute_in_process(
                run_config={**run_config(PROVIDERS[name], watch.targets), **QUIET},
                tags=partition_range(watch.targets),
                instance=instance,
                raise_on_error=False,
            )
        taken += _published(runtime, watched.name, watch.targets, f"run {result.run_id}")
        if not result.success:
            failed += [str(event.message) for event in result.all_events if event.is_failure]
    console.print(snapshots_table(taken, f"Round {number}: {len(taken)} snapshots published"))
    for message in failed:
        console.print(message, style="red", markup=False, highlight=False)
    return not failed


def _report(
    watched: WatchList, runtime: Runtime, instance: dg.DagsterInstance, console: Console
) -> bool:
    """What Dagster's sensor would ask for after the rounds."""
    with console.status("The report …"):
        result = (
            build_definitions(watched, runtime)
            .resolve_job_def(after_snapshots.JOB)
            .execute_in_process(run_config=QUIET, instance=instance, raise_on_error=False)
        )
    for event in result.all_events:
        if event.is_failure:
            console.print(str(event.message), style="red", markup=False, highlight=False)
    return bool(result.success)


def _published(
    runtime: Runtime, list_name: str, targets: tuple[Target, ...], run_key: str
) -> list[Taken]:
    with runtime.open_warehouse() as warehouse, warehouse.connect() as connection:
        taken = []
        for target in targets:
            target_id = register_target(connection, target, Run(run_key, list_name=list_name))
            with connection.begin():
                snapshot = find_published(connection, target_id, run_key)
            if snapshot:
                taken.append(Taken(target, snapshot, repeated=False))
        return taken


def _show_changes(runtime: Runtime, console: Console) -> None:
    with runtime.open_warehouse() as warehouse, warehouse.transaction() as connection:
        latest = query(connection, "movements", each=1)
        stored = query(connection, "storage")
    console.print(frame_table(latest, "Who entered and who left: the latest of each (UTC)"))
    console.print(frame_table(stored, "What the history costs: what changed, not what exists"))


def _show_next(home: Path, console: Console) -> None:
    command = command_of(demo=True)
    console.print("Three things to try next", style="bold")
    lines = [
        f"  How each target is:  {command} status",
        f"  Who lost some:       {command} changes --change decreased",
        f"  Ask in SQL:          {command} postgres psql -c '{QUESTION}'",
        "",
        f"The report, for a browser: {home / REPORT_FILE}",
        f"The same on a schedule, with Dagster's pages to look at: {command} up",
        f"The demo's Postgres still runs; its data is in {home}.",
        f"Stop it with: {command} down",
    ]
    for line in lines:  # one line each, however narrow the terminal: they are there to be copied
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
