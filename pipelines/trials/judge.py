"""Whether a snapshot was true: the judge asks the world, never the code that took the snapshot."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

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
    """Whether the target showed exactly these rows at some moment from `at` to `until`."""
    known = columns_of(key.partition(":")[0])
    found = [tuple(row[column] for column in known) for row in rows]
    given = frozenset(found)
    if len(given) != len(found):
        return False
    return any(
        given == state.rows and apart == (state.aggregate or (None, None))
        for state in world.states_between(key, at, until)
    )


def columns_of(provider: str) -> tuple[int, ...]:
    """Where a row of the dataset has the columns that the world's rows have, in their order: not
    all of them, as some are read out of others."""
    names = PROVIDERS[provider].dataset.column_names
    return tuple(names.index(name) for name in SANDBOXES[provider].columns)
