"""`holdfast report`: what the warehouse knows as one page, without SQL and without a server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands import choices
from pipelines.commands.terminal import complain, reading_runtime, settings_of, tell
from pipelines.errors import ConfigurationError
from pipelines.targets import load_targets

DEFAULT = Path("holdfast-report.html")


def report(
    context: typer.Context,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="TARGET",
            help="Name or label of a target, several times for several; none: all, and details of"
            " those that changed most.",
            autocompletion=choices.targets,
        ),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write, in the current folder.")
    ] = DEFAULT,
) -> None:
    """Write a page of who holds what and what changed: one HTML file, to open, mail or print.

    It has no scripts and loads nothing. What was there under its name is replaced at once.

    \b
    holdfast report
    holdfast report --target "My vault" --target "Season pass" --out vault.html
    """
    from pipelines.analysis.report import write_report  # noqa: PLC0415 - jinja, for this one alone

    path = out.absolute()
    with reading_runtime(context).open_warehouse() as warehouse, warehouse.connect() as connection:
        made = write_report(connection, path, target, watched=_watched(context))
    count = f"{len(made.targets)} {'target' if len(made.targets) == 1 else 'targets'}"
    typer.echo(path)
    tell(f"A report of {count}. Open it: {path.as_uri()}")


def _watched(context: typer.Context) -> Mapping[str, str | None]:
    """Names and labels of targets.yaml; where it can't be used, what the warehouse knows has to
    do."""
    try:
        watched = load_targets(settings_of(context).holdfast_targets)
    except ConfigurationError as error:
        complain(str(error))
        return {}
    return {target.name: target.label for target in watched.targets()}
