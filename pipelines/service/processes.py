"""Starting processes, and finding every one that belongs to a service.

Each process of a service carries a mark in its environment, which its own children inherit: Dagster
starts code servers and run workers of its own, and a supervisor that was killed can't tell which.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelines.errors import ServiceFailed
from pipelines.paths import working_folder
from pipelines.service.files import ServiceFiles
from pipelines.warehouse.postgres_life import is_alive

MARK = "HOLDFAST_SERVICE"
CHILD = Path(__file__).with_name("child.py")

GRACE_SECONDS = 5.0  # for a run to say that it was interrupted, for a browser's connection to close
KILL_SECONDS = 5.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Child:
    """A process that the service started; its output is in the log of its name."""

    name: str
    process: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def has_children(self) -> bool:
        """Whether a process that it started runs."""
        try:
            started = psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return False
        return any(is_alive(process.pid) for process in started)


def spawn(
    files: ServiceFiles, name: str, arguments: list[str], environment: Mapping[str, str]
) -> Child:
    """Start a module of this Python, out of reach of a Ctrl-C that is meant for the service."""
    command = [sys.executable, "-m", *arguments]
    with files.log(name).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, MARK: str(files.home)},
            start_new_session=True,
        )
    return Child(name, process)


def marked(home: Path) -> list[psutil.Process]:
    """Every process of the service of that state folder, but for this one."""
    return [process for process, said in _environments() if said.get(MARK) == str(home)]


def end_marked(home: Path, hurry: Callable[[], bool] = lambda: False) -> bool:
    """End every process of the service; whether there was one.

    They are asked to, and killed after some seconds, or as soon as `hurry` says so. Raises
    HoldfastError where one survives that.
    """
    begun = time.monotonic()
    asked: set[int] = set()
    while found := marked(home):
        waited = time.monotonic() - begun
        if waited > GRACE_SECONDS + KILL_SECONDS:
            left = ", ".join(f"{process.pid}" for process in found)
            raise ServiceFailed(f"these processes of the service can't be killed: {left}")
        for process in found:
            try:
                if _is_tracker(process) and waited < GRACE_SECONDS + KILL_SECONDS / 2:
                    continue
                if waited > GRACE_SECONDS or hurry():
                    process.kill()
                elif process.pid not in asked:
                    process.terminate()
            except psutil.NoSuchProcess:
                continue  # it was quicker
        asked |= {process.pid for process in found}
        time.sleep(POLL_SECONDS)
    return bool(asked)


def _is_tracker(process: psutil.Process) -> bool:
    """Whether it is Python's keeper of semaphores (files in /dev/shm): it ends by itself when those
    that it works for have ended, and removes what they left."""
    return any("multiprocessing.resource_tracker" in word for word in process.cmdline())


def other_dagster(files: ServiceFiles) -> psutil.Process | None:
    """A Dagster with the same storage that is no part of the service, such as `dagster dev`."""
    here = working_folder()
    homes = {str(files.dagster)} | ({str(here)} if files.home == here / ".holdfast" else set())
    for process, said in _environments():
        if said.get("DAGSTER_HOME", "").rstrip("/") in homes and MARK not in said:
            try:
                words = [Path(word).name for word in process.cmdline()[:3]]
            except psutil.Error:
                continue
            if any(word.startswith("dagster") and "." not in word for word in words):
                return process
    return None


def _environments() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The other processes whose environment may be read: one's own, or all for root."""
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            yield process, process.environ()
        except (psutil.Error, OSError):
            continue  # another user's, or it has just ended
