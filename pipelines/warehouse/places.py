"""Keeps the order in which a provider lists rows: each has a place, new ones above all others.

Only datasets with `ordered` have places. As long as all rows that changed stand at the top, nothing
else has to be touched. Where they do not, as after a reorganisation of the chain, all rows get
places anew.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipelines.providers.provider import Dataset
from pipelines.warehouse.schema import dataset_tables


@dataclass(frozen=True)
class Places:
    """The places of the rows that changed: `base` + `changed` - position, where `base` is known.

    Without `base` all rows of the set are to be numbered anew, from `rows` down. They have none
    where the order is not `known`.
    """

    base: int | None
    changed: int
    known: bool = True

    def of(self, table: sa.Table) -> sa.ColumnElement[Any]:
        """The place of each row of a table that has its position."""
        if not self.known:
            return sa.cast(sa.null(), sa.BigInteger)
        return (self.base or 0) + self.changed - table.c.position


NO_PLACES = Places(base=None, changed=0, known=False)


def places_of(connection: sa.Connection, delta: sa.Table, top_place: int | None) -> Places:
    """Where the rows that changed stand, above the highest place so far."""
    changed, top = connection.execute(
        sa.select(sa.func.count(delta.c.position), sa.func.max(delta.c.position))
    ).one()
    on_top = changed == (0 if top is None else top + 1)
    return Places(top_place if on_top else None, changed)


def number_anew(
    connection: sa.Connection, dataset: Dataset, target_id: int, staging: sa.Table, rows: int
) -> None:
    """Give every row of a target the place that it has in a whole walk."""
    current = dataset_tables(dataset).current
    connection.execute(
        current.update()
        .where(current.c.target_id == target_id, current.c.key_hash == staging.c.key_hash)
        .values(place=rows - staging.c.position)
    )
