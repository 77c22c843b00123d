"""GET /extended/v3/principals/{principal}/balances/nft: v1's successor, by cursors.

The order is that of class and value, so new rows enter anywhere. A cursor is the key of a page's
first row and a lower bound: the row may be gone, and the page begins with the next one. The tag is
the principal's own. As in getPrincipalNftBalances (pg-store-v3.ts), the rows, `total` and all
cursors of a page are of one moment, and a page without rows says `total: 0`.
"""

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Any, NamedTuple

from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.contract import Shown
from pipelines.sandbox.providers.hiro.chain import HiroChain
from pipelines.sandbox.providers.hiro.holdings import only_assets
from pipelines.sandbox.providers.hiro.requests import (
    PLAIN,
    Refused,
    fresh,
    integer,
    invalid,
    matching,
    unchanged,
)
from pipelines.sandbox.states import Row, State

BALANCES = re.compile("/extended/v3/principals/([^/]+)/balances/nft")
MAX_LIMIT = 200
DEFAULT_LIMIT = 100
CURSOR = "^0x[0-9a-fA-F]*:.+$"

_ALPHABET = "[0123456789ABCDEFGHJKMNPQRSTVWXYZ]{28,41}"
_PATTERNS = (f"^{_ALPHABET}$", f"^{_ALPHABET}.[a-zA-Z]([a-zA-Z0-9]|[-_]){{0,39}}$")


class Key(NamedTuple):
    """A row's place in the order. Hex in lower case sorts as the bytes do."""

    asset_identifier: str
    value: str

    @classmethod
    def of(cls, row: Row) -> "Key":
        return cls(row[0], row[1].lower())

    def cursor(self) -> str:
        return f"{self.value}:{self.asset_identifier}"


def answer(exchange: Exchange, world: Shown, principal: str, *, filters: bool) -> Answer:
    """`filters`: the parameter asset_identifier is known. Else it is ignored as any other."""
    query = exchange.query
    try:
        _check(principal)
        limit = integer(query, "limit", 1, MAX_LIMIT)
        cursor = matching(query, "cursor", CURSOR)
    except Refused as refused:
        return Answer(refused.status, PLAIN, refused.body)
    key = f"hiro:{principal}"
    tag = world.ledger(HiroChain).tag(key)
    if known := unchanged(exchange, tag):
        return known
    try:
        begin = _begin(cursor)
    except Refused as refused:
        return Answer(refused.status, fresh(tag), refused.body)
    state = world.state(key)
    if state and filters and "asset_identifier" in query:
        state = only_assets(state, frozenset(query["asset_identifier"]))
    page = _page(state, begin, DEFAULT_LIMIT if limit is None else limit)
    return Answer(200, fresh(tag), compact(page).encode())


def _check(principal: str) -> None:
    """Against the patterns alone: a wrong checksum is the name of nobody."""
    if any(re.search(pattern, principal) for pattern in _PATTERNS):
        return
    reasons = [f'must match pattern "{pattern}"' for pattern in _PATTERNS]
    reasons.append("must match a schema in anyOf")
    raise invalid(", ".join(f"params/principal {reason}" for reason in reasons))


def _begin(cursor: str | None) -> Key | None:
    if cursor is None:
        return None
    value, _, asset_identifier = cursor.partition(":")
    if len(value) % 2:
        raise Refused(500, "Internal Server Error", "Hex string is an odd number of digits")
    return Key(asset_identifier, value.lower())


def _page(state: State | None, begin: Key | None, limit: int) -> dict[str, Any]:
    rows, keys = _in_order(state) if state else ((), ())
    first = bisect_left(keys, begin) if begin else 0
    end = first + limit
    shown = rows[first:end]
    before = max(first - limit, 0)
    cursor = {
        "next": keys[end].cursor() if end < len(keys) else None,
        "previous": keys[before].cursor() if shown and first else None,
        "current": keys[first].cursor() if shown else None,
    }
    results = [
        {"asset_identifier": row[0], "value": {"hex": row[1], "repr": row[2]}} for row in shown
    ]
    total = len(rows) if shown else 0  # the count is a column of the rows: no row, no count
    return {"total": total, "limit": limit, "cursor": cursor, "results": results}


@lru_cache(maxsize=64)
def _in_order(state: State) -> tuple[tuple[Row, ...], tuple[Key, ...]]:
    rows = tuple(sorted(state.listing, key=Key.of))
    return rows, tuple(Key.of(row) for row in rows)
