"""Databases on a server where roles may be made, and logins as each of Holdfast's roles there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from pipelines.warehouse.embedded import throwaway
from pipelines.warehouse.postgres_cluster import SUPERUSER
from pipelines.warehouse.postgres_folder import ServerFiles, read_password
from tests.commands import conftest as commands
from tests.warm.processes import WarmPython

ROLES = ("owner", "writer", "reader")

holdfast = commands.holdfast
clean_environment = commands.clean_environment
environment = commands.environment


@dataclass(frozen=True)
class Logins:
    """The URL of a database as its admin, and as each of Holdfast's roles there."""

    prefix: str
    password: str
    admin: str

    def url(self, role: str) -> str:
        as_role = make_url(self.admin).set(username=self.prefix + role, password=self.password)
        return as_role.render_as_string(hide_password=False)

    def connect(self, role: str) -> psycopg.Connection:
        return connect(self.admin if role == "admin" else self.url(role))


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@pytest.fixture(scope="session")
def admin_server(
    postgres_binaries: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of somebody who may make roles: of DATABASE_URL, or of a server's superuser."""
    if given := os.environ.get("DATABASE_URL"):
        url = given.replace("postgres://", "postgresql://", 1)
        with connect(url) as connection:
            [may_create] = connection.execute(
                "select rolcreaterole or rolsuper from pg_roles where rolname = current_user"
            ).fetchone()
        if not may_create:
            pytest.skip("the role in DATABASE_URL may not create roles")
        yield make_url(url).set(drivername="postgresql+psycopg").render_as_string(False)
        return
    home = tmp_path_factory.mktemp("roles")
    with throwaway(home, binaries=postgres_binaries) as server:
        password = read_password(ServerFiles(home).superuser_password)
        admin = make_url(server.url).set(username=SUPERUSER, password=password)
        yield admin.render_as_string(hide_password=False)


@contextmanager
def roles_prefix(admin_server: str) -> Iterator[str]:
    """A prefix that nobody else's roles have; they are dropped when their databases are gone."""
    made = f"holdfast_{secrets.token_hex(4)}_"
    yield made
    with connect(admin_server) as connection:
        for role in (*ROLES, "admin"):
            name = sql.Identifier(made + role)
            connection.execute(sql.SQL("drop role if exists {}").format(name))


@contextmanager
def database(admin_server: str, name: str, template: str = "template1") -> Iterator[str]:
    """A new one, as somebody who may make roles; gone afterwards."""
    names = sql.Identifier(name), sql.Identifier(template)
    with connect(admin_server) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(*names))
    yield make_url(admin_server).set(database=name).render_as_string(hide_password=False)
    with connect(admin_server) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(names[0]))


@pytest.fixture
def prefix(admin_server: str) -> Iterator[str]:
    with roles_prefix(admin_server) as made:
        yield made


@pytest.fixture
def admin_url(admin_server: str, prefix: str) -> Iterator[str]:
    """An empty database, as somebody who may make roles."""
    with database(admin_server, f"{prefix}test") as url:
        yield url


@pytest.fixture(scope="session")
def migrated_by_owner(
    admin_server: str, warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Logins]:
    """The roles of `holdfast roles`, a password each, and a database that the owner migrated, never
    written to."""
    home = tmp_path_factory.mktemp("migrated_by_owner")
    holdfast = commands.holdfast_in(commands.clean_around(home), warm_python)
    with (
        roles_prefix(admin_server) as prefix,
        database(admin_server, f"{prefix}template") as url,
    ):
        made = Logins(prefix, secrets.token_hex(8), url)
        make_roles(made, holdfast)
        migrated = holdfast("migrate", DATABASE_URL=made.url("owner"))
        assert migrated.returncode == 0, migrated.stderr
        make_roles(made, holdfast)
        yield made


@pytest.fixture
def logins(admin_server: str, migrated_by_owner: Logins, holdfast) -> Iterator[Logins]:
    """Those roles in a clone of the test's own. What they may do to the database itself does not
    come with a clone, but by `holdfast roles` again."""
    known = migrated_by_owner
    template = make_url(known.admin).database
    with database(admin_server, f"{known.prefix}{secrets.token_hex(4)}", template) as url:
        made = replace(known, admin=url)
        make_roles(made, holdfast)
        yield made


def make_roles(logins: Logins, holdfast) -> None:
    done = holdfast("roles", "--prefix", logins.prefix, DATABASE_URL=logins.admin)
    assert done.returncode == 0, done.stderr
    with logins.connect("admin") as connection:
        for role in ROLES:
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(logins.prefix + role), sql.Literal(logins.password)
                )
            )
