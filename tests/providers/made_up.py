"""The server of the made-up provider with cursors, on a real socket.

It is what added/cursors_provider.py asks, with what a test may have happen between two answers:
`total` is 0 on an empty page, and 304 comes where the ETag is sent back.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.end_to_end.added.cursors_provider import MAX_LIMIT

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
