"""What many tests need: a real Postgres, and a database of one's own on it.

The server is DATABASE_URL's where that is set (its role must be allowed to create databases), else
one that starts for the session and dies with it.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from pipelines.warehouse.embedded import throwaway


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres-bin",
        type=Path,
        help="folder of the Postgres programs to test with (default: $HOLDFAST_POSTGRES_BIN,"
        " else what the project itself would use)",
    )


@pytest.fixture(scope="session")
def postgres_binaries(pytestconfig: pytest.Config) -> Path | None:
    """The folder of Postgres programs that was asked for, if any."""
    return pytestconfig.getoption("--postgres-bin")


@pytest.fixture(scope="session")
def postgres_server(
    postgres_binaries: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL (postgresql+psycopg://…) of a server on which databases may be created."""
    if given := os.environ.get("DATABASE_URL"):
        url = make_url(given.replace("postgres://", "postgresql://", 1))
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
    _execute(
        server,
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name or "")),
    )


def _execute(server: URL, statement: sql.Composed) -> None:
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(statement)
