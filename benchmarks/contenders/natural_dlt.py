"""dlt as its documentation shows it: the rest_api source, an offset paginator, Postgres.

A first snapshot replaces the table, a second one is merged with dlt's own history (scd2): to have
one, the first has to be loaded that way too. `job.work_mem` goes through the connection's options.
"""

import os
from collections.abc import Sequence

import dlt
from dlt.destinations import postgres
from dlt.sources.rest_api import rest_api_source

from benchmarks.contenders.job import PAGE_SIZE, Job, contend

DATASET = "natural_dlt"
RESOURCES = 200
"""Of one source, at most. dlt goes to the next resource by recursion: a thousand of them exceed
Python's limit (maximum recursion depth, dlt 1.31)."""


def credentials(job: Job) -> str:
    if "work_mem" not in job.options:
        return job.database_url
    return f"{job.database_url}?options=-c%20work_mem%3D{job.options['work_mem']}"


def source(job: Job, disposition: object, principals: Sequence[str]) -> object:
    """One resource a principal; all go into the table `holdings`."""
    return rest_api_source(
        {
            "client": {
                "base_url": job.base_url,
                "paginator": {
                    "type": "offset",
                    "limit": PAGE_SIZE,
                    "offset": 0,
                    "limit_param": "limit",
                    "offset_param": "offset",
                    "total_path": "total",
                },
            },
            "resources": [
                {
                    "name": f"holdings_{place}",
                    "table_name": "holdings",
                    "write_disposition": disposition,
                    "parallelized": len(principals) > 1,
                    "endpoint": {
                        "path": "extended/v1/tokens/nft/holdings",
                        "params": {"principal": principal},
                        "data_selector": "results",
                    },
                }
                for place, principal in enumerate(principals)
            ],
        }
    )


def load(job: Job, disposition: object) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    pipeline = dlt.pipeline(
        "holdings",
        destination=postgres(credentials(job)),
        dataset_name=DATASET,
        pipelines_dir=job.folder,
    )
    sources = [
        source(job, disposition, job.principals[first : first + RESOURCES])
        for first in range(0, len(job.principals), RESOURCES)
    ]
    pipeline.run(sources).raise_on_failed_jobs()


def run(job: Job) -> dict[str, float]:
    load(job, "replace")
    return {}


if __name__ == "__main__":
    contend(run)
