"""A Postgres server of the project's own, for whoever has not set DATABASE_URL.

One server for one state folder, shared by all processes that ask for it; it outlives them and is
stopped by `stop`. It listens on 127.0.0.1 alone, with passwords that only the files beside it know.
All of it lives in `<home>/postgres` and `<home>/logs`; no file is made elsewhere and no permission
changed.

The parts: `postgres_folder` (the files), `postgres_life` (who runs a server on them),
`postgres_cluster` (the data directory), `postgres_host` (programs and users), `postgres_trouble`
(what to tell when it fails).
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from filelock import FileLock

from pipelines.errors import EmbeddedPostgresError
from pipelines.paths import make_enterable
from pipelines.warehouse.postgres_cluster import initialise, provide_data
from pipelines.warehouse.postgres_folder import ServerFiles, read_password
from pipelines.warehouse.postgres_host import (
    Account,
    choose_account,
    find_binaries,
    free_port,
    launch_command,
    spawn_child,
    spawn_detached,
)
from pipelines.warehouse.postgres_life import (
    Postmaster,
    claimed,
    is_alive,
    remove_stale_pid_file,
    running_postmaster,
    wait_for_end,
    while_others_may_end,
)
from pipelines.warehouse.postgres_role import (
    DATABASE,
    HOST,
    ROLE,
    connect,
    provide_role_and_database,
)
from pipelines.warehouse.postgres_trouble import ended_at_start, explained, port_taken

__all__ = ["EmbeddedServer", "find_binaries", "log_file", "start", "status", "stop", "throwaway"]

START_SECONDS = 60  # recovery after a crash takes part of them
STOP_SECONDS = 30
LOCK_SECONDS = START_SECONDS + STOP_SECONDS + 10
LINGER_SECONDS = 10  # for what a killed server left behind to notice and end
POLL_SECONDS = 0.01
PORTS_TRIED = 10

# For data that nobody will miss: three times faster to write, lost if the machine fails.
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

FULL = ("too many clients", "connection slots are reserved")


@dataclass(frozen=True)
class EmbeddedServer:
    """What a caller needs to connect; `url` holds the password and is left out of the repr."""

    data_directory: Path
    port: int
    pid: int
    version: str
    url: str = field(repr=False)


def start(home: Path, *, binaries: Path | None = None) -> EmbeddedServer:
    """The server of the state folder `home`: the one that runs, else one that is started now.

    Many processes may call this at once; one starts the server and all get the same. `binaries`
    is the folder of the Postgres programs, see `find_binaries`. Raises EmbeddedPostgresError.
    """
    if (server := status(home)) is not None:
        return server
    files = ServerFiles(home.resolve())
    with explained(files, LOCK_SECONDS):
        account = choose_account(files.home, files.data)
        make_enterable(files.folder)
        with _exclusively(files):
            if (server := status(home)) is None:
                server = _start_locked(files, binaries, account)
            if account is not None and account.owns_project:
                files.hand_over(account)
    return server


def status(home: Path) -> EmbeddedServer | None:
    """The server of `home` if it runs here and accepts connections, else None. Changes nothing.

    One that has no connection left counts, and then its `version` is the major one alone.
    Raises EmbeddedPostgresError where the files are another user's.
    """
    files = ServerFiles(home.resolve())
    with explained(files, LOCK_SECONDS):
        running = running_postmaster(files)
        if running is None or (password := read_password(files.password)) is None:
            return None
        try:
            with connect(running.port, ROLE, password, DATABASE) as connection:
                number = connection.info.server_version
                version = f"{number // 10_000}.{number % 10_000}"
        except psycopg.OperationalError as error:
            if not any(sign in str(error) for sign in FULL):
                return None
            version = (files.data / "PG_VERSION").read_text().strip()
        url = f"postgresql+psycopg://{ROLE}:{password}@{HOST}:{running.port}/{DATABASE}"
        return EmbeddedServer(files.data, running.port, running.pid, version, url)


def stop(home: Path) -> bool:
    """Shut the server of `home` down, ending its connections, and wait; False when none ran.

    Raises EmbeddedPostgresError when it is not down within 30 seconds, is another user's, or runs
    where it can't be seen from here (in another container).
    """
    files = ServerFiles(home.resolve())
    if not files.folder.exists():
        return False
    with explained(files, LOCK_SECONDS), _exclusively(files):
        if (running := _server_to_stop(files)) is None:
            return False
        os.kill(running.pid, signal.SIGINT)  # "fast": roll back, disconnect, checkpoint
        if not wait_for_end(running.pid, STOP_SECONDS):
            raise EmbeddedPostgresError(
                f"the Postgres server in {files.folder} (pid {running.pid}) was told to stop"
                f" and still runs after {STOP_SECONDS} s; it may be writing its last"
                f" checkpoint. Wait, then try again. {files.last_words()}"
            )
    return True


def log_file(home: Path) -> Path:
    """Where the server of `home` writes its log; there is none before its first start."""
    return ServerFiles(home.resolve()).log


@contextmanager
def throwaway(
    directory: Path, *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedServer]:
    """A server for tests: fast, unsafe, its role may create databases, and nothing stays of it.

    It lives in `<directory>/postgres` and is a child of this process. On Linux it stops when its
    owner is killed: precisely, when the *thread* that called this ends, so call it from one that
    lasts. Raises EmbeddedPostgresError.
    """
    home = directory.resolve()
    files = ServerFiles(home, log_folder=home / "postgres")
    children: list[subprocess.Popen[bytes]] = []
    with explained(files, LOCK_SECONDS):
        account = choose_account(files.home, files.data)
        files.folder.mkdir(mode=0o711, parents=True)  # refuses a folder in use: it is removed below
    try:
        with explained(files, LOCK_SECONDS):
            found = find_binaries(binaries)
            initialise(files, found, account, durable=False)
            options = {**UNSAFE_SETTINGS, **(settings or {})}

            def spawn(port: int) -> int:
                arguments = _server_arguments(files, port, options)
                command = launch_command(
                    found / "postgres", arguments, account, files.data, dies=True
                )
                children.append(spawn_child(command, files.log))
                return children[-1].pid

            server = _launch(files, spawn, createdb=True)
        yield server
    finally:
        for child in children:
            child.send_signal(signal.SIGQUIT)
            child.wait(STOP_SECONDS)
        shutil.rmtree(files.folder, ignore_errors=True)


class _Ended(Exception):
    """The server process ended before it accepted connections."""


def _exclusively(files: ServerFiles) -> FileLock:
    """Held while starting or stopping the server. A file system without locks is an error."""
    return FileLock(files.lock, timeout=LOCK_SECONDS, mode=0o600, fallback_to_soft=False)


def _start_locked(
    files: ServerFiles, setting: Path | None, account: Account | None
) -> EmbeddedServer:
    """Start a server once nothing lives on the folder any more.

    One that runs unready is waited for instead: whoever started it was killed before the end. So
    is what a killed server, or a killed initdb, left behind.
    """
    turns = while_others_may_end(files, LINGER_SECONDS)
    while True:
        next(turns)
        if (running := running_postmaster(files)) is not None:
            try:
                return _make_ready(files, running.pid, createdb=False)
            except _Ended:
                turns = while_others_may_end(files, LINGER_SECONDS)
                continue
        with claimed(files) as lock:
            if lock is not None:
                return _start_alone(files, setting, account, lock)


def _server_to_stop(files: ServerFiles) -> Postmaster | None:
    """The server that runs, or is just being born: whoever started it was interrupted. None where
    there is none, and nothing that could still become one."""
    if not files.server_lock.exists():
        return running_postmaster(files)
    turns = while_others_may_end(files, LINGER_SECONDS)
    while True:
        next(turns)
        if (running := running_postmaster(files)) is not None:
            return running
        with claimed(files) as lock:
            if lock is not None:
                return None


def _start_alone(
    files: ServerFiles, setting: Path | None, account: Account | None, lock: int
) -> EmbeddedServer:
    """Start a server, which inherits `lock`, on a folder on which nothing else lives."""
    remove_stale_pid_file(files)
    found = provide_data(files, setting, account, lock)
    files.rotate_log()

    def spawn(port: int) -> int:
        arguments = _server_arguments(files, port, {})
        command = launch_command(found / "postgres", arguments, account, files.data)
        return spawn_detached(command, files.log, lock)

    return _launch(files, spawn, createdb=False)


def _server_arguments(files: ServerFiles, port: int, settings: Mapping[str, str]) -> list[str]:
    fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in {**settings, **fixed}.items()]
    return ["-D", str(files.data), *options]


def _launch(files: ServerFiles, spawn: Callable[[int], int], *, createdb: bool) -> EmbeddedServer:
    """Start a server with `spawn(port)`, on another port where that one is taken."""
    port = files.last_port() or free_port()
    tries_left = PORTS_TRIED
    while True:
        offset = files.log_size()
        try:
            return _make_ready(files, spawn(port), createdb=createdb)
        except _Ended as ended:
            tries_left -= 1
            if not tries_left or not port_taken(files.log_since(offset)):
                raise ended_at_start(files, offset) from ended
            port = free_port()


def _make_ready(files: ServerFiles, pid: int, *, createdb: bool) -> EmbeddedServer:
    """Wait until the server accepts connections, and see that our role and database exist.

    Raises _Ended when its process does.
    """
    deadline = time.monotonic() + START_SECONDS
    reason = (
        f"it has not finished starting after {START_SECONDS} s. Recovery after a crash may take"
        " that long: wait, then start again"
    )
    while time.monotonic() < deadline:
        if not is_alive(pid):
            raise _Ended
        running = running_postmaster(files)
        if running is not None and running.ready:
            try:
                provide_role_and_database(files, running.port, createdb=createdb)
                if (server := status(files.home)) is not None:
                    files.remember_port(running.port)
                    return server
                reason = "it does not answer to its own role"
            except psycopg.OperationalError as error:
                reason = str(error)
        time.sleep(POLL_SECONDS)
    raise EmbeddedPostgresError(
        f"the Postgres server in {files.folder} (pid {pid}) runs but cannot be used: {reason}."
        f" {files.last_words()}"
    )
