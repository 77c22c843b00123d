"""What a tick asks for."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from pipelines.orchestration.schedules import run_requests
from pipelines.providers import PROVIDERS
from pipelines.sandbox.world import World

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def tick(orchestra, provider):
    repository = orchestra.definitions().get_repository_def()
    schedule = repository.get_schedule_def(f"{provider}_schedule")
    context = dg.build_schedule_context(
        instance=orchestra.instance, scheduled_execution_time=AT, repository_def=repository
    )
    return schedule.evaluate_tick(context)


def test_a_tick_asks_for_all_targets_as_one_range_with_their_names(orchestra, world: World):
    keys = [world.add_altura_item(1) for _ in range(3)]
    [request] = tick(orchestra, "altura").run_requests
    config = request.run_config["ops"]["altura_item_holders"]["config"]
    assert config == {"targets": keys, "tick": AT.isoformat()}
    assert request.tags["dagster/asset_partition_range_start"] == keys[0]
    assert request.tags["dagster/asset_partition_range_end"] == keys[-1]


@pytest.mark.parametrize(
    ("targets", "sizes"),
    [(1, [1]), (99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_targets_are_asked_for_in_chunks(targets, sizes):
    names = [f"altura:{number}" for number in range(targets)]
    requests = list(run_requests(names, PROVIDERS["altura"], AT.isoformat(), 100))
    chunks = [
        request.run_config["ops"]["altura_item_holders"]["config"]["targets"]
        for request in requests
    ]
    assert [len(chunk) for chunk in chunks] == sizes
    assert [name for chunk in chunks for name in chunk] == names
    assert len({request.run_key for request in requests}) == len(requests)


def test_a_tick_is_skipped_while_the_last_run_is_unfinished(orchestra, world: World):
    world.add_altura_item(1)
    job = orchestra.definitions().resolve_job_def("altura_snapshots")
    run = orchestra.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    skipped = tick(orchestra, "altura")
    assert not skipped.run_requests
    assert run.run_id[:8] in skipped.skip_message


def test_another_providers_unfinished_run_does_not_matter(orchestra, world: World):
    world.add_altura_item(1)
    job = orchestra.definitions().resolve_job_def("hiro_snapshots")
    orchestra.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert tick(orchestra, "altura").run_requests


def test_a_provider_without_targets_is_skipped_with_the_reason(orchestra):
    assert "no Hiro Stacks target" in tick(orchestra, "hiro").skip_message
