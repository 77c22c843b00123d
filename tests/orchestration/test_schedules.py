"""What a tick asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.errors import ScheduleExecutionError
from pydantic import SecretStr

from pipelines.orchestration.schedules import LARGEST_CONFIG, run_requests
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.sandbox.world import World
from pipelines.targets import Watch, WatchList, make_target
from tests.orchestration.test_dead_runs import unfinished_run

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


RETIRED = "select name from target where retired_at is not null order by name"


def entry(target) -> dict[str, object]:
    return target.model_dump(mode="json", exclude_defaults=True)


def write(path: Path, watched, *, without=()) -> None:
    """The list as a file."""
    path.write_text(
        yaml.safe_dump(
            {
                name: {"targets": [entry(one) for one in of_it.targets if one.name not in without]}
                for name, of_it in watched.watches.items()
            }
        )
    )


CONTRACT = "SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP"


def item(number):
    return make_target("altura", {"address": f"0x{number:040x}", "token_id": number})


def entries(request):
    [op] = request.run_config["ops"].values()
    return op["config"]["entries"]


def names(request):
    provider = request.run_config["ops"].keys() & {"altura_item_holders"}
    return [make_target("altura" if provider else "hiro", one).name for one in entries(request)]


def tick(orchestra, provider, at=AT, *, without=(), listed=None, repository=None):
    path = orchestra.pipeline.runtime.settings.holdfast_targets
    if path.name != "unreadable":
        write(path, listed or orchestra.watched(), without=without)
    repository = repository or orchestra.definitions().get_repository_def()
    schedule = repository.get_schedule_def(f"{provider}_schedule")
    context = dg.build_schedule_context(
        instance=orchestra.instance, scheduled_execution_time=at, repository_def=repository
    )
    return schedule.evaluate_tick(context)


def test_a_tick_asks_for_all_targets_as_one_range_with_their_names(orchestra, world: World):
    keys = [world.add_altura_item(1) for _ in range(3)]
    [request] = tick(orchestra, "altura").run_requests
    config = request.run_config["ops"]["altura_item_holders"]["config"]
    assert config["tick"] == AT.isoformat()
    assert abs(datetime.now(UTC) - datetime.fromisoformat(config["listed_at"])).seconds < 60
    assert names(request) == keys
    assert request.tags["dagster/asset_partition_range_start"] == keys[0]
    assert request.tags["dagster/asset_partition_range_end"] == keys[-1]


@pytest.mark.parametrize(
    ("targets", "sizes"),
    [(1, [1]), (99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_targets_are_asked_for_in_chunks(targets, sizes):
    wanted = [item(number) for number in range(targets)]
    requests = list(run_requests(wanted, PROVIDERS["altura"], AT, 100, AT))
    chunks = [names(request) for request in requests]
    assert [len(chunk) for chunk in chunks] == sizes
    assert [name for chunk in chunks for name in chunk] == [target.name for target in wanted]
    assert len({request.run_key for request in requests}) == len(requests)


def test_long_targets_make_smaller_chunks():
    identifiers = tuple(f"{CONTRACT}.{'n' * 40}::c{number:04}" for number in range(500))
    long = make_target("hiro", {"principal": CONTRACT, "asset_identifiers": identifiers})
    wanted = [long] * 12
    requests = list(run_requests(wanted, PROVIDERS["hiro"], AT, 100, AT))
    sizes = [len(json.dumps(request.run_config)) for request in requests]
    assert len(requests) > 1
    assert max(sizes) < 1.2 * LARGEST_CONFIG
    assert sum(len(entries(request)) for request in requests) == len(wanted)


def test_what_a_tick_gives_is_the_target_with_all_its_fields(orchestra, world: World):
    keys = [world.add_altura_item(1) for _ in range(2)]
    before = orchestra.watched()
    changed = [
        target.model_copy(update={"label": f"Item {n}", "allow_empty": True})
        for n, target in enumerate(before.watches["altura"].targets)
    ]
    now = WatchList(before.path, {"altura": Watch("altura", "0 * * * *", tuple(changed))})
    [request] = tick(orchestra, "altura", listed=now).run_requests
    assert names(request) == keys
    assert [make_target("altura", entry) for entry in entries(request)] == changed


def test_a_target_that_dagster_has_not_loaded_yet_waits(orchestra, world: World):
    known = [world.add_altura_item(1)]
    repository = orchestra.definitions().get_repository_def()
    world.add_altura_item(1)
    [request] = tick(orchestra, "altura", repository=repository).run_requests
    assert names(request) == known


def test_a_tick_is_skipped_while_the_last_run_is_unfinished(orchestra, world: World):
    world.add_altura_item(1)
    run = unfinished_run(orchestra, "altura_snapshots", dg.DagsterRunStatus.STARTED)
    skipped = tick(orchestra, "altura")
    assert not skipped.run_requests
    assert run.run_id[:8] in skipped.skip_message


def test_a_run_that_holds_up_a_third_tick_makes_it_fail(orchestra, world: World):
    world.add_altura_item(1)
    run = unfinished_run(orchestra, "altura_snapshots", dg.DagsterRunStatus.QUEUED)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for hours in (1, 2):
        assert (
            run.run_id[:8] in tick(orchestra, "altura", now + timedelta(hours=hours)).skip_message
        )
    with pytest.raises(ScheduleExecutionError) as failed:
        tick(orchestra, "altura", now + timedelta(hours=3))
    assert "is still queued: it has held up 3 ticks" in str(failed.value.__cause__)


def test_a_tick_ends_a_run_without_a_sign_and_takes_what_is_missing(
    orchestra, pipeline, world: World, long_running_server
):
    world.add_altura_item(1)
    run = unfinished_run(orchestra, "altura_snapshots", dg.DagsterRunStatus.STARTED)
    assert tick(orchestra, "altura").skip_message
    pipeline.sql("update run set silent_since = silent_since - interval '4 min'")
    assert tick(orchestra, "altura").run_requests
    assert orchestra.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_tick_retires_what_is_no_longer_in_the_file(orchestra, pipeline, world: World):
    keys = [world.add_altura_item(1) for _ in range(3)]
    for key in keys:
        pipeline.take(key)
    [request] = tick(orchestra, "altura", without=[keys[0]]).run_requests
    assert pipeline.sql(RETIRED) == [(keys[0],)]
    assert names(request) == keys[1:], "a code server with an older list would bring it back"


def test_a_file_that_would_retire_most_of_a_provider_is_held_and_the_rest_goes_on(
    orchestra, pipeline, world: World
):
    items = [world.add_altura_item(1) for _ in range(3)]
    assets = [world.add_catenis_asset(1) for _ in range(3)]
    for key in (*items, *assets):
        pipeline.take(key)
    [request] = tick(orchestra, "altura", without=[*items[:2], assets[0]]).run_requests
    assert pipeline.sql(RETIRED) == [(assets[0],)]
    assert names(request) == [items[2]]


def test_a_file_with_mistakes_retires_nothing_and_stops_nothing(orchestra, pipeline, world):
    key = world.add_altura_item(1)
    pipeline.take(key)
    path = orchestra.pipeline.runtime.settings.holdfast_targets
    broken = path.with_name("unreadable")
    broken.write_text("altura: [")
    settings = orchestra.pipeline.runtime.settings.model_copy(update={"holdfast_targets": broken})
    orchestra.pipeline.runtime = Runtime(settings, orchestra.pipeline.runtime.providers)
    assert tick(orchestra, "altura").run_requests
    assert pipeline.sql(RETIRED) == []


def test_a_warehouse_that_is_away_does_not_stop_a_tick_whose_run_says_so(orchestra, world):
    world.add_altura_item(1)
    settings = orchestra.pipeline.runtime.settings.model_copy(
        update={"database_url": SecretStr("postgresql://nobody@127.0.0.1:1/nowhere")}
    )
    orchestra.pipeline.runtime = Runtime(settings, orchestra.pipeline.runtime.providers)
    assert tick(orchestra, "altura").run_requests


def test_another_providers_unfinished_run_does_not_matter(orchestra, world: World):
    world.add_altura_item(1)
    unfinished_run(orchestra, "hiro_snapshots", dg.DagsterRunStatus.STARTED)
    assert tick(orchestra, "altura").run_requests


def test_a_provider_without_targets_is_skipped_with_the_reason(orchestra):
    assert "no Hiro Stacks target" in tick(orchestra, "hiro").skip_message
