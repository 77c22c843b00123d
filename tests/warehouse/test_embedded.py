"""The embedded server, with real servers: of the version that --postgres-bin names, else ours."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded, postgres_host
from pipelines.warehouse.embedded import EmbeddedServer
from pipelines.warehouse.postgres_folder import is_alive

Start = Callable[[], EmbeddedServer]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process that its parent ended (prctl)"
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose server, if it gets one, is stopped and leaves no process."""
    path = tmp_path / "project" / ".holdfast"
    yield path
    embedded.stop(path)
    assert processes_on(path) == []


@pytest.fixture
def start(home: Path, postgres_binaries: Path | None) -> Start:
    return lambda: embedded.start(home, binaries=postgres_binaries)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("shared")
    path.chmod(0o700)
    yield path
    embedded.stop(path)


@pytest.fixture(scope="module")
def shared(shared_home: Path, postgres_binaries: Path | None) -> EmbeddedServer:
    """One server for the tests that only look; started where the caller's settings mislead."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TZ": "Asia/Tokyo", "PGPORT": "1", "PGHOSTADDR": "192.0.2.1"}.items():
            patch.setenv(name, value)
        return embedded.start(shared_home, binaries=postgres_binaries)


def processes_on(home: Path) -> list[int]:
    """The pids of all processes that have the data directory of `home` as an argument."""
    data = str(home.resolve() / "postgres" / "data")
    processes = psutil.process_iter(["cmdline"])
    return [process.pid for process in processes if data in (process.info["cmdline"] or [])]


def connect(server: EmbeddedServer, **changes: object) -> psycopg.Connection:
    return psycopg.connect(server.url.replace("+psycopg", ""), **changes)


def fetch(server: EmbeddedServer, query: str) -> object:
    with connect(server) as connection:
        return connection.execute(query).fetchone()[0]


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def run_python(script: str, home: Path, binaries: Path | None) -> subprocess.Popen[str]:
    """A Python process that runs `script`, which knows `home`, `binaries` and `embedded`."""
    known = (
        "import time; from pathlib import Path, PosixPath; from pipelines.warehouse import embedded"
        f"\nhome, binaries = {home!r}, {binaries!r}\n"
    )
    command = [sys.executable, "-c", known + script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


class TestStarting:
    def test_what_was_written_is_there_after_a_stop_and_a_start(
        self, home: Path, start: Start
    ) -> None:
        first = start()
        with connect(first) as connection:
            connection.execute("create table kept as select 42 as answer")
        assert embedded.stop(home)
        assert embedded.status(home) is None
        second = start()
        assert fetch(second, "select answer from kept") == 42
        assert second.url == first.url, "a dashboard would have to be told"
        assert second.pid != first.pid

    def test_a_second_start_attaches_to_the_running_server(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        assert embedded.start(shared_home) == shared == embedded.status(shared_home)

    def test_a_server_without_a_free_connection_is_attached_to(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        with ExitStack() as stack:
            with suppress(psycopg.OperationalError):
                for _ in range(60):
                    stack.enter_context(connect(shared))
            assert embedded.start(shared_home).pid == shared.pid

    def test_nothing_runs_and_nothing_is_made_before_a_start(self, home: Path) -> None:
        assert embedded.status(home) is None
        assert not embedded.stop(home)
        assert not home.exists()

    def test_processes_that_start_at_once_share_one_server(
        self, home: Path, start: Start, postgres_binaries: Path | None
    ) -> None:
        script = "print(embedded.start(home, binaries=binaries))"
        racers = [run_python(script, home, postgres_binaries) for _ in range(4)]
        answers = {racer.communicate(timeout=30)[0].strip() for racer in racers}
        assert answers == {repr(start())}

    def test_a_taken_port_is_left_to_whoever_took_it(self, home: Path, start: Start) -> None:
        port = start().port
        embedded.stop(home)
        with socket.create_server(("127.0.0.1", port)):
            server = start()
        assert server.port != port
        assert fetch(server, "select 1") == 1

    def test_the_server_says_utc_and_utf8_whatever_the_caller_says(
        self, shared: EmbeddedServer
    ) -> None:
        assert fetch(shared, "show timezone") == "UTC"
        assert fetch(shared, "show server_encoding") == "UTF8"


class TestWhoMayConnect:
    def test_it_listens_on_the_loopback_address_alone(self, shared: EmbeddedServer) -> None:
        sockets = psutil.Process(shared.pid).net_connections(kind="all")
        assert [held.laddr for held in sockets] == [("127.0.0.1", shared.port)]

    def test_a_wrong_password_is_refused(self, shared: EmbeddedServer) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(shared, password="wrong")

    def test_the_role_owns_its_database_and_is_no_superuser(self, shared: EmbeddedServer) -> None:
        rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication"
        query = f"select array[{rights}] from pg_roles where rolname = current_user"
        assert fetch(shared, query) == [False, False, False, False]
        query = "select datdba::regrole::text from pg_database where datname = current_database()"
        assert fetch(shared, query) == "holdfast"

    def test_passwords_are_nowhere_but_in_their_files(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        files = [shared_home / "postgres" / name for name in ("password", "superuser-password")]
        assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
        assert [path.stat().st_uid for path in files] == [os.geteuid(), os.geteuid()]
        commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
        log = (shared_home / "postgres" / "log").read_text()
        for secret in (path.read_text() for path in files):
            assert len(secret) >= 32
            assert secret not in repr(shared) + repr(commands) + log
        assert not list((shared_home / "postgres").glob("initdb-password*"))

    def test_a_lost_password_is_replaced_while_the_server_runs(
        self, home: Path, start: Start
    ) -> None:
        old = start()
        (home / "postgres" / "password").unlink()
        new = start()
        assert new.pid == old.pid
        assert new.url != old.url
        assert fetch(new, "select 1") == 1


class TestHealing:
    def test_a_killed_server_starts_again_with_what_was_committed(
        self, home: Path, start: Start
    ) -> None:
        first = start()
        with connect(first) as connection:
            connection.execute("create table kept as select 42 as answer")
        kill(first.pid)
        assert embedded.status(home) is None
        assert fetch(start(), "select answer from kept") == 42

    def test_a_pid_file_that_means_no_server_does_not_stop_a_start(
        self, home: Path, start: Start
    ) -> None:
        for content in (f"{os.getpid()}\n/somewhere\n1\n1\n", ""):
            kill(start().pid)
            (home / "postgres" / "data" / "postmaster.pid").write_text(content)
            assert embedded.status(home) is None
            assert not embedded.stop(home)
        assert fetch(start(), "select 1") == 1

    def test_a_half_made_data_directory_is_made_anew(self, home: Path, start: Start) -> None:
        (home / "postgres" / "data.new-1" / "base").mkdir(parents=True)
        assert fetch(start(), "select 1") == 1
        assert not list((home / "postgres").glob("data.new-*"))

    def test_a_server_is_known_by_its_folder_after_a_rename(self, home: Path, start: Start) -> None:
        first = start()
        moved = home.with_name("renamed")
        home.rename(moved)
        try:
            found = embedded.status(moved)
            assert found is not None
            assert found.pid == first.pid
        finally:
            moved.rename(home)


def pretend_data(home: Path, version: int) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    (home / "postgres" / "data" / "PG_VERSION").write_text(f"{version}\n")


class TestMessages:
    def test_a_start_that_fails_quotes_the_log(self, home: Path, start: Start) -> None:
        start()
        embedded.stop(home)
        with (home / "postgres" / "data" / "postgresql.conf").open("a") as config:
            config.write("shared_buffers = 'plenty'\n")
        with pytest.raises(EmbeddedPostgresError, match="ended at its start") as caught:
            start()
        assert 'invalid value for parameter "shared_buffers"' in str(caught.value)
        assert str(home / "postgres" / "log") in str(caught.value)

    def test_a_lost_superuser_password_is_named(self, home: Path, start: Start) -> None:
        pretend_data(home, version=18)
        with pytest.raises(EmbeddedPostgresError, match=r"superuser-password is gone.*restore"):
            start()

    def test_a_folder_without_programs_is_named(self, home: Path, tmp_path: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match=f"{tmp_path}.*HOLDFAST_POSTGRES_BIN"):
            embedded.start(home, binaries=tmp_path)

    def test_programs_of_another_version_than_the_data_are_refused(
        self, home: Path, start: Start
    ) -> None:
        pretend_data(home, version=14)
        (home / "postgres" / "superuser-password").touch()
        with pytest.raises(EmbeddedPostgresError, match="version 14, as the data was written by"):
            start()

    def test_the_variable_names_the_programs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = embedded.find_binaries(None)
        for program in ("postgres", "initdb"):
            (tmp_path / program).symlink_to(real / program)
        monkeypatch.setenv("HOLDFAST_POSTGRES_BIN", str(tmp_path))
        assert embedded.find_binaries(None) == tmp_path
        assert embedded.find_binaries(real) == real


class TestUsers:
    def test_a_closed_folder_above_stays_as_it_was(self, start: Start, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        before = [(path, path.stat().st_mode, path.stat().st_uid) for path in tmp_path.parents]
        before.append((tmp_path, tmp_path.stat().st_mode, tmp_path.stat().st_uid))
        assert fetch(start(), "select 1") == 1
        assert before == [(path, path.stat().st_mode, path.stat().st_uid) for path, *_ in before]

    @needs_root
    def test_root_gives_the_server_to_another_user(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        users = psutil.Process(shared.pid).uids()
        assert 0 not in users
        assert users.real == (shared_home / "postgres" / "data").stat().st_uid

    @needs_root
    def test_root_works_for_the_owner_of_the_project(self, home: Path, start: Start) -> None:
        nobody = pwd.getpwnam("nobody")
        home.parent.mkdir()
        os.chown(home.parent, nobody.pw_uid, nobody.pw_gid)
        assert psutil.Process(start().pid).uids().real == nobody.pw_uid
        made = [home, home / "postgres", *(home / "postgres").iterdir()]
        assert {path.stat().st_uid for path in made} == {nobody.pw_uid}

    @needs_root
    @needs_linux
    def test_a_folder_that_all_may_enter_takes_no_capability(
        self, postgres_binaries: Path | None
    ) -> None:
        binaries = reachable_binaries(pwd.getpwnam("postgres"), postgres_binaries)
        folder = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
        try:
            folder.chmod(0o755)
            with embedded.throwaway(folder, binaries=binaries) as server:
                assert capabilities(server.pid) == 0
        finally:
            shutil.rmtree(folder)

    @needs_root
    @needs_linux
    def test_a_closed_folder_takes_the_capability_to_read_and_no_other(
        self, shared: EmbeddedServer
    ) -> None:
        assert capabilities(shared.pid) == 1 << postgres_host.CAP_DAC_READ_SEARCH

    @needs_root
    @needs_linux
    def test_the_capability_that_docker_grants_suffices(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tmp_path.chmod(0o700)
        override = 1 << postgres_host.CAP_DAC_OVERRIDE
        monkeypatch.setattr(postgres_host, "_held_capabilities", lambda: override)
        assert fetch(start(), "select 1") == 1

    @needs_root
    def test_root_without_a_way_in_is_told_what_to_do(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tmp_path.chmod(0o700)
        monkeypatch.setattr(postgres_host, "_held_capabilities", lambda: 0)
        with pytest.raises(EmbeddedPostgresError, match=r"Move the project.*or set DATABASE_URL"):
            start()

    @needs_root
    def test_a_plain_user_starts_writes_and_stops(self, postgres_binaries: Path | None) -> None:
        user = pwd.getpwnam("nobody")
        binaries = reachable_binaries(user, postgres_binaries)
        folder = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
        try:
            os.chown(folder, user.pw_uid, user.pw_gid)

            def use() -> None:
                server = embedded.start(folder / ".holdfast", binaries=binaries)
                assert embedded.start(folder / ".holdfast") == server
                assert fetch(server, "select 1") == 1
                assert psutil.Process(server.pid).uids().real == user.pw_uid
                assert embedded.stop(folder / ".holdfast")

            run_as(user, use)
        finally:
            embedded.stop(folder / ".holdfast")
            shutil.rmtree(folder)

    @needs_root
    def test_another_user_is_told_whose_server_it_is(self, home: Path, start: Start) -> None:
        start()
        for path in (home, *home.parents):
            if path.stat().st_mode & 0o5 != 0o5 and path.is_relative_to(tempfile.gettempdir()):
                path.chmod(0o755)

        def use() -> None:
            with pytest.raises(EmbeddedPostgresError, match="was set up by another user"):
                embedded.start(home)

        run_as(pwd.getpwnam("nobody"), use)


def capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def reachable_binaries(user: pwd.struct_passwd, wanted: Path | None) -> Path:
    """Programs that the user may run, or a skip: a checkout under /root has none for nobody."""
    account = postgres_host.Account(user.pw_name, user.pw_uid, user.pw_gid, owns_project=True)
    candidates = [wanted] if wanted else [*postgres_host._candidates()]
    for folder in candidates:
        if (folder / "postgres").exists() and account.can_reach(folder / "postgres"):
            return folder
    pytest.skip(f"no Postgres programs in a folder that {user.pw_name} may enter: {candidates}")


def run_as(user: pwd.struct_passwd, action: Callable[[], None]) -> None:
    """Run `action` in a fork that becomes `user`; a new interpreter may be out of its reach."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            action()
            os._exit(0)
        finally:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestThrowaway:
    def test_it_is_fast_may_create_databases_and_leaves_nothing(
        self, tmp_path: Path, postgres_binaries: Path | None
    ) -> None:
        settings = {"work_mem": "8MB"}
        with embedded.throwaway(tmp_path, binaries=postgres_binaries, settings=settings) as server:
            shown = [fetch(server, f"show {name}") for name in ("fsync", "work_mem")]
            with connect(server, autocommit=True) as connection:
                connection.execute("create database another")
        assert shown == ["off", "8MB"]
        assert list(tmp_path.iterdir()) == []
        assert not is_alive(server.pid)

    def test_it_keeps_away_from_a_folder_in_use(self, home: Path, start: Start) -> None:
        server = start()
        with pytest.raises(EmbeddedPostgresError, match="exists"), embedded.throwaway(home):
            pass
        assert embedded.status(home) == server

    @needs_linux
    def test_it_dies_with_its_owner(self, home: Path, postgres_binaries: Path | None) -> None:
        script = (
            "with embedded.throwaway(home, binaries=binaries) as server:\n"
            "    print(server.pid, flush=True); time.sleep(60)"
        )
        with run_python(script, home, postgres_binaries) as owner:
            assert owner.stdout
            pid = int(owner.stdout.readline())
            family = [pid, *(child.pid for child in psutil.Process(pid).children())]
            owner.kill()
        wait_until(lambda: not any(is_alive(member) for member in family))
