"""`holdfast audit`. The command is registered by pipelines/cli.py."""

import json

import psycopg
import pytest

from pipelines.providers import PROVIDERS
from pipelines.warehouse.audit import load_rules

CHECKS = len(PROVIDERS) * len(load_rules())


@pytest.fixture
def damaged(holdfast, environment):
    """The environment of a warehouse that has lost a row."""
    assert holdfast("snapshot", **environment).returncode == 0
    with psycopg.connect(environment["DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.execute(
            "delete from catenis_asset_holders_current"
            " where ctid in (select ctid from catenis_asset_holders_current limit 1)"
        )
    return environment


def test_a_whole_history_is_told_to_be_whole(holdfast, environment):
    assert holdfast("snapshot", **environment).returncode == 0
    done = holdfast("audit", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" ok ") + done.stdout.count(" ok\n") == CHECKS
    assert f"Nothing is wrong: {CHECKS} checks" in done.stderr


def test_the_rules_are_named_in_full(holdfast, environment):
    told = " ".join(holdfast("audit", **environment).stdout.split())
    assert [rule.name for rule in load_rules() if rule.name.replace("_", " ") not in told] == []


def test_what_is_found_is_told_with_its_rule_and_what_to_do_and_the_exit_code_is_1(
    holdfast, damaged
):
    done = holdfast("audit", **damaged)
    assert done.returncode == 1
    assert "current_is_the_last_snapshot is broken 1 times in catenis_asset_holders" in done.stdout
    assert "What to do: " in done.stdout
    assert "Traceback" not in done.stderr


def test_as_json_it_is_a_record_for_each_rule_and_dataset(holdfast, damaged):
    done = holdfast("audit", "--json", **damaged)
    assert done.returncode == 1
    records = json.loads(done.stdout)
    assert len(records) == CHECKS
    broken = {(found["dataset"], found["rule"]) for found in records if not found["passed"]}
    assert ("catenis_asset_holders", "current_is_the_last_snapshot") in broken
    [example] = next(found["examples"] for found in records if found["count"])
    assert example["target"].startswith("catenis:")


def test_a_key_that_a_stranger_chose_does_not_move_the_cursor(holdfast, environment):
    assert holdfast("snapshot", **environment).returncode == 0
    with psycopg.connect(environment["DATABASE_URL"].replace("+psycopg", "")) as connection:
        connection.execute("update altura_item_holders_current set address = E'\\x1b[2J[red]x'")
    done = holdfast("audit", **environment)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout + done.stderr
    assert "\\x1b[2J[red]x" in done.stdout
