"""The same as natural_dlt, with the history that dlt offers: merge by its strategy scd2."""

from benchmarks.contenders.job import Job, contend
from benchmarks.contenders.natural_dlt import load


def run(job: Job) -> dict[str, float]:
    load(job, {"disposition": "merge", "strategy": "scd2"})
    return {}


if __name__ == "__main__":
    contend(run)
