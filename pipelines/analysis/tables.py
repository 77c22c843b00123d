"""Frames and snapshots as tables for a terminal.

Names and token values are chosen by strangers: every cell is plain text, with control characters
made visible, so that none can move the cursor or colour the screen.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from pipelines.snapshots import Failed, Taken
from pipelines.warehouse.registry import PublishedSnapshot

if TYPE_CHECKING:
    import pandas as pd  # takes 0.2 s, which a command that shows no frame need not wait for

_NUMBERS = (
    "after",
    "age",
    "amount",
    "before",
    "failures",
    "late_by",
    "pages",
    "percent",
    "requests",
    "rows",
    "snapshots",
    "targets",
    "versions",
)
"""Beginnings of the names of columns that are numbers."""

_LONGEST_WORD = 24
"""Addresses and ids longer than this are abbreviated: SQL gives them in full."""

_NARROWEST, _WIDEST = 8, 18
"""Columns: words wrap from the one, numbers from the other on."""

_NEVER_WRAPPED = {"proof", "change", "provider", "seen_at", "snapshot_at", "state"}

_SIGNS = {
    "entered": "+{:,}",
    "exited": "-{:,}",
    "increased": "↑{:,}",
    "decreased": "↓{:,}",
    "reacquired": "↺{:,}",
    "profile": "~{:,}",
}
LEGEND = "+ in, - out, ↑ more, ↓ less, ↺ left and came back, ~ profile"


def changes_in_signs(snapshot: PublishedSnapshot) -> str:
    """The changes of a snapshot in the signs of `LEGEND`, or that nothing changed."""
    if snapshot.previous_id is None:
        return "first" if snapshot.rows else "first, empty: is the id right?"
    counted = [
        sign.format(getattr(snapshot, kind))
        for kind, sign in _SIGNS.items()
        if getattr(snapshot, kind)
    ]
    return " ".join(counted) or "unchanged"


def snapshots_table(outcomes: Iterable[Taken | Failed], title: str) -> Table:
    """What a run published, one line a target."""
    rows: list[list[object]] = []
    for outcome in sorted(outcomes, key=lambda outcome: outcome.target.name):
        name = outcome.target.label or outcome.target.name
        if isinstance(outcome, Failed):
            reason = f"{type(outcome.error).__name__}, see below"
            rows.append([name, "FAILED", None, None, None, reason])
            continue
        s = outcome.snapshot
        changes = "taken by another run" if outcome.elsewhere else changes_in_signs(s)
        rows.append([name, s.proof, s.rows, s.pages, s.requests, changes])
    columns = ["target", "proof", "rows", "pages", "requests", "changes"]
    table = rows_table(columns, rows, title)
    table.caption, table.caption_justify = LEGEND, "left"
    return table


def frame_table(frame: "pd.DataFrame", title: str) -> Table:
    """A frame, numbers to the right."""
    return rows_table(list(frame.columns), frame.itertuples(index=False, name=None), title)


def cell(value: object) -> str:
    """A value as text of one line, whatever a stranger put into it."""
    if value is None or value != value:  # noqa: PLR0124 - NaT and NaN, where a frame has nothing
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


def rows_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str) -> Table:
    """A table whose words wrap before its numbers do, and which never cuts either."""
    cells = [[cell(value) for value in row] for row in rows]
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place, name in enumerate(columns):
        is_number = name.startswith(_NUMBERS)
        widest = max([len(name), *(len(row[place]) for row in cells)])
        kept_whole = is_number or name in _NEVER_WRAPPED
        table.add_column(
            name.replace("_", " "),
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=min(widest, _WIDEST if kept_whole else _NARROWEST),
        )
    for row in cells:
        table.add_row(*map(Text, row), style="red" if "FAILED" in row else None)
    return table
