"""`holdfast up` and `holdfast down` with real processes: what runs, what is left, what heals.

One service serves several tests, in the order of this file: Dagster takes seconds to start.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import dagster as dg
import psutil
import psycopg
import pytest
import yaml

from pipelines.demo import TARGETS, demo_settings, living_sandbox, serving_runtime
from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.sandbox.serving import find_sandbox
from pipelines.service import processes, stop_service
from pipelines.service.dagster_home import UNDER_WAY, write_settings
from pipelines.service.files import ServiceFiles, read_state
from pipelines.service.ports import claimed_port
from pipelines.service.processes import MARK, marked
from pipelines.service.webserver import Webserver
from pipelines.settings import Settings
from pipelines.snapshots import Taken, take_snapshots
from pipelines.targets import load_targets
from pipelines.warehouse import embedded
from pipelines.warehouse.registry import Run
from tests.patience import PATIENCE, wait_until

MOVED = ("storage", "local_artifact_storage", "compute_logs")
TARGETS_OF_DEMO = 7
LAST_LINE = "from another shell: "
UP = """
import sys
from pathlib import Path
from rich.console import Console
import pipelines.demo
from pipelines.errors import HoldfastError
from pipelines.service import run_service
from pipelines.settings import Settings

settings = Settings(_env_file=None, holdfast_home=Path(sys.argv[1]))
pipelines.demo.TARGETS = Path(sys.argv[2])
out, err = Console(width=200), Console(stderr=True, width=200)
try:
    run_service(settings, out, err, port=int(sys.argv[3]) if sys.argv[3:] else None, demo=True)
except HoldfastError as error:
    sys.exit(f"failed: {error}")
"""


class Service:
    """Services of one state folder, one after the other, and what can be seen of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = demo_settings(Settings(_env_file=None, holdfast_home=folder))
        self.files = ServiceFiles(self.settings.holdfast_home)
        self.list = folder / "targets.yaml"
        shutil.copy(TARGETS, self.list)
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self, *port: str) -> subprocess.Popen[bytes]:
        """Start one from another folder; what it prints is in files."""
        elsewhere = self.folder / "elsewhere"
        (elsewhere / "pipelines").mkdir(parents=True, exist_ok=True)  # must not be taken for ours
        (elsewhere / "pipelines" / "__init__.py").write_text("raise SystemExit('the wrong one')")
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-P", "-c", UP, str(self.folder), str(self.list), *port],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=elsewhere,
                env={**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/not-the-demos"},
            )

    def start(self) -> None:
        """Start one, and wait until it has said that it is up, to the last line."""
        self.process = self.launch()
        wait_until(lambda: LAST_LINE in self.out or self.process.poll() is not None, "the start")
        assert self.process.poll() is None, self.err

    def wait_until_said(self, words: str) -> None:
        try:
            wait_until(lambda: words in self.err, repr(words))
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.err}") from None

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        stop_service(self.settings)

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def address(self) -> str:
        return read_state(self.files).address

    def snapshots(self) -> int:
        """How many are in the warehouse; 0 while its server does not run."""
        server = embedded.status(self.files.home)
        if server is None:
            return 0
        with psycopg.connect(server.url.replace("+psycopg", "")) as connection:
            return connection.execute("select count(*) from snapshot").fetchone()[0]

    def runs(self) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.files.dagster)) as instance:
            return list(instance.get_runs())

    def nothing_is_left(self) -> bool:
        running = embedded.status(self.files.home) or read_state(self.files)
        return not marked(self.files.home) and running is None


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    one = Service(tmp_path_factory.mktemp("service"))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def running(service):
    """The first service of the file, until the test that stops it."""
    service.start()
    return service


def shared_memory(service):
    """Files in /dev/shm that processes of the service use, which outlive a careless end."""
    paths = set()
    for process in marked(service.files.home):
        with suppress(psutil.Error):
            paths.update(found.path for found in process.memory_maps())
    return [Path(path) for path in paths if path.startswith("/dev/shm/sem.")]


def crons(webserver):
    """Of the providers' schedules."""
    names = {f"{name}_schedule" for name in PROVIDERS}
    return {schedule.cron for schedule in webserver.schedules() if schedule.name in names}


def dagster_process(service, module):
    """The process of the service's Dagster that runs the module. A code server whose definitions
    were loaded anew lives on beside the new one until its last answer is given."""
    running = []

    def alone():
        running[:] = [one for one in marked(service.files.home) if module in command(one)]
        return len(running) == 1

    wait_until(alone, f"one process with {module}")
    return running[0]


def command(process):
    """The words it was started with; none where it has just ended."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def test_up_says_where_everything_is_and_takes_the_first_snapshots_at_once(running):
    report = f"{running.files.report.as_uri()}   is there after the first snapshots"
    logs = str(running.files.logs)
    for expected in (running.address, report, "Postgres", logs, "* * * * *", "Ctrl-C"):
        assert expected in running.out
    assert Webserver(running.address).answers()
    wait_until(lambda: running.snapshots() >= TARGETS_OF_DEMO, "the first snapshots")


STOP = 'mutation{stopRunningSchedule(id:"x"){__typename}}'
EVIL = {"Origin": "http://evil.example"}
WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}
FORGED = "/report_asset_materialization/altura_item_holders?partition=x"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", f"/graphql?query={STOP}", EVIL, 405),
        ("GET", f"/graphql?query={STOP}", {}, 405),
        ("POST", f"/graphql?query={STOP}", EVIL | {"Content-Type": "text/plain"}, 405),
        ("POST", "/graphql", EVIL | {"Content-Type": "application/json"}, 403),
        ("POST", FORGED, EVIL, 403),
        ("POST", FORGED, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/graphql", EVIL | WEBSOCKET, 403),
        ("GET", "/graphql", WEBSOCKET, 101),
        ("GET", "/", {"Host": "evil.example"}, 400),
        ("GET", "/", {}, 200),
    ],
)
def test_another_page_of_the_web_can_not_drive_dagster(running, method, path, headers, status):
    host = running.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(host, timeout=PATIENCE)) as connection:
        connection.request(method, path, headers=headers)
        assert connection.getresponse().status == status
    with dg.DagsterInstance.from_config(str(running.files.dagster)) as instance:
        key = dg.AssetKey("altura_item_holders")
        assert "x" not in instance.get_materialized_partitions(key)


def test_what_it_writes_is_for_its_user_alone(running):
    home = running.files.home
    passed = {home, home / "postgres"}  # by Postgres, which may run as another user
    for path in (home, *home.iterdir(), *(home / "dagster").rglob("*"), *(home / "logs").iterdir()):
        others = path.stat().st_mode & 0o077
        assert others == (0o011 if path in passed else 0), path


def test_a_second_one_is_refused_and_told_where_the_first_runs(running):
    said = running.out
    second = running.launch()
    assert second.wait(PATIENCE) == 1
    assert f"it runs already: {running.address} (pid {running.process.pid})" in running.err
    (running.folder / "out").write_text(said)


def test_another_shell_works_on_the_same_world(running):
    runtime = serving_runtime(Settings(_env_file=None, holdfast_home=running.folder))
    target = next(load_targets(running.list).targets())
    with (
        runtime.open_run("another shell", "a test") as opened,
        runtime.open_provider(target.provider, opened) as client,
    ):
        outcomes = list(take_snapshots([target], client, opened.warehouse, Run("another shell")))
    assert isinstance(outcomes[0], Taken)
    with (
        pytest.raises(ConfigurationError, match="runs already"),
        living_sandbox(running.files.home),
    ):
        pytest.fail("two worlds for one warehouse")


def test_a_changed_list_reaches_dagster_and_a_broken_one_changes_nothing(running):
    webserver = Webserver(running.address)
    text = running.list.read_text()
    running.list.write_text(text.replace('cron: "* * * * *"', "cron: every minute", 1))
    running.wait_until_said("The list from before stays in use")
    assert f"{running.list}:" in running.err
    assert crons(webserver) == {"* * * * *"}
    running.list.write_text(text.replace('cron: "* * * * *"', 'cron: "*/2 * * * *"', 1))
    running.wait_until_said("altura's schedule is */2 * * * *. Schedules follow")
    assert crons(webserver) == {"* * * * *", "*/2 * * * *"}


def test_a_postgres_that_is_killed_is_started_again(running):
    killed = embedded.status(running.files.home).pid
    os.kill(killed, signal.SIGKILL)
    running.wait_until_said(f"(process {killed}); it runs again")
    assert running.snapshots() >= TARGETS_OF_DEMO


def test_a_code_server_that_is_killed_is_started_again(running):
    dagster_process(running, "grpc").kill()
    running.wait_until_said("code server had ended by itself; it runs again")
    webserver = Webserver(running.address)
    wait_until(lambda: webserver.load_error() is None, "the webserver to see it")


def test_ctrl_c_leaves_no_process_and_a_free_port(running):
    port = int(running.address.rpartition(":")[2])
    semaphores = shared_memory(running)
    sockets = Path(read_state(running.files).sockets)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(PATIENCE) == 0, running.err
    assert running.nothing_is_left()
    with claimed_port(port) as free:
        assert free == port
    assert [path for path in semaphores if path.exists()] == []
    assert not sockets.exists()
    with pytest.raises(ConfigurationError, match="only while the demo runs"):
        find_sandbox(running.files.home)
    assert not stop_service(running.settings)


def test_killed_in_the_middle_of_a_run_nothing_is_left_and_no_run_shows_as_running(service):
    service.start()
    started = dg.DagsterRunStatus.STARTED
    wait_until(lambda: any(run.status == started for run in service.runs()), "a run to start")
    service.process.kill()
    service.process.wait()
    assert stop_service(service.settings)
    assert service.nothing_is_left()
    assert not any(run.status in UNDER_WAY for run in service.runs())
    assert not stop_service(service.settings)


def test_the_next_one_goes_on_and_ends_with_the_reason_when_dagster_ends(service):
    service.start()
    published = service.snapshots()
    wait_until(lambda: service.snapshots() > published, "new snapshots")
    assert all(schedule.next_tick for schedule in Webserver(service.address).schedules())
    dagster_process(service, "pipelines.service.dagster_ui").kill()
    assert service.process.wait(PATIENCE) == 1
    assert "Dagster's webserver ended by itself, with exit code -9" in service.err
    assert "webserver.log ends:" in service.err
    assert service.nothing_is_left()


def test_what_a_killed_one_left_is_ended_even_if_it_does_not_listen(service, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True);"
    left = subprocess.Popen(
        [sys.executable, "-c", f"{stubborn} time.sleep(600)"],
        env={**os.environ, MARK: str(service.files.home)},
        stdout=subprocess.PIPE,
    )
    left.stdout.readline()
    assert stop_service(service.settings)
    assert left.wait(PATIENCE) == -signal.SIGKILL
    left.stdout.close()


def test_a_port_that_is_taken_is_refused_when_asked_for_and_passed_over_when_not():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConfigurationError, match="Address already in use"),
        claimed_port(taken.getsockname()[1]),
    ):
        pytest.fail("it was taken")
    with (
        claimed_port(None) as first,
        socket.create_server(("127.0.0.1", first)),
        claimed_port(None) as second,
    ):
        assert second > first


def test_two_services_that_start_at_once_never_choose_the_same_port():
    with claimed_port(None) as first, claimed_port(None) as second:
        assert first != second


def test_a_state_folders_dagster_keeps_all_it_has_there_and_is_configured_as_the_projects(tmp_path):
    files = ServiceFiles(tmp_path / "a folder: # with signs")
    write_settings(files)
    written = yaml.safe_load((files.dagster / "dagster.yaml").read_text())
    project = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert written["storage"]["sqlite"]["base_dir"] == str(files.dagster)
    assert written["compute_logs"]["config"]["base_dir"] == str(files.dagster / "compute_logs")
    assert ".holdfast" not in str(written).replace(str(files.dagster), "")
    assert {**written, **{name: project[name] for name in MOVED}} == project
