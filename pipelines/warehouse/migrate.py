"""Brings a database to the schema of this version.

Alembic runs the numbered migrations under sql/migrations, whose content is plain SQL in a file
beside each revision; afterwards all marts are applied again. Everything happens in one transaction
under one lock: two processes that start at once wait for each other, and one that is killed leaves
nothing half done.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pipelines.errors import SchemaNotReady
from pipelines.settings import ROOT
from pipelines.warehouse.postgres import OLDEST_VERSION, Warehouse

SQL = ROOT / "sql"
_LOCK = "holdfast migrate"


def migrate(url: str) -> None:
    """Bring the database to the newest revision. Does nothing new where it is there already.

    Raises SchemaNotReady where that is impossible, WarehouseUnreachable.
    """
    with Warehouse(url) as warehouse, warehouse.transaction() as connection:
        _check_version(connection)
        connection.execute(
            sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_LOCK, 0)))
        )
        config = _config()
        config.attributes["connection"] = connection
        _refuse_newer(connection, config)
        command.upgrade(config, "head")
        for mart in sorted((SQL / "marts").glob("*.sql")):
            execute_file(connection, mart)


def check_schema(connection: sa.Connection) -> None:
    """Raise SchemaNotReady unless the database is at the newest revision."""
    found = MigrationContext.configure(connection).get_current_revision()
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if found != newest:
        state = f"at revision {found}" if found else "empty"
        raise SchemaNotReady(
            f"the database is {state}, this version needs {newest}: run holdfast migrate"
        )


def execute_file(connection: sa.Connection, beside: Path | str, suffix: str = "") -> None:
    """Run a file of SQL statements; with `suffix`, the one of that ending beside `beside`.

    It runs on the driver's connection without parameters, the one way that takes several statements
    and leaves % and : alone.
    """
    path = Path(beside).with_suffix(suffix) if suffix else Path(beside)
    driver = connection.connection.driver_connection
    if driver is None:
        raise SchemaNotReady("the connection was closed during the migration")
    try:
        driver.execute(path.read_text(encoding="utf-8"))
    except Exception as error:
        error.add_note(f"in {path.relative_to(ROOT)}")
        raise


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _check_version(connection: sa.Connection) -> None:
    number = int(connection.scalar(sa.text("show server_version_num")) or 0)
    if number < OLDEST_VERSION * 10_000:
        raise SchemaNotReady(
            f"Postgres {number // 10_000} is too old, {OLDEST_VERSION} or newer is needed"
        )


def _refuse_newer(connection: sa.Connection, config: Config) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found and found not in known:
        raise SchemaNotReady(
            f"the database is at revision {found}, which this version does not know:"
            " it was migrated by a newer one, use that"
        )
