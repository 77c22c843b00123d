"""Frames and snapshots as tables for a terminal.

Names and token values are chosen by strangers: every cell is plain text, with control characters
made visible, so that none can move the cursor or colour the screen.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from pipelines.snapshots import Failed, Taken
from pipelines.warehouse.registry import PublishedSnapshot

_NUMBERS = (
    "age",
    "amount",
    "failures",
    "pages",
    "percent",
    "requests",
    "rows",
    "seconds",
    "snapshots",
    "targets",
    "versions",
)
"""Beginnings of the names of columns that are numbers."""

_LONGEST_WORD = 24
"""Addresses and ids longer than this are abbreviated: SQL gives them in full."""

_NARROWEST = 8
_NEVER_WRAPPED = {"proof", "change", "provider", "seen_at", "snapshot_at", "changed_until"}

_SIGNS = {
    "entered": "+{} in",
    "exited": "-{} out",
    "increased": "{} up",
    "decreased": "{} down",
    "reacquired": "{} again",
    "profile": "{} profile",
}


def changes_in_words(snapshot: PublishedSnapshot) -> str:
    """ "+3 in, -1 out, 2 up", or that nothing changed."""
    if snapshot.previous_id is None:
        return "first snapshot" if snapshot.rows else "first snapshot, empty: is the id right?"
    counted = [
        sign.format(getattr(snapshot, kind))
        for kind, sign in _SIGNS.items()
        if getattr(snapshot, kind)
    ]
    return ", ".join(counted) or "unchanged"


def snapshots_table(outcomes: Iterable[Taken | Failed], title: str) -> Table:
    """What a run published, one line a target."""
    table = _table(title, ["target", "proof", "rows", "pages", "requests", "changes", "seconds"])
    for outcome in sorted(outcomes, key=lambda outcome: outcome.target.name):
        name = outcome.target.label or outcome.target.name
        if isinstance(outcome, Failed):
            reason = f"{type(outcome.error).__name__}, see below"
            _add(table, [name, "FAILED", None, None, None, reason, None], style="red")
            continue
        s = outcome.snapshot
        changes = changes_in_words(s)
        _add(table, [name, s.proof, s.rows, s.pages, s.requests, changes, f"{s.seconds:.2f}"])
    return table


def frame_table(frame: pd.DataFrame, title: str) -> Table:
    """A frame, numbers to the right."""
    table = _table(title, list(frame.columns))
    for values in frame.itertuples(index=False, name=None):
        _add(table, [_short(str(name), value) for name, value in zip(frame, values, strict=True)])
    return table


def _short(column: str, value: object) -> object:
    """Token values can be long tuples; a table shows how they begin."""
    if column == "token" and isinstance(value, str) and len(value) > _LONGEST_WORD:
        return f"{value[: _LONGEST_WORD - 1]}…"
    return value


def cell(value: object) -> str:
    """A value as text of one line, whatever a stranger put into it."""
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M:%S}"
    if isinstance(value, timedelta):
        return str(value).removeprefix("0 days ")
    if isinstance(value, Decimal):
        digits = f"{value:,f}"  # exact; normalize() would round to 28 digits
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, int):
        return f"{value:,}"
    text = printable(str(value))
    return text if " " in text else abbreviated(text)


def abbreviated(text: str) -> str:
    """A long address or id by its beginning and its end."""
    return text if len(text) <= _LONGEST_WORD else f"{text[:12]}…{text[-6:]}"


def printable(text: str) -> str:
    """`text` with everything that is not printable shown as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in columns:
        is_number = name.startswith(_NUMBERS)
        wraps = not is_number and name not in _NEVER_WRAPPED
        table.add_column(
            name.replace("_", " "),
            justify="right" if is_number else "left",
            overflow="fold" if wraps else "ellipsis",
            no_wrap=not wraps,
            min_width=_NARROWEST if wraps else None,
        )
    return table


def _add(table: Table, values: Sequence[object], style: str | None = None) -> None:
    table.add_row(*(Text(cell(value)) for value in values), style=style)
