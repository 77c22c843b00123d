"""`holdfast postgres …`: the project's own server; and `holdfast migrate`, for any server."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from pipelines.commands.terminal import (
    FAILED,
    Json,
    out,
    print_json,
    reading_runtime,
    settings_of,
    tell,
)
from pipelines.paths import persons_umask
from pipelines.settings import Settings
from pipelines.warehouse import embedded
from pipelines.warehouse.migrate import migrate as migrate_database

FOLLOW_SECONDS = 0.5

app = typer.Typer(help="The project's own Postgres server.", no_args_is_help=True)


def migrate(context: typer.Context) -> None:
    """Bring the database to the schema of this version; safe to repeat.

    The project's own server is migrated by itself; a database in DATABASE_URL only by this.
    """
    migrated = migrate_database(reading_runtime(context).database_url())
    tell("The database was migrated." if migrated else "The database is up to date.")


@app.command()
def start(context: typer.Context) -> None:
    """Start the server, or say that it runs already."""
    settings = _own_server(context)
    server = embedded.start(settings.holdfast_home, binaries=settings.holdfast_postgres_bin)
    tell(f"Postgres {server.version} runs on 127.0.0.1:{server.port}")


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the server, ending its connections; what is stored stays."""
    stopped = embedded.stop(_own_server(context).holdfast_home)
    tell("Postgres is stopped." if stopped else "Postgres was not running.")


@app.command()
def status(context: typer.Context, *, as_json: Json = False) -> None:
    """Whether the server runs, and where. Exit code 1 when it does not."""
    server = embedded.status(_own_server(context).holdfast_home)
    if as_json:
        fields = ("version", "port", "pid", "data_directory")
        told = {name: str(getattr(server, name)) for name in fields} if server else {}
        print_json([{"running": server is not None, **told}])
    elif server:
        where = f"127.0.0.1:{server.port}, {server.data_directory}"
        out.print(f"Postgres {server.version}, {where}", soft_wrap=True, highlight=False)
    else:
        flag = " --demo" if context.obj.demo else ""
        tell(f"Postgres is not running. Start it: holdfast{flag} postgres start")
    if server is None:
        raise typer.Exit(FAILED)


@app.command()
def url(context: typer.Context) -> None:
    """Print the server's URL, with its password, for other programs; starts it where needed.

    \b
    psql "$(holdfast postgres url)"
    DATABASE_URL=$(holdfast postgres url) python my-notebook.py
    """
    settings = _own_server(context)
    server = embedded.start(settings.holdfast_home, binaries=settings.holdfast_postgres_bin)
    plain = sa.make_url(server.url).set(drivername="postgresql")
    typer.echo(plain.render_as_string(hide_password=False))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the warehouse: the own server, or DATABASE_URL. What follows is passed on.

    \b
    holdfast postgres psql
    holdfast postgres psql -c "select * from mart.positions_now limit 10"
    holdfast postgres psql --csv -f my-query.sql > result.csv
    """
    runtime = reading_runtime(context)
    with runtime.open_warehouse() as warehouse:
        url = warehouse.url
    programs = embedded.find_binaries(runtime.settings.holdfast_postgres_bin)
    if url.password:
        os.environ["PGPASSWORD"] = str(url.password)  # the process list shows arguments
    address = sa.URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    )
    program = str(programs / "psql")
    arguments = [program, "--dbname", address.render_as_string(), *context.args]
    os.umask(persons_umask())
    os.execv(program, arguments)  # noqa: S606 - a program found by path, no shell


@app.command()
def logs(
    context: typer.Context,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many from the end.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print the end of the server's log.

    \b
    holdfast postgres logs
    holdfast postgres logs -n 0 -f
    """
    path = embedded.log_file(_own_server(context).holdfast_home)
    if not path.exists():
        tell(f"There is no log yet: {path}")
        return
    for text in _end_of(path, lines, follow=follow):
        typer.echo(text, nl=False)


def _end_of(path: Path, lines: int, *, follow: bool) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as log:
        kept = log.readlines()
        yield "".join(kept[len(kept) - min(lines, len(kept)) :])
        while follow:
            yield log.read()
            time.sleep(FOLLOW_SECONDS)


def _own_server(context: typer.Context) -> Settings:
    """The settings; with a word where the warehouse is another server."""
    settings = settings_of(context)
    if not settings.own_server:
        tell(
            "Note: DATABASE_URL is set, so the warehouse is there, not on the project's own server."
        )
    return settings
