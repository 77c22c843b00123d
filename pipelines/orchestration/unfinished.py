"""Which runs hold up a provider's next tick: those of its job that are queued or under way.

A job's name may be taken by others in the same Dagster, so this project's jobs carry a tag.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg
from cronsim import CronSim

TAG, TAG_VALUE = "holdfast/run", "true"
"""On each run of this project's jobs."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def unfinished_run(instance: dg.DagsterInstance, jobs: Iterable[str]) -> dg.RunRecord | None:
    """The oldest run of any of these jobs that has not ended."""
    found = [
        record
        for job in jobs
        for record in instance.get_run_records(
            dg.RunsFilter(job_name=job, statuses=UNFINISHED, tags={TAG: TAG_VALUE})
        )
    ]
    return min(found, key=lambda record: record.create_timestamp, default=None)


def sentence(record: dg.RunRecord) -> str:
    """The beginning of a sentence about a run that has not ended."""
    run = record.dagster_run
    return f"run {run.run_id[:8]} of {run.job_name} is still {run.status.value.lower()}"


def ticks_since(record: dg.RunRecord, cron: str, now: datetime) -> int:
    """How many ticks of `cron` (UTC) a run has held up, the one of `now` among them."""
    ticks = 0
    for tick in CronSim(cron, record.create_timestamp.astimezone(UTC)):
        if tick > now:
            break
        ticks += 1
    return ticks
