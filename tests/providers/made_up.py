"""A made-up provider whose pages have cursors, and its server on a real socket.

`GET /v1/vaults/{vault}/deeds?limit=…&cursor=…` lists a vault's deeds by their ids. It does what
such APIs do: a cursor names the first deed of the next page and is a lower bound, so that a deed
which has left is passed over silently; `total` is of the moment of the page, and 0 on an empty one;
one ETag for the whole vault, and 304 where it is sent back.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.decoding import decode
from pipelines.providers.pages import Answer, Cursors, Page, PageRequest
from pipelines.providers.provider import (
    BASE_URL,
    PAGE_SIZE,
    BaseUrl,
    Column,
    Dataset,
    Outgoing,
    Proof,
    Provider,
    ProviderSettings,
    Target,
    Words,
    count,
    excerpt,
    refusal,
    whole,
)

MAX_LIMIT = 100


class VaultSettings(ProviderSettings):
    model_config = SettingsConfigDict(env_prefix="MADE_UP_")

    base_url: BaseUrl = Field(default="https://vaults.example", description=BASE_URL)
    page_size: Annotated[int, Field(ge=2, le=MAX_LIMIT)] = Field(
        default=MAX_LIMIT, description=PAGE_SIZE
    )


class Vault(Target):
    """A vault, by its name."""

    provider: ClassVar[str] = "made_up"

    vault: str = Field(description="a vault's name")

    @property
    def subject(self) -> str:
        return self.vault


class _Deed(msgspec.Struct, frozen=True, gc=False):
    id: str
    shares: int


class _Deeds(msgspec.Struct, frozen=True):
    total: int
    next: str | None
    deeds: list[_Deed]


def page_request(target: Vault, start: str, limit: int) -> PageRequest:
    cursor = [("cursor", start)] if start else []
    return PageRequest(f"/v1/vaults/{target.vault}/deeds", (("limit", str(limit)), *cursor))


def read_page(target: Vault, start: str, limit: int, answer: Answer) -> Page[str]:
    """The deeds from a cursor on. Raises MalformedAnswer, and TornWalk where all of them have left
    since the cursor was told."""
    body = decode(answer.body, _Deeds)
    if len(body.deeds) > limit:
        raise MalformedAnswer(f"{len(body.deeds)} deeds on a page of {limit}")
    total = count(body.total, "$.total")
    if len(body.deeds) > total:
        raise TornWalk(f"{len(body.deeds)} deeds, but $.total is {total}")
    if start and not body.deeds:
        raise TornWalk("no deed is left from the cursor on")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(
            (deed.id, whole(deed.shares, f"$.deeds[{index}].shares"))
            for index, deed in enumerate(body.deeds)
        ),
        next=body.next,
        total=total,
        tag=answer.headers.get("etag"),
    )


def auth_headers(settings: VaultSettings, outgoing: Outgoing, now: datetime) -> dict[str, str]:
    return {}


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    return refusal(status, excerpt(body), "Check MADE_UP_BASE_URL" if status == 404 else "")


MADE_UP = Provider(
    name="made_up",
    title="Made-up vaults",
    dataset=Dataset(
        name="made_up_deeds",
        title="Made-up vaults",
        description="Deeds in each watched vault.",
        words=Words(
            target="a vault.", subject="a vault", row="deed", holder="vault", asset="deed id"
        ),
        columns=(
            Column("deed_id", "text", "Id of the deed."),
            Column("shares", "numeric", "Shares that it is for."),
        ),
        key=("deed_id",),
        asset="deed_id",
        amount="shares",
    ),
    target_type=Vault,
    settings_type=VaultSettings,
    addressing=Cursors(page_request=page_request, read_page=read_page, tells_total=True),
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
)

Deeds = dict[str, int]


class VaultServer:
    """Serves one vault. `log` has the targets that were asked for, as they came.

    `before(number)` is called when the request with that number (from 1) has come, `after(number)`
    when it was answered; `change(number, body)` may change an answer's JSON, or give another one.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.cap = MAX_LIMIT
        self.headers: dict[str, str] = {}
        self.before: Callable[[int], object] = lambda _: None
        self.after: Callable[[int], object] = lambda _: None
        self.change: Callable[[int, dict[str, Any]], object] = lambda _, __: None
        self.states: list[tuple[datetime, Deeds]] = [(datetime.now(UTC), {})]
        self._lock = threading.RLock()
        self.url = ""

    @property
    def deeds(self) -> Deeds:
        return self.states[-1][1]

    def set(self, changed: Mapping[str, int | None]) -> None:
        """Give deeds other shares, all together; None removes one."""
        with self._lock:
            kept = {**self.deeds, **changed}
            now = {id_: shares for id_, shares in kept.items() if shares is not None}
            self.states.append((datetime.now(UTC), now))

    def states_between(self, at: datetime, until: datetime) -> list[Deeds]:
        """All states that the vault was in at some moment from `at` to `until`."""
        ends = [began for began, _ in self.states[1:]] + [datetime.max.replace(tzinfo=UTC)]
        return [
            deeds
            for (began, deeds), end in zip(self.states, ends, strict=True)
            if began <= until and end >= at
        ]

    def answer(self, target: str, condition: str | None) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self.log.append(target)
            number = len(self.log)
            self.before(number)
            tag = f'"{len(self.states)}"'
            deeds = sorted(self.deeds.items())
        if condition == tag:
            return 304, {}, b""
        query = parse_qs(urlsplit(target).query, strict_parsing=True)
        limit = min(int(query["limit"][0]), self.cap)
        follow = [deed for deed in deeds if deed[0] >= query.get("cursor", [""])[0]]
        body: dict[str, Any] = {
            "total": len(deeds) if follow else 0,
            "next": follow[limit][0] if len(follow) > limit else None,
            "deeds": [{"id": id_, "shares": shares} for id_, shares in follow[:limit]],
        }
        changed = self.change(number, body)
        said = json.dumps(changed if isinstance(changed, dict) else body)
        return 200, {"ETag": tag, **self.headers}, said.encode()


@contextmanager
def serving() -> Iterator[VaultServer]:
    """A server on a socket of its own, for as long as this lasts."""
    vault = VaultServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            status, headers, body = vault.answer(self.path, self.headers["If-None-Match"])
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            vault.after(len(vault.log))

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vault.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield vault
        finally:
            server.shutdown()
            thread.join()
