"""`holdfast …` as a person or a cron job runs it: in a process and an environment of its own.

The process is a warm one, which saves the imports of its libraries; `COMMAND` starts a cold one.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.world import World
from tests.patience import PATIENCE
from tests.warm.processes import WarmPython

SETTINGS = ("DATABASE_URL", "HOLDFAST_", "HIRO_", "ALTURA_", "CATENIS_", "DAGSTER_")
ALL_SETTINGS = (*SETTINGS, "NO_COLOR", "MAKE", "MFLAGS")
"""Beginnings of what may be set around the tests and would change what a command does or says."""

CODE = "from pipelines.cli import main; main()"
COMMAND = [sys.executable, "-c", CODE]

Holdfast = Callable[..., subprocess.CompletedProcess[str]]


def clean_around(home: Path) -> dict[str, str]:
    """The environment without any setting of Holdfast's, and with a home of the test's own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ALL_SETTINGS)}
    return clean | {"HOLDFAST_HOME": str(home), "COLUMNS": "120"}


def holdfast_in(surrounding: dict[str, str], warm_python: WarmPython) -> Holdfast:
    """holdfast("status", DATABASE_URL=…) → the finished process. `typed`: what is typed in."""

    def run(*arguments, typed: str | None = None, **environment):
        return subprocess.run(
            [*warm_python.command(CODE), *arguments],
            env=surrounding | environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def clean_environment(tmp_path):
    return clean_around(tmp_path)


@pytest.fixture
def holdfast(clean_environment, warm_python: WarmPython) -> Holdfast:
    return holdfast_in(clean_environment, warm_python)


@pytest.fixture
def start_holdfast(clean_environment):
    """As `holdfast`, but cold, and running; ended with the test."""
    with ExitStack() as stack:

        def start(*arguments, **environment):
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                env=clean_environment | environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
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
