"""GET /api/v2/item/holders/:address/:tokenId as Altura's documentation has it.

The real server is closed, so what it leaves open is chosen here to be as awkward as the
documentation allows: ties change places with every change, large balances of some items are
strings, absent profile fields are null or missing, and a cap on perPage goes unmentioned.
"""

import re
from functools import lru_cache
from zlib import crc32

from pipelines.sandbox.answers import Answer, Exchange, compact, lot
from pipelines.sandbox.contract import Shown, whole_number
from pipelines.sandbox.providers.altura.item import NOT_LISTED, AlturaRow
from pipelines.sandbox.states import State

DEFAULT_PER_PAGE = 24
_PATH = re.compile(r"/api/v2/item/holders/([^/]+)/([0-9]+)")
_JSON = {"content-type": "application/json; charset=utf-8"}
_DOUBLE_MAX = 2**53


def answer(exchange: Exchange, world: Shown, max_per_page: int | None = None) -> Answer:
    path = _PATH.fullmatch(exchange.path)
    if path is None:
        return Answer(404, _JSON, b'{"error":"Not Found"}')
    query = exchange.query
    per_page = whole_number(query, "perPage", DEFAULT_PER_PAGE)
    page = whole_number(query, "page", 1)
    listed = query.get("includeListed", ["true"])
    if not per_page or not page or listed not in (["true"], ["false"]):
        return Answer(500, _JSON, b'{"error":"Internal Server Error"}')
    per_page = min(per_page, max_per_page or per_page)
    key = f"altura:{path[1].lower()}/{path[2]}" + (NOT_LISTED if listed == ["false"] else "")
    state = world.state(key)
    rows = ordered(state) if state else ()
    first = (page - 1) * per_page
    as_text = int(path[2]) % 2 == 1  # a choice for each item, so that one world has both kinds
    holders = [_holder(row, as_text) for row in rows[first : first + per_page]]
    return Answer(200, _JSON, compact({"holders": holders, "count": len(rows)}).encode())


@lru_cache(maxsize=64)
def ordered(state: State) -> tuple[AlturaRow, ...]:
    """Largest balance first; ties fall differently in every state, as nothing says otherwise."""
    rows = [row for row in state.listing if isinstance(row, AlturaRow)]
    return tuple(sorted(rows, key=lambda row: (-row.balance, lot(row.address, state.version))))


def _holder(row: AlturaRow, as_text: bool) -> dict[str, str | int | None]:
    in_text = as_text and row.balance > _DOUBLE_MAX
    profile = {
        "name": row.name,
        "profilePic": row.profile_pic,
        "profilePicUrl": row.profile_pic_url,
    }
    return {
        "address": row.address,
        "balance": str(row.balance) if in_text else row.balance,
        **{f: v for f, v in profile.items() if v is not None or _is_null(row.address, f)},
    }


def _is_null(address: str, field: str) -> bool:
    """Whether a field without a value is null here, or missing."""
    return crc32(f"{address}{field}".encode(errors="surrogatepass")) % 2 == 1
