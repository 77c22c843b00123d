"""What a run tells: sums, a picture, why a target failed, and never too much of it."""

import base64
import io
import re
import sys
from pathlib import Path

import dagster as dg
from dagster._core.events import DagsterEventType
from dagster._serdes import serialize_value
from PIL import Image

from pipelines.errors import ConfigurationError, RequestRefused, WarehouseUnreachable
from pipelines.orchestration.events import MOST_TOLD, Missed, Result, check_result, failure
from pipelines.providers import PROVIDERS
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World
from pipelines.targets import Watch, WatchList

FORBIDDEN = Answer(403, {}, b'{"error":"Forbidden","message":"not <b>yours</b> | no"}')
ALTURA = PROVIDERS["altura"]


def forbid(sandbox, *keys):
    subjects = [key.partition(":")[2] for key in keys]
    sandbox.before_response = lambda exchange: (
        FORBIDDEN if any(subject in exchange.target for subject in subjects) else None
    )


def check(result):
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def numbers(evaluation):
    return {
        name: value.value
        for name, value in evaluation.metadata.items()
        if isinstance(value, dg.IntMetadataValue)
    }


def test_the_check_sums_the_run_and_counts_changes_from_the_second_snapshot_on(
    orchestra, world: World
):
    keys = [world.add_altura_item(3), world.add_altura_item(5)]
    first = numbers(check(orchestra.run("altura")))
    assert (first["targets"], first["published"], first["rows"]) == (2, 2, 8)
    assert first["entered"] == 0
    world.tick(3)
    second = numbers(check(orchestra.run("altura")))
    assert second["published"] == len(keys)
    assert set(first) == set(second)


def test_the_check_shows_what_changed_as_a_picture_and_a_table(orchestra, world: World):
    key = world.add_hiro_principal(5)
    orchestra.run("hiro")
    world.hiro_transfer_out(key, 0)
    shown = check(orchestra.run("hiro")).metadata["what_changed"].value
    [png] = re.findall(r"\(data:image/png;base64,([^)]+)\)", shown)
    assert Image.open(io.BytesIO(base64.b64decode(png))).format == "PNG"
    assert f"| {key} | 4 | 0 | 1 | 0 | 0 | 0 | 0 |" in shown


def test_a_picture_that_cannot_be_drawn_is_told_and_fails_nothing(
    orchestra, world: World, monkeypatch
):
    key = world.add_hiro_principal(5)
    orchestra.run("hiro")
    world.hiro_transfer_out(key, 0)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = orchestra.run("hiro")
    assert result.success
    assert "No picture: ModuleNotFoundError" in check(result).metadata["what_changed"].value


def test_where_nothing_changed_there_is_no_picture(orchestra, world: World):
    world.add_hiro_principal(5)
    orchestra.run("hiro")
    assert "what_changed" not in check(orchestra.run("hiro")).metadata


def test_the_check_says_first_which_targets_failed_and_why(orchestra, sandbox, world: World):
    keys = [world.add_hiro_principal(2) for _ in range(3)]
    forbid(sandbox, keys[1])
    evaluation = check(orchestra.run("hiro"))
    assert evaluation.description.startswith("1 of 3 targets are not published:")
    assert keys[1] in evaluation.description
    assert r"not \<b\>yours\</b\> \| no" in evaluation.description
    assert "RequestRefused" in evaluation.metadata["what_failed"].value


def test_a_failed_partition_tells_why_and_is_not_materialized(orchestra, sandbox, world: World):
    keys = [world.add_hiro_principal(2) for _ in range(2)]
    forbid(sandbox, keys[0])
    result = orchestra.run("hiro")
    [observed] = [
        event.asset_observation_data.asset_observation
        for event in result.all_events
        if event.event_type == DagsterEventType.ASSET_OBSERVATION
    ]
    assert observed.partition == keys[0]
    assert "answered 403: not <b>yours</b> | no" in observed.metadata["not_published"].value
    assert orchestra.partitions("hiro") == ({keys[1]}, {keys[0]})


def test_when_all_targets_fail_the_check_and_the_failure_name_them(
    orchestra, sandbox, world: World
):
    keys = [world.add_hiro_principal(2) for _ in range(3)]
    forbid(sandbox, *keys)
    result = orchestra.run("hiro")
    assert numbers(check(result))["published"] == 0
    assert all(key in check(result).description for key in keys)
    assert orchestra.partitions("hiro") == (set(), set(keys))


def test_an_event_of_a_target_stays_small(orchestra, sandbox, world: World):
    keys = [world.add_altura_item(3), world.add_altura_item(3)]
    forbid(sandbox, keys[0])
    events = [
        entry
        for entry in orchestra.instance.all_logs(orchestra.run("altura").run_id)
        if entry.is_dagster_event
        and entry.dagster_event.event_type
        in {DagsterEventType.ASSET_OBSERVATION, DagsterEventType.ASSET_MATERIALIZATION}
    ]
    assert len(events) == 2
    assert max(len(serialize_value(event)) for event in events) < 4_000


def test_a_hostile_label_is_text_on_every_page(orchestra, pipeline, world: World, monkeypatch):
    key = world.add_hiro_principal(3)
    label = "| <b>$x$</b> [a](b)"
    target = pipeline.target(key, label=label)
    watched = WatchList(Path("targets.yaml"), {"hiro": Watch("hiro", None, (target,))})
    monkeypatch.setattr(orchestra, "watched", lambda: watched)
    orchestra.run("hiro")
    world.hiro_transfer_out(key, 0)
    result = orchestra.run("hiro")
    shown = check(result).metadata["what_changed"].value
    assert r"| \| \<b\>\$x\$\</b\> \[a\](b) | 2 |" in shown
    asset = orchestra.definitions().resolve_asset_graph().get(dg.AssetKey("hiro_nft_holdings"))
    assert r"| \| \<b\>\$x\$\</b\> \[a\](b) | hiro:" in asset.description


def test_a_thousand_failures_are_counted_and_twenty_told(tmp_path):
    missed = [
        Missed(f"altura:{number}", None, RequestRefused("no " * 200)) for number in range(1_000)
    ]
    result = Result(1_000, [], missed)
    told = failure(ALTURA, result).description
    evaluation = check_result("altura_item_holders", result, tmp_path)
    assert told.startswith("1000 of 1000 Altura targets failed")
    assert told.endswith(f"and {1_000 - MOST_TOLD} more")
    assert evaluation.description.endswith("and 980 more")
    assert len(told) + len(evaluation.description) < 50_000


def test_what_may_pass_is_retried_and_a_mistake_is_not():
    def retried(*errors):
        missed = [Missed("altura:1", None, error) for error in errors]
        return failure(ALTURA, Result(2, [], missed)).allow_retries

    assert not retried(ConfigurationError("no"))
    assert retried(ConfigurationError("no"), WarehouseUnreachable("down"))
    stopped = Result(2, [], [], WarehouseUnreachable("down"))
    assert failure(ALTURA, stopped).allow_retries
