"""What was true, and since when: the rows of one target as an API client can see them.

A state is never changed, only followed by the next one, so a response made from one state is one
true state, and a judge can ask later what held at any moment. Rows are shared between states: one
costs a tuple of pointers (17 KB for 2,100 rows), and a trial of 10,000 changes fits in memory.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

Row = tuple[Any, ...]
"""A named tuple of the provider's, which begins with the key."""
Listing = tuple[Row, ...]


class Aggregate(NamedTuple):
    """Amounts that belong to no row."""

    total: Decimal
    unconfirmed: Decimal


@dataclass(frozen=True, eq=False)
class State:
    """One target from `at` (UTC) until the next state of the same target begins.

    `listing` holds the rows in the ledger's order: the order of the API where that promises one.
    `version` draws the order in which rows are shown that have none: it is the state's number from
    0, or that of an earlier one whose order stayed.
    """

    at: datetime
    version: int
    listing: Listing
    aggregate: Aggregate | None = None

    @cached_property
    def rows(self) -> frozenset[Row]:
        """The rows without an order; equal to plain tuples of the same values."""
        return frozenset(self.listing)


def without_repeats(states: Sequence[State]) -> list[State]:
    """Leave out a state that shows the same as the one before: a filter hides most changes."""
    kept: list[State] = []
    for state in states:
        if kept and kept[-1].listing == state.listing:
            continue
        kept.append(state)
    return kept


def between(states: Sequence[State], start: datetime, end: datetime) -> list[State]:
    """The state in force at `start`, and each later one that began up to `end`."""
    began = attrgetter("at")
    first = max(bisect_right(states, start, key=began) - 1, 0)
    return list(states[first : bisect_right(states, end, key=began)])
