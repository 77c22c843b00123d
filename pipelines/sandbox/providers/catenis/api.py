"""GET /api/0.6/assets/:assetId/holders as the Catenis API server answers it.

The list has no order and no total, and what migrated to another blockchain stands at the end of
the last page and alone on every page beyond. Amounts are printed from Decimals, digit by digit: a
float here would hide a client that reads them as floats.
"""

import gzip
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from pipelines.sandbox.answers import Answer, Exchange, compact, lot
from pipelines.sandbox.contract import Shown, whole_number
from pipelines.sandbox.providers.catenis.asset import CatenisAssets, CatenisRow
from pipelines.sandbox.providers.catenis.signature import signer
from pipelines.sandbox.states import State

MAX_LIMIT = 500
COMPRESS_FROM = 1024
_PATH = re.compile(r"/api/0\.(?:[3-9]|1[0-3])/assets/([^/]*)/holders")
_ASSET_ID = re.compile(r"a\w{19}", re.ASCII)
_JSON = {"content-type": "application/json"}
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Catenis</title></head><body></body></html>\n"


def answer(exchange: Exchange, world: Shown, credentials: Mapping[str, str]) -> Answer:
    path = _PATH.fullmatch(exchange.path)
    if path is None:
        return Answer(200, {"content-type": "text/html; charset=utf-8"}, _PAGE)
    device = signer(exchange, credentials, exchange.at)
    if device is None:
        return _error(401, "You must be logged in to do this.")
    query = exchange.query
    limit = whole_number(query, "limit", MAX_LIMIT)
    skip = whole_number(query, "skip", 0)
    if limit is None or skip is None or not 1 <= limit <= MAX_LIMIT:
        return _error(400, "Invalid parameters")
    if not _ASSET_ID.fullmatch(path[1]):
        return _error(400, "Invalid asset ID")
    state = world.state(f"catenis:{path[1]}")
    if state is not None and world.ledger(CatenisAssets).asset(path[1]).issuer != device:
        return _error(403, "No permission to list asset holders")
    return _compressed(_holders(state, limit, skip).encode(), exchange.headers)


def _holders(state: State | None, limit: int, skip: int) -> str:
    rows = ordered(state) if state else ()
    has_more = skip + limit < len(rows)
    entries = [_holder(row) for row in rows[skip : skip + limit]]
    if state and state.aggregate and not has_more:
        balance = _balance(*state.aggregate)
        entries.append(f'{{"migrated":true,"balance":{balance}}}')
    listed = ",".join(entries)
    return (
        f'{{"status":"success","data":{{"assetHolders":[{listed}],"hasMore":{compact(has_more)}}}}}'
    )


@lru_cache(maxsize=64)
def ordered(state: State) -> tuple[CatenisRow, ...]:
    """No order at all, but the same one for as long as the state lasts."""
    rows = [row for row in state.listing if isinstance(row, CatenisRow)]
    return tuple(sorted(rows, key=lambda row: lot(row.device_id, state.version)))


def _holder(row: CatenisRow) -> str:
    device = {"deviceId": row.device_id, "name": row.name, "prodUniqueId": row.prod_unique_id}
    known = {field: value for field, value in device.items() if value is not None}
    return f'{{"holder":{compact(known)},"balance":{_balance(row.total, row.unconfirmed)}}}'


def _balance(total: Decimal, unconfirmed: Decimal) -> str:
    return f'{{"total":{number(total)},"unconfirmed":{number(unconfirmed)}}}'


def number(amount: Decimal) -> str:
    """As JavaScript prints a number, but exactly: 25, 1145.75, 1e-7, 1e+21."""
    sign, digits, _ = amount.as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    if not significant:
        return "0"
    minus = "-" if sign else ""
    magnitude = amount.adjusted()  # of the first digit that is not 0
    if -7 < magnitude < 21:
        plain = f"{amount.copy_abs():f}"  # abs() would round to the context's 28 digits
        return minus + (plain.rstrip("0").rstrip(".") if "." in plain else plain)
    first, rest = significant[0], significant[1:]
    return f"{minus}{first}{'.' if rest else ''}{rest}e{magnitude:+d}"


def _compressed(body: bytes, headers: Mapping[str, str]) -> Answer:
    if len(body) < COMPRESS_FROM or not _takes_gzip(headers.get("accept-encoding", "")):
        return Answer(200, _JSON, body)
    packed = gzip.compress(body, compresslevel=1, mtime=0)
    return Answer(200, {**_JSON, "content-encoding": "gzip", "vary": "accept-encoding"}, packed)


def _takes_gzip(accepted: str) -> bool:
    for choice in accepted.lower().split(","):
        coding, _, weight = choice.replace(" ", "").partition(";q=")
        if coding in {"gzip", "*"}:
            return weight.strip("0.") != "" or not weight
    return False


def _error(status: int, message: str) -> Answer:
    return Answer(status, _JSON, error_body(message))


def error_body(message: str) -> bytes:
    return compact({"status": "error", "message": message}).encode()
