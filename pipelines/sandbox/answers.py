"""What passes between the sockets and the APIs: a request as it came, an answer to send."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from http.client import responses
from typing import Any
from urllib.parse import parse_qs, unquote


@dataclass(frozen=True)
class Exchange:
    """A request. `target` is path and query byte for byte, header names are in lower case."""

    provider: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    number: int  # of this request at this provider, from 1
    at: datetime  # when it was read, UTC

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, list[str]]:
        """Every value of each parameter, the empty ones too."""
        query = self.target.partition("?")[2]
        return parse_qs(query, keep_blank_values=True, errors="surrogateescape")


_WITHOUT_BODY = (204, 304)

Delivery = Callable[[socket.socket, bytes, bytes], None]
"""(connection, head, body) → sent, in whatever way; the connection is closed afterwards."""


@dataclass(frozen=True)
class Answer:
    """A response. The server adds Content-Length unless it is given here, and keeps the connection
    open unless `close` is set: together they can cut a body short. `deliver` sends it in another
    way than at once and whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    close: bool = False
    deliver: Delivery | None = None

    @property
    def head(self) -> bytes:
        """Status line and headers, to the empty line; an unbounded body has `transfer-encoding`, or
        a `content-length` given here."""
        headers = {"server": "sandbox", **{k.lower(): v for k, v in self.headers.items()}}
        if "transfer-encoding" not in headers and self.status not in _WITHOUT_BODY:
            headers.setdefault("content-length", str(len(self.body)))
        if self.close or self.deliver:
            headers.setdefault("connection", "close")
        lines = [f"HTTP/1.1 {self.status} {responses.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def compact(value: Any) -> str:
    """JSON without spaces; everything beyond ASCII, lone surrogates included, leaves escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def lot(name: str, version: int) -> bytes:
    """Draws a place in an order that nothing promises: steady in a state, other in the next."""
    return blake2b(f"{version}/{name}".encode(errors="surrogatepass"), digest_size=8).digest()
