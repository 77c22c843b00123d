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
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import NamedTuple, TypeAlias

NOT_LISTED = "?include_listed=false"
FILTERED = "?asset_identifiers="


class AlturaRow(NamedTuple):
    address: str
    balance: int
    name: str | None
    profile_pic: str | None
    profile_pic_url: str | None


class HiroRow(NamedTuple):
    asset_identifier: str
    hex: str
    repr: str
    block_height: int
    tx_id: str


class CatenisRow(NamedTuple):
    device_id: str
    total: Decimal
    unconfirmed: Decimal
    name: str | None
    prod_unique_id: str | None


class Aggregate(NamedTuple):
    """What Catenis reports without a holder: amounts moved to another blockchain."""

    total: Decimal
    unconfirmed: Decimal


Row: TypeAlias = AlturaRow | HiroRow | CatenisRow
Listing: TypeAlias = tuple[AlturaRow, ...] | tuple[HiroRow, ...] | tuple[CatenisRow, ...]


@dataclass(frozen=True, eq=False)
class State:
    """One target from `at` (UTC) until the next state of the same target begins.

    `listing` holds the rows in the ledger's order (Hiro's is the order of the API; the other two
    providers promise none). `version` draws the order in which rows are shown that have none: it is
    the state's number from 0, or that of an earlier one whose order stayed.
    """

    at: datetime
    version: int
    listing: Listing
    aggregate: Aggregate | None = None

    @cached_property
    def rows(self) -> frozenset[Row]:
        """The rows without an order; equal to plain tuples of the same values."""
        return frozenset(self.listing)


@dataclass(frozen=True)
class Tip:
    """The newest Stacks block: `index_hash` is what the API sends as its ETag."""

    height: int
    index_hash: str


def hiro_filter(key: str) -> tuple[str, frozenset[str] | None]:
    """Split a Hiro key into the key of the whole principal and the asset identifiers, if any."""
    principal, marker, assets = key.partition(FILTERED)
    return principal, frozenset(assets.split(",")) if marker else None


@lru_cache(maxsize=512)
def only_assets(state: State, assets: frozenset[str]) -> State:
    """The same moment, seen through a filter of asset identifiers."""
    rows = [row for row in state.listing if isinstance(row, HiroRow)]
    kept = tuple(row for row in rows if row.asset_identifier in assets)
    return State(state.at, state.version, kept)


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
