"""`holdfast roles`: an owner, a writer and a reader for a database, without psql."""

import sys
from enum import StrEnum
from typing import Annotated

import psycopg
import sqlalchemy as sa
import typer
from psycopg import sql

from pipelines.commands.terminal import reading_runtime, tell
from pipelines.errors import ConfigurationError
from pipelines.warehouse.migrate import SQL, execute_file
from pipelines.warehouse.postgres import Warehouse

PREFIX = "holdfast_"


class Role(StrEnum):
    """The roles that sql/roles.sql makes."""

    OWNER = "owner"
    WRITER = "writer"
    READER = "reader"


def roles(
    context: typer.Context,
    *,
    prefix: Annotated[str, typer.Option(help="What the names of the roles begin with.")] = PREFIX,
    password: Annotated[
        Role | None,
        typer.Option("--password", help="Set this role's password; asks for it."),
    ] = None,
) -> None:
    """Make the roles of least privilege in the database, or set one's password; safe to repeat.

    DATABASE_URL has to be that of somebody who may create roles and owns the database. The owner
    migrates, the writer takes snapshots, the reader asks: give each the URL of its own role.
    With psql: psql "$ADMIN_URL" -f sql/roles.sql

    \b
    holdfast roles
    holdfast roles --password writer                 asks for it twice
    pass show holdfast/writer | holdfast roles --password writer
    """
    if not prefix.strip():
        raise ConfigurationError("the prefix of the roles is empty: give one, such as holdfast_")
    with Warehouse(reading_runtime(context).database_url(), connections=1) as warehouse:
        if password:
            _set_password(warehouse, prefix + password)
            tell(f"The password of {prefix}{password} is set.")
            return
        with warehouse.transaction() as connection:
            connection.execute(sa.select(sa.func.set_config("holdfast.role_prefix", prefix, True)))
            execute_file(connection, SQL / "roles.sql")
    tell(
        f"{warehouse.place} has the roles {prefix}owner (for holdfast migrate), {prefix}writer"
        f" (for snapshots) and {prefix}reader (for SQL). One without a password can't log in:"
        " holdfast roles --password ROLE"
    )


def _set_password(warehouse: Warehouse, role: str) -> None:
    """Set it as the verifier that libpq makes of it, so that the server's log never holds it."""
    secret = _ask(f"Password of {role}")
    with warehouse.transaction() as connection:
        driver = connection.connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            raise ConfigurationError("the connection was closed before the password was set")
        verifier = driver.pgconn.encrypt_password(
            secret.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        driver.execute(
            sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
        )


def _ask(what: str) -> str:
    """A secret typed twice without being shown, or the first line of a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=True))
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise ConfigurationError(f"{what}: expected it in the first line of standard input")
    return secret
