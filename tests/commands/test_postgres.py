"""`holdfast postgres …` and `holdfast migrate`."""

import json

import psycopg
import pytest


@pytest.fixture
def own_server(holdfast):
    """Nothing runs; what the test starts is stopped."""
    yield
    holdfast("postgres", "stop")


def test_the_own_server_from_its_start_to_its_end(holdfast, own_server, tmp_path):
    stopped = holdfast("postgres", "status")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert "Start it: holdfast postgres start" in stopped.stderr
    assert "There is no log yet" in holdfast("postgres", "logs").stderr
    started = holdfast("postgres", "start")
    assert (started.returncode, "runs on 127.0.0.1:" in started.stderr) == (0, True)
    assert str(tmp_path) in holdfast("postgres", "status").stdout
    [told] = json.loads(holdfast("postgres", "status", "--json").stdout)
    assert told["running"] is True
    url = holdfast("postgres", "url").stdout.strip()
    assert f":{told['port']}/" in url
    with psycopg.connect(url) as connection:
        assert connection.execute("select current_user").fetchone() == ("holdfast",)
    asked = holdfast("postgres", "psql", "-Atc", "select count(*) from snapshot")
    assert asked.stdout == "0\n"
    log = holdfast("postgres", "logs", "-n", "3")
    assert len(log.stdout.splitlines()) == 3
    assert "ready to accept connections" in holdfast("postgres", "logs").stdout
    assert "is stopped" in holdfast("postgres", "stop").stderr
    assert "was not running" in holdfast("postgres", "stop").stderr
    [told] = json.loads(holdfast("postgres", "status", "--json").stdout)
    assert told == {"running": False}


def test_psql_goes_to_the_warehouse_wherever_it_is(holdfast, environment):
    asked = holdfast("postgres", "psql", "-Atc", "select count(*) from snapshot", **environment)
    assert asked.stdout == "0\n"


def test_the_own_servers_commands_say_when_it_is_not_the_warehouse(holdfast, environment):
    assert "DATABASE_URL is set" in holdfast("postgres", "status", **environment).stderr


def test_a_database_that_is_down_is_named_without_its_password(holdfast, environment):
    environment["DATABASE_URL"] = "postgresql://someone:canary-password@127.0.0.1:1/nowhere"
    done = holdfast("status", **environment)
    assert done.returncode == 1
    assert "127.0.0.1:1/nowhere" in done.stderr
    assert "canary-password" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_empty_says_to_migrate_it_and_that_helps(
    holdfast, environment, empty_database_url
):
    environment["DATABASE_URL"] = empty_database_url
    refused = holdfast("status", **environment)
    assert (refused.returncode, "run holdfast migrate" in refused.stderr) == (2, True)
    assert "was migrated" in holdfast("migrate", **environment).stderr
    assert "is up to date" in holdfast("migrate", **environment).stderr
    assert holdfast("status", **environment).returncode == 0
