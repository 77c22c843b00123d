"""What a principal holds, as a target of a world sees it: its rows, and the views by class."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pipelines.sandbox.providers.hiro.blocks import Token
from pipelines.sandbox.states import Listing, State

FILTERED = "?asset_identifiers="


class HiroRow(NamedTuple):
    asset_identifier: str
    hex: str
    repr: str
    block_height: int
    tx_id: str

    @property
    def token(self) -> Token:
        return Token(*self[:3])


class HiroPrincipal:
    """What one principal holds, oldest first (so that a new row is a cheap append). `since` is the
    height at which it came into the world."""

    def __init__(self, key: str, since: int) -> None:
        self.key = key
        self.since = since
        self.rows: list[HiroRow] = []

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(reversed(self.rows)), None

    def row(self, index: int) -> HiroRow:
        """The row at `index`, counted from the newest; IndexError beyond."""
        if not 0 <= index < len(self.rows):
            raise IndexError(f"{self.key} holds {len(self.rows)} tokens, none at {index}")
        return self.rows[len(self.rows) - 1 - index]

    def holds(self, token: Token) -> bool:
        return any(token[:2] == row[:2] for row in self.rows)

    def drop(self, token: Token) -> None:
        self.rows = [row for row in self.rows if row[:2] != token[:2]]


def split_filter(key: str) -> tuple[str, frozenset[str]]:
    """The key of the whole principal, and the asset identifiers that are asked for, if any are."""
    principal, _, assets = key.partition(FILTERED)
    return principal, frozenset(assets.split(",") if assets else ())


@lru_cache(maxsize=512)
def only_assets(state: State, assets: frozenset[str]) -> State:
    """The same moment, seen through a filter of asset identifiers."""
    kept = tuple(row for row in state.listing if row[0] in assets)
    return State(state.at, state.version, kept)
