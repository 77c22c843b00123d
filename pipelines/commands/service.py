"""`holdfast up`, `down`, `demo` and `sandbox serve`: what runs for longer than a question."""

from typing import Annotated

import typer

from pipelines.commands.terminal import FAILED, err, leave_on_interrupt, out, settings_of, tell
from pipelines.settings import load_settings

sandbox = typer.Typer(help="The providers' stand-in server.", no_args_is_help=True)


def up(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Of Dagster's UI; none: 3000, or the next that is free."
        ),
    ] = None,
) -> None:
    """Run it all until Ctrl-C: Postgres, Dagster's UI and the schedules, on 127.0.0.1.

    \b
    holdfast up                             your targets and your database
    holdfast --demo up                      a small world that moves, nothing needed
    """
    from pipelines.service import run_service  # noqa: PLC0415 - Dagster takes seconds to import

    run_service(load_settings(), out, err, port=port, demo=context.obj.demo)


def down(context: typer.Context) -> None:
    """Stop what `holdfast up` runs, from another shell, and the own Postgres with it."""
    from pipelines.service import stop_service  # noqa: PLC0415 - Dagster takes seconds to import

    stopped = stop_service(settings_of(context))
    tell("Stopped." if stopped else "Nothing was running.")


def demo(
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds of snapshots.")] = 3,
) -> None:
    """Run the pipeline on a small world that moves, and show what changed.

    Uses a Postgres and a sandbox of its own; needs nothing and touches none of your data.
    """
    from pipelines.demo_rounds import run_demo  # noqa: PLC0415 - Dagster takes seconds to import

    leave_on_interrupt(
        "Interrupted. What was published stays, nothing is half done. The demo's Postgres may still"
        " run: holdfast --demo down"
    )
    if not run_demo(load_settings(), out, rounds):
        raise typer.Exit(FAILED)


@sandbox.command()
def serve(
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65_000, help="First of neighbouring ports, one a provider; 0: any."
        ),
    ] = 4600,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    tick: Annotated[float, typer.Option(min=0, help="Seconds between changes; 0: none.")] = 5.0,
) -> None:
    """Serve the providers' APIs over a small world until Ctrl-C; print how to reach them.

    \b
    holdfast sandbox serve > sandbox.env    then, in another shell:
    . ./sandbox.env && holdfast snapshot
    """
    from pipelines.sandbox.command import serve as run  # noqa: PLC0415 - of no use to others

    run(load_settings().holdfast_home, out, err, port=port, seed=seed, tick=tick)
