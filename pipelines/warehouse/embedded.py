"""A Postgres server of the project's own, for whoever has not set DATABASE_URL.

One server for one state folder, shared by all processes that ask for it; it outlives them and is
stopped by `stop`. It listens on 127.0.0.1 alone, with passwords that only the files beside it know.
All of it lives in `<home>/postgres`; no file is made elsewhere and no permission changed.
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
from filelock import FileLock, Timeout
from psycopg import sql

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse.postgres_folder import (
    ServerFiles,
    is_alive,
    read_or_make_password,
    remove_stale_pid_file,
    running_postmaster,
    write_private,
)
from pipelines.warehouse.postgres_host import (
    Account,
    choose_account,
    find_binaries,
    free_port,
    launch_command,
    launch_environment,
    spawn_child,
    spawn_detached,
)

__all__ = ["EmbeddedServer", "find_binaries", "start", "status", "stop", "throwaway"]

HOST = "127.0.0.1"
ROLE = DATABASE = "holdfast"
SUPERUSER = "postgres"

START_SECONDS = 60  # recovery after a crash takes part of them
STOP_SECONDS = 30
LOCK_SECONDS = START_SECONDS + STOP_SECONDS + 10
LINGER_SECONDS = 10  # for what a killed server left behind to notice and end
POLL_SECONDS = 0.01
LOG_BYTES_KEPT = 10_000_000

# Written to postgresql.conf once, where whoever runs the project may change them.
SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "50",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
}
# For data that nobody will miss: three times faster to write, lost if the machine fails.
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# What Postgres says; its messages are English, as the cluster is made with --locale=C.
FULL = ("too many clients", "connection slots are reserved")
PORT_TAKEN = ("could not bind", "could not create any TCP/IP sockets")
STILL_IN_USE = ("pre-existing shared memory block", 'lock file "postmaster.pid"')


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
    with _explained(files):
        account = choose_account(files.home, files.data)
        files.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        with FileLock(files.lock, timeout=LOCK_SECONDS, mode=0o600):
            if (server := status(home)) is None:
                server = _start_locked(files, binaries, account)
            if account is not None and account.owns_project:
                files.hand_over(account)
    return server


def status(home: Path) -> EmbeddedServer | None:
    """The server of `home` if it runs and accepts connections, else None. Changes nothing.

    One that has no connection left counts, and then its `version` is the major one alone.
    Raises EmbeddedPostgresError where the files are another user's.
    """
    files = ServerFiles(home.resolve())
    with _explained(files):
        running = running_postmaster(files)
        if running is None or not files.password.exists():
            return None
        try:
            with _connect(files, running.port, ROLE, DATABASE) as connection:
                number = connection.info.server_version
                version = f"{number // 10_000}.{number % 10_000}"
        except psycopg.OperationalError as error:
            if not any(sign in str(error) for sign in FULL):
                return None
            version = (files.data / "PG_VERSION").read_text().strip()
        password = files.password.read_text()
        url = f"postgresql+psycopg://{ROLE}:{password}@{HOST}:{running.port}/{DATABASE}"
        return EmbeddedServer(files.data, running.port, running.pid, version, url)


def stop(home: Path) -> bool:
    """Shut the server of `home` down, ending its connections, and wait; False when none ran.

    Raises EmbeddedPostgresError when it is not down within 30 seconds, or is another user's.
    """
    files = ServerFiles(home.resolve())
    if not files.folder.exists():
        return False
    with _explained(files), FileLock(files.lock, timeout=LOCK_SECONDS, mode=0o600):
        running = running_postmaster(files)
        if running is None:
            return False
        os.kill(running.pid, signal.SIGINT)  # "fast": roll back, disconnect, checkpoint
        deadline = time.monotonic() + STOP_SECONDS
        while is_alive(running.pid):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"the Postgres server in {files.folder} (pid {running.pid}) was told to stop"
                    f" and still runs after {STOP_SECONDS} s; it may be writing its last"
                    f" checkpoint. Wait, then try again. {files.last_words()}"
                )
            time.sleep(POLL_SECONDS)
    return True


@contextmanager
def throwaway(
    directory: Path, *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[EmbeddedServer]:
    """A server for tests: fast, unsafe, its role may create databases, and nothing stays of it.

    It lives in `<directory>/postgres` and is a child of this process. On Linux it stops when its
    owner is killed: precisely, when the *thread* that called this ends, so call it from one that
    lasts. Raises EmbeddedPostgresError.
    """
    files = ServerFiles(directory.resolve())
    children: list[subprocess.Popen[bytes]] = []
    with _explained(files):
        account = choose_account(files.home, files.data)
        files.folder.mkdir(mode=0o711, parents=True)  # refuses a folder in use: it is removed below
    try:
        with _explained(files):
            found = find_binaries(binaries)
            _initialise(files, found, account, durable=False)
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


@contextmanager
def _explained(files: ServerFiles) -> Iterator[None]:
    """Turn what the operating system refuses into the project's error, with what to do."""
    try:
        yield
    except Timeout as error:
        raise EmbeddedPostgresError(
            f"another process has been starting or stopping the Postgres server in {files.folder}"
            f" for {LOCK_SECONDS} s; wait for it or end it. {files.last_words()}"
        ) from error
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"{error.filename or files.folder}: {error.strerror}, for uid {os.geteuid()}. The"
            f" Postgres server in {files.folder} was set up by another user: work as that user or"
            " root, or set DATABASE_URL"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedPostgresError(
            f"the Postgres server in {files.folder} could not be started or stopped: {error}"
        ) from error


def _start_locked(
    files: ServerFiles, setting: Path | None, account: Account | None
) -> EmbeddedServer:
    if (files.data / "PG_VERSION").exists():
        if not files.superuser_password.exists():
            raise EmbeddedPostgresError(
                f"{files.superuser_password} is gone, and the data beside it cannot be used without"
                f" it: restore that file, or move {files.folder} away to begin anew"
            )
        major = int((files.data / "PG_VERSION").read_text())
        found = find_binaries(setting, major=major)
    else:
        found = find_binaries(setting)
        _initialise(files, found, account, durable=True)
    if files.log_size() > LOG_BYTES_KEPT:
        files.log.replace(files.log.with_name("log.1"))

    def spawn(port: int) -> int:
        arguments = _server_arguments(files, port, {})
        command = launch_command(found / "postgres", arguments, account, files.data)
        return spawn_detached(command, files.log)

    return _launch(files, spawn, createdb=False)


def _server_arguments(files: ServerFiles, port: int, settings: Mapping[str, str]) -> list[str]:
    fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
    options = [f"--{name}={value}" for name, value in {**settings, **fixed}.items()]
    return ["-D", str(files.data), *options]


def _initialise(
    files: ServerFiles, binaries: Path, account: Account | None, *, durable: bool
) -> None:
    """Make the data directory, under another name until it is whole."""
    for leftover in files.folder.glob("data.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = files.folder / f"data.new-{os.getpid()}"
    fresh.mkdir(mode=0o700)
    secret = write_private(
        files.folder / "initdb-password", read_or_make_password(files.superuser_password)
    )
    arguments = ["-D", str(fresh), f"--username={SUPERUSER}", f"--pwfile={secret}"]
    arguments += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    arguments += [] if durable else ["--no-sync"]
    try:
        if account is not None:
            for path in (fresh, secret):
                os.chown(path, account.uid, account.gid)
        done = subprocess.run(  # noqa: S603 - a program found by find_binaries
            launch_command(binaries / "initdb", arguments, account, fresh),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=launch_environment(),
            check=False,
        )
        if done.returncode != 0:
            said = "\n".join(done.stdout.decode(errors="replace").splitlines()[-12:])
            raise EmbeddedPostgresError(
                f"{binaries / 'initdb'} could not make a database in {files.folder}"
                f"{f' as user {account.name}' if account else ''}; it said:\n{said}"
            )
        with (fresh / "postgresql.conf").open("a") as config:
            config.write("\n# Holdfast's own choices\n")
            config.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        fresh.rename(files.data)
    finally:
        secret.unlink()
        shutil.rmtree(fresh, ignore_errors=True)


def _launch(files: ServerFiles, spawn: Callable[[int], int], *, createdb: bool) -> EmbeddedServer:
    """Start a server with `spawn(port)`, again where the port is taken or the data still held.

    One that runs unready is waited for instead: whoever started it was killed before the end.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    port = files.last_port() or free_port()
    while True:
        offset = files.log_size()
        try:
            if (running := running_postmaster(files)) is not None:
                return _make_ready(files, running.pid, running.port, createdb=createdb)
            remove_stale_pid_file(files)
            return _make_ready(files, spawn(port), port, createdb=createdb)
        except _Ended as ended:
            said = files.log_since(offset)
            taken = any(sign in said for sign in PORT_TAKEN)
            held = any(sign in said for sign in STILL_IN_USE)
            if time.monotonic() > deadline or not (taken or held):
                hint = " Processes of a killed server hold its data; end them." if held else ""
                raise EmbeddedPostgresError(
                    f"the Postgres server in {files.folder} ended at its start.{hint}"
                    f" {files.last_words(offset)}"
                ) from ended
            port = free_port() if taken else port
            time.sleep(POLL_SECONDS if taken else 10 * POLL_SECONDS)


def _make_ready(files: ServerFiles, pid: int, port: int, *, createdb: bool) -> EmbeddedServer:
    """Wait until the server accepts connections, and see that our role and database exist.

    Raises _Ended when its process does.
    """
    deadline = time.monotonic() + START_SECONDS
    reason = "it has not finished starting"
    while time.monotonic() < deadline:
        if not is_alive(pid):
            raise _Ended
        running = running_postmaster(files)
        if running is not None and running.ready:
            try:
                with _connect(files, port, SUPERUSER, "postgres") as connection:
                    password = read_or_make_password(files.password)
                    _provide_role_and_database(connection, password, createdb=createdb)
                if (server := status(files.home)) is not None:
                    write_private(files.port, str(port))
                    return server
                reason = "it does not answer to its own role"
            except psycopg.OperationalError as error:
                reason = str(error)
                if "password authentication failed" in reason:
                    break
        time.sleep(POLL_SECONDS)
    raise EmbeddedPostgresError(
        f"the Postgres server in {files.folder} (pid {pid}) runs but cannot be used: {reason}."
        f" {files.last_words()}"
    )


def _provide_role_and_database(
    connection: psycopg.Connection, password: str, *, createdb: bool
) -> None:
    """The application's role owns its database and is no superuser."""
    # Only the verifier travels: a statement may end up in the log.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), ROLE.encode(), b"scram-sha-256"
    )
    known = connection.execute("select 1 from pg_roles where rolname = %s", [ROLE]).fetchone()
    connection.execute(
        sql.SQL("{} role {} with login nosuperuser nocreaterole {} password {}").format(
            sql.SQL("alter" if known else "create"),
            sql.Identifier(ROLE),
            sql.SQL("createdb" if createdb else "nocreatedb"),
            sql.Literal(verifier.decode()),
        )
    )
    if not connection.execute(
        "select 1 from pg_database where datname = %s", [DATABASE]
    ).fetchone():
        connection.execute(
            sql.SQL("create database {} owner {}").format(
                sql.Identifier(DATABASE), sql.Identifier(ROLE)
            )
        )


def _connect(files: ServerFiles, port: int, role: str, database: str) -> psycopg.Connection:
    """Connect, with nothing taken from PG… variables.

    SCRAM proves each side to the other: another server on this port is not mistaken for ours.
    """
    secret = files.superuser_password if role == SUPERUSER else files.password
    return psycopg.connect(
        host=HOST,
        hostaddr=HOST,
        port=port,
        user=role,
        password=secret.read_text(),
        dbname=database,
        require_auth="scram-sha-256",
        sslmode="disable",
        gssencmode="disable",
        options="",
        connect_timeout=5,
        autocommit=True,
    )
