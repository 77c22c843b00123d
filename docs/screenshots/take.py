"""Take the screenshots of docs/dagster.md again.

    .venv/bin/python docs/screenshots/take.py

Needs Chromium (or Chrome) on the path, and about four minutes: it waits for ticks of schedules.
Everything happens in a folder of its own that is removed at the end: a sandbox with the demo's
targets, a Postgres, Dagster's storage. Neither your data nor your targets.yaml are touched.

What the pictures show is made to happen: six rounds of snapshots of a moving world, then a Catenis
asset that the sandbox refuses to list, a Hiro that answers so slowly that a tick is skipped, and at
last a targets.yaml with mistakes.
"""
# ruff: noqa: INP001, S603, T201 - a script that starts Dagster and tells what it does

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import dagster as dg
import psutil
import requests
from browser import Browser, wait_until

from pipelines.demo import TARGETS
from pipelines.orchestration.after_snapshots import JOB as AFTER
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.schedules import job_name, partition_range, run_config
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from pipelines.targets import load_targets
from pipelines.warehouse import embedded
from pipelines.warehouse.migrate import migrate

HERE = Path(__file__).parent
SIZE = (1360, 860)
SIZE_OF_LINEAGE = (1360, 1240)
"""Dagster fits its graph to the window's width alone."""

NAVIGATION = 240
"""Width of Dagster's menu on the left, which most pictures leave out."""

PORT = 4750
URL = f"http://127.0.0.1:{PORT}"
ROUNDS, TICKS_A_ROUND = 6, 4
CHECK = "view=checks&checkDetail=every_target_published"
REFUSED = "aQAhFnOFnuH8aBwOzrFW"
FORBIDDEN = Answer(403, {}, b'{"status":"error","message":"No permission to list asset holders"}')
MISTAKES = {"token_id: 1": "tokenid: 1", "SM3S4Z4": "SM3S4Z5", "asset_id: aZtr": "asset_id: Ztr"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
WORKSPACE = """load_from:
  - python_module:
      module_name: pipelines.definitions
      working_directory: {root}
      location_name: holdfast
"""


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="holdfast-screenshots-"))
    released = Event()
    with Sandbox(World()) as sandbox:
        try:
            _prepare(home, sandbox)
            _take_rounds(sandbox.world)
            sandbox.before_response = lambda exchange: _misbehave(exchange, released)
            with _dagster(home), Browser(*SIZE) as browser:
                _photograph(browser, released)
                _photograph_mistakes(browser, home / "targets.yaml")
        finally:
            released.set()
            embedded.stop(home)
            os.chdir(ROOT)
            shutil.rmtree(home)


def _prepare(home: Path, sandbox: Sandbox) -> None:
    """A home with the demo's targets, and the environment that points everything at it."""
    shutil.copy(TARGETS, home / "targets.yaml")
    shutil.copy(ROOT / "dagster.yaml", home)
    (home / "workspace.yaml").write_text(WORKSPACE.format(root=ROOT))
    os.chdir(home)  # dagster.yaml's paths are relative
    # Named, so that no DATABASE_URL of a .env is taken in its place.
    url = embedded.start(home).url
    os.environ |= {
        "DATABASE_URL": url,
        "DAGSTER_HOME": str(home),
        "HOLDFAST_HOME": str(home),
        "HOLDFAST_TARGETS": str(home / "targets.yaml"),
        "CATENIS_DEVICE_ID": ISSUER,
        "CATENIS_API_SECRET": ISSUER_SECRET,
        "HIRO_READ_TIMEOUT": "300",
        "HIRO_TOTAL_TIMEOUT": "300",
    }
    for name, address in sandbox.urls.items():
        os.environ[f"{name.upper()}_BASE_URL"] = address
        os.environ[f"{name.upper()}_REQUESTS_PER_MINUTE"] = "6000"
    migrate(url)


def _take_rounds(world: World) -> None:
    runtime = Runtime.from_environment()
    watched = load_targets(runtime.settings.holdfast_targets)
    definitions = build_definitions(watched, runtime)
    with dg.DagsterInstance.get() as instance:
        for number in range(1, ROUNDS + 1):
            print(f"round {number} of {ROUNDS}")
            world.tick(TICKS_A_ROUND)
            for name, watch in watched.watches.items():
                names = [target.name for target in watch.targets]
                definitions.resolve_job_def(job_name(PROVIDERS[name])).execute_in_process(
                    run_config={**run_config(PROVIDERS[name], names), **QUIET},
                    tags=partition_range(names),
                    instance=instance,
                    raise_on_error=False,
                )
    world.tick(TICKS_A_ROUND)


def _misbehave(exchange: Exchange, released: Event) -> Answer | None:
    if exchange.provider == "hiro":
        released.wait(timeout=280)
    return FORBIDDEN if REFUSED in exchange.target else None


@contextmanager
def _dagster(home: Path) -> Iterator[None]:
    """Dagster with its UI at URL and its daemon, until the end of the block."""
    with (home / "dagster.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(Path(sys.executable).with_name("dagster"), "dev"),
                *("-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(PORT)),
            ],
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until("Dagster's UI", _answers)
            yield
        finally:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            _, alive = psutil.wait_procs(children, timeout=20)
            for child in alive:
                child.kill()
            process.kill()
            process.wait()


def _photograph(browser: Browser, released: Event) -> None:
    failed = wait_until("a failed Catenis run", lambda: _run("catenis_snapshots", "FAILURE"), 130)
    print("a Catenis run has failed")
    asset = f"{URL}/assets/catenis_asset_holders"
    browser.open(f"{asset}?view=overview", "Loyalty points", "device_id")
    browser.picture(HERE / "asset.png", left=NAVIGATION)
    published = quote("catenis:aZtrM9oRPUU6uQMhoYSf", "")
    browser.open(f"{asset}?view=partitions&partition={published}", "Failed (1)", "Loyalty points")
    browser.picture(HERE / "partitions.png", left=NAVIGATION, height=640)
    browser.open(f"{asset}?view=partitions&partition={quote(f'catenis:{REFUSED}', '')}", "Observed")
    browser.picture(HERE / "failed-target.png", left=NAVIGATION, height=700)
    browser.open(f"{asset}?{CHECK}", "Fuel vouchers", "Plots")
    browser.picture(HERE / "check-failed.png", left=NAVIGATION)
    browser.open(f"{URL}/runs/{failed}", "RUN_FAILURE")
    browser.replace(str(ROOT), "/srv/holdfast")
    browser.picture(HERE / "failed-run.png", left=NAVIGATION, height=680)

    asset = f"{URL}/assets/altura_item_holders"
    browser.open(f"{asset}?view=events", "Season pass")
    browser.picture(HERE / "metadata.png", left=NAVIGATION)
    wait_until("an Altura run", lambda: _run("altura_snapshots", "SUCCESS"), 130)
    browser.open(f"{asset}?{CHECK}", "All 3 targets are published")
    browser.picture(HERE / "check.png", left=NAVIGATION)
    browser.click("[Show Markdown]")
    browser.wait_for("Copy")
    browser.picture(HERE / "changes.png", left=NAVIGATION)

    wait_until("a skipped Hiro tick", _skipped, 130)
    print("a tick of Hiro's was skipped")
    schedule = f"{URL}/locations/holdfast/schedules/hiro_schedule"
    browser.open(schedule, "Tick history", "0 runs requested")
    browser.click("0 runs requested")
    browser.wait_for("Skip reason")
    browser.picture(HERE / "skipped-tick.png", height=620)
    released.set()
    wait_until("Hiro's run to end", lambda: _run("hiro_snapshots", "STARTED") is None)
    browser.open(schedule, "Next tick", "Tick history")
    browser.picture(HERE / "schedule.png", left=NAVIGATION)
    browser.open(f"{URL}/automation", "hiro_schedule")
    browser.picture(HERE / "schedules.png", height=400)
    wait_until("the report", lambda: _run(AFTER, "SUCCESS"), 130)
    browser.resize(*SIZE_OF_LINEAGE)
    browser.open(f"{URL}/asset-groups", "freshness")
    browser.picture(HERE / "lineage.png", left=NAVIGATION)
    browser.resize(*SIZE)
    browser.open(f"{URL}/overview/activity/timeline", "hiro_snapshots")
    browser.click("1hr")
    browser.wait_for("hiro_snapshots")
    browser.picture(HERE / "overview.png", height=400)
    browser.open(f"{URL}/runs", "hiro_schedule", "Failure")
    browser.picture(HERE / "runs.png", left=NAVIGATION, height=640)


def _photograph_mistakes(browser: Browser, targets: Path) -> None:
    text = targets.read_text()
    for right, wrong in MISTAKES.items():
        text = text.replace(right, wrong)
    targets.write_text(text)
    _ask('mutation { reloadRepositoryLocation(repositoryLocationName: "holdfast") { __typename } }')
    browser.open(f"{URL}/deployment/locations", "View error")
    browser.click("View error")
    browser.wait_for("mistakes in the targets")
    browser.replace(str(targets.parent), "/srv/holdfast")
    browser.replace(str(ROOT), "/srv/holdfast")
    browser.picture(HERE / "mistakes.png", height=480)


def _answers() -> bool:
    try:
        return requests.get(f"{URL}/server_info", timeout=5).ok
    except requests.ConnectionError:
        return False


def _ask(query: str) -> dict[str, Any]:
    answer = requests.post(f"{URL}/graphql", json={"query": query}, timeout=60)
    return dict(answer.json()["data"])


def _run(job: str, status: str) -> str | None:
    """The newest run of the job that has that status."""
    chosen = f'{{pipelineName: "{job}", statuses: [{status}]}}'
    asked = (
        f"{{ runsOrError(filter: {chosen}, limit: 1) {{ ... on Runs {{ results {{ id }} }} }} }}"
    )
    found = _ask(asked)["runsOrError"]["results"]
    return str(found[0]["id"]) if found else None


def _skipped() -> bool:
    which = (
        'repositoryName: "__repository__", repositoryLocationName: "holdfast",'
        ' scheduleName: "hiro_schedule"'
    )
    ticks = "scheduleState { ticks(limit: 5) { status } }"
    asked = (
        f"{{ scheduleOrError(scheduleSelector: {{{which}}}) {{ ... on Schedule {{ {ticks} }} }} }}"
    )
    found = _ask(asked)["scheduleOrError"]["scheduleState"]["ticks"]
    return any(tick["status"] == "SKIPPED" for tick in found)


if __name__ == "__main__":
    main()
