"""Whatever Postgres suffers at whatever point of a snapshot, nothing is half there and the next run
works: it is killed, it is stopped at once, it has no disk left for the staging tables.

The server is the project's own, with fsync on, started again after each death as `holdfast` does.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pipelines.warehouse import embedded
from pipelines.warehouse.embedded import EmbeddedServer
from pipelines.warehouse.migrate import migrate
from pipelines.warehouse.postgres_cluster import SUPERUSER
from pipelines.warehouse.postgres_folder import ServerFiles, read_password
from pipelines.warehouse.postgres_life import claimed, is_alive
from pipelines.warehouse.postgres_role import ROLE, connect
from tests.end_to_end.crashes import (
    BEFORE_DELTA,
    CHANGED,
    COMMITTED,
    FIRST_PAGE,
    FROM_DELTA,
    POINTS,
    RECORDED,
    RECORDING,
    TABLES,
    Point,
    Scene,
    acting,
)
from tests.patience import wait_until

RUN = "worker"


class Server:
    """One that can be ended and started again, at the same address."""

    def __init__(self, home: Path, binaries: Path | None) -> None:
        self._home = home
        self._binaries = binaries
        self.now = self.start()
        migrate(self.now.url)
        with self.as_superuser() as connection:
            # What sweeps up a dead server's temp tables looks around once a minute by default.
            connection.execute("alter system set autovacuum_naptime = '1s'")
            connection.execute("select pg_reload_conf()")
            assert connection.execute("show fsync").fetchone() == ("on",)

    def start(self) -> EmbeddedServer:
        self.now = embedded.start(self._home, binaries=self._binaries)
        return self.now

    def end(self, by: signal.Signals) -> None:
        pid = self.now.pid
        os.kill(pid, by)
        wait_until(lambda: not is_alive(pid) and self._is_free(), "its processes to end")

    def _is_free(self) -> bool:
        with claimed(ServerFiles(self._home)) as lock:
            return lock is not None

    def restart(self) -> None:
        before = self.now
        assert self.start().pid != before.pid
        assert self.now.url == before.url

    def as_superuser(self) -> psycopg.Connection:
        secret = read_password(ServerFiles(self._home).superuser_password)
        return connect(self.now.port, SUPERUSER, secret, "holdfast")

    def owner(self) -> tuple[int, int]:
        found = self.now.data_directory.stat()
        return found.st_uid, found.st_gid


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, postgres_binaries: Path | None
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("killed") / ".holdfast"
    try:
        yield Server(home, postgres_binaries)
    finally:
        embedded.stop(home)


@pytest.fixture
def database_url(server: Server) -> str:
    """The server's only database, emptied."""
    url = server.start().url
    with server.as_superuser() as connection:
        connection.execute(f"truncate {', '.join(TABLES)} restart identity cascade")
    return url


@pytest.fixture
def scene(pipeline, sandbox, world) -> Iterator[Scene]:
    with acting(pipeline, sandbox, world) as prepared:
        yield prepared


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_postgres_is_killed_and_back_before_the_worker_notices_when(
    point: Point, server: Server, scene: Scene
):
    worker = scene.work(RUN, point)
    seen = scene.everything()
    server.end(signal.SIGKILL)
    server.restart()
    assert scene.everything() == seen
    worker.go_on()
    outcome = worker.outcome()
    if point.committed:
        assert outcome["repeated"] is False
        assert scene.failures() == []
    elif point.refused:
        assert outcome["failed"] == "RequestRefused"
        assert scene.failures() == (["RequestRefused"] if point is RECORDED else [])
    else:
        assert outcome["failed"] == "WarehouseUnreachable"
        assert scene.failures() == ["WarehouseUnreachable"]
    scene.wait_until_free()
    assert scene.everything() == seen
    scene.check_repeat(RUN, published=point.committed)


@pytest.mark.parametrize("point", [FIRST_PAGE, CHANGED, COMMITTED, RECORDING], ids=str)
def test_postgres_is_stopped_at_once_and_stays_away_until_the_worker_has_ended_when(
    point: Point, server: Server, scene: Scene
):
    worker = scene.work(RUN, point)
    seen = scene.everything()
    server.end(signal.SIGQUIT)
    worker.go_on()
    outcome = worker.outcome()
    server.restart()
    if point.committed:
        assert outcome["repeated"] is False
    else:
        assert outcome["failed"] == ("RequestRefused" if point.refused else "WarehouseUnreachable")
    assert scene.failures() == []
    scene.wait_until_free()
    assert scene.everything() == seen
    scene.check_repeat(RUN, published=point.committed)


class Disk:
    """A small one, in memory, that holds nothing but temp tables."""

    def __init__(self, path: Path) -> None:
        self._filler = path / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as file:
            for block in (b"x" * 65_536, b"x" * 512):
                with suppress(OSError):
                    while True:
                        file.write(block)

    def free(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(server: Server, tmp_path: Path) -> Iterator[Disk]:
    """Where the role's temp tables go, from the next connection on."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("this user or machine may not mount")
    try:
        space = path / "space"
        space.mkdir(mode=0o700)
        os.chown(space, *server.owner())
        with server.as_superuser() as connection:
            connection.execute(f"create tablespace small location '{space}'")
            connection.execute(f"grant create on tablespace small to {ROLE}")
            connection.execute(f"alter role {ROLE} set temp_tablespaces = small")
        yield Disk(path)
        with server.as_superuser() as connection:
            connection.execute(f"alter role {ROLE} reset temp_tablespaces")
            wait_until(lambda: _dropped(connection), "the tablespace to be free")
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _dropped(connection: psycopg.Connection) -> bool:
    """Whether the tablespace is gone: it can't be dropped before the sessions that used it end."""
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [ROLE]
    )
    try:
        connection.execute("drop tablespace small")
    except psycopg.errors.ObjectNotInPrerequisiteState:
        return False
    return True


@pytest.fixture
def cramped(disk: Disk, scene: Scene) -> Disk:
    return disk


@pytest.mark.parametrize("point", BEFORE_DELTA, ids=str)
def test_the_disk_for_staging_is_full_and_the_target_fails_for_now_when(
    point: Point, cramped: Disk, scene: Scene
):
    worker = scene.work(RUN, point)
    cramped.fill()
    worker.go_on()
    outcome = worker.outcome()
    assert outcome["failed"] == "WarehouseInterrupted"
    assert "No space left on device" in outcome["message"]
    assert scene.sql("select reason, transient, held_rows from walk_failure") == [
        ("WarehouseInterrupted", True, None)
    ]
    assert scene.everything() == scene.before
    cramped.free()
    scene.wait_until_free()
    assert scene.everything() == scene.before
    scene.check_repeat(RUN, published=False)


@pytest.mark.parametrize("point", FROM_DELTA, ids=str)
def test_the_disk_for_staging_is_full_and_nothing_of_it_is_needed_any_more_when(
    point: Point, cramped: Disk, scene: Scene
):
    worker = scene.work(RUN, point)
    cramped.fill()
    worker.go_on()
    assert worker.outcome()["repeated"] is False
    assert scene.failures() == []
    scene.wait_until_free()
    cramped.free()
    scene.check_repeat(RUN, published=True)
