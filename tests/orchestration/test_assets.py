"""Runs of the assets: what is materialized, what fails, what a retry takes."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from pydantic import SecretStr

from pipelines import snapshots
from pipelines.orchestration.events import CHECK
from pipelines.orchestration.schedules import partition_range, run_config
from pipelines.providers import PROVIDERS
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World
from pipelines.targets import Watch, WatchList
from pipelines.warehouse.registry import Run, register_target, retire

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
TICK = datetime(2026, 11, 20, 8, tzinfo=UTC)
FORBIDDEN = Answer(403, {}, b'{"error":"Forbidden","message":"not yours"}')


def forbid(sandbox, key):
    """Let the sandbox refuse one target."""
    subject = key.partition(":")[2]
    sandbox.before_response = lambda exchange: FORBIDDEN if subject in exchange.target else None


def materializations(result):
    return {
        event.step_materialization_data.materialization.partition: (
            event.step_materialization_data.materialization.metadata
        )
        for event in result.all_events
        if event.is_step_materialization
    }


def test_a_run_materializes_each_target_of_its_range(orchestra, world: World):
    keys = [world.add_altura_item(3) for _ in range(4)]
    result = orchestra.run("altura", names=keys[1:3])
    assert result.success
    assert set(materializations(result)) == set(keys[1:3])


def test_a_materialization_tells_rows_proof_cost_and_changes(orchestra, world: World):
    key = world.add_hiro_principal(450)
    orchestra.run("hiro")
    world.hiro_transfer_out(key, 0)
    metadata = materializations(orchestra.run("hiro"))[key]
    told = {name: value.value for name, value in metadata.items()}
    assert told["dagster/partition_row_count"] == 449
    assert told["proof"] == "chained_to_last"
    assert (told["pages"], told["requests"]) == (1, 1)
    assert (told["entered"], told["exited"]) == (0, 1)
    assert {"increased", "decreased", "reacquired", "seconds", "snapshot_at"} <= told.keys()


def test_one_failing_target_of_ten_leaves_nine_committed_and_a_retry_takes_only_it(
    orchestra, pipeline, sandbox, world: World
):
    keys = [world.add_hiro_principal(5) for _ in range(10)]
    forbid(sandbox, keys[4])
    failed = orchestra.run("hiro", tick=TICK)
    assert not failed.success
    assert orchestra.partitions("hiro") == (set(keys) - {keys[4]}, {keys[4]})
    assert pipeline.sql("select count(*) from snapshot") == [(9,)]

    sandbox.before_response = None
    asked_before = sandbox.requests["hiro"]
    retried = orchestra.run("hiro", tick=TICK)
    assert retried.success
    assert sandbox.requests["hiro"] == asked_before + 2, "a first snapshot is read twice"
    assert orchestra.partitions("hiro") == (set(keys), set())
    assert pipeline.sql("select count(*) from snapshot") == [(10,)]


def test_the_failure_names_the_targets_and_the_cause(orchestra, sandbox, world: World):
    keys = [world.add_hiro_principal(2) for _ in range(3)]
    forbid(sandbox, keys[1])
    result = orchestra.run("hiro")
    [failure] = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert "1 of 3 Hiro Stacks targets failed" in data.description
    assert f"{keys[1]}, rows from 0: answered 403: not yours" in data.description


def test_the_check_passes_and_fails_with_the_run(orchestra, sandbox, world: World):
    keys = [world.add_hiro_principal(2) for _ in range(2)]
    key = dg.AssetCheckKey(dg.AssetKey("hiro_nft_holdings"), CHECK)
    outcomes = []
    for refused in (None, keys[0]):
        if refused:
            forbid(sandbox, refused)
        [evaluation] = orchestra.run("hiro").get_asset_check_evaluations()
        outcomes.append((evaluation.asset_check_key, evaluation.passed))
    assert outcomes == [(key, True), (key, False)]


def test_the_same_tick_again_publishes_no_second_snapshot(orchestra, pipeline, world: World):
    keys = {world.add_catenis_asset(3), world.add_catenis_asset(4)}
    orchestra.run("catenis", tick=TICK)
    world.tick(3)
    again = orchestra.run("catenis", tick=TICK)
    assert set(materializations(again)) == keys
    assert pipeline.sql("select run_key, count(*) from snapshot group by 1") == [
        (f"tick {TICK.isoformat()}", 2)
    ]


def test_a_snapshot_remembers_the_tick_it_was_scheduled_for(orchestra, pipeline, world: World):
    world.add_altura_item(1)
    orchestra.run("altura", tick=TICK)
    [(scheduled_at,)] = pipeline.sql("select scheduled_at from snapshot")
    assert scheduled_at == TICK


def test_a_target_that_left_the_list_is_named_and_takes_no_other_down(
    orchestra, pipeline, world: World
):
    key = world.add_altura_item(1)
    gone = "altura:0x" + "ab" * 20 + "/7"
    job = orchestra.definitions().resolve_job_def("altura_snapshots")
    config = {"ops": {"altura_item_holders": {"config": {"targets": [gone, key]}}}}
    failed = job.execute_in_process(
        run_config=config, partition_key=key, instance=orchestra.instance, raise_on_error=False
    )
    [failure] = [event for event in failed.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert f"{gone}: no longer in targets.yaml" in said
    assert pipeline.sql("select count(*) from snapshot") == [(1,)]


def queued_run(orchestra, keys, listed_at: datetime):
    """A run that a tick has asked for, with the list as it was then."""
    targets = list(map(orchestra.pipeline.target, keys))
    return orchestra.instance.create_run_for_job(
        orchestra.definitions().resolve_job_def("altura_snapshots"),
        run_config={**run_config(PROVIDERS["altura"], targets, listed_at, TICK), **QUIET},
        tags=partition_range(targets),
    )


def execute_by(orchestra, monkeypatch, run, known):
    """The run as a worker executes it that has loaded a list of those keys."""
    watch = Watch("altura", None, tuple(map(orchestra.pipeline.target, known)))
    listed = WatchList(Path("targets.yaml"), {"altura": watch})
    monkeypatch.setattr(orchestra, "watched", lambda: listed)
    job = orchestra.definitions().resolve_job_def("altura_snapshots")
    return execute_run(InMemoryJob(job), run, orchestra.instance)


def test_a_worker_with_another_list_takes_what_the_tick_gave_it(
    orchestra, pipeline, world: World, monkeypatch
):
    keys = [world.add_altura_item(1) for _ in range(3)]
    run = queued_run(orchestra, keys, datetime.now(UTC))
    assert execute_by(orchestra, monkeypatch, run, keys[:1]).success
    taken = pipeline.sql("select name, retired_at from snapshot join target using (target_id)")
    assert sorted(taken) == sorted((key, None) for key in keys)


def test_a_target_that_was_retired_after_the_list_was_read_is_not_brought_back(
    orchestra, pipeline, world: World, monkeypatch
):
    keys = [world.add_altura_item(1) for _ in range(2)]
    pipeline.take(keys[0])
    run = queued_run(orchestra, keys, datetime.now(UTC))
    with pipeline.warehouse.connect() as connection:
        retire(connection, [keys[0]])
    result = execute_by(orchestra, monkeypatch, run, keys)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "it was retired at" in failure.step_failure_data.user_failure_data.description
    current = "select name from target where retired_at is null"
    assert pipeline.sql(current) == [(keys[1],)]
    again = queued_run(orchestra, keys, datetime.now(UTC))
    assert execute_by(orchestra, monkeypatch, again, keys).success
    assert len(pipeline.sql(current)) == 2


def test_a_database_that_is_not_ready_fails_the_run_at_once_and_says_what_to_do(
    orchestra, empty_database_url, world: World
):
    key = world.add_altura_item(1)
    runtime = orchestra.pipeline.runtime
    url = SecretStr(empty_database_url)
    orchestra.pipeline.runtime = replace(
        runtime, settings=runtime.settings.model_copy(update={"database_url": url})
    )
    result = orchestra.run("altura")
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "run holdfast migrate" in failure.step_failure_data.user_failure_data.description
    [evaluation] = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "run holdfast migrate" in evaluation.description
    assert orchestra.partitions("altura") == (set(), {key})


def test_a_long_run_gives_signs_of_life(orchestra, sandbox, world: World, monkeypatch):
    key = world.add_altura_item(300)
    monkeypatch.setattr(snapshots, "HEARTBEAT", 0.05)
    sandbox.after_response = lambda exchange, answer: time.sleep(0.2)
    result = orchestra.run("altura")
    said = [
        record.message
        for record in orchestra.instance.all_logs(result.run_id)
        if not record.is_dagster_event
    ]
    assert any(message.startswith(f"{key}: walk 1, page ") for message in said)


def test_a_run_by_hand_takes_the_partition_or_the_range_or_all(orchestra, world: World):
    keys = [world.add_altura_item(1) for _ in range(3)]
    job = orchestra.definitions().resolve_job_def("altura_snapshots")
    asked = {
        "one": {"partition_key": keys[1]},
        "range": {"tags": partition_range(list(map(orchestra.pipeline.target, keys[:2])))},
        "all": {},
    }
    taken = {
        how: set(materializations(job.execute_in_process(instance=orchestra.instance, **given)))
        for how, given in asked.items()
    }
    assert taken == {"one": {keys[1]}, "range": set(keys[:2]), "all": set(keys)}


def test_a_run_retires_nothing_as_its_list_may_be_old(orchestra, pipeline, world: World):
    for _ in range(2):
        world.add_catenis_asset(8)
    left = pipeline.target("catenis:aQjlzShmrnEZeeYBZihc")
    with pipeline.warehouse.connect() as connection:
        register_target(connection, left, Run("a run"))
    assert orchestra.run("catenis").success
    retired = "select name from target where retired_at is not null"
    assert pipeline.sql(retired) == []
