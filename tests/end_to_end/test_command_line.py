"""`holdfast …` as a person or a cron job runs it."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from importlib import metadata

import pytest

from pipelines.sandbox.server import ISSUER_SECRET
from pipelines.sandbox.world import ISSUER, World

ALL_SETTINGS = ("DATABASE_URL", "HOLDFAST_", "HIRO_", "ALTURA_", "CATENIS_", "DAGSTER_")


COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()"]


@pytest.fixture
def clean_environment(tmp_path):
    """The environment without any setting of Holdfast's, and with a home of the test's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ALL_SETTINGS)}
    return clean | {"HOLDFAST_HOME": str(tmp_path), "COLUMNS": "120"}


@pytest.fixture
def holdfast(clean_environment):
    """holdfast("status", DATABASE_URL=…) → the finished process; nothing else is set."""

    def run(*arguments, **environment):
        return subprocess.run(
            [*COMMAND, *arguments],
            env=clean_environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def start_holdfast(clean_environment):
    """As `holdfast`, but running; ended with the test."""
    with ExitStack() as stack:

        def start(*arguments):
            process = subprocess.Popen(
                [*COMMAND, *arguments], env=clean_environment, stdout=subprocess.PIPE, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def environment(sandbox, world: World, database_url, tmp_path):
    """Variables that point at a sandbox with one target a provider, and at a migrated database."""
    item = world.add_altura_item(30).removeprefix("altura:")
    principal = world.add_hiro_principal(250).removeprefix("hiro:")
    asset = world.add_catenis_asset(12).removeprefix("catenis:")
    address, token_id = item.split("/")
    targets = tmp_path / "targets.yaml"
    targets.write_text(
        f"altura:\n  targets:\n    - address: {address}\n      token_id: {token_id}\n"
        f"hiro:\n  targets:\n    - principal: {principal}\n      label: The vault\n"
        f"catenis:\n  targets:\n    - asset_id: {asset}\n"
    )
    urls = {f"{name.upper()}_BASE_URL": url for name, url in sandbox.urls.items()}
    return urls | {
        "DATABASE_URL": database_url,
        "HIRO_REQUESTS_PER_MINUTE": "6000",
        "HOLDFAST_TARGETS": str(targets),
        "CATENIS_DEVICE_ID": ISSUER,
        "CATENIS_API_SECRET": ISSUER_SECRET,
    }


def test_snapshot_takes_every_target_and_prints_what_it_published(holdfast, environment):
    done = holdfast("snapshot", **environment)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 targets published" in done.stdout
    assert "The vault" in done.stdout
    assert "chained" in done.stdout


def test_snapshot_takes_one_target_by_its_label(holdfast, environment):
    done = holdfast("snapshot", "The vault", **environment)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 targets published" in done.stdout


def test_a_target_that_fails_makes_exit_code_1_and_leaves_the_others(holdfast, environment):
    environment["CATENIS_API_SECRET"] = "not-the-secret"
    done = holdfast("snapshot", **environment)
    assert done.returncode == 1
    assert "2 of 3 targets published" in done.stdout
    assert "answered 401" in done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr


def test_a_target_that_does_not_exist_makes_exit_code_2_and_a_suggestion(holdfast, environment):
    done = holdfast("snapshot", "The vaul", **environment)
    assert done.returncode == 2
    assert "did you mean The vault" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_environment_is_named_without_a_traceback(holdfast, environment):
    done = holdfast("snapshot", **(environment | {"HIRO_PAGE_SIZE": "900"}))
    assert done.returncode == 2
    assert "HIRO_PAGE_SIZE" in done.stderr
    assert "Traceback" not in done.stderr


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
    assert holdfast("migrate", **environment).returncode == 0
    assert holdfast("status", **environment).returncode == 0


def test_status_and_changes_tell_what_was_published(holdfast, environment, world: World):
    nothing_yet = holdfast("status", **environment)
    assert "Take one: holdfast snapshot" in nothing_yet.stderr
    holdfast("snapshot", "The vault", **environment)
    world.hiro_transfer_out(world.targets("hiro")[0], 3)
    holdfast("snapshot", "The vault", **environment)
    assert "249" in holdfast("status", **environment).stdout
    changes = holdfast("changes", "--change", "exited", **environment)
    assert "The latest 1 changes" in changes.stdout
    unknown = holdfast("changes", "the vault", **environment)
    assert (unknown.returncode, "did you mean The vault" in unknown.stderr) == (2, True)
    assert holdfast("changes", "--change", "vanished", **environment).returncode == 2


def test_the_demo_runs_three_rounds_and_a_second_one_goes_on(holdfast):
    try:
        for _ in range(2):
            done = holdfast("demo")
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("7 snapshots published") == 3
            assert "Three things to try next" in done.stdout
        assert holdfast("--demo", "status").stdout.count("double_collect") == 3
        asked = holdfast("--demo", "postgres", "psql", "-Atc", "select count(*) from snapshot")
        assert asked.stdout.strip() == "42"
    finally:
        assert holdfast("--demo", "postgres", "stop").returncode == 0


def test_the_lines_of_sandbox_serve_point_another_shell_at_it(holdfast, tmp_path, start_holdfast):
    serving = start_holdfast("sandbox", "serve", "--port", "0", "--tick", "0")
    lines = [serving.stdout.readline().strip() for _ in range(10)]
    environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    done = holdfast("snapshot", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 targets published" in done.stdout
    assert holdfast("postgres", "stop", **environment).returncode == 0


def test_a_port_that_is_taken_is_told_in_a_line(holdfast):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = holdfast("sandbox", "serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "can't listen on port" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_tells_its_version(holdfast):
    assert holdfast("--version").stdout == f"{metadata.version('holdfast')}\n"
