"""One asset a provider dataset; its partitions are the configured targets.

Not time partitions: an API that answers "now" must not be filled into the past. Not a run a target:
at 1,000 targets an hour that took 25 to 70 minutes a tick on two cores, ranges of 100 under one.

The body yields one AssetMaterialization for each committed target and nothing else for the output:
a MaterializeResult, or a plain function, would mark the failed partitions as materialized too. A
retry yields the events of what an earlier attempt committed again: left out, they would turn into
failed partitions.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import dagster as dg
from pydantic import Field

from pipelines.errors import HoldfastError
from pipelines.orchestration.describe import (
    asset_description,
    asset_metadata,
    check_description,
)
from pipelines.orchestration.events import (
    CHECK,
    Missed,
    Result,
    check_result,
    failed_observation,
    failure,
    materialization,
)
from pipelines.orchestration.names import PLAIN, Names
from pipelines.providers.provider import Provider, Target
from pipelines.runtime import Runtime
from pipelines.snapshots import Failed, Progress, Taken, take_snapshots
from pipelines.targets import Watch, make_target
from pipelines.warehouse.registry import Run

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For transient failures only: anything else ends the step at once (`Failure.allow_retries`)."""


class SnapshotConfig(dg.Config):
    """A tick gives its targets with all that they are, as the list was then: a worker may have
    loaded an older one, and the file may change while the run is queued."""

    entries: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Targets to take, each with its fields as in targets.yaml.",
    )
    listed_at: str | None = Field(
        default=None, description="When the list was read that they are from, ISO 8601."
    )
    targets: list[str] = Field(
        default_factory=list,
        description="Targets to take, by their partition keys, as they are on the list. Without"
        " entries and without these: the partitions that the run was launched for, or else all.",
    )
    tick: str | None = Field(
        default=None,
        description="Time that the run was scheduled for, ISO 8601. A repeat of the same tick takes"
        " only what is missing of it. Empty for a run by hand.",
    )


SnapshotEvent = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckResult


def build_asset(
    provider: Provider,
    watch: Watch,
    list_name: str,
    uri: str,
    api: str,
    called: Names = PLAIN,
) -> dg.AssetsDefinition:
    """The asset of a provider's dataset, partitioned by the targets of `watch`, which is part of
    the list of that name.

    `uri` tells people where the dataset's table is, `api` where its rows come from.
    """
    key = called.dataset(provider)
    by_name = {target.name: target for target in watch.targets}

    @dg.asset(
        key=key,
        description=asset_description(provider, watch),
        deps=[called.api(provider)],
        partitions_def=dg.StaticPartitionsDefinition(list(by_name)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRIES,
        output_required=False,
        check_specs=[dg.AssetCheckSpec(CHECK, asset=key, description=check_description(provider))],
        pool=provider.name,
        group_name=called.group,
        owners=called.owners,
        kinds={"python", "postgres"},
        tags={"provider": provider.name},
        metadata=asset_metadata(provider, watch, uri, api),
    )
    def snapshots(
        context: dg.AssetExecutionContext,
        config: SnapshotConfig,
        runtime: dg.ResourceParam[Runtime],
    ) -> Iterator[SnapshotEvent]:
        given = [make_target(provider.name, entry) for entry in config.entries]
        known = {target.name: target for target in given} or by_name
        names = [target.name for target in given]
        names = names or config.targets or _partitions(context) or list(by_name)
        targets = [known[name] for name in names if name in known]
        missed = [Missed.gone(name) for name in names if name not in known]
        taken: list[Taken] = []
        stopped = None
        try:
            run = _run(context, config, watch.cron, list_name)
            for outcome in _take(context, runtime, provider, targets, run):
                if isinstance(outcome, Failed):
                    missed.append(Missed.of(outcome))
                    context.log.error(str(missed[-1]))
                    yield failed_observation(key, missed[-1])
                else:
                    taken.append(outcome)
                    yield materialization(key, outcome)
        except dg.DagsterExecutionInterruptedError:
            # Or else the retry policy would begin the step anew that a person has ended.
            raise dg.Failure("the run was ended from outside", allow_retries=False) from None
        except HoldfastError as error:
            stopped = error
        result = Result(len(names), taken, missed, stopped)
        yield check_result(key, result, runtime.settings.holdfast_home / "matplotlib")
        if not result.passed:
            raise failure(provider, result)

    return snapshots


def _take(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    provider: Provider,
    targets: list[Target],
    run: Run,
) -> Iterator[Taken | Failed]:
    """Take the targets, with a line in the log now and then where it takes long.

    Raises HoldfastError where nothing could be begun.
    """
    under_way: dict[str, Progress] = {}

    def note(progress: Progress) -> None:
        under_way[progress.target.name] = progress

    def tell() -> None:
        context.log.info("\n".join(str(progress) for progress in list(under_way.values())))

    connections = runtime.providers[provider.name].concurrency
    with (
        runtime.open_run(
            context.run.run_id, context.run.job_name, connections=connections
        ) as opened,
        runtime.open_provider(provider.name, opened) as client,
    ):
        for outcome in take_snapshots(
            targets, client, opened.warehouse, run, on_progress=note, heartbeat=tell
        ):
            under_way.pop(outcome.target.name, None)
            opened.pulse.expect()
            yield outcome


def _run(
    context: dg.AssetExecutionContext, config: SnapshotConfig, cron: str | None, list_name: str
) -> Run:
    """The tick, or else the root run: a repeat of either has the same key."""
    at = datetime.fromisoformat(config.tick) if config.tick else None
    key = f"tick {config.tick}" if at else f"run {context.run.root_run_id or context.run.run_id}"
    listed_at = datetime.fromisoformat(config.listed_at) if config.listed_at else None
    return Run(key, at, cron, list_name, context.run.run_id, listed_at)


def _partitions(context: dg.AssetExecutionContext) -> list[str]:
    """The partitions that the run was asked for; none where it was launched without."""
    asked = context.has_partition_key or context.has_partition_key_range
    return list(context.partition_keys) if asked else []
