"""Whether a snapshot was true: the judge asks the world, never the code that took the snapshot."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from pipelines.providers.pages import Row
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
    found = [as_in_world(row) for row in rows]
    given = frozenset(found)
    if len(given) != len(found):
        return False
    return any(
        given == state.rows and apart == (state.aggregate or (None, None))
        for state in world.states_between(key, at, until)
    )


def as_in_world(row: Row) -> tuple[object, ...]:
    """A row as the world keeps it: Hiro's without what was read out of its value."""
    return (*row[:3], *row[5:]) if len(row) == 7 else tuple(row)
