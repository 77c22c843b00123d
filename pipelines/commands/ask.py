"""`holdfast status` and `holdfast changes`: what the warehouse knows, without SQL."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from pipelines.analysis.frames import query
from pipelines.analysis.tables import frame_table, rows_table
from pipelines.commands import choices
from pipelines.commands.choices import ChangeOption
from pipelines.commands.terminal import (
    FAILED,
    MISCONFIGURED,
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
from pipelines.providers import PROVIDERS
from pipelines.targets import WatchList, load_targets
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import find_absent, known_name

Record = dict[str, Any]
"""A target, by the columns of sql/queries/status.sql."""


def status(
    context: typer.Context,
    *,
    failing: Annotated[
        bool,
        typer.Option(
            "--failing",
            help="Only what fails, is late, or was never taken though it was due; exit code 1 when"
            " there is any, else no output.",
        ),
    ] = False,
    grace: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="MINUTES",
            help="With --failing: how late a target may be, which is as long as a run takes.",
        ),
    ] = 0,
    as_json: Json = False,
) -> None:
    """How each target is: its last snapshot, whether the next one is late, what has failed since.

    A target is late when a tick of its schedule has passed and no snapshot was published. A
    provider without a cron in targets.yaml has no ticks: its targets are never late.

    \b
    holdfast status
    holdfast status --failing --grace 15    for a cron job: an alarm, also when nothing runs
    holdfast status --json | jq -r '.[] | [.target, .state, .late_by] | @tsv'
    """
    runtime, watched = reading_runtime(context), _watched(context)
    with runtime.open_warehouse() as warehouse:
        with warehouse.transaction() as connection:
            frame = query(connection, "status", watched=watched.names() if watched else None)
            announced = [] if failing or as_json else records_of(query(connection, "notices"))
        held = _held_back(warehouse, watched) if watched else []
    targets = records_of(frame)
    if watched:
        targets = _with_those_of_the_list(targets, list(frame.columns), watched)
    for target in targets:
        del target["known_at"]
        _explain(target)
    if failing:
        targets = [one for one in targets if _is_alarming(one, timedelta(minutes=grace))]
    if as_json:
        print_json(targets)
    elif targets:
        _print_status(targets)
    elif not failing:
        tell("No target is watched. Add one: holdfast targets add --help")
    _tell_beside(announced, held)
    if failing and (targets or held):
        raise typer.Exit(FAILED)
    if failing and watched is None:
        raise typer.Exit(MISCONFIGURED)


def _tell_beside(announced: list[Record], held: list[str]) -> None:
    for notice in announced:
        tell(_said(notice))
    for advice in held:
        complain(advice)


def _said(notice: Record) -> str:
    """What a provider announced, on one line."""
    title = PROVIDERS[notice["provider"]].title if notice["provider"] in PROVIDERS else "?"
    since, last = f"{notice['first_seen_at']:%Y-%m-%d}", f"{notice['last_seen_at']:%Y-%m-%d %H:%M}"
    if notice["header"] == "api":
        return (
            f"{title} is asked by {notice['text']} since {since}: the API before it is gone; it was"
            f" tried last at {last} UTC"
        )
    return f"{title} announces since {since}, last {last} UTC: {notice['header']}: {notice['text']}"


def _watched(context: typer.Context) -> WatchList | None:
    """The list of targets; where it can't be used, what the warehouse knows has to do."""
    try:
        return load_targets(settings_of(context).holdfast_targets)
    except ConfigurationError as error:
        complain(str(error))
        return None


def _held_back(warehouse: Warehouse, watched: WatchList) -> list[str]:
    """What the next ticks will not retire without a person's word, with what to do."""
    with warehouse.connect() as connection:
        absent = find_absent(connection, watched.name, watched.names())
    return [f"{watched.path}: {one.advice}" for one in absent if one.is_doubtful]


def _with_those_of_the_list(
    known: list[Record], columns: list[str], watched: WatchList
) -> list[Record]:
    """What the warehouse knows, with what only the list can tell: targets that it has not heard of,
    and when those are due that no scheduled run has taken (mart.freshness has no due_at for them).

    That is the first tick after the later of two moments: when the list was last changed, since the
    target or its cron may be new; and when the warehouse last had news of the target.
    """
    changed_at, now = watched.changed_at(), datetime.now(UTC)
    rows = {row["target"]: row for row in known}
    for watch in watched.watches.values():
        for target in watch.targets:
            new = dict.fromkeys(columns) | {"target": target.name, "label": target.label}
            row = rows.setdefault(target.name, new | {"state": "never taken", "failures": 0})
            if row["due_at"] is not None:
                continue
            due_at = row["due_at"] = watch.next_tick(max(changed_at, row["known_at"] or changed_at))
            if due_at and due_at < now:
                row["late_by"] = timedelta(seconds=(now - due_at) // timedelta(seconds=1))
                row["state"] = "late" if row["state"] == "on time" else row["state"]
    return list(rows.values())


def _explain(target: Record) -> None:
    """Give a reason to what is late without a failure, as failures have one."""
    if target["late_by"] is not None and target["reason"] is None:
        target["reason"] = "NotTaken"
        target["message"] = f"No run took it since {target['due_at']:%Y-%m-%d %H:%M}. Does one run?"


def _is_alarming(target: Record, grace: timedelta) -> bool:
    late_by = target["late_by"]
    return target["state"] == "failing" or (late_by is not None and late_by >= grace)


def _print_status(targets: list[Record]) -> None:
    columns = ["target", "state", "snapshot_at", "age", "rows", "proof"]
    if any(target["late_by"] is not None for target in targets):
        columns.insert(2, "late_by")
    if any(target["failures"] for target in targets):
        columns.append("failures")
    if any(target["message"] for target in targets):
        columns.append("message")
    shown = [target | {"target": target["label"] or target["target"]} for target in targets]
    rows = [[target[column] for column in columns] for target in shown]
    count = f"{len(rows)} {'target' if len(rows) == 1 else 'targets'}"
    out.print(rows_table(columns, rows, f"{count} (times in UTC)"))
    if all(target["snapshot_at"] is None for target in targets):
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
