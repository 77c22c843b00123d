"""Answers that are bounded from their first byte on: in seconds, and in bytes on the wire.

A socket's timeout starts anew with every byte, so a server that drips its headers could hold a
request for hours, and a compressed body that inflates to nothing gives the reader of the body
nothing to count. Both are bounded here, where bytes come from the socket, for plain connections,
TLS and the answer of a proxy alike.
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError
from urllib3.poolmanager import PoolManager

BUFFER = 64 * 1024
"""Bytes read at once: the head of an answer and most bodies, too, as they come."""


class TooMuch(Exception):
    """More bytes came than an answer may have."""


@dataclass(frozen=True)
class Bounds:
    """`deadline` (monotonic seconds) and `most_bytes` hold for head and body together,
    `read_timeout` (seconds) for each wait."""

    deadline: float
    read_timeout: float
    most_bytes: int


_bounds: ContextVar[Bounds] = ContextVar("bounds")


@contextmanager
def bounded(bounds: Bounds) -> Iterator[None]:
    """The bounds of what this thread asks for inside the block."""
    before = _bounds.set(bounds)
    try:
        yield
    finally:
        _bounds.reset(before)


class _Received(io.RawIOBase):
    """What comes from the socket. Raises TimeoutError at the deadline, and TooMuch."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, bounds: Bounds) -> None:
        self._raw = raw
        self._sock = sock
        self._bounds = bounds
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._bounds.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(min(left, self._bounds.read_timeout))
        count = self._raw.readinto(buffer)
        self._bytes += count or 0
        if self._bytes > self._bounds.most_bytes:
            raise TooMuch
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Source:
    """What an answer is read from, in place of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, *_: object) -> io.BufferedReader:
        unbounded = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_Received(unbounded, self._sock, _bounds.get()), BUFFER)


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        source: Any = _Source(sock)
        super().__init__(source, *args, **options)


class _Plain(HTTPConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _by_the_deadline(self, super()._new_conn)


class _Tls(HTTPSConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _by_the_deadline(self, super()._new_conn)


def _by_the_deadline(
    connection: HTTPConnection, connect: Callable[[], socket.socket]
) -> socket.socket:
    """A connected socket. Looking up the host's address knows no timeout, and each of its addresses
    has one of its own: a thread does both, and is left to itself when the time is up."""
    connected: Future[socket.socket] = Future()

    def work() -> None:
        try:
            made = connect()
        except Exception as error:  # noqa: BLE001 - it is raised by the thread that waits
            if connected.set_running_or_notify_cancel():
                connected.set_exception(error)
        else:
            if connected.set_running_or_notify_cancel():
                connected.set_result(made)
            else:
                made.close()

    threading.Thread(target=work, name="connect", daemon=True).start()
    try:
        return connected.result(max(0, _bounds.get().deadline - time.monotonic()))
    except FutureTimeoutError:
        if connected.cancel():
            raise ConnectTimeoutError(connection, "no connection in time") from None
        return connected.result()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class BoundedAdapter(HTTPAdapter):
    """Sends requests, inside `bounded` alone (LookupError outside), whose answers are bounded.

    All requests go to one host with the same proxies and certificates: how to reach it is settled
    at the first one. Cookies are not read from an answer.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pool: Any = None

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _with_bounds(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return _with_bounds(super().proxy_manager_for(proxy, **options))

    def close(self) -> None:
        self._pool = None  # a pool that nobody holds any more closes its connections
        super().close()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **options)
        return self._pool

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.request = req
        return response


def _with_bounds(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager
