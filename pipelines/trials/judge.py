"""Whether a snapshot was true: the judge asks the world, never the code that took the snapshot."""

from collections.abc import Collection, Iterable, Sequence
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
    hidden: Collection[str] = (),
) -> bool:
    """Whether the target showed exactly these rows at some moment from `at` to `until`.

    `hidden` columns are those that the API does not show; a state has them all the same.
    """
    provider = key.partition(":")[0]
    names = [name for name in SANDBOXES[provider].columns if name not in hidden]
    dataset, own = PROVIDERS[provider].dataset.column_names, SANDBOXES[provider].columns
    found = [tuple(row[dataset.index(name)] for name in names) for row in rows]
    given = frozenset(found)
    if len(given) != len(found):
        return False
    shown = [own.index(name) for name in names]
    return any(
        given == (_seen(state.rows, shown) if hidden else state.rows)
        and apart == (state.aggregate or (None, None))
        for state in world.states_between(key, at, until)
    )


def _seen(rows: Iterable[Row], columns: Sequence[int]) -> frozenset[Row]:
    return frozenset(tuple(row[column] for column in columns) for row in rows)
