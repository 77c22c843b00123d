"""Brings a database to the schema of this version.

Alembic runs the numbered migrations under sql/migrations, whose content is plain SQL in a file
beside each revision; afterwards the views and functions of the datasets and the marts are applied,
where they are not the ones that the database has. All of it happens in one transaction under one
lock: two processes that start at once wait for each other, and one that is killed leaves nothing
half done.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import sqlalchemy as sa

from pipelines.errors import SchemaNotReady
from pipelines.paths import shipped
from pipelines.providers import PROVIDERS
from pipelines.warehouse.postgres import OLDEST_VERSION, Warehouse
from pipelines.warehouse.templates import dataset_views

SQL = shipped("sql")
LOCK_PATIENCE = "20s"
_LOCK = "holdfast migrate"
_version = sa.table("alembic_version", sa.column("version_num"))
_applied_marts = sa.table("applied_marts", sa.column("digest"))


def migrate(url: str) -> bool:
    """Bring the database to the newest revision and marts; False where it had them already.

    Raises SchemaNotReady where that is impossible, WarehouseInterrupted when somebody who reads a
    view does not end within `LOCK_PATIENCE`, WarehouseUnreachable.
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
        _upgrade(connection)
        for name, statements in views():
            execute(connection, statements, name)
        connection.execute(_applied_marts.delete())
        connection.execute(_applied_marts.insert().values(digest=_digest_of_marts()))
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
    if connection.scalar(sa.select(_applied_marts.c.digest)) != _digest_of_marts():
        return "has views of another version"
    return None


def views() -> Iterator[tuple[str, str]]:
    """The statements that make all views and functions, each after those that it names, with where
    they are from."""
    for provider in PROVIDERS.values():
        for statements in dataset_views(provider.dataset):
            yield f"the views of {provider.dataset.name}", statements
    marts = in_order_of_use(sorted((SQL / "marts").glob("*.sql")))
    for file in [SQL / "datasets" / "positions.sql", *marts]:
        yield f"{file.relative_to(SQL.parent)}", file.read_text(encoding="utf-8")


def in_order_of_use(marts: Sequence[Path]) -> list[Path]:
    """The files, each after those whose view or function it names; always in the same order.

    Raises SchemaNotReady where two name each other.
    """
    files = {file.stem: file for file in marts}
    uses = {name: sorted(_named_in(file) & files.keys() - {name}) for name, file in files.items()}
    try:
        return [files[name] for name in TopologicalSorter(uses).static_order()]
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise SchemaNotReady(f"these marts name each other: {circle}") from None


def _named_in(file: Path) -> set[str]:
    """The marts that a file asks, not those that its comments speak of."""
    code = file.read_text(encoding="utf-8").partition("\ncomment on ")[0]
    return set(re.findall(r"\bmart\.(\w+)", re.sub("--.*", "", code)))


def _digest_of_marts() -> str:
    digest = hashlib.sha256()
    for _, statements in views():
        digest.update(statements.encode())
    return digest.hexdigest()


def execute_file(connection: sa.Connection, beside: Path | str, suffix: str = "") -> None:
    """Run a file of SQL statements; with `suffix`, the one of that ending beside `beside`."""
    path = Path(beside).with_suffix(suffix) if suffix else Path(beside)
    execute(connection, path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def execute(connection: sa.Connection, statements: str, name: str) -> None:
    """Run several statements; `name` says where they are from if one fails.

    They run on the driver's connection without parameters, the one way that takes several and
    leaves % and : alone.
    """
    driver = connection.connection.driver_connection
    if driver is None:
        raise SchemaNotReady("the connection was closed during the migration")
    try:
        driver.execute(statements)
    except Exception as error:
        error.add_note(f"in {name}")
        raise


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
