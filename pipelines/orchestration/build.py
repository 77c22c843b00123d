"""Puts assets, jobs and schedules together for a list of targets."""

import dagster as dg

from pipelines.orchestration.assets import build_asset
from pipelines.orchestration.schedules import build_schedule, job_name
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.targets import Watch, WatchList


def build_definitions(watched: WatchList, runtime: Runtime) -> dg.Definitions:
    """Everything that Dagster loads. Runs take their targets in threads of one process."""
    chunk_size = runtime.settings.holdfast_chunk_size
    watches = {name: watched.watches.get(name, Watch(name, None, ())) for name in PROVIDERS}
    return dg.Definitions(
        assets=[
            build_asset(PROVIDERS[name], watch, runtime.uri) for name, watch in watches.items()
        ],
        jobs=[
            dg.define_asset_job(
                job_name(provider),
                selection=[provider.dataset.name],
                description=f"Complete, proven snapshots of {provider.title} targets.",
            )
            for provider in PROVIDERS.values()
        ],
        schedules=[
            build_schedule(PROVIDERS[name], watch, watch.cron, chunk_size)
            for name, watch in watches.items()
            if watch.cron
        ],
        resources={"runtime": runtime},
        executor=dg.in_process_executor,
    )
