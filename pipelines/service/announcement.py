"""What a person reads when everything runs: where to look, and how to stop it."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pipelines.service.files import ServiceFiles
from pipelines.service.webserver import Schedule

INDENT = "  "
LABEL = 12


def command_of(*, demo: bool) -> str:
    """How to call holdfast from the shell that this was called from."""
    path = Path(sys.executable).with_name("holdfast")
    if shutil.which("holdfast"):
        name = "holdfast"
    else:
        here = Path.cwd()
        name = str(path.relative_to(here) if path.is_relative_to(here) else path)
    return f"{name} --demo" if demo else name


def announce(
    files: ServiceFiles,
    address: str,
    postgres: str,
    schedules: Sequence[Schedule],
    out: Console,
    *,
    demo: bool,
) -> None:
    """Print where everything is: one line each, however narrow, as they are there to be copied."""
    command = command_of(demo=demo)
    lines = [
        ("Dagster", address),
        ("Report", _report(files.report)),
        ("Postgres", f"{postgres}   ask it: {command} postgres psql"),
        ("Logs", str(files.logs)),
        *_labelled("Schedules", [_schedule(schedule) for schedule in schedules] or ["none"]),
    ]
    if demo:
        hints = [
            f"{address}/runs   the first snapshots are being taken now",
            f"{address}/assets   one asset a provider, one partition a target",
            f"{command} status   the targets, in another shell",
            f"{command} changes   who entered and who left, from the second snapshot on",
        ]
        lines += _labelled("Look at", hints)
    out.print(f"\n{'The demo' if demo else 'Holdfast'} is up.\n", style="bold", highlight=False)
    for label, text in lines:
        out.print(f"{INDENT}{label:<{LABEL}}{text}", soft_wrap=True, highlight=False, markup=False)
    out.print(f"\nCtrl-C stops it all; from another shell: {command} down", soft_wrap=True)


def _report(path: Path) -> str:
    """As a browser takes it."""
    if path.exists():
        return path.as_uri()
    return f"{path.as_uri()}   is there after the first snapshots"


def _schedule(schedule: Schedule) -> str:
    name = schedule.name.removesuffix("_schedule")
    if schedule.next_tick is None:
        return f"{name:<9}{schedule.cron:<14}stopped in Dagster, start it there"
    return f"{name:<9}{schedule.cron:<14}next at {schedule.next_tick:%Y-%m-%d %H:%M} UTC"


def _labelled(label: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if number == 0 else "", text) for number, text in enumerate(texts)]
