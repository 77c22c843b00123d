"""`holdfast snapshot`: take snapshots now, without Dagster."""

import uuid
from dataclasses import asdict
from typing import Annotated

import typer

from pipelines.analysis.progress import progress_of_walks
from pipelines.analysis.tables import snapshots_table
from pipelines.commands import choices
from pipelines.commands.choices import ProviderOption
from pipelines.commands.terminal import (
    FAILED,
    INTERRUPTED,
    Json,
    complain,
    err,
    out,
    print_json,
    tell,
)
from pipelines.errors import ConfigurationError, HoldfastError
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Target
from pipelines.runtime import Runtime
from pipelines.settings import load_settings
from pipelines.snapshots import Failed, Taken, take_snapshots
from pipelines.targets import WatchList, load_targets
from pipelines.warehouse.concentration import count_missing, refresh_concentration
from pipelines.warehouse.registry import Run

Outcomes = list[Taken | Failed]

JOB = "holdfast snapshot"
"""The name by which a run of this command is known in the warehouse."""

REFRESH_SECONDS = 60.0
"""A backlog, as after an upgrade, must not keep a cron job: the next run goes on with it."""


def snapshot(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="Names or labels from targets.yaml; none: all of them.",
            autocompletion=choices.targets,
        ),
    ] = None,
    *,
    provider: ProviderOption = None,
    accept_empty: Annotated[
        bool,
        typer.Option(
            "--accept-empty", help="Publish an empty set where there were rows, this once."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Take snapshots now, without Dagster.

    Each is published in one transaction when it is proven; one that fails takes no other down.

    \b
    holdfast snapshot                       all targets
    holdfast snapshot --provider hiro       those of one provider
    holdfast snapshot "My vault"            one, by its label or name
    holdfast snapshot --json | jq '.[] | select(.published | not)'
    """
    runtime = _runtime(context)
    watched = load_targets(runtime.settings.holdfast_targets)
    chosen = _choose(watched, targets or [], provider)
    if accept_empty and not targets:
        raise ConfigurationError("name the targets that --accept-empty is meant for")
    outcomes: Outcomes = []
    refreshed = interrupted = False
    try:
        _take(runtime, watched, chosen, outcomes, accept_empty=accept_empty)
    except KeyboardInterrupt:
        interrupted = True
    _show(outcomes, len(chosen), as_json=as_json)
    try:
        refreshed = interrupted or _refresh(runtime)
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:
        complain("Interrupted. What was published stays, nothing is half done.")
        raise typer.Exit(INTERRUPTED)
    if not refreshed or any(isinstance(outcome, Failed) for outcome in outcomes):
        raise typer.Exit(FAILED)


def _runtime(context: typer.Context) -> Runtime:
    if not context.obj.demo:
        return Runtime.from_environment()
    from pipelines.demo import serving_runtime  # noqa: PLC0415 - nobody else needs the sandbox

    return serving_runtime(load_settings())


def _take(
    runtime: Runtime,
    watched: WatchList,
    chosen: list[Target],
    outcomes: Outcomes,
    *,
    accept_empty: bool,
) -> None:
    """Take the chosen targets, adding each outcome as it comes: an interrupt keeps those."""
    key = f"cli {uuid.uuid4()}"
    providers = [name for name in PROVIDERS if any(target.provider == name for target in chosen)]
    connections = max(runtime.providers[name].concurrency for name in providers)
    with (
        progress_of_walks(err) as progress,
        runtime.open_run(key, JOB, connections=connections) as opened,
    ):
        for name in providers:
            run = Run(key, None, watched.watches[name].cron, watched.name, run_id=key)
            with runtime.open_provider(name, opened) as client:
                for outcome in take_snapshots(
                    [target for target in chosen if target.provider == name],
                    client,
                    opened.warehouse,
                    run,
                    accept_empty=accept_empty,
                    on_progress=progress.walking,
                    heartbeat=progress.heartbeat,
                ):
                    opened.pulse.expect()
                    outcomes.append(outcome)
                    progress.ended(outcome)


def _refresh(runtime: Runtime) -> bool:
    """Compute the concentration of what was published; False where that failed, which takes no
    snapshot back."""
    try:
        with (
            runtime.open_warehouse(connections=1) as warehouse,
            warehouse.connect() as connection,
        ):
            refresh_concentration(connection, seconds=REFRESH_SECONDS)
            left = count_missing(connection)
    except HoldfastError as error:
        complain(
            "What was published stays, but mart.concentration lacks it; the next run makes up for"
            f" it. {error}"
        )
        return False
    if left:
        tell(
            f"mart.concentration still lacks {left:,} {'snapshot' if left == 1 else 'snapshots'}."
            " The newest come first; the next run goes on."
        )
    return True


def _show(outcomes: Outcomes, asked: int, *, as_json: bool) -> None:
    if as_json:
        print_json(_record(outcome) for outcome in outcomes)
    elif outcomes:
        published = sum(isinstance(outcome, Taken) for outcome in outcomes)
        title = f"{published} of {asked} {'target' if asked == 1 else 'targets'} published"
        out.print(snapshots_table(outcomes, title))
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            complain(str(outcome.error))


def _record(outcome: Taken | Failed) -> dict[str, object]:
    target = {
        "target": outcome.target.name,
        "label": outcome.target.label,
        "provider": outcome.target.provider,
    }
    if isinstance(outcome, Taken):
        by = {"by_another_run": outcome.elsewhere}
        return {**target, "published": True, **by, **asdict(outcome.snapshot)}
    return {
        **target,
        "published": False,
        "reason": type(outcome.error).__name__,
        "transient": outcome.error.transient,
        "message": str(outcome.error),
    }


def _choose(watched: WatchList, names: list[str], provider: str | None) -> list[Target]:
    chosen = [watched.find(name) for name in names] if names else list(watched.targets())
    chosen = [target for target in chosen if provider in (None, target.provider)]
    if not chosen:
        raise ConfigurationError(f"no target to take: {watched.path} lists none that fits")
    return list(dict.fromkeys(chosen))
