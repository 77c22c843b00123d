"""The audit as Dagster runs it: a job of checks alone, and what it says of a damaged history."""

import dagster as dg
import pytest

from pipelines.orchestration.audit import CRON, JOB
from pipelines.orchestration.events import CHECK
from pipelines.providers import PROVIDERS
from pipelines.sandbox.world import World
from pipelines.warehouse.audit import load_rules

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DATASETS = [provider.dataset.name for provider in PROVIDERS.values()]
BALANCES = "update altura_item_holders_current set balance = balance + 1 where target_id = 1"


@pytest.fixture
def history(pipeline, world: World) -> str:
    """A target of each provider with two snapshots, which need no Dagster; returns the item's
    key."""
    keys = [world.add_altura_item(5), world.add_hiro_principal(5), world.add_catenis_asset(5)]
    for _ in range(2):
        for key in keys:
            pipeline.take(key)
        world.tick(3)
    return keys[0]


def run_audit(orchestra, **given):
    job = orchestra.definitions().resolve_job_def(JOB)
    return job.execute_in_process(
        run_config=QUIET, instance=orchestra.instance, raise_on_error=False, **given
    )


def evaluations(result) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {
        (found.asset_check_key.asset_key.to_user_string(), found.check_name): found
        for found in result.get_asset_check_evaluations()
    }


def test_the_job_runs_every_rule_on_every_dataset_and_materializes_nothing(orchestra, history):
    result = run_audit(orchestra)
    assert result.success
    found = evaluations(result)
    assert set(found) == {(name, rule.name) for name in DATASETS for rule in load_rules()}
    assert all(evaluation.passed for evaluation in found.values())
    assert not [event for event in result.all_events if event.is_step_materialization]


def test_a_broken_rule_is_red_on_its_asset_with_examples_and_fails_the_run(
    orchestra, pipeline, history
):
    pipeline.sql(BALANCES)
    result = run_audit(orchestra)
    assert not result.success
    red = {key: found for key, found in evaluations(result).items() if not found.passed}
    assert set(red) == {
        ("altura_item_holders", "current_is_the_last_snapshot"),
        ("altura_item_holders", "rows_are_as_counted"),
    }
    told = red["altura_item_holders", "current_is_the_last_snapshot"]
    assert told.metadata["found"].value == 1
    assert history in told.metadata["examples"].value
    assert "It means: " in told.description
    assert "What to do: " in told.description
    assert len(evaluations(result)) == len(DATASETS) * len(load_rules())


def test_the_failure_names_the_rules_and_is_not_retried(orchestra, pipeline, history):
    pipeline.sql(BALANCES)
    result = run_audit(orchestra)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data.description.startswith("2 rules are broken in altura_item_holders:")
    assert "current_is_the_last_snapshot" in data.description
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def test_one_check_can_be_run_by_itself(orchestra, history):
    key = dg.AssetCheckKey(dg.AssetKey("hiro_nft_holdings"), "keys_are_unique")
    definitions = orchestra.definitions()
    job = definitions.resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection=set(), asset_check_selection={key})
    result = subset.execute_in_process(
        instance=orchestra.instance,
        resources={"runtime": orchestra.pipeline.runtime},
        run_config=QUIET,
    )
    assert set(evaluations(result)) == {("hiro_nft_holdings", "keys_are_unique")}


def test_a_run_that_takes_snapshots_does_not_audit(orchestra, world: World):
    world.add_altura_item(5)
    assert set(evaluations(orchestra.run("altura"))) == {("altura_item_holders", CHECK)}


def test_an_asset_that_is_materialized_by_hand_without_a_job_is_taken_all_the_same(
    orchestra, world: World
):
    key = world.add_altura_item(5)
    job = orchestra.definitions().resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection={dg.AssetKey("altura_item_holders")})
    result = subset.execute_in_process(
        instance=orchestra.instance, partition_key=key, run_config=QUIET
    )
    assert result.success
    assert orchestra.partitions("altura") == ({key}, set())


def test_it_is_scheduled_once_a_day_and_the_schedule_asks_for_the_job(orchestra):
    repository = orchestra.definitions().get_repository_def()
    [schedule] = [it for it in repository.schedule_defs if it.job_name == JOB]
    assert (schedule.cron_schedule, schedule.execution_timezone) == (CRON, "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(
        instance=orchestra.instance, repository_def=repository
    ) as context:
        data = schedule.evaluate_tick(context)
    assert len(data.run_requests) == 1


def test_a_database_that_can_not_be_audited_says_why(orchestra, pipeline, history):
    pipeline.sql("drop table alembic_version")
    result = run_audit(orchestra)
    failures = [event for event in result.all_events if event.is_step_failure]
    assert len(failures) == len(DATASETS)
    for failure in failures:
        data = failure.step_failure_data.user_failure_data
        assert "run holdfast migrate" in data.description


def test_what_a_stranger_chose_is_shown_as_its_characters(orchestra, pipeline, history):
    pipeline.sql(
        "update altura_item_holders_current set address = '<img src=x onerror=alert(1)>|'"
        " where address = (select min(address) from altura_item_holders_current)"
    )
    found = evaluations(run_audit(orchestra))["altura_item_holders", "key_hash_is_of_its_key"]
    assert "<img" not in found.metadata["examples"].value.replace("\\<img", "")
    assert "<img" not in found.description.replace("\\<img", "")
