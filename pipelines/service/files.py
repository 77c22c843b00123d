"""Where a service keeps its lock, its state and its logs, under one state folder.

The lock says whether a service runs: the operating system lets go of it, however the service ends.
The state says where, for messages and for `down`.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from pipelines.errors import ConfigurationError, ServiceFailed
from pipelines.paths import REPORT_FILE, make_enterable

COLORS = re.compile(r"\x1b\[[0-9;]*m")
DAGSTER_LOGS = ("code-server", "webserver", "daemon")
LOG_BYTES_KEPT = 10_000_000
STOP_SECONDS = 30.0
KILL_SECONDS = 5.0
FIND_SECONDS = 10.0  # for one that is just starting to say where it is
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ServiceFiles:
    """`home` is the resolved state folder."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "service"

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def targets(self) -> Path:
        """The list of targets that Dagster reads: the last that could be used."""
        return self.folder / "targets.yaml"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.home / "dagster"

    def close(self) -> None:
        """Take from others what an earlier version let them read."""
        for folder in (self.folder, self.dagster, self.logs):
            if folder.exists():
                folder.chmod(0o700)
        if self.report.exists():
            self.report.chmod(0o600)

    @property
    def report(self) -> Path:
        """The page that Dagster writes anew after snapshots; not there before the first."""
        return self.home / REPORT_FILE

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def last_words(self, name: str, lines: int = 15) -> str:
        """The end of a process's log, for a message."""
        log = self.log(name)
        text = log.read_bytes()[-20_000:].decode(errors="replace")
        said = COLORS.sub("", text).splitlines()[-lines:]
        return f"{log} ends:\n" + "\n".join(said) if said else f"{log} is empty"

    def trim_logs(self) -> None:
        """Move Dagster's logs aside where they have grown large; it goes on writing to them."""
        for log in map(self.log, DAGSTER_LOGS):
            if log.exists() and log.stat().st_size > LOG_BYTES_KEPT:
                log.with_suffix(".log.1").write_bytes(log.read_bytes())
                os.truncate(log, 0)  # they append, so that what follows begins at the start


@dataclass(frozen=True)
class ServiceState:
    """A service that runs: its process, where to open it, and its folder of sockets."""

    pid: int
    command: list[str]
    sockets: str
    address: str | None = None

    @property
    def process(self) -> psutil.Process | None:
        """Its process, unless that has ended and the number is another's now. It is known by its
        command: a process's time of birth moves with the system's clock."""
        try:
            process = psutil.Process(self.pid)
            return process if process.cmdline() == self.command else None
        except psutil.NoSuchProcess:
            return None

    def __str__(self) -> str:
        return f"{self.address or 'still starting'} (pid {self.pid})"


def write_state(files: ServiceFiles, sockets: str, address: str | None = None) -> None:
    """Say that this process is the service."""
    state = ServiceState(os.getpid(), psutil.Process().cmdline(), sockets, address)
    fresh = files.state.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(state)) + "\n")
    fresh.replace(files.state)


def read_state(files: ServiceFiles) -> ServiceState | None:
    """What the last service said of itself, which may have ended since."""
    try:
        said: dict[str, Any] = json.loads(files.state.read_text())
        return replace(ServiceState(0, [], ""), **said)
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def only_service(files: ServiceFiles, command: str) -> Iterator[None]:
    """Be the one service of the state folder; `command` is how a person calls holdfast for it.

    Raises ConfigurationError that says where the other one runs.
    """
    make_enterable(files.home)
    files.folder.mkdir(exist_ok=True)
    try:
        held = FileLock(files.lock, timeout=0).acquire()
    except Timeout:
        raise ConfigurationError(
            f"it runs already: {read_state(files) or 'it is just starting'}. To stop it:"
            f" {command} down"
        ) from None
    with held:
        yield


@contextmanager
def in_place_of_service(files: ServiceFiles) -> Iterator[bool]:
    """Have the service of the state folder stop, and keep another from starting meanwhile.

    Yields whether one ran. It is asked to, and killed where it does not: the caller ends what it
    leaves behind. Raises ServiceFailed where it can't be found from here.
    """
    begun = time.monotonic()
    asked = False
    while True:
        try:
            held = FileLock(files.lock, timeout=0).acquire()
            break
        except Timeout:
            state = read_state(files)
            process = state.process if state else None
        waited = time.monotonic() - begun
        if waited > (STOP_SECONDS + KILL_SECONDS if process else FIND_SECONDS):
            raise ServiceFailed(
                f"{files.lock} is held by a service that can't be found or stopped from here"
                f" ({state or 'it has said nothing of itself'}). If it runs in another container,"
                " stop it there"
            )
        if process and waited > STOP_SECONDS:
            process.kill()
        elif process and not asked:
            process.terminate()
            asked = True
        time.sleep(POLL_SECONDS)
    with held:
        yield asked


@contextmanager
def explained(files: ServiceFiles) -> Iterator[None]:
    """Turn what the operating system refuses into the project's error, with what to do."""
    try:
        yield
    except PermissionError as error:
        raise ConfigurationError(
            f"{error.filename or files.home}: {error.strerror}, for uid {os.geteuid()}. Another"
            f" user has worked in {files.home}: work as that user, or set HOLDFAST_HOME to a"
            " folder of your own"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or files.home}: {error.strerror}. Holdfast keeps its state in"
            f" {files.home}: mend that, or set HOLDFAST_HOME to another folder"
        ) from error
    except psutil.AccessDenied as error:
        raise ConfigurationError(
            f"process {error.pid} is another user's: stop the service as that user or as root"
        ) from error
