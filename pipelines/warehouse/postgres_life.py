"""Who runs a server on a data directory: at most one at a time, wherever its processes are.

Two servers on one data directory destroy it. Postgres's own guards (postmaster.pid, shared memory)
fail where they can't see each other: a host and a container that share the project folder. So a
server holds a lock (flock) on a file beside the data while any of its processes lives: whoever
starts it locks the file, and the server inherits the open file. The kernel keeps such a lock for
all containers of a machine, and a network file system that has locks keeps it for all machines.

A process is known by its working directory, which is the data directory itself, by whatever name:
neither a renamed nor a copied folder misleads, as the pid and the path in postmaster.pid would.
"""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse.postgres_folder import ServerFiles

LINUX = sys.platform == "linux"
GLIMPSE_SECONDS = 0.5  # for a process that is just being born, or dying, to be seen
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Postmaster:
    pid: int
    port: int
    ready: bool


def running_postmaster(files: ServerFiles) -> Postmaster | None:
    """What postmaster.pid says, if that process is a Postgres that serves this data directory."""
    try:
        lines = (files.data / "postmaster.pid").read_text().splitlines()
        found = Postmaster(int(lines[0]), int(lines[3]), lines[-1].strip() == "ready")
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    try:
        process = psutil.Process(found.pid)
        if process.name() != "postgres" or not is_alive(found.pid):
            return None
        return found if _serves(process, files) else None
    except psutil.NoSuchProcess:
        return None


@contextmanager
def claimed(files: ServerFiles) -> Iterator[int | None]:
    """The locked file, for a server to inherit; None while one has it.

    The lock ends when all who have the open file closed it: here, and in all of the server's
    processes, which is why it is never unlocked.
    """
    handle = os.open(files.server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if _lock(handle):
            name = socket.gethostname().encode()
            if os.pread(handle, 1024, 0) != name:
                os.ftruncate(handle, 0)
                os.pwrite(handle, name, 0)
            yield handle
        else:
            yield None
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def processes_at(files: ServerFiles) -> list[int]:
    """The pids, as seen here, of what works on the data, is about to, or has its lock open.

    The last may be a fork of a process that was starting a server.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if not is_alive(process.pid):
                continue
            if _serves(process, files) or (
                _in_our_namespace(process.pid)
                and (_will_serve(process, files) or _has_lock_open(process, files))
            ):
                found.append(process.pid)
        except psutil.Error:
            continue  # it ended meanwhile, or is another user's
    return found


def while_others_may_end(files: ServerFiles, seconds: float) -> Iterator[None]:
    """Take turns while what holds the data may end by itself; then raise EmbeddedPostgresError.

    At once, nearly, where none of it is seen here: then it is elsewhere, and lives.
    """
    began = seen_at = time.monotonic()
    while True:
        yield
        now = time.monotonic()
        seen = processes_at(files)  # takes its time on a busy machine, which is none of theirs
        seen_at = time.monotonic() if seen else seen_at
        if now - began > seconds or now - seen_at > GLIMPSE_SECONDS:
            raise _in_use(files, seen)
        time.sleep(POLL_SECONDS)


def _in_use(files: ServerFiles, seen: list[int]) -> EmbeddedPostgresError:
    """The error for a data directory that another server's processes hold; `seen`: their pids."""
    if seen:
        pids = " ".join(map(str, seen))
        return EmbeddedPostgresError(
            f"the data in {files.data} is still held by what a killed Postgres server, or whoever"
            f" started it, left behind. End it (kill {pids}), then start again"
        )
    place = files.server_lock.read_text(errors="replace")
    return EmbeddedPostgresError(
        f"a Postgres server that can't be seen from here runs on the data in {files.data}: another"
        f" container or machine shares this folder (it was started on {place}). Two servers would"
        " destroy the data, so this one was not touched: stop that one there, with"
        " `holdfast postgres stop`, or have both sides use one server by setting DATABASE_URL"
    )


def remove_stale_pid_file(files: ServerFiles) -> None:
    """Remove a postmaster.pid that Postgres would believe. Only for who has claimed the folder.

    It sees for itself that a process is gone, and then cleans up its shared memory; but it takes
    any process that has the number now, a zombie too, for its server, and stops at an empty file.
    """
    path = files.data / "postmaster.pid"
    if path.exists():
        first = path.read_bytes().split(b"\n", maxsplit=1)[0].strip()
        if not first.isdigit() or psutil.pid_exists(int(first)):
            path.unlink()


def is_alive(pid: int) -> bool:
    """Whether the process exists and runs: where nobody reaps them, the dead stay as zombies."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # macOS, of another user's process
        return True


def wait_for_end(pid: int, seconds: float) -> bool:
    """Wait until the process has ended; False when it has not within that time."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _serves(process: psutil.Process, files: ServerFiles) -> bool:
    """Whether the process works in the data directory and is one of this pid namespace.

    Of other users' processes the working directory may be hidden; then the arguments have to do.
    """
    try:
        place = Path(f"/proc/{process.pid}/cwd") if LINUX else Path(process.cwd())
        return place.samefile(files.data) and _in_our_namespace(process.pid)
    except (PermissionError, psutil.AccessDenied):
        return str(files.data) in process.cmdline()
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return False


def _will_serve(process: psutil.Process, files: ServerFiles) -> bool:
    """Whether it is a launcher, or an initdb, whose directory has a longer name."""
    arguments = process.cmdline()
    return "-D" in arguments and any(item.startswith(str(files.data)) for item in arguments)


def _has_lock_open(process: psutil.Process, files: ServerFiles) -> bool:
    return any(Path(opened.path) == files.server_lock for opened in process.open_files())


def _in_our_namespace(pid: int) -> bool:
    """False for a process in a container below this one: seen, but by another number there."""
    if not LINUX:
        return True
    try:
        return Path(f"/proc/{pid}/ns/pid").samefile("/proc/self/ns/pid")
    except PermissionError:
        return True
    except (FileNotFoundError, ProcessLookupError):
        return False
