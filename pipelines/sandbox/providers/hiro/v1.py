"""GET /extended/v1/tokens/nft/holdings, deprecated: any page by its offset, the newest first.

Its tag is the chain's newest block, the same for every principal. Every answer warns; switched off,
the route answers 410 before it looks at anything.
"""

import re
from typing import Any

from pipelines.providers import c32
from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.contract import Shown
from pipelines.sandbox.providers.hiro.chain import HiroChain
from pipelines.sandbox.providers.hiro.holdings import FILTERED, HiroRow
from pipelines.sandbox.providers.hiro.requests import (
    DEPRECATED,
    PLAIN,
    Query,
    Refused,
    fresh,
    integer,
    invalid,
    unchanged,
)

HOLDINGS = "/extended/v1/tokens/nft/holdings"
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
GONE = Answer(
    410,
    PLAIN | DEPRECATED,
    b'{"error":"Gone","message":"This endpoint has been disabled.'
    b' See https://docs.hiro.so/stacks/api for more information"}',
)
"""What it answers once it is switched off."""

_ALPHABET = "[0123456789ABCDEFGHJKMNPQRSTVWXYZ]{28,41}"
_ADDRESS = re.compile(f"^{_ALPHABET}")
_CONTRACT_ID = re.compile(f"^{_ALPHABET}.[a-zA-Z]([a-zA-Z0-9]|[-_]){{0,39}}$")
_CONTRACT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,127}")
_BIGINT_END = 2**63


def answer(exchange: Exchange, world: Shown) -> Answer:
    """The schema is checked first, for all parameters, and what they mean only after the tag."""
    query, chain = exchange.query, world.ledger(HiroChain)
    try:
        principal = _principal_text(query)
        limit = integer(query, "limit", most=MAX_LIMIT) or DEFAULT_LIMIT
        offset = integer(query, "offset") or 0
        with_transactions = _boolean(query, "tx_metadata")
    except Refused as refused:
        return Answer(refused.status, PLAIN | DEPRECATED, refused.body)
    tag = chain.shown.index_hash
    headers = fresh(tag) | DEPRECATED
    if known := unchanged(exchange, tag):
        return Answer(known.status, {**known.headers, **DEPRECATED})
    try:
        key = _key(principal, query, offset)
    except Refused as refused:
        return Answer(refused.status, headers, refused.body)
    state = world.state(key)
    listing = chain.in_page_order(state.listing, offset + limit) if state else ()
    rows = listing[offset : offset + limit]
    total = len(listing) if rows else 0  # the count is a column of the rows: no row, no count
    results = [_result(row, with_transactions) for row in rows if isinstance(row, HiroRow)]
    if with_transactions:
        results.sort(key=lambda result: str(result["tx"]))
    page = {"limit": limit, "offset": offset, "total": total, "results": results}
    return Answer(200, headers, compact(page).encode())


def _key(principal: str, query: Query, offset: int) -> str:
    """The target that is asked for, as the world names it."""
    if not is_principal(principal):
        raise Refused(400, "Bad Request", "Invalid or missing principal")
    assets = _assets(query)
    if offset >= _BIGINT_END:
        message = f'value "{_as_javascript(offset)}" is out of range for type bigint'
        raise Refused(500, "Internal Server Error", message, "22003")
    return f"hiro:{principal}" + (FILTERED + ",".join(sorted(assets)) if assets else "")


def _result(row: HiroRow, with_transactions: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        "asset_identifier": row.asset_identifier,
        "value": {"hex": row.hex, "repr": row.repr},
        "block_height": row.block_height,
    }
    if with_transactions:
        tx = {"tx_id": row.tx_id, "block_height": row.block_height, "tx_status": "success"}
        return result | {"tx": tx}
    return result | {"tx_id": row.tx_id}


def is_principal(text: str) -> bool:
    """Whether it takes it: an address with a right checksum, alone or with a contract."""
    address, is_contract, contract = text.partition(".")
    try:
        c32.decode(address)
    except ValueError:
        return False
    return not is_contract or _CONTRACT_NAME.fullmatch(contract) is not None


def _principal_text(query: Query) -> str:
    given = query.get("principal")
    if given is None:
        raise invalid("querystring must have required property 'principal'")
    if len(given) > 1:
        reasons = ["must be string", "must be string"]
    elif _ADDRESS.search(given[0]):
        return given[0]
    else:
        reasons = [f'must match pattern "{p.pattern}"' for p in (_ADDRESS, _CONTRACT_ID)]
    reasons.append("must match a schema in anyOf")
    raise invalid(", ".join(f"querystring/principal {reason}" for reason in reasons))


def _assets(query: Query) -> list[str]:
    """Repeated or joined by commas; only the part before `::` is looked at."""
    assets = [asset for given in query.get("asset_identifiers", []) for asset in given.split(",")]
    if not all(is_principal(asset.partition("::")[0]) for asset in assets):
        raise Refused(400, "Bad Request", "Invalid asset identifier")
    return assets


def _as_javascript(number: int) -> str:
    """How JavaScript prints it: from 1e21 on with an exponent."""
    if number < 10**21:
        return str(number)
    mantissa, _, exponent = repr(float(number)).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent}"


def _boolean(query: Query, name: str) -> bool:
    given = query.get(name, ["false"])
    if given not in (["true"], ["false"]):
        raise invalid(f"querystring/{name} must be boolean")
    return given == ["true"]
