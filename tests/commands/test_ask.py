"""`holdfast status` and `holdfast changes`."""

import json
from dataclasses import replace
from pathlib import Path

from pipelines.sandbox.providers.hiro.api import Version
from pipelines.sandbox.world import World


def test_status_lists_every_target_also_those_never_taken(holdfast, environment):
    nothing_yet = holdfast("status", **environment)
    assert nothing_yet.stdout.count("never taken") == 3
    assert "Take one: holdfast snapshot" in nothing_yet.stderr
    holdfast("snapshot", "The vault", **environment)
    taken = holdfast("status", **environment)
    assert taken.stdout.count("never taken") == 2
    assert "250" in taken.stdout


def test_status_tells_what_a_provider_announces(holdfast, environment):
    said = '299 - "Deprecated: See https://docs.hiro.so/stacks/api for more information"'
    assert "announces" not in holdfast("status", **environment).stderr
    holdfast("snapshot", "The vault", **environment)
    shown = holdfast("status", **environment).stderr
    assert f"UTC: warning: {said}" in " ".join(shown.split())
    assert "Hiro Stacks announces since 20" in shown
    assert holdfast("status", "--failing", **environment).stderr == ""


def test_status_tells_which_api_is_asked_in_place_of_one_that_is_gone(
    holdfast, environment, sandbox
):
    sandbox.apis["hiro"] = replace(sandbox.apis["hiro"], version=Version(v1=False))
    holdfast("snapshot", "The vault", **environment)
    shown = " ".join(holdfast("status", **environment).stderr.split())
    assert "Hiro Stacks is asked by v3 since 20" in shown


def test_status_works_while_the_list_of_targets_has_mistakes(holdfast, environment):
    holdfast("snapshot", **environment)
    with Path(environment["HOLDFAST_TARGETS"]).open("a") as file:
        file.write("hirro:\n")
    done = holdfast("status", **environment)
    assert done.returncode == 0
    assert "The vault" in done.stdout
    assert "'hirro' is no provider" in done.stderr
    alarm = holdfast("status", "--failing", **environment)
    assert (alarm.returncode, alarm.stdout) == (2, "")
    assert "'hirro' is no provider" in alarm.stderr


def test_changes_tell_who_left(holdfast, environment, world: World):
    holdfast("snapshot", "The vault", **environment)
    assert "No such change yet" in holdfast("changes", **environment).stderr
    world.hiro_transfer_out(world.targets("hiro")[0], 3)
    holdfast("snapshot", "The vault", **environment)
    assert "249" in holdfast("status", **environment).stdout
    changes = holdfast("changes", "--change", "exited", **environment)
    assert "The latest change (UTC)" in changes.stdout
    [change] = json.loads(holdfast("changes", "The vault", "--json", **environment).stdout)
    assert (change["target"], change["change"], change["after"]) == ("The vault", "exited", None)


def test_what_does_not_exist_brings_what_comes_close(holdfast, environment):
    holdfast("snapshot", "The vault", **environment)
    unknown = holdfast("changes", "the vault", **environment)
    assert (unknown.returncode, "did you mean The vault" in unknown.stderr) == (2, True)
    kind = holdfast("changes", "--change", "vanished", **environment)
    assert (kind.returncode, "is none of entered, exited" in kind.stderr) == (2, True)


def test_a_target_that_is_watched_again_and_fails_is_told_with_its_past(
    holdfast, environment, world: World
):
    holdfast("snapshot", **environment)
    path = Path(environment["HOLDFAST_TARGETS"])
    text = path.read_text()
    asset = world.targets("catenis")[0]
    path.write_text(text.partition("catenis:")[0])
    assert asset in holdfast("targets", "retire", "--absent", **environment).stderr
    assert asset not in holdfast("status", "--json", **environment).stdout
    path.write_text(text)
    holdfast("snapshot", asset, **(environment | {"CATENIS_API_SECRET": "wrong"}))
    told = json.loads(holdfast("status", "--json", **environment).stdout)
    [again] = [row for row in told if row["target"] == asset]
    assert (again["rows"], again["failures"]) == (12, 1)


def test_a_label_that_was_given_anew_means_the_target_that_has_it_now(
    holdfast, environment, world: World
):
    holdfast("snapshot", "The vault", **environment)
    path = Path(environment["HOLDFAST_TARGETS"])
    first = world.targets("hiro")[0]
    second = world.add_hiro_principal(30)
    path.write_text(f"hiro:\n  targets:\n    - label: The vault\n      principal: {second[5:]}\n")
    holdfast("snapshot", **environment)
    world.hiro_transfer_out(second, 0)
    world.hiro_transfer_out(first, 0)
    holdfast("snapshot", **environment)
    told = json.loads(holdfast("changes", "The vault", "--json", **environment).stdout)
    assert [change["change"] for change in told] == ["exited"]
    none = holdfast("changes", first, **environment)
    assert (none.stdout, "No such change yet" in none.stderr) == ("", True)


def test_a_list_that_lost_most_of_a_providers_targets_is_an_alarm(
    holdfast, environment, pipeline, world: World
):
    holdfast("snapshot", **environment)
    path = Path(environment["HOLDFAST_TARGETS"])
    path.write_text(path.read_text().partition("catenis:")[0])
    done = holdfast("status", "--failing", **environment)
    assert done.returncode == 1
    assert "catenis targets are no longer on the list, and are held" in done.stderr
    holdfast("targets", "retire", "--absent", **environment)
    assert holdfast("status", "--failing", **environment).returncode == 0
