"""`holdfast export`: a mart or a dataset as a CSV or Parquet file.

A file appears under its name when it is whole (`whole_file`): a killed export leaves `NAME.….part`
at most, until the next one of that name.
"""

import codecs
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, BinaryIO, cast

import psycopg
import typer

from pipelines.analysis import relations
from pipelines.analysis.export import Heartbeat, write_csv, write_parquet
from pipelines.analysis.marts import in_utc, reading
from pipelines.analysis.tables import printable
from pipelines.commands import choices
from pipelines.commands.terminal import err, reading_runtime, tell
from pipelines.commands.whole_file import appearing_whole, refuse_existing
from pipelines.errors import ConfigurationError, FileNotWritten
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import known_name

FORMATS = ("csv", "parquet")
HEARTBEAT = 10.0
"""Seconds between two lines that tell how far it is, where there is no terminal."""

MOST = 2**31 - 1
"""Of Postgres' integers, the largest."""


def _names(incomplete: str) -> list[str]:
    return [name for name in relations.names() if name.startswith(incomplete)]


def _formats(incomplete: str) -> list[str]:
    return [name for name in FORMATS if name.startswith(incomplete)]


def export(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="A mart, such as holders, or a dataset; a wrong one brings the list.",
            autocompletion=_names,
        ),
    ],
    *,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="MOMENT", help="As known at that moment.")
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="MOMENT MOMENT", help="The net effect of all changes in between."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Only this one, by name or label.", autocompletion=choices.targets),
    ] = None,
    holder: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="holder_history: of whom, a wallet, a principal or a device."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="top_holders: so many of each target.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"{' or '.join(FORMATS)}; without it, as the name of the file ends, else csv.",
            autocompletion=_formats,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; without it, stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    safe_for_spreadsheets: Annotated[
        bool,
        typer.Option(
            "--safe-for-spreadsheets",
            help="CSV: put a ' before text that a spreadsheet would run as a formula.",
        ),
    ] = False,
    without_decimals: Annotated[
        bool,
        typer.Option(
            "--without-decimals",
            help="Parquet: quantities as text only, where a decimal of 38 digits can't hold them.",
        ),
    ] = False,
) -> None:
    """Write a mart or a dataset as CSV or Parquet, every digit and every name as it is.

    Moments are ISO 8601 with a time zone: 2026-11-01T00:00Z.

    \b
    holdfast export holders > holders.csv
    holdfast export holders --as-of 2026-11-01T00:00Z --target "My vault" --out vault.parquet
    holdfast export changes --between 2026-10-01T00:00Z 2026-11-01T00:00Z --format csv
    holdfast export top_holders --limit 100 --target "My vault"
    holdfast export holder_history --holder SP318Q55DEKHRXJK696033DQN5C54D9K2EE6DHRWP
    """
    moments = _moments(as_of, between)
    options = {"only_holder": holder, "how_many": limit}
    given: dict[str, object] = {
        argument: value for argument, value in options.items() if value is not None
    }
    relation = relations.find(name, len(moments), given)
    kind = _format(format_, out)
    if safe_for_spreadsheets and kind != "csv":
        raise ConfigurationError("--safe-for-spreadsheets is for CSV: Parquet runs no formula")
    if without_decimals and kind != "parquet":
        raise ConfigurationError("--without-decimals is for Parquet: CSV has every digit as it is")
    if out is None and kind == "parquet" and sys.stdout.isatty():
        raise ConfigurationError("Parquet is nothing for a terminal: say --out FILE")
    if out is not None:
        refuse_existing(out, force=force)
    with (
        reading_runtime(context).open_warehouse(connections=1) as warehouse,
        _sink(out, force=force) as sink,
        _told(relation.name) as heartbeat,
    ):
        rows = _write(
            warehouse,
            _Asked(relation, moments, target, given),
            sink,
            heartbeat,
            kind,
            safe=safe_for_spreadsheets,
            with_decimals=not without_decimals,
        )
    tell(f"{relation.name}: {rows:,} {'row' if rows == 1 else 'rows'} in {out or 'stdout'}")
    if not rows and moments:
        tell("Was there a snapshot by then? holdfast export snapshots tells when there was one.")
    if not rows and holder is not None:
        where = "in that target" if target is not None else "in any target"
        tell(f"That holder was never seen {where}. holdfast export holders tells who is there now.")


@dataclass(frozen=True)
class _Asked:
    """What is to be written; the target by its name or label."""

    relation: relations.Relation
    moments: list[datetime]
    target: str | None
    given: dict[str, object]


def _write(
    warehouse: Warehouse,
    asked: _Asked,
    sink: BinaryIO,
    heartbeat: Heartbeat,
    kind: str,
    *,
    safe: bool,
    with_decimals: bool,
) -> int:
    """Write the rows of one state of the warehouse; returns how many."""
    with reading(warehouse) as connection:
        target = known_name(connection, asked.target) if asked.target is not None else None
        driver = cast("psycopg.Connection", connection.connection.driver_connection)
        source = relations.source(driver, asked.relation, asked.moments, target, asked.given)
        if kind == "csv":
            return write_csv(driver, source, sink, heartbeat, safe_for_spreadsheets=safe)
        return write_parquet(driver, source, sink, heartbeat, with_decimals=with_decimals)


def _moments(as_of: str | None, between: tuple[str, str] | None) -> list[datetime]:
    if as_of is not None and between is not None:
        raise ConfigurationError("--as-of and --between are two questions: say one of them")
    if as_of is not None:
        return [_moment(as_of)]
    moments = [_moment(text) for text in between or ()]
    if moments != sorted(moments):
        raise ConfigurationError("--between takes the earlier moment first")
    return moments


def _moment(text: str) -> datetime:
    try:
        return in_utc(datetime.fromisoformat(text))
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is no moment: expected ISO 8601, such as 2026-11-01T00:00Z"
        ) from None


def _format(asked: str | None, out: Path | None) -> str:
    ending = out.suffix.lower().removeprefix(".") if out else ""
    kind = asked or (ending if ending in FORMATS else "csv")
    if kind not in FORMATS:
        raise ConfigurationError(f"--format {kind!r} is none of {', '.join(FORMATS)}")
    return kind


@contextmanager
def _sink(out: Path | None, *, force: bool) -> Iterator[BinaryIO]:
    """Where to write to. Raises ConfigurationError for a file that is there already, and
    FileNotWritten where there is no room or no right to."""
    try:
        if out is not None:
            with appearing_whole(out, force=force) as sink:
                yield sink
        elif sys.stdout.isatty():
            yield cast("BinaryIO", _Plain(sys.stdout))
        else:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # who reads has seen enough
    except OSError as error:
        where = out or "stdout"
        raise FileNotWritten(f"{where} can't be written: {error.strerror or error}") from None


class _Plain:
    """CSV for the eyes: strangers chose what is in it, and a terminal obeys what it is sent."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def write(self, block: bytes) -> int:
        text = self._decoder.decode(block).replace("\r\n", "\n")
        self._terminal.write("\n".join(map(printable, text.split("\n"))))
        return len(block)


@contextmanager
def _told(name: str) -> Iterator[Heartbeat]:
    """Tells on stderr how far it is: a line that moves on a terminal, else one now and then."""
    if err.is_terminal and not (sys.stdout.isatty()):
        with err.status(f"{name} …") as status:
            yield lambda rows: status.update(f"{name}: {rows:,} rows …")
        return
    last = time.monotonic()

    def heartbeat(rows: int) -> None:
        nonlocal last
        if time.monotonic() - last >= HEARTBEAT:
            last = time.monotonic()
            tell(f"{name}: {rows:,} rows …")

    yield heartbeat
