"""Clients that talk to real sockets: to the sandbox, or to a server that breaks HTTP on purpose."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import pytest

from pipelines.extract.budget import OwnLedger, RequestBudget
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.pages import Row
from pipelines.providers.provider import Target
from pipelines.sandbox.clients import target_at
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from tests.conftest import forget_environment
from tests.patience import PATIENCE

UNLIMITED = 60_000_000_000  # requests a minute
UNNOTICED = 1e-6
"""Seconds of a wait that is only the budget's, where there is no limit to speak of."""


Serve = Callable[[socket.socket, int], None]


class Clock:
    """A time that passes only by waiting: `waits` holds every wait that can be noticed."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if seconds > UNNOTICED:
            self.waits.append(seconds)
        self.now += seconds

    def rule(self, client: Client, requests_per_minute: float = UNLIMITED) -> None:
        """Let `client` wait, between tries and for its budget, in this time."""
        client._sleep = self.sleep  # type: ignore[method-assign]
        ledger = OwnLedger(requests_per_minute, clock=self)
        client._budget = RequestBudget(ledger, clock=self, sleep=self.sleep)


class RawServer:
    """A listening socket; `serve(connection, number)` has each connection in a thread, from 1.

    What `serve` does not answer in time is its business: `closing` is set when the test is over.
    A client may be connected, and gone, before `connections` has it: `await_connections`.
    """

    def __init__(self, serve: Serve) -> None:
        self.connections = 0
        self._changed = threading.Condition()
        self.closing = threading.Event()
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            _hang_up(connection)
        for thread in self._threads:
            thread.join()
        for connection in self._open:
            connection.close()

    def await_connections(self, count: int) -> int:
        """Wait until so many clients have connected; returns how many have."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.connections >= count, PATIENCE)
            return self.connections

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                self._changed.notify_all()
            self._open.append(connection)
            thread = threading.Thread(target=self._handle, args=(connection, self.connections))
            self._threads.append(thread)
            thread.start()

    def _handle(self, connection: socket.socket, number: int) -> None:
        try:
            self._serve(connection, number)
        except OSError:
            return  # the client went away
        finally:
            _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of the machine's, and backoffs that don't keep anybody waiting."""
    forget_environment(monkeypatch)
    monkeypatch.setattr("pipelines.extract.http.FIRST_BACKOFF", 0.001)


@pytest.fixture
def world() -> World:
    """A world without targets: a test adds what it needs."""
    return World(size=EMPTY)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Serve], RawServer]]:
    """raw_server(serve) → a running RawServer."""
    with ExitStack() as stack:
        yield lambda serve: stack.enter_context(RawServer(serve))


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """connect("hiro", url, max_tries=2, …) → a client that is closed after the test."""
    with ExitStack() as stack:

        def connect(name: str, url: str, **settings: Any) -> Client:
            provider = PROVIDERS[name]
            given = {"base_url": url, "requests_per_minute": UNLIMITED} | settings
            if name == "catenis":
                given = {"device_id": ISSUER, "api_secret": ISSUER_SECRET} | given
            return stack.enter_context(Client(provider, provider.settings_type(**given)))

        yield connect


@pytest.fixture
def target_of() -> Callable[[str], Target]:
    """target_of("altura:0x…/1") → the target with that name in the world."""

    return target_at


@pytest.fixture
def as_in_world() -> Callable[[Row], tuple[object, ...]]:
    """A row as the world keeps it: Hiro's without what was read out of the value."""
    return lambda row: (*row[:3], *row[5:]) if len(row) == 7 else tuple(row)
