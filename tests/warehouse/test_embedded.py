"""The embedded server as it should go, with real servers; what goes wrong has files of its own.

Of the version that HOLDFAST_POSTGRES_BIN names, else of the wheel's.
"""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded
from pipelines.warehouse.embedded import EmbeddedServer
from pipelines.warehouse.postgres_life import is_alive
from tests.patience import PATIENCE, wait_until

Start = Callable[[], EmbeddedServer]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a process that its parent ended (prctl)"
)


class TestStarting:
    def test_what_was_written_is_there_after_a_stop_and_a_start(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        with lab.connect(first) as connection:
            connection.execute("create table kept as select 42 as answer")
        assert embedded.stop(home)
        assert embedded.status(home) is None
        second = start()
        assert lab.fetch(second, "select answer from kept") == 42
        assert second.url == first.url, "a dashboard would have to be told"
        assert second.pid != first.pid

    def test_a_second_start_attaches_to_the_running_server(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        assert embedded.start(shared_home) == shared == embedded.status(shared_home)

    def test_a_server_without_a_free_connection_is_attached_to(
        self, shared_home: Path, shared: EmbeddedServer, lab
    ) -> None:
        with ExitStack() as stack:
            with suppress(psycopg.OperationalError):
                for _ in range(60):
                    stack.enter_context(lab.connect(shared))
            assert embedded.start(shared_home).pid == shared.pid

    def test_nothing_runs_and_nothing_is_made_before_a_start(self, home: Path) -> None:
        assert embedded.status(home) is None
        assert not embedded.stop(home)
        assert not home.exists()

    def test_processes_that_start_at_once_share_one_server(
        self, home: Path, start: Start, lab
    ) -> None:
        script = "print(embedded.start(home, binaries=binaries))"
        with ExitStack() as stack:
            racers = [stack.enter_context(lab.running(script, home)) for _ in range(4)]
            answers = {racer.communicate(timeout=PATIENCE)[0].strip() for racer in racers}
        assert answers == {repr(start())}

    def test_a_taken_port_is_left_to_whoever_took_it(self, home: Path, start: Start, lab) -> None:
        port = start().port
        embedded.stop(home)
        with socket.create_server(("127.0.0.1", port)):
            server = start()
        assert server.port != port
        assert lab.fetch(server, "select 1") == 1

    def test_the_server_says_utc_and_utf8_whatever_the_caller_says(
        self, shared: EmbeddedServer, lab
    ) -> None:
        assert lab.fetch(shared, "show timezone") == "UTC"
        assert lab.fetch(shared, "show server_encoding") == "UTF8"


class TestWhoMayConnect:
    def test_it_listens_on_the_loopback_address_alone(self, shared: EmbeddedServer) -> None:
        sockets = psutil.Process(shared.pid).net_connections(kind="all")
        assert [held.laddr for held in sockets] == [("127.0.0.1", shared.port)]

    def test_a_wrong_password_is_refused(self, shared: EmbeddedServer, lab) -> None:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            lab.connect(shared, password="wrong")

    def test_the_role_owns_its_database_and_is_no_superuser(
        self, shared: EmbeddedServer, lab
    ) -> None:
        rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication"
        query = f"select array[{rights}] from pg_roles where rolname = current_user"
        assert lab.fetch(shared, query) == [False, False, False, False]
        query = "select datdba::regrole::text from pg_database where datname = current_database()"
        assert lab.fetch(shared, query) == "holdfast"

    def test_passwords_are_nowhere_but_in_their_files(
        self, shared_home: Path, shared: EmbeddedServer
    ) -> None:
        files = [shared_home / "postgres" / name for name in ("password", "superuser-password")]
        assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
        assert [path.stat().st_uid for path in files] == [os.geteuid(), os.geteuid()]
        commands = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
        log = (shared_home / "logs" / "postgres.log").read_text()
        for secret in (path.read_text() for path in files):
            assert len(secret) >= 32
            assert secret not in repr(shared) + repr(commands) + log
        assert not list((shared_home / "postgres").glob("initdb-password*"))

    def test_a_lost_password_is_replaced_while_the_server_runs(
        self, home: Path, start: Start, lab
    ) -> None:
        old = start()
        (home / "postgres" / "password").unlink()
        new = start()
        assert new.pid == old.pid
        assert new.url != old.url
        assert lab.fetch(new, "select 1") == 1


class TestThrowaway:
    def test_it_is_fast_may_create_databases_and_leaves_nothing(
        self, tmp_path: Path, postgres_binaries: Path | None, lab
    ) -> None:
        settings = {"work_mem": "8MB"}
        with embedded.throwaway(tmp_path, binaries=postgres_binaries, settings=settings) as server:
            shown = [lab.fetch(server, f"show {name}") for name in ("fsync", "work_mem")]
            with lab.connect(server, autocommit=True) as connection:
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
    def test_it_dies_with_its_owner(self, home: Path, lab) -> None:
        script = (
            "with embedded.throwaway(home, binaries=binaries) as server:\n"
            "    print(server.pid, flush=True); sys.stdin.read()"
        )
        with lab.running(script, home) as owner:
            assert owner.stdout
            pid = int(owner.stdout.readline())
            family = [pid, *(child.pid for child in psutil.Process(pid).children())]
            owner.kill()
        wait_until(lambda: not any(is_alive(member) for member in family), "all of it to end")
