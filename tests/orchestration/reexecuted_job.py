"""A job that Dagster can build anew from this file, as it does for a run in another process."""

import dagster as dg

from pipelines.orchestration.build import build_definitions
from pipelines.runtime import Runtime
from pipelines.targets import load_targets


def hiro_job() -> dg.JobDefinition:
    runtime = Runtime.from_environment()
    watched = load_targets(runtime.settings.holdfast_targets)
    return build_definitions(watched, runtime).resolve_job_def("hiro_snapshots")
