"""The command line: `holdfast …`.

Data goes to stdout, messages to stderr. Exit codes: 0 all is well, 1 something failed, 2 the
command or the configuration can't be used.
"""

import difflib
import logging
import os
import sys
import uuid
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler

from pipelines.analysis.frames import query
from pipelines.analysis.progress import progress_bars
from pipelines.analysis.tables import frame_table, printable, snapshots_table
from pipelines.errors import ConfigurationError, HoldfastError
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Target
from pipelines.runtime import Runtime
from pipelines.settings import Settings, load_settings
from pipelines.snapshots import Failed, Taken, take_snapshots
from pipelines.targets import WatchList, load_targets
from pipelines.warehouse import embedded
from pipelines.warehouse.migrate import migrate as migrate_database
from pipelines.warehouse.registry import Run, known_names
from pipelines.warehouse.schema import KINDS

WIDTH_OF_FILES = 120

err = Console(stderr=True)
out = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)

app = typer.Typer(
    help="A proven history of who holds what: complete snapshots from three providers, kept in"
    " Postgres.\n\nExit codes: 0 all is well, 1 something failed, 2 the command or the"
    " configuration can't be used.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
postgres = typer.Typer(help="The project's own Postgres server.", no_args_is_help=True)
sandbox = typer.Typer(help="The providers' stand-in server.", no_args_is_help=True)
app.add_typer(postgres, name="postgres")
app.add_typer(sandbox, name="sandbox")


@dataclass(frozen=True)
class _Options:
    demo: bool


def _tell_version(wanted: bool) -> None:
    if wanted:
        out.print(metadata.version("holdfast"), highlight=False)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    demo: Annotated[bool, typer.Option(help="Look at the demo's data, not at your own.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell each step.")] = False,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell it.")
    ] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=err, show_path=False, highlighter=NullHighlighter())],
    )
    context.obj = _Options(demo)


@app.command()
def demo(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds of snapshots.")] = 3,
) -> None:
    """Run the pipeline on a small world that moves, and show what changed.

    Uses a Postgres and a sandbox of its own; needs nothing and touches none of your data.
    """
    from pipelines.demo import run_demo  # noqa: PLC0415 - Dagster takes seconds to import

    if not run_demo(load_settings(), out, rounds):
        raise typer.Exit(1)


@app.command()
def snapshot(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Names or labels from targets.yaml; none: all of them."),
    ] = None,
    *,
    provider: Annotated[
        str | None, typer.Option(help=f"Only targets of {', '.join(PROVIDERS)}.")
    ] = None,
    accept_empty: Annotated[
        bool, typer.Option(help="Publish an empty set where there were rows, this once.")
    ] = False,
) -> None:
    """Take a snapshot of targets now, without Dagster.

    holdfast snapshot                      all targets

    holdfast snapshot --provider hiro      those of one provider

    holdfast snapshot catenis:aQjl…        one target, by name or label
    """
    if context.obj.demo:
        raise ConfigurationError("the demo's targets are there only while it runs: holdfast demo")
    runtime = Runtime.from_environment()
    watched = load_targets(runtime.settings.holdfast_targets)
    chosen = _choose(watched, targets or [], provider)
    if accept_empty and not targets:
        raise ConfigurationError("name the targets that --accept-empty is meant for")
    run = Run(f"cli {uuid.uuid4()}")
    outcomes: list[Taken | Failed] = []
    with progress_bars(err) as on_progress:
        for name in PROVIDERS:
            of_provider = [target for target in chosen if target.provider == name]
            if of_provider:
                with runtime.opened(name) as (client, warehouse):
                    outcomes += take_snapshots(
                        of_provider,
                        client,
                        warehouse,
                        run,
                        accept_empty=accept_empty,
                        on_progress=on_progress,
                    )
    failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
    title = f"{len(outcomes) - failed} of {len(outcomes)} targets published"
    out.print(snapshots_table(outcomes, title))
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            _complain(str(outcome.error))
    if failed:
        raise typer.Exit(1)


@app.command()
def status(context: typer.Context) -> None:
    """How each target is: its last snapshot, and what has failed since."""
    with _runtime(context).open_warehouse() as warehouse, warehouse.transaction() as connection:
        frame = query(connection, "status")
    if frame.empty:
        err.print("No snapshot yet. Take one: holdfast snapshot")
        return
    frame["target"] = frame["label"].fillna(frame["target"])
    shown = ["target", "snapshot_at", "age", "rows", "proof"]
    if frame["failures"].any():
        shown += ["failures", "message"]
    out.print(frame_table(frame[shown], f"{len(frame)} targets (times in UTC)"))


@app.command()
def changes(
    context: typer.Context,
    target: Annotated[str | None, typer.Argument(help="Name of a target; none: all.")] = None,
    *,
    change: Annotated[str | None, typer.Option(help=f"Only {', '.join(KINDS)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
) -> None:
    """Who entered, left, gained or lost, latest first."""
    if change and change not in KINDS:
        raise ConfigurationError(f"{change!r} is no kind of change; there are {', '.join(KINDS)}")
    with _runtime(context).open_warehouse() as warehouse, warehouse.transaction() as connection:
        if target:
            _check_known(target, known_names(connection))
        frame = query(connection, "changes", target=target, change=change, limit=limit)
    if frame.empty:
        err.print("No such change yet. Changes need two snapshots of a target.")
        return
    out.print(frame_table(frame, f"The latest {len(frame)} changes (UTC); --limit for more"))


@app.command()
def migrate(context: typer.Context) -> None:
    """Bring the database to the schema of this version; safe to repeat."""
    migrated = migrate_database(_runtime(context).database_url())
    err.print("The database was migrated." if migrated else "The database is up to date.")


@postgres.command("start")
def postgres_start(context: typer.Context) -> None:
    """Start the server, or say that it runs already."""
    settings = _settings(context)
    server = embedded.start(settings.holdfast_home, binaries=settings.holdfast_postgres_bin)
    err.print(f"Postgres {server.version} runs on 127.0.0.1:{server.port}")


@postgres.command("stop")
def postgres_stop(context: typer.Context) -> None:
    """Stop the server; what is stored stays."""
    stopped = embedded.stop(_settings(context).holdfast_home)
    err.print("Postgres is stopped." if stopped else "Postgres was not running.")


@postgres.command("status")
def postgres_status(context: typer.Context) -> None:
    """Whether the server runs, and where. Exit code 1 when it does not."""
    server = embedded.status(_settings(context).holdfast_home)
    if server is None:
        flag = " --demo" if context.obj.demo else ""
        err.print(f"Postgres is not running. Start it: holdfast{flag} postgres start")
        raise typer.Exit(1)
    out.print(f"Postgres {server.version}, 127.0.0.1:{server.port}, {server.data_directory}")


@postgres.command(
    "psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def postgres_psql(context: typer.Context) -> None:
    """Open psql on the warehouse. What follows is passed on: psql -c 'select 1'."""
    runtime = _runtime(context)
    with runtime.open_warehouse() as warehouse:
        url = warehouse.url
    programs = embedded.find_binaries(runtime.settings.holdfast_postgres_bin)
    if url.password:
        os.environ["PGPASSWORD"] = str(url.password)  # the process list shows arguments
    address = sa.URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    )
    psql = str(programs / "psql")
    arguments = [psql, "--dbname", address.render_as_string(), *context.args]
    os.execv(psql, arguments)  # noqa: S606 - a program found by path, no shell


@sandbox.command("serve")
def sandbox_serve(
    port: Annotated[
        int, typer.Option(min=0, max=65533, help="First of three neighbouring ports; 0: any.")
    ] = 4600,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    tick: Annotated[float, typer.Option(min=0, help="Seconds between changes; 0: none.")] = 5.0,
) -> None:
    """Serve the three APIs over a small world until Ctrl-C; tells how to point Holdfast at it."""
    from pipelines.sandbox.command import serve  # noqa: PLC0415 - of no use to other commands

    serve(load_settings().holdfast_home, out, err, port=port, seed=seed, tick=tick)


def main() -> None:
    """Run the command line; errors that are meant for people come without a traceback."""
    try:
        app(standalone_mode=True)
    except HoldfastError as error:
        _complain(f"holdfast: {error}")
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)


def _complain(message: str) -> None:
    """A message of failure, as it is: it may hold what a stranger chose."""
    lines = (printable(line) for line in message.splitlines())
    err.print("\n".join(lines), style="red", markup=False, highlight=False, soft_wrap=True)


def _check_known(name: str, known: list[str]) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ConfigurationError(f"the warehouse has no target {name!r}{meant}")


def _settings(context: typer.Context) -> Settings:
    settings = load_settings()
    if context.obj.demo:
        from pipelines.demo import demo_settings  # noqa: PLC0415 - Dagster takes seconds to import

        return demo_settings(settings)
    return settings


def _runtime(context: typer.Context) -> Runtime:
    """What a command that only reads the warehouse needs; no provider's variable is looked at."""
    return Runtime(_settings(context), {})


def _choose(watched: WatchList, names: list[str], provider: str | None) -> list[Target]:
    if provider is not None and provider not in PROVIDERS:
        raise ConfigurationError(f"{provider!r} is no provider; there are {', '.join(PROVIDERS)}")
    chosen = [watched.find(name) for name in names] if names else list(watched.targets())
    chosen = [target for target in chosen if provider in (None, target.provider)]
    if not chosen:
        raise ConfigurationError(f"no target to take: {watched.path} lists none that fits")
    return chosen
