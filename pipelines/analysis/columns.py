"""What the columns of a query's result hold, as frames and files need to know it.

Told by Postgres, not by the values: an empty result has the same columns and types as a full one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import psycopg

from pipelines.errors import ConfigurationError

RATIOS = frozenset({
    "gini",
    "herfindahl",
    "share",
    "share_of_positions",
    "survival",
    "top_1_share",
    "top_10_share",
    "top_100_share",
})  # fmt: skip
"""Numerics that are quotients: rounded already, and for plots. What they were made of is exact."""

MOST_DIGITS = 38
"""Of a decimal in a file. Arrow has a type of 76, too, which DuckDB reads as a double, silently."""

AMOUNT_SCALE = 7
"""Digits behind the point of an amount, a sum or a difference as a decimal in a file, which leaves
31 before it. No provider's assets have more (one has 7, whose server refuses to issue an asset with
8); what the others count is whole."""

SCALES = {"balance": 0, "token_id": 0, "entered": 0, "exited": 0, "seconds": 6}
"""The same of columns that hold something else, also where `_before` or `_after` follows the name:
amounts that are whole, token ids, counts of rows, times. It never depends on the rows:
files of several days are read together, and DuckDB rounds where their types differ."""

DURATION_SCALE = 6
"""Postgres counts microseconds."""


class Kind(Enum):
    """What a column holds."""

    WHOLE = auto()
    """Counts, ranks and ids, up to 2^63."""
    EXACT = auto()
    """Quantities: decimals of any length."""
    RATIO = auto()
    """A quotient, which Postgres has rounded to 16 digits or a few more; also what is a double."""
    MOMENT = auto()
    """A time with its zone, UTC."""
    DAY = auto()
    DURATION = auto()
    TRUTH = auto()
    TEXT = auto()
    LIST = auto()
    """Several texts; in a file one text, as JSON."""


_KINDS = {
    "int2": Kind.WHOLE,
    "int4": Kind.WHOLE,
    "int8": Kind.WHOLE,
    "numeric": Kind.EXACT,
    "float4": Kind.RATIO,
    "float8": Kind.RATIO,
    "timestamptz": Kind.MOMENT,
    "date": Kind.DAY,
    "interval": Kind.DURATION,
    "bool": Kind.TRUTH,
}


@dataclass(frozen=True)
class Column:
    """A column of a result."""

    name: str
    kind: Kind

    @property
    def scale(self) -> int:
        """Digits behind the point as a decimal in a file; `MOST_DIGITS` less these before it."""
        if self.kind is Kind.DURATION:
            return DURATION_SCALE
        return SCALES.get(self.name.removesuffix("_before").removesuffix("_after"), AMOUNT_SCALE)


def columns_of(description: Iterable[Sequence[Any]] | None) -> list[Column]:
    """The columns of a cursor that has executed a query: each begins with its name and its type.

    Raises ConfigurationError where two have the same name.
    """
    columns = [Column(name, _kind(name, oid)) for name, oid, *_ in description or ()]
    refuse_same_names(column.name for column in columns)
    return columns


def refuse_same_names(names: Iterable[str]) -> None:
    """Raise ConfigurationError where a name occurs twice.

    Call it before rows are read by the names of their columns: a dict and a frame made of one keep
    the last column of a name and drop the others silently. A join of two marts has such columns.
    """
    same = [f"{name} ({count})" for name, count in sorted(Counter(names).items()) if count > 1]
    if same:
        raise ConfigurationError(
            f"the result has columns of the same name: {', '.join(same)}. Give each a name of its"
            " own, such as t.quantity as quantity_of_target"
        )


def _kind(name: str, oid: int) -> Kind:
    known = psycopg.adapters.types.get(oid)
    if known and oid == known.array_oid:
        return Kind.LIST
    kind = _KINDS.get(known.name, Kind.TEXT) if known else Kind.TEXT
    return Kind.RATIO if kind is Kind.EXACT and name in RATIOS else kind
