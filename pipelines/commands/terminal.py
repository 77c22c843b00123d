"""What every command says and how: data on stdout, messages on stderr.

Tables are for people and as wide as their terminal; `--json` is for scripts: amounts are text,
since most readers of JSON round a number beyond 2^53, and times are ISO 8601 in UTC.
"""

import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer
from rich.console import Console

from pipelines.analysis.tables import printable
from pipelines.commands.ending import undo
from pipelines.redaction import redacted
from pipelines.runtime import Runtime
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

FAILED, MISCONFIGURED, INTERRUPTED = 1, 2, 130
"""Exit codes: something failed; the command or the configuration can't be used; Ctrl-C."""

WIDTH_OF_FILES = 120
PATIENCE = 2.0
"""Seconds after Ctrl-C that a command has to end by itself."""

_interrupts = threading.Event()

LEFT = "Interrupted. What was published stays, nothing is half done."

# No emoji: rich would make a sweet of the asset Candy::candy:.
err = Console(stderr=True, emoji=False)
out = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for scripts.")]


@dataclasses.dataclass(frozen=True)
class Options:
    """The options that stand for all commands."""

    demo: bool


def settings_of(context: typer.Context) -> Settings:
    """The environment's settings, or the demo's."""
    settings = load_settings()
    if context.obj.demo:
        from pipelines.demo import demo_settings  # noqa: PLC0415 - nobody else needs the sandbox

        return demo_settings(settings)
    return settings


def reading_runtime(context: typer.Context) -> Runtime:
    """What a command needs that only reads the warehouse; no provider's variable is looked at."""
    return Runtime(settings_of(context), {})


class PlainFormatter(logging.Formatter):
    """Log lines as they are: they may quote what a server sent."""

    def format(self, record: logging.LogRecord) -> str:
        return _plain_lines(super().format(record))


def complain(message: str) -> None:
    """A message of failure."""
    err.print(_plain_lines(message), style="red", markup=False, highlight=False, soft_wrap=True)


def tell(message: str) -> None:
    """A message that is not data."""
    err.print(_plain_lines(message), markup=False, highlight=False, soft_wrap=True)


def _plain_lines(text: str) -> str:
    """Text that may hold what a stranger chose, without credentials and what a terminal obeys."""
    return "\n".join(printable(line) for line in redacted(text).split("\n"))


def print_json(records: Iterable[Mapping[str, object]]) -> None:
    """Records on stdout, whatever is in them: JSON escapes what a terminal would obey."""
    typer.echo(json.dumps(list(records), indent=2, default=_plain))


def records_of(frame: "pd.DataFrame") -> list[dict[str, object]]:
    """A frame's rows as JSON can hold them."""
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


def interrupt_at_once() -> None:
    """Let Ctrl-C end the process soon even where a thread waits for a slow server.

    That loses nothing: what is published is published in one transaction, and Postgres takes back
    the rest when the connection is gone. The command has `PATIENCE` seconds to end by itself;
    Ctrl-C once more ends it immediately.
    """
    signal.signal(signal.SIGINT, _interrupted)


def leave_on_interrupt(message: str) -> None:
    """Let Ctrl-C end the process whatever it does, with a message: Dagster, which runs within it,
    keeps the signal to itself until it has nothing more to do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])

    def wait() -> None:
        signal.sigwait([signal.SIGINT])
        _leave(message)

    threading.Thread(target=wait, name="interrupt", daemon=True).start()


def was_interrupted() -> bool:
    """Whether Ctrl-C has come: what fails from then on fails because of it. A connection that was
    interrupted in the middle of a statement refuses to roll back, say, and that error is the one
    that comes up."""
    return _interrupts.is_set()


def _interrupted(*_: object) -> NoReturn:
    _interrupts.set()
    signal.signal(signal.SIGINT, lambda *_: _leave(LEFT))
    impatience = threading.Timer(PATIENCE, _leave, [LEFT])
    impatience.daemon = True
    impatience.start()
    raise KeyboardInterrupt


def _leave(message: str) -> NoReturn:
    """End the process here, from whichever thread."""
    undo()
    err.show_cursor()
    tell(message)
    os._exit(INTERRUPTED)
