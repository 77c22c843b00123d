"""`holdfast targets …`."""

import json
from pathlib import Path

import pytest

from pipelines.demo import TARGETS
from pipelines.paths import ROOT
from pipelines.sandbox.world import World

PRINCIPAL = "SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP"


@pytest.fixture
def listed(holdfast, tmp_path) -> Path:
    """A list as it is made from the example."""
    path = tmp_path / "targets.yaml"
    assert holdfast("targets", "init", HOLDFAST_TARGETS=str(path)).returncode == 0
    return path


@pytest.mark.parametrize(
    "arguments", [["init"], ["add", "catenis", "asset_id=aDWsoPzNJhqRpR4Ry9nB"]]
)
def test_a_list_is_made_from_the_example_where_there_is_none(holdfast, tmp_path, arguments):
    path = tmp_path / "mine.yaml"
    done = holdfast("targets", *arguments, HOLDFAST_TARGETS=str(path))
    assert done.returncode == 0, done.stderr
    assert f"Made {path} from the example that comes with Holdfast." in done.stderr
    assert path.read_text().startswith((ROOT / "targets.example.yaml").read_text())


def test_a_list_that_is_there_is_not_made_again(holdfast, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("hiro:\n")
    done = holdfast("targets", "init", HOLDFAST_TARGETS=str(path))
    assert (done.returncode, "is there already; nothing was changed" in done.stderr) == (0, True)
    assert path.read_text() == "hiro:\n"


@pytest.mark.parametrize(
    "command", [["targets", "list"], ["targets", "check"], ["targets", "retire", "x"], ["snapshot"]]
)
def test_without_a_list_a_command_that_needs_one_says_how_to_make_it_and_makes_none(
    holdfast, environment, command
):
    path = Path(environment["HOLDFAST_TARGETS"])
    path.unlink()
    done = holdfast(*command, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no list of targets at {path}: make one" in done.stderr
    assert "holdfast targets init" in done.stderr
    assert not path.exists()


def test_the_demos_list_is_not_changed(holdfast):
    before = TARGETS.read_bytes()
    for command in (["init"], ["add", "catenis", "asset_id=aDWsoPzNJhqRpR4Ry9nB"]):
        done = holdfast("--demo", "targets", *command)
        assert (done.returncode, "can't be changed" in done.stderr) == (2, True)
    label = "Founders' badge"
    assert holdfast("--demo", "targets", "retire", label).returncode == 2
    assert TARGETS.read_bytes() == before


def test_the_list_says_when_each_is_taken_next(holdfast, listed):
    shown = holdfast("targets", "list", HOLDFAST_TARGETS=str(listed))
    assert "The vendor's example asset" in shown.stdout
    told = json.loads(holdfast("targets", "list", "--json", HOLDFAST_TARGETS=str(listed)).stdout)
    assert [entry["provider"] for entry in told] == ["hiro", "catenis"]
    assert told[0]["next_at"].endswith(":17:00+00:00")
    only = holdfast("targets", "list", "--provider", "altura", HOLDFAST_TARGETS=str(listed))
    assert (only.stdout, "lists no target" in only.stderr) == ("", True)


def test_check_counts_the_targets_of_a_right_file(holdfast, listed):
    done = holdfast("targets", "check", str(listed))
    assert done.returncode == 0
    assert done.stderr.replace("\n", " ").endswith(
        "is right: 0 of altura, 1 of hiro, 1 of catenis. "
    )


def test_check_tells_every_mistake_with_its_line_and_exit_code_2(holdfast, tmp_path):
    path = tmp_path / "mistaken.yaml"
    path.write_text(
        "altura:\n  cron: hourly\n  targets:\n    - {address: '0x12', token_id: 1}\n"
        f"hiro:\n  targets:\n    - principal: {PRINCIPAL[:-1]}Q\n    - include_listed: true\n"
        f"      principal: {PRINCIPAL}\n      asset_identifiers: [Candy]\n"
        "catenis:\n  targets:\n    - asset_id: short\n    - asset_id: aQjlzShmrnEZeeYBZihc\n"
        "    - asset_id: aQjlzShmrnEZeeYBZihc\n"
    )
    done = holdfast("targets", "check", str(path))
    assert done.returncode == 2
    head, *lines = done.stderr.splitlines()
    assert head == "holdfast: 7 mistakes in the targets:"
    told = [line.removeprefix(f"  {path}:").split(": ", 1) for line in lines]
    assert [line for line, _ in told] == ["2", "4", "7", "8", "10", "13", "15"]
    expected = [
        "five fields",
        "0x and 40 hexadecimal digits",
        "checksum does not match",
        "which is of altura",
        "not ADDRESS.contract-name::class-name",
        "a and 19 letters or digits",
        "already watched, see line 14",
    ]
    for (_, text), words in zip(told, expected, strict=True):
        assert words in text


def test_a_target_is_added_taken_and_retired(holdfast, environment, world: World, pipeline):
    key = world.add_catenis_asset(7)
    field = f"asset_id={key.removeprefix('catenis:')}"
    added = holdfast("targets", "add", "catenis", field, "label=Seven", **environment)
    assert added.returncode == 0, added.stderr
    assert "catenis has no cron" in added.stderr
    assert holdfast("snapshot", "Seven", **environment).returncode == 0
    now = "select count(*) from holding_current where valid_to is null"
    assert pipeline.sql(now) == [(7,)]
    retired = holdfast("targets", "retire", "Seven", **environment)
    assert f"{key} is retired; its history stays." in retired.stderr
    assert pipeline.sql(now) == [(0,)]
    assert pipeline.sql("select count(*) from holding_current") == [(7,)]
    assert "Seven" not in holdfast("targets", "list", **environment).stdout
    assert "Seven" not in holdfast("status", **environment).stdout


def test_a_target_that_left_the_file_already_can_be_retired_by_its_label(
    holdfast, environment, pipeline, world: World
):
    holdfast("snapshot", "The vault", **environment)
    Path(environment["HOLDFAST_TARGETS"]).write_text("hiro:\n")
    assert holdfast("targets", "retire", "The vault", **environment).returncode == 0
    assert pipeline.sql("select count(*) from holding_current where valid_to is null") == [(0,)]
    again = holdfast("targets", "retire", "The vault", **environment)
    assert (again.returncode, "nothing was current" in again.stderr) == (0, True)
    unknown = holdfast("targets", "retire", "A vault", **environment)
    assert (unknown.returncode, "has no target 'A vault'" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["hirro", "principal=x"], "'hirro' is none of altura, hiro, catenis; did you mean hiro?"),
        (["hiro", "principal"], "expected KEY=VALUE, found 'principal'"),
        (["catenis", "asset_id=a", "asset_id=b"], "asset_id is given twice"),
        (["catenis", "asset=aQjlzShmrnEZeeYBZihc"], "did you mean asset_id"),
        (["catenis", "asset_id=aQjlzShmrnEZeeYBZihc"], "already"),
    ],
)
def test_what_can_not_be_added_is_told_and_changes_nothing(holdfast, listed, arguments, told):
    before = listed.read_text()
    done = holdfast("targets", "add", *arguments, HOLDFAST_TARGETS=str(listed))
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert listed.read_text() == before


def test_a_key_given_several_times_makes_a_list(holdfast, listed):
    identifiers = [f"asset_identifiers={PRINCIPAL}.{name}" for name in ("a::b", "c::d")]
    arguments = ["targets", "add", "hiro", f"principal={PRINCIPAL}", *identifiers]
    done = holdfast(*arguments, HOLDFAST_TARGETS=str(listed))
    assert done.returncode == 0, done.stderr
    assert f"        - {PRINCIPAL}.a::b\n        - {PRINCIPAL}.c::d\n" in listed.read_text()


def test_what_was_taken_out_by_hand_leaves_now_with_absent(holdfast, environment, pipeline):
    holdfast("snapshot", **environment)
    path = Path(environment["HOLDFAST_TARGETS"])
    path.write_text(path.read_text().partition("catenis:")[0])
    done = holdfast("targets", "retire", "--absent", **environment)
    assert (done.returncode, "is retired; its history stays" in done.stderr) == (0, True)
    now = "select provider from holding_current where valid_to is null group by 1 order by 1"
    assert pipeline.sql(now) == [("altura",), ("hiro",)]
    again = holdfast("targets", "retire", "--absent", **environment)
    assert (again.returncode, "Nothing to retire" in again.stderr) == (0, True)


def test_another_lists_targets_are_not_absent_from_this_one(holdfast, environment, pipeline):
    holdfast("snapshot", **environment)
    path = Path(environment["HOLDFAST_TARGETS"])
    path.write_text("list: another team's\n")
    done = holdfast("targets", "retire", "--absent", **environment)
    assert (done.returncode, "Nothing to retire" in done.stderr) == (0, True)
    assert pipeline.sql("select count(*) from target where retired_at is not null") == [(0,)]


@pytest.mark.parametrize("arguments", [(), ("A vault", "--absent")])
def test_either_a_name_or_all_that_are_absent_are_retired(holdfast, environment, arguments):
    done = holdfast("targets", "retire", *arguments, **environment)
    assert (done.returncode, "or say --absent" in done.stderr) == (2, True)


def test_a_target_that_has_to_be_removed_by_hand_is_not_half_retired(
    holdfast, environment, pipeline, world: World
):
    holdfast("snapshot", "The vault", **environment)
    principal = world.targets("hiro")[0][5:]
    entries = f"{{principal: {principal}}}, {{principal: {PRINCIPAL}}}"
    Path(environment["HOLDFAST_TARGETS"]).write_text(f"hiro:\n  targets: [{entries}]\n")
    done = holdfast("targets", "retire", f"hiro:{principal}", **environment)
    assert (done.returncode, "remove it by hand" in done.stderr) == (2, True)
    assert pipeline.sql("select count(*) from target where retired_at is not null") == [(0,)]
