"""The sandbox: the providers on real sockets of this machine, over one world.

Each provider has a port of its own and no path prefix, because a signature covers the path as sent.
Real HTTP and not a patched client: what a walk does with kept-alive connections, compression,
cut-off bodies and parallel requests is what is to be tested. A hook before and one after each
answer serve a test that changes the world between two pages, and a third one may spoil the answer
(see `faults`).
"""

import socket
import sys
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import ProviderSandbox, Shown
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.world import World

_POLL_SECONDS = 0.01  # how long closing may take; answers do not wait for it


class Served(NamedTuple):
    """One line of the access log."""

    provider: str
    method: str
    target: str
    status: int


class Sandbox:
    """A context manager: entered, it listens; left, its ports are free and its threads are gone.

    `port` is the first provider's, with those of the others the next; 0 picks free ones. `apis` has
    what answers for each provider, and may be changed: to another cap on pages, to other secrets.

    Hooks run in the thread of the request, and may sleep, tick the world or keep notes:
    `before_response(exchange)` may return an Answer to send instead of the API's, or raise
    ConnectionError to hang up without a word; `fault(exchange, answer)` returns what to send in
    place of the API's answer; `after_response(exchange, answer)` runs when the answer is made and
    not yet sent, so that the next page sees what it changed.
    """

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        log_size: int = 10_000,
    ) -> None:
        self.world = world
        self.apis: dict[str, ProviderSandbox] = dict(SANDBOXES)
        self.before_response: Callable[[Exchange], Answer | None] | None = None
        self.fault: Callable[[Exchange, Answer], Answer] | None = None
        self.after_response: Callable[[Exchange, Answer], None] | None = None
        self._host = host
        self._first_port = port
        self._lock = Lock()
        self._requests: Counter[str] = Counter()
        self._log: deque[Served] = deque(maxlen=log_size)
        self._servers: dict[str, _Server] = {}
        self._threads: list[Thread] = []

    @property
    def urls(self) -> dict[str, str]:
        """The base url of each provider, without a slash at its end."""
        return {
            provider: f"http://{self._host}:{server.server_port}"
            for provider, server in self._servers.items()
        }

    def url(self, provider: str) -> str:
        return self.urls[provider]

    @property
    def requests(self) -> dict[str, int]:
        """How many requests each provider has had; those that a hook answered count too."""
        with self._lock:
            return {provider: self._requests[provider] for provider in self.apis}

    @property
    def log(self) -> list[Served]:
        """The newest requests that were answered, oldest first."""
        with self._lock:
            return list(self._log)

    def start(self) -> None:
        """Listen; OSError where a port is taken, and then nothing is left listening."""
        try:
            for position, provider in enumerate(self.apis):
                port = self._first_port + position if self._first_port else 0
                self._servers[provider] = _Server((self._host, port), provider, self)
        except OSError:
            self._close_servers()
            raise
        for provider, server in self._servers.items():
            thread = Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
            thread.name = f"sandbox-{provider}"
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Hang up on everybody and free the ports."""
        if self._threads:
            with ThreadPoolExecutor(len(self._servers)) as pool:  # each waits for its poll interval
                for server in self._servers.values():
                    pool.submit(server.shutdown)
            for thread in self._threads:
                thread.join()
            self._threads.clear()
        self._close_servers()

    def _close_servers(self) -> None:
        for server in self._servers.values():
            server.server_close()
            server.hang_up()
        self._servers.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def count(self, provider: str) -> int:
        """Number a request that has come in, from 1 at each provider."""
        with self._lock:
            self._requests[provider] += 1
            return self._requests[provider]

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        """What the API answers, without hooks, from what `world` shows."""
        return self.apis[exchange.provider].answer(exchange, world)

    def respond(self, exchange: Exchange) -> Answer:
        """The hooks and the API between them: what to send."""
        before, fault, after = self.before_response, self.fault, self.after_response
        answer = before(exchange) if before else None
        if answer is None:
            answer = self.answer(exchange, self.world)
            answer = fault(exchange, answer) if fault else answer
        if after:
            after(exchange, answer)
        with self._lock:
            served = Served(exchange.provider, exchange.method, exchange.target, answer.status)
            self._log.append(served)
        return answer


class _Server(ThreadingHTTPServer):
    """Knows its open connections: a kept-alive one would outlive the sandbox otherwise."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: str, sandbox: Sandbox) -> None:
        self.provider = provider
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._changed = Condition()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's name that HTTPServer makes, which can take seconds."""
        TCPServer.server_bind(self)
        host, port = self.socket.getsockname()[:2]
        self.server_name, self.server_port = str(host), int(port)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def hang_up(self, patience: float = 2.0) -> None:
        """End every connection and wait for the threads that serve them."""
        with self._changed:
            for connection in self._open:
                _end(connection)
            self._changed.wait_for(lambda: not self._open, patience)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or a hook that hung up, is no news; a mistake of ours is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request to its end, and writes head and body with one flush."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def do_GET(self) -> None:
        sandbox, provider = self.server.sandbox, self.server.provider
        exchange = Exchange(
            provider=provider,
            method=self.command,
            target=self.requestline.split()[1],
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("content-length", 0))),
            number=sandbox.count(provider),
            at=datetime.now(UTC),
        )
        answer = sandbox.respond(exchange)
        if answer.close or answer.deliver:
            self.close_connection = True
        if answer.deliver:
            answer.deliver(self.connection, answer.head, answer.body)
        else:
            self.wfile.write(answer.head + answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request line of over 64 KB is answered as the provider does; the rest is http.server's
        own."""
        if code != HTTPStatus.REQUEST_URI_TOO_LONG:
            super().send_error(code, message, explain)
            return
        answer = self.server.sandbox.apis[self.server.provider].too_long()
        self.close_connection = True
        self.wfile.write(answer.head + answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the sandbox keeps its own log."""


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was quicker
