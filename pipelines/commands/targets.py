"""`holdfast targets …`: the list of what is watched."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from pipelines.analysis.tables import rows_table
from pipelines.commands import choices
from pipelines.commands.choices import ProviderArgument, ProviderOption
from pipelines.commands.terminal import (
    Json,
    out,
    print_json,
    reading_runtime,
    settings_of,
    tell,
)
from pipelines.errors import ConfigurationError
from pipelines.providers import PROVIDERS
from pipelines.targets import WatchList, load_targets, make_target
from pipelines.targets_file import add_target, make_list, remove_target
from pipelines.warehouse.registry import find_absent, find_name, retire

COLUMNS = ["provider", "label", "target", "cron", "next_at"]

app = typer.Typer(help="What is watched: the list in targets.yaml.", no_args_is_help=True)


@app.command()
def init(context: typer.Context) -> None:
    """Make targets.yaml from the example that comes with Holdfast, where there is none.

    \b
    holdfast targets init
    """
    path = _editable(context)
    if not _make(path):
        tell(f"{path} is there already; nothing was changed.")


@app.command("list")
def list_targets(
    context: typer.Context,
    *,
    provider: ProviderOption = None,
    as_json: Json = False,
) -> None:
    """What is watched, and when it is taken next (UTC).

    \b
    holdfast targets list
    holdfast targets list --json | jq -r '.[].target'
    """
    watched = load_targets(settings_of(context).holdfast_targets)
    rows = [row for row in _rows(watched) if provider in (None, row["provider"])]
    if as_json:
        print_json(rows)
    elif rows:
        values = [list(row.values()) for row in rows]
        out.print(
            rows_table(
                COLUMNS, values, f"{_counted(len(rows))} in {watched.path.name} (times in UTC)"
            )
        )
    else:
        tell(f"{watched.path} lists no target. Add one: holdfast targets add --help")


@app.command()
def check(
    context: typer.Context,
    path: Annotated[
        Path | None, typer.Argument(help="The file; none: the one that is used.")
    ] = None,
) -> None:
    """Tell every mistake in targets.yaml, each with its line. Exit code 2 when there is one.

    \b
    holdfast targets check
    holdfast targets check new-targets.yaml
    """
    watched = load_targets(path or settings_of(context).holdfast_targets)
    counts = [f"{len(watch.targets)} of {name}" for name, watch in watched.watches.items()]
    tell(f"{watched.path} is right: {', '.join(counts) or 'no target'}.")


@app.command()
def add(
    context: typer.Context,
    provider: ProviderArgument,
    fields: Annotated[list[str], typer.Argument(metavar="KEY=VALUE", help="As in targets.yaml.")],
) -> None:
    """Add a target to targets.yaml, after checking it. The rest of the file stays as it is.

    Where there is no list yet, it is made from the example first, as `targets init` does.

    \b
    holdfast targets add altura address=0x0123456789abcdef0123456789abcdef01234567 token_id=1
    holdfast targets add hiro principal=SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP label="A vault"
    holdfast targets add catenis asset_id=aQjlzShmrnEZeeYBZihc allow_empty=true

    A key that takes several values is given once for each: asset_identifiers=… asset_identifiers=…
    """
    path = _editable(context)
    target = make_target(provider, _entry(provider, fields))
    _make(path)
    watched = add_target(path, target)
    tell(f"{path} has {target.name} now.")
    cron = watched.watches[provider].cron
    when = f"taken at {cron!r} (UTC)" if cron else f"taken by hand only: {provider} has no cron"
    tell(f"It is {when}. Take it now: holdfast snapshot {target.name!r}")


@app.command("retire")
def retire_target(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Name or label.", autocompletion=choices.targets)
    ] = None,
    *,
    absent: Annotated[
        bool,
        typer.Option("--absent", help="All that this list brought and does not name any more."),
    ] = False,
) -> None:
    """Stop watching a target: it leaves targets.yaml and "now"; its history stays.

    A target that is only taken out of targets.yaml is retired by the next tick of a schedule.
    Where a list would retire more than half of a provider's targets, the tick holds them: the file
    may be the wrong one. If it is right, --absent retires them.

    \b
    holdfast targets retire "A vault"
    holdfast targets retire --absent
    """
    if (name is None) != absent:
        raise ConfigurationError("name the target to retire, or say --absent")
    path = _editable(context)
    watched = load_targets(path)
    with reading_runtime(context).open_warehouse() as warehouse, warehouse.connect() as connection:
        if name is None:
            _retire_absent(connection, watched)
        else:
            _retire_named(connection, watched, name)


def _retire_absent(connection: sa.Connection, watched: WatchList) -> None:
    absent = find_absent(connection, watched.name, watched.names())
    retired = retire(connection, [name for found in absent for name in found.names])
    for name in retired:
        tell(f"{name} is retired; its history stays.")
    if not retired:
        tell(f"Nothing to retire: every target of this list is in {watched.path.name}.")


def _retire_named(connection: sa.Connection, watched: WatchList, name: str) -> None:
    listed = next((one for one in watched.targets() if name in (one.name, one.label)), None)
    with connection.begin():
        found = listed.name if listed else find_name(connection, name)
    if found is None:
        found = watched.find(name).name  # raises, with what comes close
    if listed:
        remove_target(watched.path, listed)
    was_current = retire(connection, [found])
    tell(
        f"{found} is retired; " + ("its history stays." if was_current else "nothing was current.")
    )


def _editable(context: typer.Context) -> Path:
    """The person's list. Raises ConfigurationError for the demo's, which comes with Holdfast."""
    if context.obj.demo:
        raise ConfigurationError(
            "the demo's list can't be changed: it names what its small world has. Leave out --demo"
            " for your own list"
        )
    return settings_of(context).holdfast_targets


def _make(path: Path) -> bool:
    """Make the list where there is none, and say so."""
    made = make_list(path)
    if made:
        tell(
            f"Made {path} from the example that comes with Holdfast. It watches the examples of the"
            " vendors' own pages: put yours in their place."
        )
    return made


def _rows(watched: WatchList) -> Iterator[dict[str, object]]:
    now = datetime.now(UTC)
    for provider, watch in watched.watches.items():
        next_at = watch.next_tick(now)
        for target in watch.targets:
            values = (provider, target.label, target.name, watch.cron, next_at)
            yield dict(zip(COLUMNS, values, strict=True))


def _entry(provider: str, fields: list[str]) -> dict[str, object]:
    """key=value arguments as an entry of targets.yaml."""
    lists = {
        name
        for name, field in PROVIDERS[provider].target_type.model_fields.items()
        if isinstance(field.default, tuple)
    }
    entry: dict[str, object] = {}
    for text in fields:
        key, separator, value = text.partition("=")
        if not separator:
            raise ConfigurationError(f"expected KEY=VALUE, found {text!r}")
        if key in lists:
            entry[key] = [*entry.get(key, []), value]  # type: ignore[misc]
        elif key in entry:
            raise ConfigurationError(f"{key} is given twice")
        else:
            entry[key] = value
    return entry


def _counted(number: int) -> str:
    return "1 target" if number == 1 else f"{number} targets"
