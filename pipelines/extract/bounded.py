"""Answers that are bounded from their first byte on: in seconds, and in bytes on the wire.

A socket's timeout starts anew with every byte, so a server that drips its headers could hold a
request for hours, and a compressed body that inflates to nothing gives the reader of the body
nothing to count. Both are bounded here, where bytes come from the socket, for plain connections,
TLS and the answer of a proxy alike.
"""

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager


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


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        unbounded = sock.makefile("rb", buffering=0)
        self.fp.close()
        self.fp = io.BufferedReader(_Received(unbounded, sock, _bounds.get()))


class _Plain(HTTPConnection):
    response_class = _Answer


class _Tls(HTTPSConnection):
    response_class = _Answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class BoundedAdapter(HTTPAdapter):
    """Sends requests, inside `bounded` alone (LookupError outside), whose answers are bounded."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _with_bounds(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return _with_bounds(super().proxy_manager_for(proxy, **options))


def _with_bounds(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return manager
