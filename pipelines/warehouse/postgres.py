"""Connecting to the warehouse, and its clock.

The connection options make a dead worker's lock free within seconds: the server's keepalives notice
a machine that is gone, `client_connection_check_interval` a process that was killed, and the
idle-in-transaction timeout one that hangs. Without them the lock is held until the statement ends,
or for two hours. The client's own keepalives notice a server that is gone.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from pipelines.errors import (
    ConfigurationError,
    HoldfastError,
    WarehouseRefused,
    WarehouseUnreachable,
)

_SESSION = {
    "timezone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "1s",
    "idle_in_transaction_session_timeout": "60s",
}
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "connect_timeout": 10,
}
OLDEST_VERSION = 15


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
    if parsed.get_backend_name() not in ("postgres", "postgresql"):
        raise ConfigurationError(
            f"DATABASE_URL begins with {parsed.drivername}://, expected postgresql://"
        )
    return parsed.set(drivername="postgresql+psycopg")


def place(url: sa.URL) -> str:
    """host:port/database of a URL, without secrets."""
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"


class Warehouse:
    """A pool of connections to one database."""

    def __init__(self, url: str, *, connections: int = 5) -> None:
        self.url = parse_url(url)
        settings = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
        self._engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=connections,
            pool_pre_ping=True,
            connect_args={"options": settings, "application_name": "holdfast", **_KEEPALIVES},
            hide_parameters=True,
        )

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
        WarehouseRefused for what Postgres does not accept.
        """
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._explain(error) from None

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection in a transaction, committed at the end of the block."""
        with self.connect() as connection, connection.begin():
            yield connection

    def _explain(self, error: DBAPIError) -> HoldfastError:
        """Postgres's own words, without the row: that may hold anything a stranger chose."""
        diagnosis = getattr(error.orig, "diag", None)
        state = getattr(error.orig, "sqlstate", None)
        if state is None or error.connection_invalidated or isinstance(error, OperationalError):
            words = str(error.orig).strip().splitlines() or ["no reason given"]
            return WarehouseUnreachable(
                f"Postgres at {self.place} can't be reached: {words[0]}."
                " Is it running, and is DATABASE_URL right?"
            )
        said = getattr(diagnosis, "message_primary", None) or error.__class__.__name__
        return WarehouseRefused(f"Postgres at {self.place} refused ({state}): {said}")


@dataclass(frozen=True)
class DatabaseClock:
    """Moments of this process's monotonic clock as times of the database's clock.

    One reading of the database's clock lies somewhere between its request and its answer, so every
    moment has an earliest and a latest time; bounds of a snapshot take the one that widens them.
    """

    asked: float
    answered: float
    reading: datetime

    @classmethod
    def read(cls, connection: sa.Connection) -> "DatabaseClock":
        with connection.begin():
            asked = time.monotonic()
            reading = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            return cls(asked, time.monotonic(), reading)

    def earliest(self, moment: float) -> datetime:
        return self.reading + timedelta(seconds=moment - self.answered)

    def latest(self, moment: float) -> datetime:
        return self.reading + timedelta(seconds=moment - self.asked)
