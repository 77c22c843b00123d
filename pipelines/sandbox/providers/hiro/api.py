"""The Stacks API server v9.0.2, as far as holdings of tokens and the chain's blocks go.

Statuses, headers and bodies were recorded from that server (tests/reference/hiro/errors.txt and
captured/). Newer servers filter v3's holdings by one class, older ones have no v3 at all, and some
day v1 is switched off: `Version` says which server it is.
"""

from dataclasses import dataclass

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import Shown
from pipelines.sandbox.providers.hiro import block_routes, v1, v3
from pipelines.sandbox.providers.hiro.requests import (
    DEPRECATED,
    NOT_KEPT,
    TOO_LONG,
    is_too_long,
    not_found,
)
from pipelines.sandbox.providers.hiro.v1 import GONE, HOLDINGS

__all__ = ["DATABASE_DOWN", "GONE", "HOLDINGS", "Version", "answer"]

DATABASE_DOWN = Answer(
    503, NOT_KEPT | DEPRECATED, b'{"error":"The database service is unavailable"}'
)
"""What v1 answers while the server's database is down; for before_response. v3: without Warning."""


@dataclass(frozen=True)
class Version:
    """What a server has: `v1` until it is switched off, `v3` and the list of `blocks` since a
    while ago, and `filters` for the parameter asset_identifier of v3, which others ignore."""

    v1: bool = True
    v3: bool = True
    filters: bool = False
    blocks: bool = True


NEWEST_RECORDED = Version()
"""9.0.2, whose answers were recorded."""


def answer(exchange: Exchange, world: Shown, version: Version) -> Answer:
    path = exchange.path.rstrip("/")
    if is_too_long(exchange):
        return TOO_LONG
    if path == HOLDINGS:
        return v1.answer(exchange, world) if version.v1 else GONE
    if version.v3 and (asked := v3.BALANCES.fullmatch(path)):
        return v3.answer(exchange, world, asked[1], filters=version.filters)
    if path == block_routes.STATUS:
        return block_routes.status(exchange, world)
    found = block_routes.answer(exchange, world, path) if version.blocks else None
    return found or not_found(exchange)
