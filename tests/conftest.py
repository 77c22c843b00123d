"""What many tests need: a real Postgres with a database of one's own on it, a sandbox, and the
pipeline between the two.

The server is DATABASE_URL's where that is set (its role must be allowed to create databases), else
one that starts for the session and dies with it.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import URL, make_url

from pipelines.demo import demo_runtime
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Target
from pipelines.runtime import Runtime
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.settings import Settings
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.embedded import throwaway
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import PublishedSnapshot, Run
from tests.patience import wait_until
from tests.warm.processes import WarmPython

# Else each process that a test starts would compile the package anew, 0.2 s every time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What runs in the background or under nohup ignores signals, and so would all that it starts.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

# A machine that is busy with something else is no failure.
hypothesis.settings.register_profile("holdfast", deadline=None)
hypothesis.settings.load_profile("holdfast")


def pytest_xdist_auto_num_workers() -> int:
    """For `--numprocesses=auto`: half as many again as processors, since a test of processes and
    servers waits a third of its time."""
    return (os.cpu_count() or 1) * 3 // 2


LIBRARIES = (
    "import pandas, pydantic_settings.main, rich.progress\n"
    "import pipelines.cli, pipelines.demo_rounds"
)
"""What brings in every library that a command may import, also late."""


def forget_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine's, and no setting of a provider's."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for provider in PROVIDERS.values():
        prefix = provider.settings_type.model_config["env_prefix"]
        for field in provider.settings_type.model_fields:
            monkeypatch.delenv(f"{prefix}{field}".upper(), raising=False)


@pytest.fixture(scope="session")
def warm_python() -> Iterator[WarmPython]:
    with WarmPython(LIBRARIES) as running:
        yield running


@pytest.fixture(scope="session")
def postgres_binaries() -> Path | None:
    """The folder of Postgres programs to test with, if one was asked for."""
    setting = os.environ.get("HOLDFAST_POSTGRES_BIN")
    return Path(setting) if setting else None


@pytest.fixture(scope="session")
def postgres_server(
    postgres_binaries: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL (postgresql+psycopg://…) of a server on which databases may be created."""
    if given := os.environ.get("DATABASE_URL"):
        url = make_url(given.replace("postgres://", "postgresql://", 1))
        try:
            _execute(url, sql.SQL("select 1").format())
        except psycopg.OperationalError as error:
            pytest.exit(f"DATABASE_URL can't be used for the tests: {error}", returncode=2)
        yield url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return
    home = tmp_path_factory.mktemp("server")
    with throwaway(home, binaries=postgres_binaries) as server:
        yield server.url


@pytest.fixture(scope="session")
def create_database(postgres_server: str) -> Iterator[Callable[..., str]]:
    """`create_database(template=None)` makes a database and returns its URL; dropped at the end.

    `template` is the URL of the database to clone.
    """
    server = make_url(postgres_server)
    made: list[str] = []
    numbers = itertools.count(1)

    def create(template: str | None = None) -> str:
        name = f"holdfast_test_{os.getpid()}_{next(numbers)}"
        source = make_url(template).database if template else "template1"
        statement = sql.SQL("create database {} template {} strategy file_copy")
        _execute(server, statement.format(sql.Identifier(name), sql.Identifier(source or "")))
        made.append(name)
        return server.set(database=name).render_as_string(hide_password=False)

    yield create
    for name in made:
        _drop(server, name)


@pytest.fixture
def empty_database_url(postgres_server: str, create_database: Callable[..., str]) -> Iterator[str]:
    """A database without tables, gone after the test."""
    url = create_database()
    yield url
    _drop(make_url(postgres_server), make_url(url).database)


@pytest.fixture(scope="session")
def migrated_template(create_database: Callable[..., str]) -> str:
    """The database that `database_url` clones: migrated once in a session, never written to."""
    from pipelines.warehouse.migrate import migrate  # noqa: PLC0415 - not every test needs it

    url = create_database()
    migrate(url)
    return url


@pytest.fixture
def database_url(
    postgres_server: str, create_database: Callable[..., str], migrated_template: str
) -> Iterator[str]:
    """A migrated database without rows, gone after the test."""
    url = create_database(template=migrated_template)
    yield url
    _drop(make_url(postgres_server), make_url(url).database)


def _drop(server: URL, name: str | None) -> None:
    """Drop a database, again where autovacuum is at work in it: that is not ours to end."""
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name or ""))

    def dropped() -> bool:
        try:
            _execute(server, drop)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            return False
        return True

    wait_until(dropped, f"autovacuum to leave {name}")


def _execute(server: URL, statement: sql.Composed) -> None:
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)


class Pipeline:
    """The real pipeline over the sandbox and a database: takes snapshots, asks SQL."""

    def __init__(self, runtime: Runtime, world: World, stack: ExitStack) -> None:
        self.runtime = runtime
        self.world = world
        self.warehouse: Warehouse = stack.enter_context(runtime.open_warehouse())
        self._stack = stack
        self._clients: dict[str, Client] = {}
        self._runs = itertools.count(1)

    def client(self, provider: str, **settings: Any) -> Client:
        """The provider's client; with `settings`, one of its own that has those changed."""
        known = self.runtime.providers[provider]
        if settings:
            changed = known.model_copy(update=settings)
            return self._stack.enter_context(Client(PROVIDERS[provider], changed))
        if provider not in self._clients:
            self._clients[provider] = self._stack.enter_context(Client(PROVIDERS[provider], known))
        return self._clients[provider]

    def target(self, key: str, **options: Any) -> Target:
        """The target of a key of the world, such as hiro:SP…."""
        provider = key.partition(":")[0]
        return PROVIDERS[provider].target_type(**SANDBOXES[provider].target(key), **options)

    def take(
        self, target: Target | str, *, run: str | None = None, **settings: Any
    ) -> PublishedSnapshot:
        """Take and publish a snapshot, in a run of its own unless one is named."""
        if isinstance(target, str):
            target = self.target(target)
        accept_empty = settings.pop("accept_empty", False)
        client = self.client(target.provider, **settings)
        run_of = Run(run or f"test {next(self._runs)}")
        return take_snapshot(
            target, client, self.warehouse, run_of, accept_empty=accept_empty
        ).snapshot

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        """The rows of a query, in a transaction of its own."""
        with self.warehouse.transaction() as connection:
            result = connection.execute(sa.text(statement), parameters)
            return list(result.all()) if result.returns_rows else []


@pytest.fixture
def world() -> World:
    """A world without targets: a test adds what it needs."""
    return World(size=EMPTY)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as running:
        yield running


@pytest.fixture
def runtime(sandbox: Sandbox, database_url: str, tmp_path: Path) -> Runtime:
    """What a run needs, pointed at the sandbox and at a migrated database of the test's own."""
    made = demo_runtime(Settings(_env_file=None), sandbox.urls)
    settings = made.settings.model_copy(
        update={
            "database_url": SecretStr(database_url),
            "holdfast_home": tmp_path,
            "holdfast_targets": tmp_path / "targets.yaml",
        }
    )
    return Runtime(settings, made.providers)


@pytest.fixture
def pipeline(runtime: Runtime, world: World) -> Iterator[Pipeline]:
    with ExitStack() as stack:
        yield Pipeline(runtime, world, stack)
