"""Faults of the body: rows and totals that are wrong, in JSON that is otherwise as documented.

A body is taken apart, changed and put together again with every number as it was printed: a float
here would change what it is not meant to.
"""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.contract import Asked, Json, ProviderSandbox
from pipelines.sandbox.faults.schedule import Fault
from pipelines.sandbox.providers import SANDBOXES

_MARK = "\ue000"
_MARKED = re.compile(r'"\\ue000([^"]*)"')

Change = Callable[[Json, ProviderSandbox, Asked], None]
"""(body, whose it is, what was asked for) → the body changed in place."""


def raw(text: str) -> str:
    """A value that is printed as `text`, whatever that is."""
    return _MARK + text


def changed(change: Change) -> Fault:
    """The API's body after the change; other answers than 200 stay."""

    def fault(exchange: Exchange, answer: Answer) -> Answer:
        if answer.status != 200:
            return answer
        body = json.loads(_inflated(answer), parse_float=raw)
        sandbox = SANDBOXES[exchange.provider].route(exchange)
        change(body, sandbox, sandbox.asked(exchange))
        text = _MARKED.sub(lambda found: found[1], compact(body))
        return _with_body(answer, text.encode())

    return fault


def rows_of(body: Json, sandbox: ProviderSandbox) -> list[Json]:
    rows: list[Json] = _at(body, sandbox.shape.rows)
    return rows


def amount(value: Any) -> Fault:
    """The first row's amount is `value` (see `raw`)."""
    return changed(
        lambda body, sandbox, _: _put(rows_of(body, sandbox)[0], sandbox.shape.amount, value)
    )


def end(value: Any) -> Fault:
    """What tells the end (a total, or whether more follows) is `value`."""
    return changed(lambda body, sandbox, _: _put(body, sandbox.shape.end, value))


def missing(field: str) -> Fault:
    """Without the first row's `key` or `amount`, or the body's `end` or `rows`."""

    def change(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
        path: tuple[str, ...] = getattr(sandbox.shape, field)
        *outer, last = path
        del _at(rows_of(body, sandbox)[0] if field in {"key", "amount"} else body, outer)[last]

    return changed(change)


@changed
def extra(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
    """Fields that nobody knows, in the body and in each row."""
    body["newField"] = {"since": "today", "rows": [1, None]}
    for row in rows_of(body, sandbox):
        row["newField"] = None


@changed
def row_twice(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
    """The page's first row stands in the place of its last, too."""
    rows = rows_of(body, sandbox)
    rows[-1] = rows[0]


def key_twice(exchange: Exchange, answer: Answer) -> Answer:
    """The first amount stands twice in its object, first as 1."""
    name = compact(SANDBOXES[exchange.provider].route(exchange).shape.amount[-1])
    text = _inflated(answer).decode().replace(f"{name}:", f"{name}:1,{name}:", 1)
    return _with_body(answer, text.encode())


def cut(exchange: Exchange, answer: Answer) -> Answer:  # noqa: ARG001 - a Fault
    """Half of the JSON, as if that were all."""
    body = _inflated(answer)
    return _with_body(answer, body[: len(body) // 2])


@changed
def no_cursor(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
    """No page follows, though rows do."""
    if sandbox.shape.following:
        _put(body, sandbox.shape.following, None)


def cursor(text: str) -> Fault:
    """The next page is where `text` says."""

    def change(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
        if sandbox.shape.following:
            _put(body, sandbox.shape.following, text)

    return changed(change)


def capped(most: int) -> Fault:
    """At most so many rows a page, whatever is asked for."""
    return changed(lambda body, sandbox, _: _keep(body, sandbox, most))


def short(by: int) -> Fault:
    """So many rows fewer on a page that has more."""

    def change(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
        if len(rows_of(body, sandbox)) > by:
            _keep(body, sandbox, len(rows_of(body, sandbox)) - by)

    return changed(change)


@changed
def no_rows(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
    """A page without rows that still says how it goes on."""
    _keep(body, sandbox, 0)


@changed
def nothing_at_all(body: Json, sandbox: ProviderSandbox, _: Asked) -> None:
    """An empty set, as if nobody had ever held anything."""
    _keep(body, sandbox, 0)
    _put(body, sandbox.shape.end, 0 if sandbox.shape.counts else False)
    if sandbox.shape.following:
        _put(body, sandbox.shape.following, None)


@changed
def past_the_end(body: Json, sandbox: ProviderSandbox, asked: Asked) -> None:
    """More rows than there are: one beyond the total, or beyond what fits the page."""
    rows = rows_of(body, sandbox)
    if sandbox.shape.counts:
        _put(body, sandbox.shape.end, asked.start + len(rows) - 1)
    else:
        rows += [sandbox.invented(place) for place in range(asked.limit + 1 - len(rows))]


def repeated() -> Fault:
    """The page at position 0, again and again, once it was asked for; and never the end."""
    first: list[Answer] = []

    def fault(exchange: Exchange, answer: Answer) -> Answer:
        if SANDBOXES[exchange.provider].route(exchange).asked(exchange).start == 0:
            first.append(answer)
        return first[0] if first else answer

    return fault


@changed
def endless(body: Json, sandbox: ProviderSandbox, asked: Asked) -> None:
    """A set of a billion rows, of which every page is as it should be."""
    rows = [sandbox.invented(asked.start + place) for place in range(asked.limit)]
    _put(body, sandbox.shape.rows, rows)
    _put(body, sandbox.shape.end, 10**9 if sandbox.shape.counts else True)


def _keep(body: Json, sandbox: ProviderSandbox, most: int) -> None:
    del rows_of(body, sandbox)[most:]


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
