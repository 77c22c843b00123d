"""Faults of the body: rows and totals that are wrong, in JSON that is otherwise as documented.

A body is taken apart, changed and put together again with every number as it was printed: a float
here would change what it is not meant to.
"""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.faults.schedule import Asked, Fault, asked

_MARK = "\ue000"
_MARKED = re.compile(r'"\\ue000([^"]*)"')

Json = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Where a provider's body keeps what: the rows, what tells their end, and in the first row an
    amount (a number), the object that it stands in, and a text that is the key or part of it."""

    rows: tuple[str, ...]
    end: tuple[str, ...]
    amount: tuple[str, ...]
    key: tuple[str, ...]


SHAPES = {
    "altura": Shape(("holders",), ("count",), ("balance",), ("address",)),
    "hiro": Shape(("results",), ("total",), ("block_height",), ("value", "hex")),
    "catenis": Shape(
        ("data", "assetHolders"), ("data", "hasMore"), ("balance", "total"), ("holder", "deviceId")
    ),
}


def raw(text: str) -> str:
    """A value that is printed as `text`, whatever that is."""
    return _MARK + text


def changed(change: Callable[[Json, Shape, Asked], None]) -> Fault:
    """The API's body after `change(body, shape, asked)`; other answers than 200 stay."""

    def fault(exchange: Exchange, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        body = json.loads(_inflated(answer), parse_float=raw)
        change(body, SHAPES[exchange.provider], asked(exchange))
        text = _MARKED.sub(lambda found: found[1], compact(body))
        return _with_body(answer, text.encode())

    return fault


def rows_of(body: Json, shape: Shape) -> list[Json]:
    rows: list[Json] = _at(body, shape.rows)
    return rows


def amount(value: Any) -> Fault:
    """The first row's amount is `value` (see `raw`)."""
    return changed(lambda body, shape, _: _put(rows_of(body, shape)[0], shape.amount, value))


def end(value: Any) -> Fault:
    """The total, or hasMore, is `value`."""
    return changed(lambda body, shape, _: _put(body, shape.end, value))


def missing(field: str) -> Fault:
    """Without the first row's `key` or `amount`, or the body's `end` or `rows`."""

    def change(body: Json, shape: Shape, _: Asked) -> None:
        path: tuple[str, ...] = getattr(shape, field)
        *outer, last = path
        del _at(rows_of(body, shape)[0] if field in {"key", "amount"} else body, outer)[last]

    return changed(change)


@changed
def extra(body: Json, shape: Shape, _: Asked) -> None:
    """Fields that nobody knows, in the body and in each row."""
    body["newField"] = {"since": "today", "rows": [1, None]}
    for row in rows_of(body, shape):
        row["newField"] = None


@changed
def row_twice(body: Json, shape: Shape, _: Asked) -> None:
    """The page's first row stands in the place of its last, too."""
    rows = rows_of(body, shape)
    rows[-1] = rows[0]


def key_twice(exchange: Exchange, answer: Answer) -> Answer:
    """The first amount stands twice in its object, first as 1."""
    name = compact(SHAPES[exchange.provider].amount[-1])
    text = _inflated(answer).decode().replace(f"{name}:", f"{name}:1,{name}:", 1)
    return _with_body(answer, text.encode())


def cut(exchange: Exchange, answer: Answer) -> Answer:  # noqa: ARG001 - a Fault
    """Half of the JSON, as if that were all."""
    body = _inflated(answer)
    return _with_body(answer, body[: len(body) // 2])


def capped(most: int) -> Fault:
    """At most so many rows a page, whatever is asked for."""
    return changed(lambda body, shape, _: _keep(body, shape, most))


def short(by: int) -> Fault:
    """So many rows fewer on a page that has more."""

    def change(body: Json, shape: Shape, _: Asked) -> None:
        if len(rows_of(body, shape)) > by:
            _keep(body, shape, len(rows_of(body, shape)) - by)

    return changed(change)


@changed
def no_rows(body: Json, shape: Shape, _: Asked) -> None:
    """A page without rows that still says how it goes on."""
    _keep(body, shape, 0)


@changed
def nothing_at_all(body: Json, shape: Shape, _: Asked) -> None:
    """An empty set, as if nobody had ever held anything."""
    _keep(body, shape, 0)
    _put(body, shape.end, 0 if shape.end != ("data", "hasMore") else False)


@changed
def past_the_end(body: Json, shape: Shape, given: Asked) -> None:
    """More rows than there are: one beyond the total, or beyond what fits the page."""
    rows = rows_of(body, shape)
    if shape.end == ("data", "hasMore"):
        rows += [_made("catenis", place) for place in range(given.limit + 1 - len(rows))]
    else:
        _put(body, shape.end, given.start + len(rows) - 1)


def repeated() -> Fault:
    """The page at position 0, again and again, once it was asked for; and never the end."""
    first: list[Answer] = []

    def fault(exchange: Exchange, answer: Answer) -> Answer:
        if asked(exchange).start == 0:
            first.append(answer)
        return first[0] if first else answer

    return fault


def endless(exchange: Exchange, answer: Answer) -> Answer:
    """A set of a billion rows, of which every page is as it should be."""
    provider, given = exchange.provider, asked(exchange)
    rows = [_made(provider, given.start + place) for place in range(given.limit)]
    if provider == "altura":
        body: Json = {"holders": rows, "count": 10**9}
    elif provider == "hiro":
        body = {"limit": given.limit, "offset": given.start, "total": 10**9, "results": rows}
    else:
        body = {"status": "success", "data": {"assetHolders": rows, "hasMore": True}}
    return _with_body(answer, compact(body).encode())


def _made(provider: str, place: int) -> Json:
    """The row at that position of an invented set."""
    if provider == "altura":
        return {"address": f"0x{place:040x}", "balance": 1}
    if provider == "hiro":
        value = {"hex": f"0x01{place:032x}", "repr": f"u{place}"}
        tx_id = f"0x{place:064x}"
        return {"asset_identifier": "SP1.a::a", "value": value, "block_height": 1, "tx_id": tx_id}
    return {"holder": {"deviceId": f"d{place:019}"}, "balance": {"total": 1, "unconfirmed": 0}}


def _keep(body: Json, shape: Shape, most: int) -> None:
    del rows_of(body, shape)[most:]


def _at(value: Any, path: tuple[str, ...] | list[str]) -> Any:
    for name in path:
        value = value[name]
    return value


def _put(value: Any, path: tuple[str, ...], new: Any) -> None:
    _at(value, path[:-1])[path[-1]] = new


def _inflated(answer: Answer) -> bytes:
    packed = answer.headers.get("content-encoding") == "gzip"
    return gzip.decompress(answer.body) if packed else answer.body


def _with_body(answer: Answer, body: bytes) -> Answer:
    headers = {k: v for k, v in answer.headers.items() if k != "content-encoding"}
    return Answer(answer.status, headers, body)
