"""`holdfast status` and `holdfast changes`: what the warehouse knows, without SQL."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.analysis.frames import query
from pipelines.analysis.tables import frame_table
from pipelines.commands import choices
from pipelines.commands.choices import ChangeOption
from pipelines.commands.terminal import (
    FAILED,
    Json,
    complain,
    out,
    print_json,
    reading_runtime,
    records_of,
    settings_of,
    tell,
)
from pipelines.errors import ConfigurationError
from pipelines.targets import WatchList, load_targets
from pipelines.warehouse.registry import known_name

if TYPE_CHECKING:
    import pandas as pd


def status(
    context: typer.Context,
    *,
    failing: Annotated[
        bool,
        typer.Option("--failing", help="Only targets that failed since, or were never taken."),
    ] = False,
    as_json: Json = False,
) -> None:
    """How each target is: its last snapshot, and what has failed since.

    With --failing, the exit code is 1 when there is one: for a cron job that raises an alarm.

    \b
    holdfast status
    holdfast status --failing               exit code 1 when something is wrong
    holdfast status --json | jq -r '.[] | [.target, .rows] | @tsv'
    """
    runtime, watched = reading_runtime(context), _watched(context)
    with runtime.open_warehouse() as warehouse, warehouse.transaction() as connection:
        frame = query(connection, "status", watched=watched.names() if watched else None)
    if watched:
        frame = _with_new(watched, frame)
    if failing:
        frame = frame[(frame["failures"] > 0) | frame["snapshot_at"].isna()]
    if as_json:
        print_json(records_of(frame))
    elif not frame.empty:
        _print_status(frame)
    elif failing:
        tell("No target has failed since its last snapshot.")
    else:
        tell("No target is watched. Add one: holdfast targets add --help")
    if failing and not frame.empty:
        raise typer.Exit(FAILED)


def _watched(context: typer.Context) -> WatchList | None:
    """The list of targets; where it can't be used, what the warehouse knows has to do."""
    try:
        return load_targets(settings_of(context).holdfast_targets)
    except ConfigurationError as error:
        complain(str(error))
        return None


def _with_new(watched: WatchList, frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with those targets that the warehouse has not heard of."""
    known = set(frame["target"])
    columns = list(frame.columns)
    new = [
        dict.fromkeys(columns) | {"target": target.name, "label": target.label, "failures": 0}
        for target in watched.targets()
        if target.name not in known
    ]
    rows = [*frame.to_dict("records"), *new]
    return type(frame)(rows, columns=columns, dtype=object)


def _print_status(frame: "pd.DataFrame") -> None:
    shown = frame.assign(target=frame["label"].fillna(frame["target"]))
    shown["proof"] = shown["proof"].fillna("never taken")
    columns = ["target", "snapshot_at", "age", "rows", "proof"]
    if shown["failures"].any():
        columns += ["failures", "message"]
    count = f"{len(shown)} {'target' if len(shown) == 1 else 'targets'}"
    out.print(frame_table(shown[columns], f"{count} (times in UTC)"))
    if shown["snapshot_at"].isna().all():
        tell("No snapshot yet. Take one: holdfast snapshot")


def changes(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            help="Name or label of a target; none: all.", autocompletion=choices.targets
        ),
    ] = None,
    *,
    change: ChangeOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
    as_json: Json = False,
) -> None:
    """Who entered, left, gained or lost, latest first.

    \b
    holdfast changes
    holdfast changes "My vault" --change exited --limit 5
    holdfast changes --json --limit 1000 | jq 'group_by(.change) | map(length)'
    """
    runtime = reading_runtime(context)
    with runtime.open_warehouse() as warehouse, warehouse.transaction() as connection:
        name = known_name(connection, target) if target else None
        frame = query(connection, "changes", target=name, change=change, limit=limit)
    if as_json:
        print_json(records_of(frame))
    elif frame.empty:
        tell("No such change yet. Changes need two snapshots of a target.")
    else:
        latest = "The latest change" if len(frame) == 1 else f"The latest {len(frame)} changes"
        out.print(frame_table(frame, f"{latest} (UTC); --limit for more"))
