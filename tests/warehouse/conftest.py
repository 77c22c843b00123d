"""What the tests of the embedded server share: state folders, starts, and processes to kill."""

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from pipelines.warehouse import embedded
from pipelines.warehouse.embedded import EmbeddedServer
from pipelines.warehouse.postgres_life import is_alive
from tests.patience import PATIENCE, wait_until


class Lab:
    """Starts servers of one version, asks them, and kills what it is told to."""

    def __init__(self, binaries: Path | None) -> None:
        self.binaries = binaries

    def start(self, home: Path) -> EmbeddedServer:
        return embedded.start(home, binaries=self.binaries)

    def connect(self, server: EmbeddedServer, **changes: object) -> psycopg.Connection:
        return psycopg.connect(server.url.replace("+psycopg", ""), **changes)

    def fetch(self, server: EmbeddedServer, query: str) -> object:
        with self.connect(server) as connection:
            return connection.execute(query).fetchone()[0]

    def keep(self, server: EmbeddedServer, answer: int = 42) -> None:
        """Commit a row that `kept` finds."""
        with self.connect(server) as connection:
            connection.execute("create table if not exists kept (answer int)")
            connection.execute("insert into kept values (%s)", [answer])

    def kept(self, server: EmbeddedServer) -> object:
        return self.fetch(server, "select array_agg(answer order by answer) from kept")

    def processes_on(self, home: Path) -> list[int]:
        """The pids of all that works on the data of `home`, or was started for it."""
        data = home.resolve() / "postgres" / "data"
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                arguments = process.cmdline()
                if process.cwd() == str(data) or any(it.startswith(str(data)) for it in arguments):
                    found.append(process.pid)
        return [pid for pid in found if is_alive(pid)]

    def kill(self, *pids: int) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # a child that went with its parent
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), f"{pids} to end")

    @contextmanager
    def running(self, script: str, home: Path, *prefix: str) -> Iterator[subprocess.Popen[str]]:
        """A Python process that runs `script`, which knows `home`, `binaries` and `embedded`.

        It leads a process group and is killed at the end. `prefix`: a command to run it by.
        """
        known = (
            "import os, sys, time; from pathlib import Path, PosixPath\n"
            "from pipelines.errors import EmbeddedPostgresError\n"
            "from pipelines.warehouse import embedded\n"
            f"home, binaries = {home!r}, {self.binaries!r}\n"
        )
        command = [*prefix, sys.executable, "-c", known + script]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def said_by(self, script: str, home: Path, *prefix: str) -> str:
        """What such a process says until it ends by itself."""
        with self.running(script, home, *prefix) as process:
            return process.communicate(timeout=PATIENCE)[0].strip()

    def run_as(self, uid: int, gid: int, action: Callable[[], None]) -> None:
        """Run `action` in a fork that becomes that user; a new interpreter may be out of reach."""
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
                action()
                os._exit(0)
            finally:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture(scope="session")
def lab(postgres_binaries: Path | None) -> Lab:
    return Lab(postgres_binaries)


@pytest.fixture
def home(tmp_path: Path, lab: Lab) -> Iterator[Path]:
    """A state folder whose server, if it gets one, is stopped and leaves no process."""
    path = tmp_path / "project" / ".holdfast"
    yield path
    embedded.stop(path)
    assert lab.processes_on(path) == []


@pytest.fixture(scope="session")
def stopped_home(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Path:
    """The state folder of a server that was started and stopped, to be copied.

    Without fsync, which serves those whose machine fails: what a killed process wrote stays.
    """
    path = tmp_path_factory.mktemp("stopped") / ".holdfast"
    lab.start(path)
    assert embedded.stop(path)
    with (path / "postgres" / "data" / "postgresql.conf").open("a") as config:
        config.write("fsync = off\n")
    return path


@pytest.fixture
def start(home: Path, lab: Lab, stopped_home: Path) -> Callable[[], EmbeddedServer]:
    """Start the server of `home`, where a stopped one is put first unless the test made another.

    `lab.start(home)` begins from nothing, which takes five times as long.
    """

    def start_copy() -> EmbeddedServer:
        if not home.exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", stopped_home, home], check=True)
        return lab.start(home)

    return start_copy


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("shared")
    path.chmod(0o700)
    yield path
    embedded.stop(path)


@pytest.fixture(scope="module")
def shared(shared_home: Path, lab: Lab) -> EmbeddedServer:
    """One server for the tests that only look; started where the caller's settings mislead."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TZ": "Asia/Tokyo", "PGPORT": "1", "PGHOSTADDR": "192.0.2.1"}.items():
            patch.setenv(name, value)
        return lab.start(shared_home)
