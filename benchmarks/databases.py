"""One Postgres for the whole run, and a fresh database for each contender and repetition.

It is the server that Holdfast brings along, with the settings that it has for a user: durable, that
is, unlike the one of the tests. Every contender gets the same server, and a checkpoint before it
begins, so that none pays for what another has written.
"""

import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString, cast

import psutil
import psycopg
from psycopg import sql

from pipelines.warehouse.embedded import EmbeddedServer, throwaway
from pipelines.warehouse.migrate import migrate
from pipelines.warehouse.postgres_cluster import SUPERUSER
from pipelines.warehouse.postgres_folder import ServerFiles, read_password
from pipelines.warehouse.postgres_role import ROLE, connect

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
MIGRATED = "holdfast_migrated"


BACKENDS: LiteralString = """
    select count(*)
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
END_BACKENDS: LiteralString = """
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""
SIZES: LiteralString = """
    select
        coalesce(sum(pg_table_size(oid)), 0)::bigint,
        coalesce(sum(pg_indexes_size(oid)), 0)::bigint
    from pg_class
    where relkind = 'r' and relnamespace <> all (
        '{pg_catalog,information_schema}'::regnamespace[]
    )
"""


class Databases:
    """Makes databases, drops them, and asks the server about itself."""

    def __init__(self, server: EmbeddedServer, superuser: psycopg.Connection) -> None:
        self._server = server
        self._superuser = superuser
        self._process = psutil.Process(server.pid)
        self._numbers = itertools.count(1)
        self._create(MIGRATED, "template1")
        migrate(self.url(MIGRATED))

    def url(self, name: str) -> str:
        plain = self._server.url.replace("postgresql+psycopg:", "postgresql:")
        return plain.rpartition("/")[0] + f"/{name}"

    @contextmanager
    def fresh(self, *, migrated: bool) -> Iterator[str]:
        """The URL of a database of its own, empty or with Holdfast's tables; dropped at the end."""
        name = f"benchmark_{next(self._numbers)}"
        self._create(name, MIGRATED if migrated else "template1")
        try:
            yield self.url(name)
        finally:
            self._superuser.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )

    def checkpoint(self) -> None:
        self._superuser.execute("checkpoint")

    def wal_position(self) -> int:
        """Bytes of WAL that the server has written since it was made."""
        return int(str(self._value("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")))

    def cpu_seconds(self) -> float:
        """CPU seconds of the server and all its processes so far, those that ended included.

        The backends of a contender that is gone are waited for: they still use some. One that ends
        between two looks would be counted twice or never, so looks are taken until none does.
        """
        while self._value(BACKENDS):
            time.sleep(0.01)
        while True:
            children = self._process.children()
            times = self._process.cpu_times()
            seconds = [times.user, times.system, times.children_user, times.children_system]
            with suppress(psutil.NoSuchProcess):
                for child in children:
                    used = child.cpu_times()
                    seconds += [used.user, used.system]
                if self._process.children() == children:
                    return float(sum(seconds))

    def end_backends(self) -> None:
        """End what a contender that was cut off has left running."""
        self._superuser.execute(END_BACKENDS)

    def sizes(self, url: str) -> tuple[int, int]:
        """Bytes of the tables in a database (heap and TOAST), and of their indexes."""
        with psycopg.connect(url) as connection:
            return cast("tuple[int, int]", connection.execute(SIZES).fetchone())

    def version(self) -> str:
        return str(self._value("show server_version"))

    def settings(self) -> dict[str, str]:
        """The settings that decide how fast a server loads."""
        rows = self._superuser.execute(
            "select name, current_setting(name) from pg_settings where name = any(%s)",
            [
                [
                    *("shared_buffers", "work_mem", "maintenance_work_mem", "max_wal_size"),
                    *("fsync", "synchronous_commit", "full_page_writes", "wal_level", "jit"),
                    *("max_parallel_workers_per_gather", "autovacuum", "effective_cache_size"),
                ]
            ],
        ).fetchall()
        return dict(sorted(rows))

    def _create(self, name: str, template: str) -> None:
        self._superuser.execute(
            sql.SQL("create database {} template {} owner {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(ROLE)
            )
        )

    def _value(self, statement: LiteralString) -> object:
        row = self._superuser.execute(statement).fetchone()
        if row is None:
            raise LookupError(statement)
        return row[0]


@contextmanager
def databases(home: Path, settings: Mapping[str, str] = DURABLE) -> Iterator[Databases]:
    """The server, in `home` and gone afterwards; without `settings` fast and unsafe."""
    with throwaway(home, settings=settings) as server:
        password = read_password(ServerFiles(home.resolve()).superuser_password)
        if password is None:
            raise FileNotFoundError("the superuser's password of the benchmark's server")
        with connect(server.port, SUPERUSER, password, "postgres") as superuser:
            yield Databases(server, superuser)
