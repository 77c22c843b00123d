"""Holdfast in a company's Dagster: in one environment with dagster-postgres, whose storage is a
real Postgres under a plain postgresql://, with a daemon, a tick, a run, another team's location.

Run by `make test-beside`, in an environment of its own: the project does not depend on
dagster-postgres."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import yaml
from sqlalchemy import make_url

from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.beside

HOLDINGS = dg.AssetKey(["company", "hiro_nft_holdings"])
WORKSPACE = {
    "load_from": [
        {"python_module": {"module_name": "pipelines.definitions", "location_name": "holdfast"}},
        {
            "python_file": {
                "relative_path": str(Path(__file__).with_name("neighbour.py")),
                "location_name": "neighbour",
            }
        },
    ]
}
VALIDATE = ["definitions", "validate", "--log-level", "error", "-w", "workspace.yaml"]


@pytest.fixture
def company(
    tmp_path: Path, world: World, sandbox: Sandbox, create_database: Callable[..., str]
) -> dict[str, str]:
    """The environment of all of the company's processes, in a folder with its workspace."""
    storage = make_url(create_database()).set(drivername="postgresql")
    home = tmp_path / "home"
    home.mkdir()
    settings = {
        "storage": {"postgres": {"postgres_url": storage.render_as_string(hide_password=False)}},
        "telemetry": {"enabled": False},
    }
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(WORKSPACE))
    principal = world.add_hiro_principal(3).removeprefix("hiro:")
    watched = {"hiro": {"cron": "* * * * *", "targets": [{"principal": principal}]}}
    (tmp_path / "targets.yaml").write_text(yaml.safe_dump(watched))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DAGSTER_", "HOLDFAST_"))
    }
    return kept | {
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "HOLDFAST_TARGETS": str(tmp_path / "targets.yaml"),
        "HOLDFAST_ASSET_PREFIX": "company",
        **{f"{name.upper()}_BASE_URL": sandbox.url(name) for name in PROVIDERS},
    }


def dagster(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dagster", *arguments]


@pytest.fixture
def start_daemon(company: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """start_daemon() → the log of Dagster's daemon, which ends with the test."""
    with ExitStack() as stack:

        def run() -> Path:
            log = tmp_path / "daemon.log"
            process = subprocess.Popen(
                [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
                cwd=tmp_path,
                env=company,
                stdout=stack.enter_context(log.open("wb")),
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait, PATIENCE)
            stack.callback(process.terminate)
            return log

        yield run


def test_a_tick_a_run_and_what_follows_it_in_another_location(
    company, start_daemon, tmp_path, database_url, monkeypatch
):
    company["DATABASE_URL"] = database_url.replace("+psycopg", "")
    checked = subprocess.run(
        dagster(*VALIDATE), cwd=tmp_path, env=company, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode()
    log = start_daemon()
    monkeypatch.setenv("DAGSTER_HOME", company["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        wait_until(
            lambda: instance.get_latest_materialization_event(HOLDINGS) is not None,
            "a snapshot by the schedule",
        )
        made = ["asset", "materialize", "--select", "dashboard,report", "-f"]
        neighbour = str(Path(__file__).with_name("neighbour.py"))
        done = subprocess.run(
            dagster(*made, neighbour), cwd=tmp_path, env=company, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        runs = instance.get_runs(dg.RunsFilter(job_name="hiro_snapshots"))
        assert dg.DagsterRunStatus.FAILURE not in {run.status for run in runs}
        assert instance.get_latest_materialization_event(dg.AssetKey("report"))
    said = log.read_text()
    assert "NOTIFY" not in said
    assert "Traceback" not in said, said
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        assert connection.execute("select count(*) >= 1 from snapshot").fetchone() == (True,)


def test_the_storage_s_driver_is_looked_at_when_the_definitions_load(company, tmp_path):
    """SQLAlchemy's registry is told what it says by itself since 2.1."""
    company["DATABASE_URL"] = "postgresql://127.0.0.1:1/x"
    (tmp_path / "sitecustomize.py").write_text(
        "from sqlalchemy.dialects import registry\n"
        "psycopg = registry.load('postgresql.psycopg')\n"
        "registry.impls['postgresql'] = lambda: psycopg\n"
    )
    company["PYTHONPATH"] += f":{tmp_path}"
    checked = subprocess.run(
        dagster(*VALIDATE), cwd=tmp_path, env=company, capture_output=True, check=False
    )
    assert checked.returncode != 0
    assert b"needs psycopg2" in checked.stdout + checked.stderr
