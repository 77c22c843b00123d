"""The embedded server after a kill -9: of it, of whoever started it, of all at once, at any moment.

Whatever was committed is there afterwards.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse import embedded
from pipelines.warehouse.embedded import EmbeddedServer
from pipelines.warehouse.postgres_life import is_alive
from tests.patience import wait_until

Start = Callable[[], EmbeddedServer]

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")

START_AND_WAIT = """
server = embedded.start(home, binaries=binaries)
print(server.pid, flush=True)
sys.stdin.read()
"""
START_WHEN_TOLD = """
print("ready", flush=True)
sys.stdin.readline()
embedded.start(home, binaries=binaries)
"""
# From <linux/prctl.h>: orphans come to this process, which never asks how they ended.
START_AS_NEGLIGENT_INIT = """
import ctypes
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
print(embedded.start(home, binaries=binaries).pid, flush=True)
sys.stdin.readline()
print(embedded.status(home), flush=True)
print(embedded.start(home, binaries=binaries).pid, flush=True)
print(embedded.stop(home), embedded.status(home), flush=True)
"""


class TestTheOwner:
    @pytest.mark.parametrize(
        "milestone", ["data.new-*/base", "data/PG_VERSION", "data/postmaster.pid", "password"]
    )
    def test_killed_while_it_starts_a_server_leaves_nothing_in_the_way(
        self, home: Path, start: Start, lab, milestone: str
    ) -> None:
        with lab.running(START_AND_WAIT, home) as owner:
            # On a busy machine the first may have come and gone between two looks.
            reached = (milestone, "password")
            folder = home / "postgres"
            wait_until(lambda: any(any(folder.glob(it)) for it in reached), milestone)
            os.killpg(owner.pid, signal.SIGKILL)
        server = start()
        lab.keep(server)
        assert lab.kept(server) == [42]
        assert not list((home / "postgres").glob("*.new-*"))
        assert not (home / "postgres" / "initdb-password").exists()

    @pytest.mark.parametrize("milliseconds", [8, 14, 20, 40, 80])
    def test_killed_while_it_starts_a_server_leaves_none_that_a_stop_does_not_end(
        self, home: Path, start: Start, lab, milliseconds: int
    ) -> None:
        start()
        embedded.stop(home)
        with lab.running(START_WHEN_TOLD, home) as owner:
            assert owner.stdout.readline() == "ready\n"
            owner.stdin.write("\n")
            owner.stdin.flush()
            time.sleep(milliseconds / 1000)
            os.killpg(owner.pid, signal.SIGKILL)
            owner.wait()
        embedded.stop(home)
        assert lab.processes_on(home) == []

    def test_killed_later_leaves_the_server_to_the_others(
        self, home: Path, start: Start, lab
    ) -> None:
        with lab.running(START_AND_WAIT, home) as owner:
            pid = int(owner.stdout.readline())
            with lab.connect(start()) as connection:
                os.killpg(owner.pid, signal.SIGKILL)
                owner.wait()
                assert connection.execute("select 1").fetchone() == (1,)
        assert start().pid == pid


class TestTheServer:
    def test_killed_starts_again_with_what_was_committed(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        lab.keep(first)
        lab.kill(first.pid)
        assert embedded.status(home) is None
        assert lab.kept(start()) == [42]

    def test_killed_with_all_its_processes_starts_again(
        self, home: Path, start: Start, lab
    ) -> None:
        first = start()
        lab.keep(first)
        with closing(lab.connect(first)) as connection:
            connection.execute("insert into kept values (43)")  # never committed
            os.killpg(os.getpgid(first.pid), signal.SIGKILL)
            lab.kill(*lab.processes_on(home))
            assert lab.kept(start()) == [42]

    def test_killed_over_and_over_keeps_every_commit(self, home: Path, start: Start, lab) -> None:
        for number in range(4):
            server = start()
            lab.keep(server, number)
            lab.kill(*lab.processes_on(home))
        assert lab.kept(start()) == [0, 1, 2, 3]

    def test_a_process_that_outlives_it_is_named_and_nothing_starts_beside_it(
        self, home: Path, start: Start, lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = start()
        lab.keep(first)
        with lab.connect(first) as connection:
            backend = connection.info.backend_pid
            os.kill(backend, signal.SIGSTOP)  # as if stuck in a system call
            lab.kill(first.pid)
            try:
                monkeypatch.setattr(embedded, "LINGER_SECONDS", 0.5)
                with pytest.raises(EmbeddedPostgresError, match=rf"still held.*kill.*{backend}"):
                    start()
                with pytest.raises(EmbeddedPostgresError, match="still held"):
                    embedded.stop(home)
                monkeypatch.undo()
            finally:
                os.kill(backend, signal.SIGCONT)
        assert lab.kept(start()) == [42]

    def test_whoever_else_has_its_lock_is_named(
        self, home: Path, start: Start, lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start()
        embedded.stop(home)
        holder = (
            "import fcntl; held = (home / 'postgres' / 'server-lock').open('r+')\n"
            "fcntl.flock(held, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
        )
        monkeypatch.setattr(embedded, "LINGER_SECONDS", 0.5)
        with lab.running(holder, home) as process:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(EmbeddedPostgresError, match=rf"still held.*\(kill {process.pid}\)"):
                start()
        assert lab.fetch(start(), "select 1") == 1

    @needs_linux
    def test_a_zombie_is_no_server(self, home: Path, lab) -> None:
        with lab.running(START_AS_NEGLIGENT_INIT, home) as init:
            first = int(init.stdout.readline())
            lab.kill(first)
            assert psutil.Process(first).status() == psutil.STATUS_ZOMBIE
            init.stdin.write("\n")
            init.stdin.flush()
            assert init.stdout.readline() == "None\n"
            second = int(init.stdout.readline())
            assert second != first
            assert init.stdout.readline() == "True None\n"
            assert not is_alive(second)


class TestWhatWasLeft:
    @pytest.mark.parametrize("content", ["{us}\n/somewhere\n1\n1\n", "", "garbage\n", "1"])
    def test_a_pid_file_that_means_no_server_does_not_stop_a_start(
        self, home: Path, start: Start, lab, content: str
    ) -> None:
        lab.kill(start().pid)
        pid_file = home / "postgres" / "data" / "postmaster.pid"
        pid_file.write_text(content.format(us=os.getpid()))
        assert embedded.status(home) is None
        assert not embedded.stop(home)
        assert lab.fetch(start(), "select 1") == 1

    def test_a_half_made_data_directory_is_made_anew(self, home: Path, start: Start, lab) -> None:
        (home / "postgres" / "data.new-1" / "base").mkdir(parents=True)
        (home / "postgres" / "data").mkdir()
        assert lab.fetch(start(), "select 1") == 1
        assert not list((home / "postgres").glob("data.new-*"))
