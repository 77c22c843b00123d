"""The newest block, the list of blocks and a single one: GET /extended and /extended/v2/blocks.

None of them is deprecated. A block that was orphaned is no longer found by its hash, and another
one stands at its height (getBlocks and getBlock in pg-store-v2.ts).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.contract import Shown
from pipelines.sandbox.providers.hiro.blocks import Block
from pipelines.sandbox.providers.hiro.chain import FIRST_HEIGHT, HiroChain
from pipelines.sandbox.providers.hiro.requests import (
    PLAIN,
    VERSIONED,
    Refused,
    fresh,
    integer,
    invalid,
    matching,
    unchanged,
)

STATUS = "/extended"
BLOCKS = "/extended/v2/blocks"
MAX_LIMIT = 30
DEFAULT_LIMIT = 20
MAX_OFFSET = 10 * MAX_LIMIT

_HASH = "^(0x)?[a-fA-F0-9]{64}$"
_CURSOR = "^0x[a-fA-F0-9]{64}$"
_SECONDS = 5
_BEGAN = 1_735_000_000  # Unix time of the first block


def status(exchange: Exchange, world: Shown) -> Answer:
    tip = world.ledger(HiroChain).shown
    if known := unchanged(exchange, tip.index_hash):
        return known
    chain_tip = {
        "block_height": tip.height,
        "block_hash": tip.index_hash,
        "index_block_hash": tip.index_hash,
        "burn_block_height": tip.height,
    }
    version = f"stacks-blockchain-api {VERSIONED['x-api-version']}"
    body = {"server_version": version, "status": "ready", "chain_tip": chain_tip}
    return Answer(200, fresh(tip.index_hash), compact(body).encode())


def answer(exchange: Exchange, world: Shown, path: str) -> Answer | None:
    """The list or a single block; None for any other path."""
    if path == BLOCKS:
        return _listed(exchange, world)
    asked = re.fullmatch(f"{BLOCKS}/([^/]+)", path)
    return _single(exchange, world, asked[1]) if asked else None


def _listed(exchange: Exchange, world: Shown) -> Answer:
    """Canonical blocks, the newest first, from the one that `cursor` names on, or from the newest.

    `offset` counts from there, downwards. A cursor that is not canonical is not found.
    """
    query, chain = exchange.query, world.ledger(HiroChain)
    try:
        limit = integer(query, "limit", most=MAX_LIMIT) or DEFAULT_LIMIT
        offset = integer(query, "offset", -MAX_OFFSET, MAX_OFFSET) or 0
        cursor = matching(query, "cursor", _CURSOR)
    except Refused as refused:
        return Answer(refused.status, PLAIN, refused.body)
    tip = chain.shown
    if known := unchanged(exchange, tip.index_hash):
        return known
    named = tip if cursor is None else chain.find(cursor)
    first = tip.at(named.height - offset) if named and named.leads_to(tip) else None
    if cursor is not None and first is None:
        return Answer(
            404, fresh(tip.index_hash), Refused(404, "Not Found", "Cursor not found").body
        )
    blocks = list(islice(_down_from(first), limit + 1))
    newer = tip.at(first.height + limit) if first else None
    page = {
        "limit": limit,
        "offset": offset,
        "total": tip.height - FIRST_HEIGHT + 1 if first else 0,
        "next_cursor": newer.index_hash if newer else None,
        "prev_cursor": blocks[limit].index_hash if len(blocks) > limit else None,
        "cursor": first.index_hash if first else None,
        "results": [_shown(block) for block in blocks[:limit]],
    }
    return Answer(200, fresh(tip.index_hash), compact(page).encode())


def _single(exchange: Exchange, world: Shown, asked: str) -> Answer:
    """A block by its hash, by its height, or `latest`. The tag of one that was orphaned says so."""
    chain = world.ledger(HiroChain)
    try:
        block = _asked_for(chain, asked)
    except Refused as refused:
        return Answer(refused.status, PLAIN, refused.body)
    canonical = block is not None and block.leads_to(chain.shown)
    tag = f"{block.index_hash}:{str(canonical).lower()}" if block else None
    if known := unchanged(exchange, tag):
        return known
    if block is None or not canonical:
        return Answer(404, fresh(tag), Refused(404, "Not Found", "Block not found").body)
    return Answer(200, fresh(tag), compact(_shown(block)).encode())


def _asked_for(chain: HiroChain, asked: str) -> Block | None:
    if asked == "latest":
        return chain.shown
    if re.search(_HASH, asked):
        return chain.find("0x" + asked.removeprefix("0x").lower())
    if asked.isascii() and asked.isdigit():
        return chain.shown.at(int(asked))
    reasons = (
        "must be equal to constant",
        f'must match pattern "{_HASH}"',
        "must be integer",
        "must match a schema in anyOf",
    )
    raise invalid(", ".join(f"params/height_or_hash {reason}" for reason in reasons))


def _down_from(block: Block | None) -> Iterator[Block]:
    while block:
        yield block
        block = block.parent


def _shown(block: Block) -> dict[str, Any]:
    at = _BEGAN + _SECONDS * (block.height - FIRST_HEIGHT)
    text = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    parent = block.parent.index_hash if block.parent else "0x" + "00" * 32
    return {
        "canonical": True,
        "height": block.height,
        "hash": block.index_hash,
        "block_time": at,
        "block_time_iso": text,
        "tenure_height": block.height,
        "index_block_hash": block.index_hash,
        "parent_block_hash": parent,
        "parent_index_block_hash": parent,
        "burn_block_time": at,
        "burn_block_time_iso": text,
        "burn_block_hash": block.index_hash,
        "burn_block_height": block.height,
        "miner_txid": block.index_hash,
        "tx_count": len(block.transactions),
        "execution_cost_read_count": 0,
        "execution_cost_read_length": 0,
        "execution_cost_runtime": 0,
        "execution_cost_write_count": 0,
        "execution_cost_write_length": 0,
    }
