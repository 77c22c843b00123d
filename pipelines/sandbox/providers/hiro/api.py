"""GET /extended/v1/tokens/nft/holdings as the Stacks API server v9.0.2 answers it.

Status and body of every refusal were recorded from that server (tests/reference/hiro/errors.txt).
Its validator is JavaScript, so a number is what JavaScript takes for one: "1e1" is 10. The ETag is
read before the rows, as there: a body can be newer than its ETag, never older.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from pipelines.providers import c32
from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.contract import Shown
from pipelines.sandbox.providers.hiro.chain import FILTERED, HiroChain, HiroRow, Tip

HOLDINGS = "/extended/v1/tokens/nft/holdings"
STATUS = "/extended/v1/status"
MAX_LIMIT = 200
DEFAULT_LIMIT = 50

COMMON_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-API-Version",
    "x-api-version": "v9.0.2 (main:759c4a58)",
    "content-type": "application/json; charset=utf-8",
}
_DEPRECATED = {
    "warning": '299 - "Deprecated: See https://docs.hiro.so/stacks/api for more information"'
}
GONE = Answer(
    410,
    COMMON_HEADERS | _DEPRECATED,
    b'{"error":"Gone","message":"This endpoint has been disabled.'
    b' See https://docs.hiro.so/stacks/api for more information"}',
)
"""What v1 answers once it is switched off; for a sandbox's before_response."""
DATABASE_DOWN = Answer(
    503,
    COMMON_HEADERS | _DEPRECATED | {"cache-control": "no-store"},
    b'{"error":"The database service is unavailable"}',
)
"""What every request answers while the server's database is down; for before_response."""

_ALPHABET = "[0123456789ABCDEFGHJKMNPQRSTVWXYZ]{28,41}"
_ADDRESS = re.compile(f"^{_ALPHABET}")
_CONTRACT_ID = re.compile(rf"^{_ALPHABET}\.[a-zA-Z]([a-zA-Z0-9]|[-_]){{0,39}}$")
_CONTRACT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,127}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX][0-9a-fA-F]+")
_BIGINT_END = 2**63


class Refused(Exception):
    """Not an error of the sandbox's: the answer that refuses a request, on its way out."""

    def __init__(self, status: int, error: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        body = {"statusCode": status, "code": code, "error": error, "message": message}
        if code is None:
            del body["code"]
        headers = COMMON_HEADERS | _DEPRECATED | {"cache-control": "no-store"}
        self.answer = Answer(status, headers, compact(body).encode())


def answer(exchange: Exchange, world: Shown) -> Answer:
    tip = world.ledger(HiroChain).tip
    fresh = {"cache-control": "public, no-cache, must-revalidate", "etag": f'"{tip.index_hash}"'}
    if _knows(exchange.headers, tip):
        return Answer(304, COMMON_HEADERS | fresh)
    if exchange.path == STATUS:
        return Answer(200, COMMON_HEADERS | fresh, _status(tip))
    if exchange.path != HOLDINGS:
        missing = {
            "statusCode": 404,
            "error": "Not Found",
            "message": f"Route GET:{exchange.path} not found",
        }
        return Answer(404, COMMON_HEADERS, compact(missing).encode())
    try:
        return Answer(200, COMMON_HEADERS | _DEPRECATED | fresh, _holdings(exchange.query, world))
    except Refused as refused:
        return refused.answer


def _holdings(query: dict[str, list[str]], world: Shown) -> bytes:
    """The schema is checked first, for all parameters, and what they mean only afterwards."""
    principal = _principal_text(query)
    limit = _integer(query, "limit", MAX_LIMIT) or DEFAULT_LIMIT
    offset = _integer(query, "offset") or 0
    with_transactions = _boolean(query, "tx_metadata")
    if not is_principal(principal):
        raise Refused(400, "Bad Request", "Invalid or missing principal")
    assets = _assets(query)
    if offset >= _BIGINT_END:
        message = f'value "{_as_javascript(offset)}" is out of range for type bigint'
        raise Refused(500, "Internal Server Error", message, "22003")
    key = f"hiro:{principal}" + (FILTERED + ",".join(sorted(assets)) if assets else "")
    state = world.state(key)
    listing = state.listing if state else ()
    rows = listing[offset : offset + limit]
    total = len(listing) if rows else 0  # the count is a column of the rows: no row, no count
    results = [_result(row, with_transactions) for row in rows if isinstance(row, HiroRow)]
    if with_transactions:
        results.sort(key=lambda result: str(result["tx"]))
    page = {"limit": limit, "offset": offset, "total": total, "results": results}
    return compact(page).encode()


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
    """Whether the API takes it: an address with a right checksum, alone or with a contract."""
    address, is_contract, contract = text.partition(".")
    try:
        c32.decode(address)
    except ValueError:
        return False
    return not is_contract or _CONTRACT_NAME.fullmatch(contract) is not None


def _principal_text(query: dict[str, list[str]]) -> str:
    given = query.get("principal")
    if given is None:
        raise _invalid("querystring must have required property 'principal'")
    if len(given) > 1:
        reasons = ["must be string", "must be string"]
    elif _ADDRESS.search(given[0]):
        return given[0]
    else:
        reasons = [f'must match pattern "{p.pattern}"' for p in (_ADDRESS, _CONTRACT_ID)]
    reasons.append("must match a schema in anyOf")
    raise _invalid(", ".join(f"querystring/principal {reason}" for reason in reasons))


def _assets(query: dict[str, list[str]]) -> list[str]:
    """Repeated or joined by commas; only the part before `::` is looked at."""
    assets = [asset for given in query.get("asset_identifiers", []) for asset in given.split(",")]
    if not all(is_principal(asset.partition("::")[0]) for asset in assets):
        raise Refused(400, "Bad Request", "Invalid asset identifier")
    return assets


def _integer(query: dict[str, list[str]], name: str, most: int | None = None) -> int | None:
    given = query.get(name)
    if given is None:
        return None
    number = _javascript_integer(given[0]) if len(given) == 1 else None
    if number is None:
        raise _invalid(f"querystring/{name} must be integer")
    if number < 0:
        raise _invalid(f"querystring/{name} must be >= 0")
    if most is not None and number > most:
        raise _invalid(f"querystring/{name} must be <= {most}")
    return number


def _javascript_integer(text: str) -> int | None:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    number = float(int(text, 16)) if text[:2].lower() == "0x" else float(text)
    return int(number) if math.isfinite(number) and number.is_integer() else None


def _as_javascript(number: int) -> str:
    """How JavaScript prints it: from 1e21 on with an exponent."""
    if number < 10**21:
        return str(number)
    mantissa, _, exponent = repr(float(number)).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent}"


def _boolean(query: dict[str, list[str]], name: str) -> bool:
    given = query.get(name, ["false"])
    if given not in (["true"], ["false"]):
        raise _invalid(f"querystring/{name} must be boolean")
    return given == ["true"]


def _knows(headers: Mapping[str, str], tip: Tip) -> bool:
    """Whether If-None-Match names the newest block: then nothing else about the url matters."""
    tags = [tag.strip() for tag in headers.get("if-none-match", "").split(",")]
    return f'"{tip.index_hash}"' in (tag.removeprefix("W/") for tag in tags)


def _status(tip: Tip) -> bytes:
    chain_tip = {"block_height": tip.height, "index_block_hash": tip.index_hash}
    version = f"stacks-blockchain-api {COMMON_HEADERS['x-api-version']}"
    status = {"server_version": version, "status": "ready", "chain_tip": chain_tip}
    return compact(status).encode()


def _invalid(message: str) -> Refused:
    return Refused(400, "Bad Request", message, "FST_ERR_VALIDATION")
