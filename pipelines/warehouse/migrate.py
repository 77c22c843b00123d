"""Brings a database to the schema of this version.

Alembic runs the numbered migrations under sql/migrations, whose content is plain SQL in a file
beside each revision; afterwards it gets the views and functions of views.py, where it has not got
them. All of it happens in one transaction under one lock: two processes that start at once wait for
each other, and one that is killed leaves nothing half done.
"""

from pathlib import Path

import psycopg
import sqlalchemy as sa

from pipelines.errors import SchemaNotReady
from pipelines.paths import shipped
from pipelines.warehouse.postgres import OLDEST_VERSION, Warehouse
from pipelines.warehouse.views import apply_views, digest_of_views, execute, in_the_way

SQL = shipped("sql")
LOCK_PATIENCE = "20s"
_LOCK = "holdfast migrate"
_version = sa.table("alembic_version", sa.column("version_num"))
_applied_marts = sa.table("applied_marts", sa.column("digest"))


def migrate(url: str) -> bool:
    """Bring the database to the newest revision and marts; False where it had them already.

    Raises SchemaNotReady where that is impossible, also for somebody else's views that rest on
    those that are replaced; WarehouseInterrupted when somebody who reads a view does not end
    within `LOCK_PATIENCE`, WarehouseUnreachable.
    """
    with Warehouse(url) as warehouse, warehouse.transaction() as connection:
        _check_version(connection)
        connection.execute(
            sa.select(
                sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_LOCK, 0)),
                sa.func.set_config("lock_timeout", LOCK_PATIENCE, True),
            )
        )
        if _missing(connection) is None:
            return False
        _refuse_newer(connection)
        try:
            _upgrade(connection)
        except psycopg.errors.DependentObjectsStillExist as error:
            raise in_the_way((error.diag.message_detail or "").replace("\n", ", ")) from None
        apply_views(connection)
        connection.execute(_applied_marts.delete())
        connection.execute(_applied_marts.insert().values(digest=digest_of_views()))
        return True


def check_schema(connection: sa.Connection) -> None:
    """Raise SchemaNotReady unless the database has the newest revision and marts."""
    missing = _missing(connection)
    if missing:
        raise SchemaNotReady(f"the database {missing}: run holdfast migrate")


def _missing(connection: sa.Connection) -> str | None:
    """What the database lacks, as the end of a sentence; None where it lacks nothing."""
    found = _revision(connection)
    newest = max(_revisions())
    if found is None:
        return "is empty"
    if found != newest:
        return f"is at revision {found}, this version needs {newest}"
    if connection.scalar(sa.select(_applied_marts.c.digest)) != digest_of_views():
        return "has views of another version"
    return None


def execute_file(connection: sa.Connection, beside: Path | str, suffix: str = "") -> None:
    """Run a file of SQL statements; with `suffix`, the one of that ending beside `beside`."""
    path = Path(beside).with_suffix(suffix) if suffix else Path(beside)
    execute(connection, path.read_text(encoding="utf-8"), str(path.relative_to(SQL.parent)))


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415 - every command of holdfast would wait for it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at; None where it is empty."""
    if connection.scalar(sa.select(sa.func.to_regclass(_version.name))) is None:
        return None
    found: str | None = connection.scalar(sa.select(_version.c.version_num))
    return found


def _revisions() -> list[str]:
    """All revisions, as the names of their files begin."""
    return [file.stem.partition("_")[0] for file in (SQL / "migrations" / "versions").glob("*.py")]


def _check_version(connection: sa.Connection) -> None:
    number = int(connection.scalar(sa.text("show server_version_num")) or 0)
    if number < OLDEST_VERSION * 10_000:
        raise SchemaNotReady(
            f"Postgres {number // 10_000} is too old, {OLDEST_VERSION} or newer is needed"
        )


def _refuse_newer(connection: sa.Connection) -> None:
    found = _revision(connection)
    known = _revisions()
    if found and found not in known:
        raise SchemaNotReady(
            f"the database is at revision {found}, which this version does not know:"
            " it was migrated by a newer one, use that"
        )
