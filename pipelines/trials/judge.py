"""Whether a snapshot was true: the judge asks the world, never the code that took the snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from pipelines.providers import PROVIDERS
from pipelines.providers.pages import Row
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.world import World

Amounts = tuple[Decimal | None, Decimal | None]
"""What belongs to no holder: total and unconfirmed."""


def was_true(
    world: World,
    key: str,
    rows: Iterable[Row],
    apart: Amounts,
    at: datetime,
    until: datetime,
) -> bool:
    """Whether the target showed exactly these rows at some moment from `at` to `until`.

    A column that not all of the provider's APIs show may be null.
    """
    known = _Columns.of(key.partition(":")[0])
    found = [tuple(row[column] for column in known.shown) for row in rows]
    given = frozenset(found)
    if len(given) != len(found):
        return False
    return any(
        known.are_same(given, state.rows) and apart == (state.aggregate or (None, None))
        for state in world.states_between(key, at, until)
    )


@dataclass(frozen=True)
class _Columns:
    """Where a row of the dataset has the columns that the world's rows have, in their order: not
    all of them, as some are read out of others. `certain`: those of the world's that every API
    shows."""

    shown: tuple[int, ...]
    certain: tuple[int, ...]

    @classmethod
    @cache
    def of(cls, provider: str) -> "_Columns":
        dataset, own = PROVIDERS[provider].dataset, SANDBOXES[provider].columns
        shown = tuple(dataset.column_names.index(name) for name in own)
        told = [name not in dataset.told_by_some for name in own]
        return cls(shown, tuple(number for number, certain in enumerate(told) if certain))

    def are_same(self, given: frozenset[Row], true: frozenset[Row]) -> bool:
        if given == true or len(self.certain) == len(self.shown):
            return given == true
        whole = {row for row in given if not self._has_gaps(row)}
        return self._certain(given) == self._certain(true) and whole <= true

    def _has_gaps(self, row: Row) -> bool:
        return any(row[n] is None for n in range(len(row)) if n not in self.certain)

    def _certain(self, rows: frozenset[Row]) -> frozenset[Row]:
        return frozenset(tuple(row[number] for number in self.certain) for row in rows)
