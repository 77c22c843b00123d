"""Dagster's own "re-execute from failure", on a run that was started by hand."""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

from pipelines.orchestration.schedules import partition_range
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World

JOB = ReconstructableJob.for_file(str(Path(__file__).with_name("reexecuted_job.py")), "hiro_job")
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def test_a_reexecuted_run_takes_only_what_failed_under_the_same_run_key(
    pipeline, sandbox, world: World, instance, database_url, tmp_path, monkeypatch
):
    keys = [world.add_hiro_principal(3) for _ in range(3)]
    targets = tmp_path / "targets.yaml"
    entries = "".join(f"    - principal: {key.removeprefix('hiro:')}\n" for key in keys)
    targets.write_text(f"hiro:\n  targets:\n{entries}")
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_TARGETS", str(targets))
    monkeypatch.setenv("HIRO_BASE_URL", sandbox.url("hiro"))
    refused = keys[1].partition(":")[2]
    sandbox.before_response = lambda exchange: (
        Answer(404, {}, b"{}") if refused in exchange.target else None
    )
    asked = partition_range(list(map(pipeline.target, keys)))
    with dg.execute_job(
        JOB, instance=instance, run_config=QUIET, tags=asked, raise_on_error=False
    ) as first:
        assert not first.success
        failed_run = first.run_id
    assert pipeline.sql("select count(*) from snapshot") == [(2,)]

    sandbox.before_response = None
    asked_before = sandbox.requests["hiro"]
    options = dg.ReexecutionOptions.from_failure(failed_run, instance)
    with dg.execute_job(
        JOB,
        instance=instance,
        run_config=QUIET,
        tags=asked,
        reexecution_options=options,
        raise_on_error=False,
    ) as again:
        assert again.success
    assert sandbox.requests["hiro"] == asked_before + 2, "a first snapshot is read twice"
    assert pipeline.sql("select run_key, count(*) from snapshot group by 1") == [
        (f"run {failed_run}", 3)
    ]
