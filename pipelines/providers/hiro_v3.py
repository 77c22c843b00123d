"""Hiro's v3: `GET /extended/v3/principals/{principal}/balances/nft`, by cursors.

Read in the API server's source (v9.0.2, src/api/routes/v3/principals.ts) and in its answers. Rows
come by class and value: new ones enter anywhere. A row has no block and no transaction. The tag is
the principal's own, and changes with its transactions; a principal without any has none.

A cursor is the key of a page's first row, `VALUE:CLASS`, and a lower bound: the row may be gone,
and the page begins with the next one. `total` is the set's size as of that page, but 0 on a page
without rows. Two things follow from "lower bound". A class begins at `0x:CLASS`, so that targets
narrowed to classes read each as a stretch of its own: newer servers filter by `asset_identifier`,
older ones ignore it, and what comes after the class shows which. And a value too long for a
request line (16 KB, then 431) may be cut: rows that were given before come again, and are dropped.
"""

import re
from collections.abc import Sequence

import msgspec

from pipelines.errors import MalformedAnswer, RequestRefused, TornWalk
from pipelines.providers import clarity
from pipelines.providers.decoding import decode
from pipelines.providers.hiro_targets import HiroPrincipal
from pipelines.providers.pages import BEGINNING, Answer, Cursors, Page, PageRequest, Row
from pipelines.providers.provider import count, shorten

LONGEST_VALUE = 4096
"""Hexadecimal digits of a cursor's value that are sent: a request stays far below what servers and
proxies refuse. Of values that begin alike for longer, no more than a page may stand before the one
that is meant: the walk could not go on behind them."""

LONGEST_CONTRACT = 40
"""Characters of a contract's name that this API takes; v1 takes 128."""

_CURSOR = re.compile(r"(0x(?:[0-9a-f]{2})*):(.+)", re.DOTALL)


class _Value(msgspec.Struct, frozen=True, gc=False):
    hex: str
    repr: str


class _Position(msgspec.Struct, frozen=True, gc=False):
    asset_identifier: str
    value: _Value


class _Cursor(msgspec.Struct, frozen=True):
    next: str | None


class _Balances(msgspec.Struct, frozen=True):
    total: int
    limit: int
    cursor: _Cursor
    results: list[_Position]


def page_request(target: HiroPrincipal, start: str, limit: int) -> PageRequest:
    """Raises RequestRefused for a principal that this API does not take."""
    contract = target.principal.partition(".")[2]
    if len(contract) > LONGEST_CONTRACT:
        raise RequestRefused(
            f"Hiro's v3 takes names of contracts up to {LONGEST_CONTRACT} characters, and"
            f" {shorten(contract)!r} has {len(contract)}: only v1 can read it. Name a server that"
            " still has v1 in HIRO_BASE_URL, and set HIRO_API=v1; or take the target off the list"
        )
    start = start or _beginning(target)
    query = [("limit", str(limit))]
    if start:
        value, colon, identifier = start.partition(":")
        query.append(("cursor", f"{value[: 2 + LONGEST_VALUE]}{colon}{identifier}"))
        if target.asset_identifiers:
            query.append(("asset_identifier", identifier))
    path = f"/extended/v3/principals/{target.principal}/balances/nft"
    return PageRequest(path=path, query=tuple(query))


def read_page(target: HiroPrincipal, start: str, limit: int, answer: Answer) -> Page[str]:
    """The holdings from a cursor on. `total` is told where all of them are asked for.

    Raises MalformedAnswer, and TornWalk where a page before the end is not full.
    """
    body = decode(answer.body, _Balances)
    if body.limit != limit:
        raise MalformedAnswer(f"asked for limit {limit}, got limit {shorten(str(body.limit))}")
    if len(body.results) > limit:
        raise MalformedAnswer(f"{len(body.results)} results on a page of {limit}")
    total = count(body.total, "$.total")
    if total < len(body.results):
        raise MalformedAnswer(f"{len(body.results)} results, but $.total is {total}")
    found = body.cursor.next
    if found is not None and len(body.results) < limit:
        raise TornWalk(f"{len(body.results)} rows before the end, where {limit} fit a page")
    rows = _rows(body.results)
    begins = start or _beginning(target)
    wanted, following = _wanted(target, begins, rows, found)
    if begins and following and _order(following) <= _order(begins) and _same(following, begins):
        raise MalformedAnswer(f"$.cursor.next is {shorten(following)!r}, which does not lead on")
    told = not target.asset_identifiers and (bool(rows) or start == BEGINNING)
    return Page(
        start=start,
        limit=limit,
        rows=wanted,
        next=following,
        total=total if told else None,
        tag=answer.headers.get("etag"),
    )


def _beginning(target: HiroPrincipal) -> str:
    """The cursor of the first class that is asked for; none where all are."""
    return f"0x:{target.asset_identifiers[0]}" if target.asset_identifiers else BEGINNING


def _wanted(
    target: HiroPrincipal, begins: str, rows: Sequence[Row], found: str | None
) -> tuple[tuple[Row, ...], str | None]:
    """The rows of a page that belong to its stretch and were not given before, and the cursor of
    the next page."""
    if found is not None:
        _split(found, "$.cursor.next")
    if not begins:
        return tuple(rows), found
    value, identifier = _split(begins)
    fresh = [row for row in rows if row[0] != identifier or str(row[1]) >= value]
    if not target.asset_identifiers:
        return tuple(fresh), found
    kept = tuple(row for row in fresh if row[0] == identifier)
    goes_on = found is not None and _split(found)[1] == identifier
    if goes_on and len(kept) == len(fresh):
        return kept, found
    later = [other for other in target.asset_identifiers if other > identifier]
    return kept, f"0x:{later[0]}" if later else None


def _rows(positions: Sequence[_Position]) -> list[Row]:
    rows: list[Row] = []
    for index, position in enumerate(positions):
        path = f"$.results[{index}]"
        identifier, value = position.asset_identifier, position.value
        if "::" not in identifier:
            raise MalformedAnswer(f"{path}.asset_identifier is {shorten(identifier)!r}")
        try:
            kind, token_id = clarity.parse(value.hex)
        except MalformedAnswer as error:
            raise MalformedAnswer(f"{path}.value.hex: {error.message}") from None
        rows.append((identifier, value.hex, value.repr, kind, token_id, None, None))
    return rows


def _split(cursor: str, path: str = "the cursor") -> tuple[str, str]:
    """A cursor's value and class. Raises MalformedAnswer naming `path`."""
    found = _CURSOR.fullmatch(cursor)
    if not found:
        raise MalformedAnswer(f"{path} is {shorten(cursor)!r}, expected 0xVALUE:CLASS")
    return found[1], found[2]


def _order(cursor: str) -> str:
    return _split(cursor)[0]


def _same(one: str, other: str) -> bool:
    return _split(one)[1] == _split(other)[1]


HIRO_V3 = Cursors(
    fills_pages=False,
    page_request=page_request,
    read_page=read_page,
    tells_total=True,
    tags_set=True,
)
