"""What all routes of the Stacks API server have in common: headers, refusals, the conditional GET.

Its validator is JavaScript, so a number is what JavaScript takes for one: "1e1" is 10. It runs
before anything is looked up (fastify's order): what it refuses has no version, no tag, and is never
answered with 304. Then the tag is computed, and only then the rows: a body can be newer than its
tag, never older.
"""

import math
import re
from collections.abc import Mapping

from pipelines.sandbox.answers import Answer, Exchange, compact

Query = Mapping[str, list[str]]

PLAIN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-API-Version",
    "content-type": "application/json; charset=utf-8",
}
VERSIONED = PLAIN | {"x-api-version": "v9.0.2 (main:759c4a58)"}
NOT_KEPT = VERSIONED | {"cache-control": "no-store"}
DEPRECATED = {
    "warning": '299 - "Deprecated: See https://docs.hiro.so/stacks/api for more information"'
}

MOST_HEADER_BYTES = 16 * 1024
TOO_LONG = Answer(
    431,
    {"content-type": "application/json"},
    b'{"error":"Request Header Fields Too Large","message":"Exceeded maximum allowed HTTP header'
    b' size","statusCode":431}',
    close=True,
)
"""What node answers before the API sees anything."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX][0-9a-fA-F]+")
_TAG = re.compile(r'(?:"|W/")?(.*?)"?', re.DOTALL)


class Refused(Exception):
    """Not an error of the sandbox's: what refuses a request, on its way out."""

    def __init__(self, status: int, error: str, message: str, code: str | None = None) -> None:
        super().__init__(message)
        body = {"statusCode": status, "code": code, "error": error, "message": message}
        if code is None:
            del body["code"]
        self.status = status
        self.body = compact(body).encode()
        self.by_schema = code == "FST_ERR_VALIDATION"


def invalid(message: str) -> Refused:
    """The schema's refusal."""
    return Refused(400, "Bad Request", message, "FST_ERR_VALIDATION")


def fresh(tag: str | None) -> dict[str, str]:
    """The headers of an answer with that tag."""
    if tag is None:
        return NOT_KEPT
    return VERSIONED | {"cache-control": "public, no-cache, must-revalidate", "etag": f'"{tag}"'}


def unchanged(exchange: Exchange, tag: str | None) -> Answer | None:
    """304 where If-None-Match has that tag, whatever else the request asks for.

    A tag counts with quotes, without and as a weak one; `*` does not. The answer has no ETag.
    """
    given = exchange.headers.get("if-none-match", "").strip()
    tags = [found[1] for one in given.split(",") if (found := _TAG.fullmatch(one.strip()))]
    if tag is None or tag not in tags:
        return None
    return Answer(304, without(fresh(tag), "etag", "content-type"))


def not_found(exchange: Exchange) -> Answer:
    """What a server answers that has no such route."""
    message = f"Route {exchange.method}:{exchange.target} not found"
    body = {"message": message, "error": "Not Found", "statusCode": 404}
    return Answer(404, NOT_KEPT, compact(body).encode())


def is_too_long(exchange: Exchange) -> bool:
    line = len(f"{exchange.method} {exchange.target} HTTP/1.1\r\n")
    headers = sum(len(name) + len(value) + 4 for name, value in exchange.headers.items())
    return line + headers > MOST_HEADER_BYTES


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def integer(query: Query, name: str, least: int | None = 0, most: int | None = None) -> int | None:
    """A parameter as a whole number, None where it is not given."""
    given = query.get(name)
    if given is None:
        return None
    number = _javascript_integer(given[0]) if len(given) == 1 else None
    if number is None:
        raise invalid(f"querystring/{name} must be integer")
    if least is not None and number < least:
        raise invalid(f"querystring/{name} must be >= {least}")
    if most is not None and number > most:
        raise invalid(f"querystring/{name} must be <= {most}")
    return number


def _javascript_integer(text: str) -> int | None:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    number = float(int(text, 16)) if text[:2].lower() == "0x" else float(text)
    return int(number) if math.isfinite(number) and number.is_integer() else None


def matching(query: Query, name: str, pattern: str) -> str | None:
    """A parameter that matches, None where it is not given."""
    given = query.get(name)
    if given is None:
        return None
    if len(given) > 1:
        raise invalid(f"querystring/{name} must be string")
    if not re.search(pattern, given[0]):
        raise invalid(f'querystring/{name} must match pattern "{pattern}"')
    return given[0]
