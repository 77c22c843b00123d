"""Faults of the status: refusals, rate limits and redirects, with bodies as they are met."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.faults.schedule import Fault
from pipelines.sandbox.providers import SANDBOXES

_JSON = {"content-type": "application/json"}
_HTML = b"<!DOCTYPE html>\n<html><head><title>\x1b[31mDown</title></head><body></body></html>\n"


def status(code: int, headers: Mapping[str, str] | None = None) -> Fault:
    """That status, with an error object of the provider's kind."""
    return lambda exchange, _: Answer(code, {**_JSON, **(headers or {})}, error_object(exchange))


def too_many(retry_after: Callable[[], str]) -> Fault:
    """429 with a Retry-After that is worked out when it is sent."""
    return lambda exchange, _: Answer(
        429, {**_JSON, "retry-after": retry_after()}, error_object(exchange)
    )


def http_date(seconds: float, *, zone: str = " GMT") -> str:
    """The time that many seconds from now, as HTTP writes dates; `zone` may be left out."""
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    return f"{then:%a, %d %b %Y %H:%M:%S}{zone}"


def redirect(location: str, code: int = 302) -> Fault:
    return lambda _, __: Answer(code, {"location": location})


def header(name: str, text: str | None) -> Fault:
    """The answer with that header, or without it."""

    def fault(_: Exchange, answer: Answer) -> Answer:
        headers = {n: t for n, t in answer.headers.items() if n.lower() != name}
        return replace(answer, headers=headers | ({name: text} if text is not None else {}))

    return fault


def html(_: Exchange, __: Answer) -> Answer:
    """A page for people, with 200."""
    return Answer(200, {"content-type": "text/html; charset=utf-8"}, _HTML)


def error_with_200(exchange: Exchange, _: Answer) -> Answer:
    return Answer(200, _JSON, error_object(exchange))


def error_object(exchange: Exchange) -> bytes:
    """An error as the provider words it, with an escape sequence for whoever prints it."""
    return SANDBOXES[exchange.provider].error_body("not \x1b[31mnow")
