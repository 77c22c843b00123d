"""What the report shows, read through the marts: seven queries, whatever the number of targets.

All of them see one state of the warehouse: they run in one read-only transaction that does not see
what is published meanwhile. History is thinned in SQL: a page stays small after years of snapshots.
"""

import difflib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from pipelines.analysis.columns import refuse_same_names
from pipelines.errors import ConfigurationError
from pipelines.paths import shipped
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Dataset

QUERIES = shipped("sql/report")

MOST_DETAILED = 12
"""Targets that get a chapter of their own; all of them are in the overview."""
BUCKETS = 180
"""Points of a line, which is some 300 pixels long."""
BARS = 60
LINES = 10
"""Rows of the tables of holders and of changes."""
LATELY = 30
"""Days that the largest changes are looked for in."""
COHORT_DAYS = 7
"""Days of history without which survival says nothing."""


@dataclass(frozen=True)
class Target:
    """A line of the overview; the columns of sql/report/overview.sql."""

    provider: str
    target_id: int | None
    target: str
    label: str | None
    state: str
    retired_at: datetime | None = None
    snapshot_at: datetime | None = None
    age: timedelta | None = None
    due_at: datetime | None = None
    late_by: timedelta | None = None
    unproven_ticks: int = 0
    reason: str | None = None
    message: str | None = None
    proof: str | None = None
    rows: int | None = None
    quantity: Decimal | None = None
    snapshots: int = 0
    first_at: datetime | None = None
    changes_lately: int = 0

    @property
    def name(self) -> str:
        """The name that people know."""
        return self.label or self.target

    @property
    def is_watched(self) -> bool:
        return self.retired_at is None

    @property
    def title(self) -> str:
        """The provider's name, as people write it."""
        return self._dataset.title if self._dataset else self.provider

    @property
    def has_amounts(self) -> bool:
        """Whether its rows have amounts; else they are tokens, of which each counts 1."""
        return self._dataset is None or self._dataset.amount is not None

    @property
    def holds(self) -> bool:
        """Whether it is itself the holder of all its rows."""
        return self._dataset is not None and self._dataset.holder is None

    @property
    def row(self) -> str:
        """What one of its rows stands for."""
        return self._dataset.words.row if self._dataset else "holder"

    @property
    def rows_word(self) -> str:
        """What its rows are, to begin a heading with."""
        return f"{self.row.capitalize()}s"

    @property
    def asset_word(self) -> str:
        """What its assets are, to begin a heading with."""
        return self._dataset.words.asset.capitalize() if self._dataset else "Asset"

    @property
    def _dataset(self) -> Dataset | None:
        """None for a provider that this version does not know."""
        known = PROVIDERS.get(self.provider)
        return known.dataset if known else None


@dataclass(frozen=True)
class Point:
    """The last value of an interval of time, which ended at `at`, and what lay between."""

    at: datetime
    value: Decimal
    smallest: Decimal
    largest: Decimal


@dataclass(frozen=True)
class Movement:
    """Rows that came and went in an interval of time."""

    begins: datetime
    width: timedelta
    entered: int
    exited: int


Rows = list[sa.Row[Any]]


@dataclass
class Detail:
    """A target's chapter."""

    target: Target
    series: dict[str, list[Point]] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    top_holders: Rows = field(default_factory=list)
    changes: Rows = field(default_factory=list)
    holding_age: Rows = field(default_factory=list)
    cohorts: Rows = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """All that the page shows. `asked_at` is the database's clock."""

    asked_at: datetime
    targets: list[Target]
    details: list[Detail]
    chosen: bool
    """Whether somebody chose which targets to show."""


def collect(
    connection: sa.Connection, names: Collection[str] = (), watched: Mapping[str, str | None] = {}
) -> Report:
    """The report of the targets with those names or labels, or of all of them.

    `watched` are names and labels of targets.yaml: the warehouse may not have heard of them. Begins
    a read-only transaction: nothing may have run in this one before. Raises ConfigurationError for
    a name that nobody knows.
    """
    connection.execute(sa.text("set transaction isolation level repeatable read, read only"))
    asked_at = connection.execute(sa.select(sa.func.now())).scalar_one()
    overview = [Target(**row) for row in _ask(connection, "overview", days=LATELY).mappings()]
    known = {target.target for target in overview}
    new = [
        Target(name.partition(":")[0], None, name, label, "never taken")
        for name, label in watched.items()
        if name not in known
    ]
    targets = _chosen([*new, *overview], names) if names else [*new, *overview]
    details = {
        target.target_id: Detail(target) for target in _detailed(targets, all_of_them=bool(names))
    }
    _fill(connection, details)
    return Report(asked_at, targets, list(details.values()), bool(names))


def most_changed(connection: sa.Connection, how_many: int) -> list[tuple[str, list[Point]]]:
    """The rows over time of the watched targets that changed most lately, by their names."""
    overview = [Target(**row) for row in _ask(connection, "overview", days=LATELY).mappings()]
    told = [one for one in overview if one.is_watched and one.snapshots > 1]
    most = sorted(told, key=lambda target: -target.changes_lately)[:how_many]
    details = {target.target_id: Detail(target) for target in most}
    _fill_series(connection, details)
    return [(one.target.name, one.series["positions"]) for one in details.values()]


def _ask(connection: sa.Connection, name: str, **parameters: object) -> sa.CursorResult[Any]:
    statement = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    result = connection.execute(sa.text(statement), parameters)
    refuse_same_names(result.keys())  # a row gives the last column of a name
    return result


def _chosen(targets: list[Target], names: Collection[str]) -> list[Target]:
    for name in names:
        if not any(name in (target.target, target.label) for target in targets):
            known = [word for target in targets for word in (target.target, target.label) if word]
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            raise ConfigurationError(f"the warehouse has no target {name!r}{meant}")
    return [one for one in targets if one.target in names or one.label in names]


def _detailed(targets: list[Target], *, all_of_them: bool) -> list[Target]:
    """Those that get a chapter, in the order of the overview: what was asked for, else those that
    changed most lately."""
    taken = [target for target in targets if target.snapshots]
    if all_of_them:
        return taken
    order = sorted(taken, key=lambda target: (not target.is_watched, -target.changes_lately))
    return [target for target in targets if target in order[:MOST_DETAILED]]


def _fill_series(connection: sa.Connection, details: Mapping[int | None, Detail]) -> None:
    series: dict[Any, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for row in _ask(connection, "series", buckets=BUCKETS, targets=list(details)):
        point = Point(row.at, row.value, row.smallest, row.largest)
        series[row.target_id][row.series].append(point)
    for target_id, lines in series.items():
        details[target_id].series = dict(lines)


def _fill(connection: sa.Connection, details: Mapping[int | None, Detail]) -> None:
    of = {"targets": list(details)}
    _fill_series(connection, details)
    for row in _ask(connection, "movements", bars=BARS, **of):
        movement = Movement(row.begins, row.width, int(row.entered), int(row.exited))
        details[row.target_id].movements.append(movement)
    for row in _ask(connection, "top_holders", how_many=LINES, **of):
        details[row.target_id].top_holders.append(row)
    for row in _ask(connection, "changes", how_many=LINES, days=LATELY, **of):
        details[row.target_id].changes.append(row)
    for row in _ask(connection, "holding_age", **of):
        details[row.target_id].holding_age.append(row)
    for row in _ask(connection, "cohorts", **of):
        details[row.target_id].cohorts.append(row)
