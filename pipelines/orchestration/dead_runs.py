"""Ends runs that nobody works on any more: they would hold up their provider for hours.

Dagster's own monitor knows of a run only what its launcher can see. A run whose daemon died before
it was launched stays as it is for ever; one that was killed together with its code server counts as
running until `max_runtime_seconds`. Whether a run lives is told by the signs that it leaves in the
warehouse (warehouse.runs). Both a sensor and each tick look: a sensor may be switched off, and a
tick may be a day away.

A run is ended in the warehouse first, so that it can't publish any more, and then in Dagster, whose
retry takes the rest of its targets; where a team has retries switched off, the next tick does.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from pipelines.errors import HoldfastError
from pipelines.orchestration.unfinished import TAG, TAG_VALUE
from pipelines.runtime import Runtime
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.runs import end_run, ended_from_outside, look, server_started

SENSOR = "dead_runs_sensor"
INTERVAL = 30
"""Seconds between two looks of the sensor."""

UNLAUNCHED_SECONDS = 600
"""A run that was made and not launched within this time has lost its daemon."""

_WAITING = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_BEGUN = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]

ADHOC_JOB = "__ASSET_JOB"
"""The job of a run that a person launches from an asset's page."""

STAYS = "What it had published stays; its retry, or the next tick, takes the rest."


@dataclass(frozen=True)
class OurRuns:
    """Tells the runs of this project from those of others in the same Dagster: by the tag of its
    jobs, or by its assets, where a person launched them from their page."""

    assets: frozenset[dg.AssetKey]

    def unfinished(self, instance: dg.DagsterInstance) -> list[dg.RunRecord]:
        """Those under way. Queued ones wait for others, and nothing can be said of them."""
        records = instance.get_run_records(dg.RunsFilter(statuses=[*_WAITING, *_BEGUN]))
        return [record for record in records if self._is_ours(record.dagster_run)]

    def _is_ours(self, run: dg.DagsterRun) -> bool:
        if run.tags.get(TAG) == TAG_VALUE:
            return True
        selected = run.asset_selection or frozenset()
        return run.job_name == ADHOC_JOB and bool(selected) and selected <= self.assets


def end_dead_runs(instance: dg.DagsterInstance, warehouse: Warehouse, ours: OurRuns) -> list[str]:
    """End every run that is dead; returns a sentence about each. Raises WarehouseUnreachable, and
    then nothing is ended: who can't reach the warehouse can't say that a run does not."""
    told: list[str] = []
    begun: list[dg.DagsterRun] = []
    for record in ours.unfinished(instance):
        if why := _never_launched(instance, record):
            _end(instance, warehouse, record.dagster_run, why)
            told.append(f"run {record.dagster_run.run_id[:8]}: {why}")
        elif record.dagster_run.status in _BEGUN:
            begun.append(record.dagster_run)
    known = {run.run_id: run for run in begun}
    with warehouse.transaction() as connection:
        expected = {run.run_id: run.job_name for run in begun}
        ended = ended_from_outside(connection, expected)
        dead = look(connection, expected, server_started(connection))
    for run_id, why in ended.items():  # the one who ended it was killed before Dagster knew
        told.append(f"run {run_id[:8]} of {expected[run_id]}: {why}")
        _end(instance, warehouse, known[run_id], why)
    for silent in dead:
        told.append(f"run {silent.run_id[:8]} of {silent.job}: {silent}")
        if run := known.get(silent.run_id):
            _end(instance, warehouse, run, str(silent))
        else:  # of the command line, or finished in Dagster without its process
            with warehouse.transaction() as connection:
                end_run(connection, silent.run_id, silent.job, str(silent))
    return told


def build_dead_runs_sensor(runtime: Runtime, ours: OurRuns) -> dg.SensorDefinition:
    """The sensor that looks twice a minute, and asks for nothing."""

    @dg.sensor(
        name=SENSOR,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs that show no sign of life for three minutes, or were never launched:"
        " they would hold up their provider. Dagster's retry takes the rest of their targets.",
    )
    def look_for_dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if not ours.unfinished(context.instance):
            return dg.SkipReason("no run is under way")
        try:
            with runtime.open_warehouse(connections=1) as warehouse:
                told = end_dead_runs(context.instance, warehouse, ours)
        except HoldfastError as error:
            return dg.SkipReason(f"nothing can be said of the runs under way: {error}")
        for run in told:
            context.log.warning("ended %s", run)
        return dg.SkipReason("; ".join(told) or "every run under way shows signs of life")

    return look_for_dead_runs


def _never_launched(instance: dg.DagsterInstance, record: dg.RunRecord) -> str | None:
    """Why a run that was not begun never will be; None where it may."""
    status = record.dagster_run.status
    if status is dg.DagsterRunStatus.NOT_STARTED:
        age = datetime.now(UTC) - record.create_timestamp
        if age > timedelta(seconds=UNLAUNCHED_SECONDS):
            return f"not launched within {UNLAUNCHED_SECONDS // 60} minutes: its daemon is gone"
    elif status is dg.DagsterRunStatus.STARTING:
        patience = instance.run_monitoring_start_timeout_seconds
        launched = instance.get_run_stats(record.dagster_run.run_id).launch_time
        if launched is not None and time.time() - launched > patience:
            return f"its process has not begun within {patience} s"
    return None


def _end(instance: dg.DagsterInstance, warehouse: Warehouse, run: dg.DagsterRun, why: str) -> None:
    with warehouse.transaction() as connection:
        end_run(connection, run.run_id, run.job_name, why)
    now = instance.get_run_by_id(run.run_id)
    if now is None or now.is_finished:
        return
    if now.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(now, f"Ended: {why}. {STAYS}")
    else:
        instance.report_run_failed(now, f"Ended: {why}. {STAYS}")
