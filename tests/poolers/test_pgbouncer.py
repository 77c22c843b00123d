"""Behind a real pgbouncer: what session pooling has to keep, and what transaction pooling breaks
must be refused before anything wrong is published.

`make test-poolers` runs these; they need the program pgbouncer (Debian's package of that name).
"""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from pipelines.errors import HoldfastError, SessionNotKept
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.sandbox.world import World
from pipelines.snapshots import Failed, take_snapshots
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run

pytestmark = pytest.mark.poolers

NOBODY = 65534
PATIENCE = 60
TARGETS, ROUNDS, CONCURRENCY = 16, 3, 4

SETTINGS = """
[databases]
{database} = host={host} port={port} dbname={database} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 20
max_client_conn = 200
ignore_startup_parameters = {ignored}
"""


@contextmanager
def pgbouncer(server: str, mode: str, *, ignored: str) -> Iterator[str]:
    """A pooler before `server`; the URL to connect to it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    assert program, "pgbouncer is not installed: apt-get install pgbouncer"
    url = make_url(server)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        listen = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder, "pgbouncer.ini")
        file.write_text(
            SETTINGS.format(
                database=url.database,
                host=url.host,
                port=url.port or 5432,
                user=url.username,
                password=url.password,
                listen=listen,
                mode=mode,
                ignored=ignored,
            )
        )
        # It refuses to run as root.
        with suppress(PermissionError):
            shutil.chown(file, NOBODY)
        user = NOBODY if Path("/proc/self").stat().st_uid == 0 else None
        process = subprocess.Popen([program, str(file)], user=user, stderr=subprocess.PIPE)
        try:
            pooled = url.set(host="127.0.0.1", port=listen)
            text = pooled.render_as_string(hide_password=False)
            wait_for(text, process)
            yield text
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    plain = url.replace("+psycopg", "")
    while True:
        assert process.poll() is None, process.communicate()[1].decode()
        with suppress(psycopg.OperationalError), psycopg.connect(plain):
            return


@pytest.fixture
def keys(world: World) -> list[str]:
    return [world.add_altura_item(5 + number) for number in range(TARGETS)]


Take = Callable[[str], list[Exception | None]]


@pytest.fixture
def take(runtime: Runtime, pipeline, keys: list[str]) -> Take:
    """Takes all targets through a URL, several at once, and then again; what became of each."""

    def taken(url: str) -> list[HoldfastError | None]:
        settings = runtime.providers["altura"].model_copy(
            update={"concurrency": CONCURRENCY, "page_size": 4, "requests_per_minute": 100_000}
        )
        targets = [pipeline.target(key) for key in keys]
        outcomes = []
        with (
            Client(PROVIDERS["altura"], settings) as client,
            Warehouse(url, connections=CONCURRENCY) as warehouse,
        ):
            for number in range(ROUNDS):
                run = Run(f"round {number}")
                outcomes += list(take_snapshots(targets, client, warehouse, run))
        return [outcome.error if isinstance(outcome, Failed) else None for outcome in outcomes]

    return taken


def wrong_snapshots(pipeline, world: World) -> list[str]:
    """Published snapshots whose rows are not those that the resting world has."""
    wrong = []
    for name, snapshot_id in pipeline.sql(
        "select t.name, s.snapshot_id from snapshot s join target t using (target_id)"
    ):
        rows = pipeline.sql(
            "select address, balance from altura_item_holders_snapshots where snapshot_id = :id",
            id=snapshot_id,
        )
        if {tuple(row) for row in rows} != {row[:2] for row in world.state(name).rows}:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("ignored", ["options", ""])
def test_session_pooling_publishes_every_snapshot_and_each_is_right(
    database_url: str, take: Take, pipeline, world: World, ignored: str
) -> None:
    with pgbouncer(database_url, "session", ignored=ignored) as url:
        assert take(url) == [None] * TARGETS * ROUNDS
    assert wrong_snapshots(pipeline, world) == []
    assert pipeline.sql("select count(*) from snapshot") == [(TARGETS * ROUNDS,)]


def test_transaction_pooling_publishes_nothing_wrong_and_is_named_with_the_ways_out(
    database_url: str, take: Take, pipeline, world: World
) -> None:
    with pgbouncer(database_url, "transaction", ignored="options") as url:
        errors = [error for error in take(url) if error is not None]
    assert wrong_snapshots(pipeline, world) == []
    assert errors, "the pooler never changed a session: this shows nothing"
    assert {type(error) for error in errors} == {SessionNotKept}
    told = str(errors[0])
    assert "pooler" in told
    assert "session pooling" in told
    assert "server's own address" in told
    kept = pipeline.sql("select distinct reason, transient from walk_failure")
    assert kept == [("SessionNotKept", False)]


def test_transaction_pooling_that_never_changes_the_session_is_not_refused(
    database_url: str, runtime: Runtime, pipeline, keys: list[str]
) -> None:
    with (
        pgbouncer(database_url, "transaction", ignored="options") as url,
        Client(PROVIDERS["altura"], runtime.providers["altura"]) as client,
        Warehouse(url, connections=1) as warehouse,
    ):
        one = client.settings.model_copy(update={"concurrency": 1})
        client.settings = one
        outcomes = list(
            take_snapshots([pipeline.target(keys[0])], client, warehouse, Run("a round"))
        )
    assert [outcome for outcome in outcomes if isinstance(outcome, Failed)] == []


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_times_and_texts_read_behind_a_pooler_are_what_they_are_without(
    database_url: str, pipeline, keys: list[str], mode: str
) -> None:
    snapshot = pipeline.take(keys[0])
    with (
        pgbouncer(database_url, mode, ignored="options") as url,
        Warehouse(url, connections=3) as warehouse,
    ):
        for _ in range(20):  # often enough for a driver to prepare the statement
            with warehouse.transaction() as connection, warehouse.transaction() as other:
                found = [
                    one.exec_driver_sql("select published_at from snapshot").scalar_one()
                    for one in (connection, other)
                ]
            assert found == [snapshot.published_at] * 2
            assert {moment.utcoffset().total_seconds() for moment in found} == {0}
