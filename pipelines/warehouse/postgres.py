"""Connecting to the warehouse, and its clock. What a session is set to is in session.py."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pipelines.errors import (
    AccessRefused,
    ConfigurationError,
    HoldfastError,
    WarehouseInterrupted,
    WarehouseRefused,
    WarehouseUnreachable,
)
from pipelines.warehouse.session import begin_session

_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "connect_timeout": 10,
}
"""The client's own, which notice a server that is gone."""

OLDEST_VERSION = 15

_GONE = ("08", "57P")
"""SQLSTATE of lost connections, and of servers that start, stop or were told to end them."""
_NOT_LET_IN = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
)
"""What a server says that another attempt won't change. libpq tells no SQLSTATE of a connection
that failed; of a server that speaks another language than English these are taken as passing."""
_QUOTING = ("22",)
"""SQLSTATE of errors whose message quotes the value that was refused."""
_NO_RIGHT = "42501"
_PASSING = ("40", "53", "55P03", "57014")
"""SQLSTATE of what may pass by itself: deadlocks, want of disk or memory, locks, timeouts."""


def parse_url(url: str) -> sa.URL:
    """The SQLAlchemy URL of a Postgres given in any common spelling.

    Raises ConfigurationError, which does not repeat the URL: it holds a password.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ConfigurationError(
            "DATABASE_URL can't be read, expected postgresql://user:password@host:port/database"
        ) from None
    except ValueError:
        raise ConfigurationError("the port in DATABASE_URL is not a number") from None
    if "@" in (parsed.host or ""):
        raise ConfigurationError("DATABASE_URL has two @: write an @ in the password as %40")
    if parsed.get_backend_name() not in ("postgres", "postgresql"):
        raise ConfigurationError(
            f"DATABASE_URL begins with {parsed.drivername}://, expected postgresql://"
        )
    if secret := {"password", "sslpassword"} & parsed.query.keys():
        raise ConfigurationError(
            f"DATABASE_URL has {' and '.join(sorted(secret))} behind the ?, where programs show it:"
            " write the password before the @, and use a key file that needs none"
        )
    return parsed.set(drivername="postgresql+psycopg")


def place(url: sa.URL) -> str:
    """host:port/database of a URL, without secrets."""
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or ''}".rstrip("/")


class Warehouse:
    """A pool of connections to one database."""

    def __init__(self, url: str, *, connections: int = 5, session: str | None = None) -> None:
        """`session`: the name that its sessions have in pg_stat_activity, whatever the URL says."""
        self.url = parse_url(url)
        self._session = session
        self._engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=connections,
            pool_pre_ping=True,
            connect_args={
                "fallback_application_name": "holdfast",
                # The next transaction may be in a session that has not prepared a statement.
                "prepare_threshold": None,
                **_KEEPALIVES,
            },
            # Deciding under the target's lock takes a look at what is committed by then.
            isolation_level="READ COMMITTED",
            hide_parameters=True,
        )
        sa.event.listen(self._engine, "do_connect", self._connect)

    def _connect(
        self,
        dialect: sa.Dialect,
        record: sa.pool.ConnectionPoolEntry,
        arguments: tuple[Any, ...],
        parameters: dict[str, Any],
    ) -> psycopg.Connection[Any]:
        """A new connection, whose session is set up before anything else reads from it."""
        given = self.url.query.get("options", "")
        options = given if isinstance(given, str) else " ".join(given)
        driver: psycopg.Connection[Any] = dialect.loaded_dbapi.connect(*arguments, **parameters)
        try:
            begin_session(driver, record.info, given=options, place=self.place, name=self._session)
        except BaseException:
            driver.close()
            raise
        return driver

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def place(self) -> str:
        """Where it is, without secrets: host:port/database."""
        return place(self.url)

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection on which nothing is begun: `with connection.begin()` around each step keeps
        transactions from staying open while something else is waited for.

        Raises WarehouseUnreachable when there is no connection to be had or when it is lost,
        WarehouseInterrupted for what may pass by itself, WarehouseRefused for what Postgres does
        not accept.
        """
        with self.explained(), self._engine.connect() as connection:
            yield connection

    def autocommit(self) -> sa.Connection:
        """A connection to keep, each statement on which is a transaction of its own; the caller
        closes it. What it raises is to be `explained`."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Errors of the driver become those that `connect` names."""
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error.orig, lost=error.connection_invalidated) from None
        except psycopg.Error as error:  # of COPY and other statements that go past SQLAlchemy
            raise self._explain(error, lost=False) from None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection in a transaction, committed at the end of the block."""
        with self.connect() as connection, connection.begin():
            yield connection

    def _explain(self, error: BaseException | None, *, lost: bool) -> HoldfastError:
        """Postgres's own words, without the row: that may hold anything a stranger chose."""
        state = getattr(error, "sqlstate", None)
        if state is None or lost or state.startswith(_GONE):
            words = [*str(error).strip().splitlines(), "no reason given"][0]
            refusal = words.partition("FATAL:")[2].strip()
            if any(sign in refusal for sign in _NOT_LET_IN):
                return AccessRefused(
                    f"Postgres at {self.place} does not let us in: {refusal.rstrip('.')}. Are the"
                    " user, the password and the database in DATABASE_URL right?"
                )
            return WarehouseUnreachable(
                f"Postgres at {self.place} can't be reached: {words.rstrip('.')}."
                " Is it running, and is DATABASE_URL right?"
            )
        said = getattr(getattr(error, "diag", None), "message_primary", None)
        if state.startswith(_QUOTING):
            said = None
        words_and_state = f"{said or error.__class__.__name__} (SQLSTATE {state})"
        if state.startswith(_PASSING):
            return WarehouseInterrupted(f"Postgres at {self.place} gave up: {words_and_state}")
        kind = AccessRefused if state == _NO_RIGHT else WarehouseRefused
        return kind(f"Postgres at {self.place} refused: {words_and_state}")


@dataclass(frozen=True)
class DatabaseClock:
    """Moments of this process's monotonic clock as times of the database's clock.

    A reading of the database's clock lies somewhere between its request and its answer, and the two
    clocks may drift apart, or this machine may sleep, between two readings: so a moment has an
    earliest and a latest time, and the bounds of a snapshot take the one that widens them.
    """

    readings: tuple[tuple[float, float, datetime], ...]

    @classmethod
    def read(cls, connection: sa.Connection, before: "DatabaseClock | None" = None) -> Self:
        """The clock with one reading more than `before`."""
        with connection.begin():
            asked = time.monotonic()
            reading = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            answered = time.monotonic()
        return cls((*(before.readings if before else ()), (asked, answered, reading)))

    def earliest(self, moment: float) -> datetime:
        return min(
            reading + timedelta(seconds=moment - answered) for _, answered, reading in self.readings
        )

    def latest(self, moment: float) -> datetime:
        return max(
            reading + timedelta(seconds=moment - asked) for asked, _, reading in self.readings
        )
