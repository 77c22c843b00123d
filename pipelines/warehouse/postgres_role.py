"""Connecting to the project's own server, and the role and database that the project has there.

The project's role owns its database and is no superuser; the superuser serves this module alone.
"""

import psycopg
from psycopg import sql

from pipelines.errors import EmbeddedPostgresError
from pipelines.warehouse.postgres_cluster import SUPERUSER
from pipelines.warehouse.postgres_folder import ServerFiles, read_or_make_password, read_password

HOST = "127.0.0.1"
ROLE = DATABASE = "holdfast"


def provide_role_and_database(files: ServerFiles, port: int, *, createdb: bool) -> None:
    """Make the role and its database, or give the role the password that its file has now.

    Raises psycopg.OperationalError, and EmbeddedPostgresError where the superuser's password is
    lost: only a start can replace that one.
    """
    secret = read_password(files.superuser_password)
    if secret is None:
        raise locked_out(files, "is lost")
    try:
        connection = connect(port, SUPERUSER, secret, "postgres")
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise locked_out(files, "is not the one of this data") from error
        raise
    with connection:
        # Only the verifier travels: a statement may end up in the log.
        verifier = connection.pgconn.encrypt_password(
            read_or_make_password(files.password).encode(), ROLE.encode(), b"scram-sha-256"
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


def locked_out(files: ServerFiles, what: str) -> EmbeddedPostgresError:
    """The error for a server that runs and whose superuser's password nobody has."""
    return EmbeddedPostgresError(
        f"the superuser's password of the Postgres server in {files.folder} {what}: delete the file"
        f" {files.superuser_password}, stop the server (holdfast postgres stop) and start it again,"
        " which makes a new password. No data is touched"
    )


def connect(port: int, role: str, password: str, database: str) -> psycopg.Connection:
    """Connect, with nothing taken from PG… variables.

    SCRAM proves each side to the other: another server on this port is not mistaken for ours.
    """
    return psycopg.connect(
        host=HOST,
        hostaddr=HOST,
        port=port,
        user=role,
        password=password,
        dbname=database,
        require_auth="scram-sha-256",
        sslmode="disable",
        gssencmode="disable",
        options="",
        connect_timeout=5,
        autocommit=True,
    )
