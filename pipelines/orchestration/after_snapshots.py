"""What is made of published snapshots: the concentration figures and the report, after every tick.

A sensor compares the newest event of the datasets with the one that its last run was asked for:
one event a dataset, however many targets there are. `AutomationCondition.eager()` would be shorter
and does not fit (both were tried): it waits for every partition, so that one target which was never
published stops the report for good; and it takes what is published while a run is under way as
handled by that run, so that the report lacks it until the next tick.

A run that left a backlog of figures counts as something new: the next one goes on with it.
"""

import base64
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.errors import HoldfastError
from pipelines.orchestration.assets import RETRIES
from pipelines.orchestration.names import PLAIN, Names
from pipelines.orchestration.schedules import job_name
from pipelines.orchestration.unfinished import TAG, TAG_VALUE, sentence, unfinished_run
from pipelines.paths import REPORT_FILE, make_enterable
from pipelines.providers.provider import Provider
from pipelines.runtime import Runtime
from pipelines.targets import WatchList
from pipelines.warehouse.concentration import (
    RefreshProgress,
    count_missing,
    refresh_concentration,
)

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB = "after_snapshots"
CONCENTRATION = "concentration"
REPORT = "report"

INTERVAL = 30
"""Seconds between two looks of the sensor."""

PATIENCE = timedelta(minutes=10)
"""A tick's runs end one after the other: one run for all of them, unless some take this long."""

REFRESH_SECONDS = 600
"""A backlog of years must not keep the report waiting: the next run goes on with it."""

COMPUTED, LEFT = "snapshots", "left_for_the_next_run"
"""What a run tells of its figures, which the sensor reads."""

LOG_SECONDS = 15


def build_concentration(
    providers: Iterable[Provider], uri: str, called: Names = PLAIN
) -> dg.AssetsDefinition:
    """The asset whose table holds the concentration of each snapshot that has amounts."""

    @dg.asset(
        key=called.key(CONCENTRATION),
        deps=[called.dataset(provider) for provider in providers if provider.dataset.amount],
        description="How unevenly each snapshot's amount is spread over its holders: the share of"
        " the largest, Gini, Herfindahl and Nakamoto coefficients. A run computes what is missing,"
        " newest first; ask mart.concentration. The same by hand: holdfast snapshot",
        retry_policy=RETRIES,
        pool=JOB,
        group_name=called.group,
        owners=called.owners,
        kinds={"sql", "postgres"},
        metadata={
            "dagster/table_name": "public.snapshot_concentration",
            "dagster/storage_kind": "postgres",
            "dagster/uri": uri,
        },
    )
    def concentration(
        context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult[None]:
        told = began = time.monotonic()

        def tell(progress: RefreshProgress) -> None:
            nonlocal told
            run.pulse.expect()
            if time.monotonic() - told >= LOG_SECONDS:
                told = time.monotonic()
                context.log.info(str(progress))

        with (
            _explained(),
            runtime.open_run(context.run.run_id, context.run.job_name) as run,
            run.warehouse.connect() as connection,
        ):
            computed = refresh_concentration(connection, seconds=REFRESH_SECONDS, on_progress=tell)
            left = count_missing(connection)
        return dg.MaterializeResult(
            metadata={
                COMPUTED: dg.MetadataValue.int(computed),
                LEFT: dg.MetadataValue.int(left),
                "seconds": dg.MetadataValue.float(round(time.monotonic() - began, 3)),
            }
        )

    return concentration


def build_report(
    watched: WatchList, providers: Iterable[Provider], called: Names = PLAIN
) -> dg.AssetsDefinition:
    """The asset that is a page for people, written anew as a whole."""
    names = {target.name: target.label for target in watched.targets()}

    @dg.asset(
        key=called.key(REPORT),
        deps=[*map(called.dataset, providers), called.key(CONCENTRATION)],
        description="One HTML page of what the warehouse knows: each target's holders, changes and"
        " concentration over time. It loads nothing and can be sent by mail; where it is, each"
        " materialization says. The same by hand: holdfast report",
        retry_policy=RETRIES,
        pool=JOB,
        group_name=called.group,
        owners=called.owners,
        kinds={"python", "html"},
    )
    def report(
        context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]
    ) -> dg.MaterializeResult[None]:
        # Loading the definitions would wait for its libraries, and so would every command.
        from pipelines.analysis.report import overview_plot, write_report  # noqa: PLC0415

        home = runtime.settings.holdfast_home
        make_enterable(home)
        path = home / REPORT_FILE
        with _explained(), runtime.open_run(context.run.run_id, context.run.job_name) as run:
            with run.warehouse.transaction() as connection:
                shown = write_report(connection, path, watched=names)
            run.pulse.expect()
            with run.warehouse.transaction() as connection:
                picture = overview_plot(connection, home / "matplotlib")
        metadata: dict[str, dg.MetadataValue] = {
            "path": dg.MetadataValue.path(path),
            "targets": dg.MetadataValue.int(len(shown.targets)),
            "bytes": dg.MetadataValue.int(path.stat().st_size),
        }
        if picture:
            metadata["overview"] = dg.MetadataValue.md(_image(picture))
        return dg.MaterializeResult(metadata=metadata)

    return report


def build_job(called: Names = PLAIN) -> "UnresolvedAssetJobDefinition":
    """The job that makes both, one after the other."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(called.key(CONCENTRATION), called.key(REPORT)),
        tags={TAG: TAG_VALUE},
        description="Computes the concentration figures that are missing and writes the report"
        " anew. The sensor of the same name asks for it when something was published.",
    )


def build_sensor(providers: Iterable[Provider], called: Names = PLAIN) -> dg.SensorDefinition:
    """The sensor that asks for one run when there is something new, and never for a second beside
    it. Its cursor is the event that the last run was asked for."""
    snapshot_jobs = [job_name(provider) for provider in providers]
    datasets = [called.dataset(provider) for provider in providers]
    concentration = called.key(CONCENTRATION)

    @dg.sensor(
        name=f"{JOB}_sensor",
        job_name=JOB,
        minimum_interval_seconds=INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for one run when a snapshot has been published since the last one, or"
        " when that left some of the concentration figures to the next. It waits until the runs"
        " that take snapshots have ended, ten minutes at most.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        newest = _newest_event(context.instance, datasets, concentration)
        if newest is None:
            return dg.SkipReason("nothing has been published yet")
        if context.cursor and newest <= int(context.cursor):
            return dg.SkipReason("nothing has been published since the last run was asked for")
        if own := unfinished_run(context.instance, [JOB]):
            return dg.SkipReason(f"{sentence(own)}; what is new comes after it")
        taking = unfinished_run(context.instance, snapshot_jobs)
        if taking and _ran_lately(context.instance):
            return dg.SkipReason(f"{sentence(taking)}; there is one run for all that it publishes")
        context.update_cursor(str(newest))
        return dg.RunRequest(run_key=str(newest))

    return look


def _newest_event(
    instance: dg.DagsterInstance, datasets: list[dg.AssetKey], concentration: dg.AssetKey
) -> int | None:
    """The number of the newest materialization that asks for a run: of any partition of the
    datasets, or of figures that left a backlog."""
    last = [
        record.asset_entry.last_materialization_record
        for record in instance.get_asset_records([*datasets, concentration])
    ]
    return max(
        (
            event.storage_id
            for event in last
            if event and (event.asset_key != concentration or _left_a_backlog(event))
        ),
        default=None,
    )


def _left_a_backlog(event: dg.EventLogRecord) -> bool:
    """Whether there is more to do than was done. What was left without anything done is what
    another process is at: a run after that one would find no more to do."""
    made = event.asset_materialization
    told = {name: value.value for name, value in made.metadata.items()} if made else {}
    return bool(told.get(COMPUTED) and told.get(LEFT))


def _ran_lately(instance: dg.DagsterInstance) -> bool:
    last = instance.get_run_records(dg.RunsFilter(job_name=JOB), limit=1)
    return bool(last) and datetime.now(UTC) - last[0].create_timestamp < PATIENCE


def _image(png: bytes) -> str:
    return f"![rows over time](data:image/png;base64,{base64.b64encode(png).decode()})"


@contextmanager
def _explained() -> Iterator[None]:
    """Our errors as Dagster's: the words alone, and another attempt only where it may help."""
    try:
        yield
    except dg.DagsterExecutionInterruptedError:
        raise dg.Failure("the run was ended from outside", allow_retries=False) from None
    except HoldfastError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from None
