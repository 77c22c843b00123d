"""What Holdfast relies on in a session of Postgres: set when a connection is made, and read back.

It is set by statement. Startup options are lost silently behind a pooler that was told to ignore
them, and what a role or a database sets (a date style, an encoding) would change how values read.

A session also has to stay the same one, as walks are staged in temp tables. Behind a pooler that
lends a session for one transaction (pgbouncer's `pool_mode=transaction`), 20 of 48 snapshots were
published with rows of another target. So each connection marks its session with a nonce of its own,
and every transaction that touches staging compares it. The backend's process id is no such mark: a
pooler may report one that it made up.
"""

import secrets
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from pipelines.errors import ConfigurationError, SessionNotKept

FORMATS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
}
"""How values are written and read. Without these, they would be wrong or could not be read."""

PATIENCE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "1s",
    "idle_in_transaction_session_timeout": "60s",
}
"""What frees the lock of a dead worker within seconds: the server's keepalives notice a machine
that is gone, `client_connection_check_interval` a process that was killed, and the timeout one that
hangs. Without them the lock is held until the statement ends, or for two hours."""

_NONCE = "holdfast.session"
"""The setting that marks a session, and the key of its value in a connection's `info`."""

TABLE_PREFIX = "staging_"
"""How the names of the temp tables begin that no other session has."""

_SET = sql.SQL("select set_config(name, value, false) from unnest({}::text[], {}::text[])").format(
    sql.Placeholder("names"), sql.Placeholder("values")
) + sql.SQL(" as wanted (name, value)")
_READ = "select name, current_setting(name) from unnest(%s::text[]) as wanted (name)"


def begin_session(
    driver: psycopg.Connection[Any],
    info: MutableMapping[Any, Any],
    *,
    given: str,
    place: str,
    name: str | None = None,
) -> None:
    """Set what is relied on in a session that was just connected to, and mark it in `info`.

    `given` are the options in DATABASE_URL, whose own patience is kept; `place` names the database
    in messages, `name` the session for those who look at the server. Raises ConfigurationError for
    a database that is not UTF-8, and where a format can't be set; psycopg.Error.
    """
    nonce = secrets.token_hex(16)
    patience = {key: value for key, value in PATIENCE.items() if key not in given}
    named = {"application_name": name} if name else {}
    _set(driver, FORMATS | patience | named | {_NONCE: nonce})
    _check_formats(driver, place)
    driver.commit()
    info[_NONCE] = nonce


@contextmanager
def same_session(connection: sa.Connection) -> Iterator[None]:
    """A transaction in the session that this connection was made in.

    Raises SessionNotKept, before anything else is done, where it is another one.
    """
    with connection.begin():
        _compare(connection)
        try:
            yield
        except (sa.exc.ProgrammingError, psycopg.errors.UndefinedTable) as error:
            if _lacks_staging(getattr(error, "orig", error)):
                raise _not_kept(connection, "has not got") from None
            raise


def _set(driver: psycopg.Connection[Any], wanted: Mapping[str, str]) -> None:
    driver.execute(_SET, {"names": list(wanted), "values": list(wanted.values())})


def _check_formats(driver: psycopg.Connection[Any], place: str) -> None:
    found = dict(driver.execute(_READ, [[*FORMATS, "server_encoding"]]).fetchall())
    encoding = found.pop("server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(
            f"the database at {place} is encoded in {encoding}, which can't hold every name and"
            " token value. Make one that is UTF-8: create database … encoding 'UTF8' template"
            " template0"
        )
    lost = [f"{name} is {found[name]!r}" for name in FORMATS if found[name] != FORMATS[name]]
    if lost or driver.info.encoding != "utf-8":
        raise ConfigurationError(
            f"the database at {place} does not keep the settings of a session"
            f" ({', '.join(lost) or 'client_encoding'}). If a pooler stands before it, use the"
            " server's own address in DATABASE_URL, or session pooling"
        )


def _compare(connection: sa.Connection) -> None:
    cursor = connection.connection.cursor()
    cursor.execute(sql.SQL("select current_setting({}, true)").format(_NONCE))
    [nonce] = cursor.fetchone() or [None]
    if nonce is None or nonce != connection.info.get(_NONCE):
        raise _not_kept(connection, "is not the one that holds")


def _lacks_staging(error: BaseException | None) -> bool:
    return isinstance(error, psycopg.errors.UndefinedTable) and TABLE_PREFIX in str(error)


def _not_kept(connection: sa.Connection, how: str) -> SessionNotKept:
    url = connection.engine.url
    return SessionNotKept(
        f"the session of Postgres at {url.host or 'localhost'}:{url.port or 5432} {how} the rows of"
        " this walk: a pooler before it lends a session for a single transaction, in which the rows"
        " of several targets would mix. Nothing was published. Use the server's own address in"
        " DATABASE_URL, or session pooling (pgbouncer: pool_mode=session)"
    )
