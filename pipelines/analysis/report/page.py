"""The report as one file: a page that loads nothing, runs nothing and can be sent by mail.

Names and token values in it are strangers' text: the template escapes all that is not Markup, and
a content policy in the page forbids scripts and the network, should anything ever get past that.
"""

import os
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.analysis.report import words
from pipelines.analysis.report.data import COHORT_DAYS, LATELY, Detail, Report, Target, collect
from pipelines.analysis.report.figures import figures, is_thinned
from pipelines.analysis.report.svg import sparkline
from pipelines.errors import ConfigurationError
from pipelines.paths import persons_umask

_HERE = Path(__file__).parent
_COHORTS = 12
"""Months of entry that the table of survival has room for, the latest ones."""


def write_report(
    connection: sa.Connection,
    path: Path,
    targets: Collection[str] | None = None,
    *,
    watched: Mapping[str, str | None] | None = None,
) -> Report:
    """Write the page to `path`, whole or not at all, and return what it shows.

    `targets` are names or labels, none: all; `watched` are names and labels of targets.yaml, so
    that what was never taken is told. Nothing may have run in the connection's transaction before.
    Raises ConfigurationError for a target that nobody knows and for a path that can't be written.
    """
    report = collect(connection, targets or (), watched or {})
    page = render(report)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        fresh.write_text(page, encoding="utf-8")
        fresh.chmod(0o666 & ~persons_umask())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigurationError(f"{path} can't be written: {error.strerror}") from None
    return report


def render(report: Report) -> str:
    """The page as HTML."""
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    lines = {detail.target.target_id: detail for detail in report.details}
    return (
        _templates()
        .get_template("page.html")
        .render(
            report=report,
            style=style,
            detail_of=lines,
            lately=LATELY,
        )
    )


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (
        words.number,
        words.percent,
        words.moment,
        words.day,
        words.duration,
        words.text,
        words.token_class,
        anchor,
    )
    templates.filters |= {function.__name__: function for function in named}
    functions = (figures, is_thinned, trend, others, fraction, survival, is_at_least)
    templates.globals |= {function.__name__: function for function in functions}
    return templates


def anchor(target: Target) -> str:
    return f"t{target.target_id}"


def trend(detail: Detail | None) -> Markup:
    """A small line of how many rows there were; nothing where there is no line to draw."""
    points = detail.series.get("positions", []) if detail else []
    return sparkline(points) if len(points) > 1 else Markup()


def others(detail: Detail) -> tuple[int, Decimal, Decimal | None] | None:
    """How many hold what the table of the largest leaves out, how much that is, and its share."""
    target = detail.target
    if not target.has_amounts or target.rows is None or target.quantity is None:
        return None
    count = target.rows - len(detail.top_holders)
    if count <= 0:
        return None
    amount = target.quantity - sum(row.quantity for row in detail.top_holders)
    return count, amount, amount / target.quantity if target.quantity else None


def fraction(share: Decimal | None, of: Decimal | None = Decimal(1)) -> str:
    """The length of a bar beside a longest one, as CSS has it: 0 to 1."""
    length = (share or Decimal()) / of if of else Decimal()
    return f"{max(Decimal(), min(Decimal(1), length)):.4f}"


def is_at_least(detail: Detail, row: Any) -> bool:
    """Whether it was there in the first snapshot: nobody knows since when."""
    return bool(row.held_since == detail.target.first_at)


def survival(detail: Detail) -> tuple[list[int], list[tuple[date, bool, int, dict[int, Any]]]]:
    """The table of survival: its numbers of days, and for each month of entry its row; empty where
    the history is too short to tell anything."""
    told = [row for row in detail.cohorts if row.observed]
    days = sorted({row.days for row in told})
    if not days or max(days) < COHORT_DAYS:
        return [], []
    months: dict[tuple[bool, date], dict[int, Any]] = {}
    for row in told:
        months.setdefault((row.at_least, row.month), {})[row.days] = row
    found = [
        (month, at_least, next(iter(cells.values())).entered, cells)
        for (at_least, month), cells in months.items()
    ]
    found.sort(key=lambda row: (not row[1], row[0]))
    return days, found[:1] + found[1:][-_COHORTS:]
