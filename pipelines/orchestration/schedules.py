"""One schedule a provider, from its cron in targets.yaml.

A tick makes one run for each chunk of targets, as a partition range. It is skipped while the
provider's last run is queued or running: the API answers "now", so a tick that is late has nothing
to catch up on.
"""

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from pipelines.orchestration.describe import schedule_description
from pipelines.providers.provider import Provider
from pipelines.targets import Watch

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def job_name(provider: Provider) -> str:
    return f"{provider.name}_snapshots"


def build_schedule(
    provider: Provider, watch: Watch, cron: str, chunk_size: int
) -> dg.ScheduleDefinition:
    """The schedule that asks for all of a provider's targets at each tick of `cron` (UTC)."""
    names = [target.name for target in watch.targets]
    job = job_name(provider)

    @dg.schedule(
        name=f"{provider.name}_schedule",
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=schedule_description(provider, watch, chunk_size),
        tags={"provider": provider.name},
    )
    def tick(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if not names:
            yield dg.SkipReason(f"targets.yaml has no {provider.title} target")
            return
        if unfinished := unfinished_run(context.instance, [job]):
            yield dg.SkipReason(f"{unfinished}; the next tick takes what is so then")
            return
        yield from run_requests(
            names, provider, context.scheduled_execution_time.isoformat(), chunk_size
        )

    return tick


def unfinished_run(instance: dg.DagsterInstance, jobs: Iterable[str]) -> str | None:
    """The beginning of a sentence about a run of any of these jobs that has not ended."""
    for job in jobs:
        found = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_UNFINISHED), limit=1)
        if found:
            run = found[0].dagster_run
            return f"run {run.run_id[:8]} of {job} is still {run.status.value.lower()}"
    return None


def run_requests(
    names: Sequence[str], provider: Provider, tick: str, chunk_size: int
) -> Iterator[dg.RunRequest]:
    """One request for each chunk of targets, in the order of the partitions."""
    for begin in range(0, len(names), chunk_size):
        chunk = list(names[begin : begin + chunk_size])
        yield dg.RunRequest(
            run_key=f"{tick}/{begin}",
            run_config=run_config(provider, chunk, tick),
            tags=partition_range(chunk),
        )


def run_config(
    provider: Provider, names: Sequence[str], tick: str | None = None
) -> dict[str, object]:
    """The configuration of a run that takes those targets (`SnapshotConfig`)."""
    config = {"targets": list(names)} | ({"tick": tick} if tick else {})
    return {"ops": {provider.dataset.name: {"config": config}}}


def partition_range(names: Sequence[str]) -> dict[str, str]:
    """The tags that make a run one of these neighbouring partitions."""
    return {RANGE_START: names[0], RANGE_END: names[-1]}
