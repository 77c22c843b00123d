"""`holdfast status --failing`: the alarm of a cron job, also when nothing runs at all.

The schedule has one tick a day, half a day away from now: none passes during a test. What is to be
days old is moved back.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.sandbox.world import World
from tests.conftest import Pipeline

DAY = timedelta(days=1)
CRON = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
MOMENTS = {
    "target": ["created_at", "retired_at"],
    "snapshot": [
        *("started_at", "snapshot_at", "snapshot_until", "finished_at", "published_at"),
        "next_due_at",
    ],
}


class Watched:
    """The list of targets, and how the time passes for it and for the warehouse."""

    def __init__(self, path: Path, pipeline: Pipeline, principal: str) -> None:
        self._path = path
        self._sql = pipeline.sql
        self.name = principal
        self.write(principal)

    def write(self, *principals: str, cron: str | None = CRON) -> None:
        """Change the list now."""
        schedule = f"  cron: {cron}\n" if cron else ""
        entries = "".join(f"    - principal: {key.removeprefix('hiro:')}\n" for key in principals)
        self._path.write_text(f"hiro:\n{schedule}  targets:\n{entries or '      []'}")

    def let_pass(self, days: int) -> None:
        """Nothing happened since, for so many days."""
        changed = self._path.stat().st_mtime - timedelta(days=days).total_seconds()
        os.utime(self._path, (changed, changed))
        for table, columns in MOMENTS.items():
            moved = ", ".join(f"{it} = {it} - make_interval(days => {days})" for it in columns)
            self._sql(f"update {table} set {moved}")


@pytest.fixture
def watched(environment, pipeline: Pipeline, world: World) -> Watched:
    return Watched(Path(environment["HOLDFAST_TARGETS"]), pipeline, world.add_hiro_principal(30))


@pytest.fixture
def alarm(holdfast, environment):
    """alarm() → the targets that it names; none: it says nothing at all."""

    def ask(*options: str) -> list[dict[str, Any]]:
        done = holdfast("status", "--failing", *options, **environment)
        if done.returncode == 0:
            assert (done.stdout, done.stderr) == ("", "")
            return []
        assert done.returncode == 1, done.stderr
        return json.loads(holdfast("status", "--failing", "--json", *options, **environment).stdout)

    return ask


@pytest.fixture
def take(holdfast, environment):
    return lambda *names, **changed: holdfast("snapshot", *names, **(environment | changed))


def seconds(target: dict[str, Any]) -> timedelta:
    return timedelta(seconds=target["late_by"])


def test_fresh_targets_raise_none(alarm, take, watched):
    take()
    assert alarm() == []


def test_nothing_has_run_for_two_intervals(alarm, take, watched, holdfast, environment):
    take()
    watched.let_pass(days=2)
    [late] = alarm()
    assert (late["target"], late["state"], late["reason"]) == (watched.name, "late", "NotTaken")
    assert DAY < seconds(late) < 2 * DAY
    due_at = datetime.fromisoformat(late["due_at"])
    assert (due_at.hour, due_at.minute) == (int(CRON.split()[1]), 0)
    assert f"No run took it since {due_at:%Y-%m-%d %H:%M}" in late["message"]
    shown = holdfast("status", "--failing", **environment)
    words = " ".join(shown.stdout.split())
    assert "late by" in words
    assert " late " in words
    assert "1 day, " in words
    take()
    assert alarm() == []


def test_a_target_that_was_just_added_raises_none_until_its_first_tick_has_passed(alarm, watched):
    assert alarm() == []
    watched.let_pass(days=1)
    [never] = alarm()
    assert (never["target"], never["state"]) == (watched.name, "never taken")
    assert timedelta(0) < seconds(never) < DAY
    assert never["snapshot_at"] is None


def test_one_that_a_run_registered_and_never_published_raises_it_too(alarm, watched, pipeline):
    pipeline.sql(
        "insert into target (provider, name, subject) values ('hiro', :name, :name)",
        name=watched.name,
    )
    assert alarm() == []
    watched.let_pass(days=1)
    assert [one["state"] for one in alarm()] == ["never taken"]


def test_a_target_that_is_late_stays_so_when_the_list_is_changed(
    alarm, take, watched, world: World
):
    take()
    watched.let_pass(days=2)
    watched.write(watched.name, world.add_hiro_principal(1))
    assert [one["target"] for one in alarm()] == [watched.name]


def test_a_target_that_could_not_be_proven_raises_it_immediately(alarm, take, watched, world):
    watched.write(watched.name, world.add_hiro_principal(5))
    take(watched.name)
    for _ in range(3):
        take(watched.name, HIRO_BASE_URL="http://127.0.0.1:1", HIRO_MAX_TRIES="1")
    [failing] = alarm()
    assert (failing["state"], failing["failures"]) == ("failing", 3)
    assert failing["reason"] == "Unreachable"
    assert failing["late_by"] is None


def test_a_target_that_is_held_back_raises_it(alarm, take, watched, world: World):
    take()
    world.set_rows(watched.name, [])
    take()
    [held] = alarm()
    assert (held["state"], held["reason"], held["rows"]) == ("failing", "HeldBack", 30)


def test_a_retired_target_raises_none_and_one_that_is_watched_again_at_its_next_tick(
    alarm, take, watched, world: World, holdfast, environment
):
    other = world.add_hiro_principal(2)
    take()
    watched.write(other)
    watched.let_pass(days=3)
    assert [one["target"] for one in alarm()] == [other]  # not yet retired, but not listed
    take()
    holdfast("targets", "retire", "--absent", **environment)
    assert alarm() == []
    watched.write(watched.name, other)
    assert alarm() == []
    watched.let_pass(days=1)
    assert {one["target"]: one["state"] for one in alarm()} == {
        watched.name: "retired",
        other: "late",
    }


def test_without_a_schedule_nothing_is_due_and_from_a_new_one_on_the_next_tick_is(
    alarm, take, watched
):
    watched.write(watched.name, cron=None)
    watched.let_pass(days=400)
    assert alarm() == []
    take()
    watched.let_pass(days=400)
    assert alarm() == []
    watched.write(watched.name)
    assert alarm() == []
    watched.let_pass(days=1)
    assert [one["state"] for one in alarm()] == ["late"]


def test_it_is_as_patient_as_it_is_told_to_be_but_not_with_what_fails(alarm, take, watched):
    take()
    watched.let_pass(days=1)
    [late] = alarm()
    minutes = int(late["late_by"] // 60)
    assert alarm("--grace", str(minutes + 60)) == []
    assert [one["state"] for one in alarm("--grace", str(minutes - 1))] == ["late"]
    take(HIRO_BASE_URL="http://127.0.0.1:1", HIRO_MAX_TRIES="1")
    assert [one["state"] for one in alarm("--grace", str(minutes + 60))] == ["failing"]


def test_every_target_has_its_state_in_the_list_for_scripts(
    holdfast, environment, take, watched, world: World
):
    take()
    watched.let_pass(days=2)
    watched.write(watched.name, world.add_hiro_principal(1))
    told = json.loads(holdfast("status", "--json", **environment).stdout)
    assert [one["state"] for one in told] == ["late", "never taken"]
    assert [one["late_by"] is None for one in told] == [False, True]
    assert all(one["due_at"] for one in told)
    assert [one["reason"] for one in told] == ["NotTaken", None]


def test_a_warehouse_that_is_gone_raises_it(holdfast, environment, watched):
    gone = environment | {"DATABASE_URL": "postgresql://127.0.0.1:1/gone"}
    done = holdfast("status", "--failing", **gone)
    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
