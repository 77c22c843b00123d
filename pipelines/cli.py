"""The command line: `holdfast …`.

Data goes to stdout, messages to stderr. Exit codes: 0 all is well, 1 something failed, 2 the
command or the configuration can't be used, 130 Ctrl-C.
"""

import logging
import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler

from pipelines.commands import (
    ask,
    audit,
    export,
    postgres,
    report,
    roles,
    service,
    snapshot,
    targets,
)
from pipelines.commands.terminal import (
    FAILED,
    INTERRUPTED,
    MISCONFIGURED,
    Options,
    PlainFormatter,
    complain,
    err,
    interrupt_at_once,
    out,
    was_interrupted,
)
from pipelines.errors import ConfigurationError, HoldfastError
from pipelines.paths import write_for_us_alone

DAILY, SETUP, RUN, TRY = "Every day", "Set up", "Run unattended", "Try it"

FLAGS = ("--demo", "--debug", "--verbose", "-v")
"""Options of `holdfast` itself, which people also write after the command."""

PASSED_ON = ("psql", "--")
"""From here on, arguments belong to somebody else."""

app = typer.Typer(
    help="A proven history of who holds what: complete snapshots from three providers, kept in"
    " Postgres.\n\n\b\n"
    "holdfast demo               see it work, on a small world that moves\n"
    "holdfast targets list       what is watched\n"
    "holdfast snapshot           take all of it now\n"
    "holdfast up                 take it on schedule, with a UI in the browser\n"
    "holdfast COMMAND --help     more, with examples",
    epilog="Exit codes: 0 all is well, 1 something failed, 2 the command or the configuration can't"
    " be used, 130 Ctrl-C. Data goes to stdout, messages to stderr.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command(rich_help_panel=DAILY)(snapshot.snapshot)
app.command(rich_help_panel=DAILY)(ask.status)
app.command(rich_help_panel=DAILY)(ask.changes)
app.command(rich_help_panel=DAILY)(report.report)
app.command(rich_help_panel=DAILY)(audit.audit)
app.command(rich_help_panel=DAILY)(export.export)
app.add_typer(targets.app, name="targets", rich_help_panel=SETUP)
app.command(rich_help_panel=SETUP)(postgres.migrate)
app.command(rich_help_panel=SETUP)(roles.roles)
app.add_typer(postgres.app, name="postgres", rich_help_panel=SETUP)
app.command(rich_help_panel=RUN)(service.up)
app.command(rich_help_panel=RUN)(service.down)
app.command(rich_help_panel=TRY)(service.demo)
app.add_typer(service.sandbox, name="sandbox", rich_help_panel=TRY)


def _tell_version(wanted: bool) -> None:
    if wanted:
        out.print(metadata.version("holdfast"), highlight=False)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    demo: Annotated[bool, typer.Option("--demo", help="The demo's data, not your own.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell each step.")] = False,
    debug: Annotated[  # noqa: ARG001 - acted on by `main`
        bool, typer.Option("--debug", help="Show errors with their traceback.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - acted on by its callback
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell it.")
    ] = False,
) -> None:
    handler = RichHandler(console=err, show_path=False, highlighter=NullHighlighter())
    handler.setFormatter(PlainFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    context.obj = Options(demo)


def main() -> None:
    """Run the command line; errors come without a traceback unless --debug asks for it."""
    interrupt_at_once()
    write_for_us_alone()
    arguments = flags_first(sys.argv[1:])
    try:
        refuse_foreign(Path(sys.argv[0]))
        app(arguments, prog_name="holdfast")
    except KeyboardInterrupt:
        complain("Interrupted.")
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last one to see it
        if "--debug" in arguments:
            complain(traceback.format_exc().rstrip())
            sys.exit(FAILED)
        if was_interrupted():
            complain("Interrupted.")
            sys.exit(INTERRUPTED)
        if isinstance(error, HoldfastError):
            complain(f"holdfast: {error}")
            sys.exit(MISCONFIGURED if isinstance(error, ConfigurationError) else FAILED)
        complain(f"holdfast: {type(error).__name__}: {error}")
        if not isinstance(error, OSError):
            complain("This is a mistake in Holdfast; --debug shows where.")
        sys.exit(FAILED)


def flags_first(arguments: list[str]) -> list[str]:
    """The arguments with the flags of `holdfast` itself before the command."""
    ends = [arguments.index(word) for word in PASSED_ON if word in arguments]
    end = min(ends, default=len(arguments))
    flags = [word for word in arguments[:end] if word in FLAGS]
    return flags + [word for word in arguments[:end] if word not in FLAGS] + arguments[end:]


def refuse_foreign(program: Path) -> None:
    """Raises ConfigurationError where the program lies in a copied or moved .venv: it would work
    for the folder that the .venv was made in, on that folder's data. Outside of a virtual
    environment, as for pip install --user, a program and its Python may lie anywhere."""
    home = program.resolve().parent.parent
    moved = (home / "pyvenv.cfg").exists() and home != Path(sys.prefix).resolve()
    if program.name == "holdfast" and moved:
        raise ConfigurationError(
            f"{program} was copied or moved with its folder, and belongs to {sys.prefix}. Install"
            " Holdfast again where it is now; in a checkout, say: make install"
        )


if __name__ == "__main__":
    main()
