"""Puts assets, jobs, schedules and the sensor together for a list of targets."""

import dagster as dg

from pipelines.orchestration import after_snapshots
from pipelines.orchestration.assets import build_asset
from pipelines.orchestration.audit import build_audit, build_audit_job, build_audit_schedule
from pipelines.orchestration.dead_runs import OurRuns, build_dead_runs_sensor
from pipelines.orchestration.describe import job_description
from pipelines.orchestration.lineage import api_spec, view_specs
from pipelines.orchestration.names import Names
from pipelines.orchestration.schedules import Care, build_schedule, job_name
from pipelines.orchestration.unfinished import TAG, TAG_VALUE
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.targets import Watch, WatchList


def build_definitions(watched: WatchList, runtime: Runtime) -> dg.Definitions:
    """Everything that Dagster loads. Runs take their targets in threads of one process."""
    chunk_size = runtime.settings.holdfast_chunk_size
    watches = {name: watched.watches.get(name, Watch(name, None, ())) for name in PROVIDERS}
    urls = {name: runtime.providers[name].base_url for name in PROVIDERS}
    called = Names.of(runtime.settings)
    audits = [build_audit(provider, called) for provider in PROVIDERS.values()]
    own_assets = [called.dataset(provider) for provider in PROVIDERS.values()]
    own_assets += [called.key(after_snapshots.CONCENTRATION), called.key(after_snapshots.REPORT)]
    runs = OurRuns(frozenset(own_assets))
    care = Care(runtime, runs, called)
    return dg.Definitions(
        assets=[
            *dg.with_source_code_references(
                [
                    *(
                        build_asset(
                            PROVIDERS[name], watch, watched.name, runtime.uri, urls[name], called
                        )
                        for name, watch in watches.items()
                    ),
                    after_snapshots.build_concentration(PROVIDERS.values(), runtime.uri, called),
                    after_snapshots.build_report(watched, PROVIDERS.values(), called),
                ]
            ),
            *(api_spec(PROVIDERS[name], url, called) for name, url in urls.items()),
            *view_specs(PROVIDERS.values(), called),
        ],
        asset_checks=audits,
        jobs=[
            build_audit_job(audits),
            after_snapshots.build_job(called),
            *(
                dg.define_asset_job(
                    job_name(provider),
                    selection=dg.AssetSelection.assets(called.dataset(provider))
                    - dg.AssetSelection.checks(*audits),
                    description=job_description(provider, watches[name]),
                    tags={"provider": name, TAG: TAG_VALUE},
                )
                for name, provider in PROVIDERS.items()
            ),
        ],
        schedules=[
            build_audit_schedule(),
            *(
                build_schedule(PROVIDERS[name], watch, watch.cron, chunk_size, care)
                for name, watch in watches.items()
                if watch.cron
            ),
        ],
        sensors=[
            after_snapshots.build_sensor(PROVIDERS.values(), called),
            build_dead_runs_sensor(runtime, runs),
        ],
        resources={"runtime": runtime},
        executor=dg.in_process_executor,
    )
