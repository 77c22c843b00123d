"""Pages over raw sockets, as fast as one thread of Python can take them: for the floors.

Each of the keep-alive connections has a request under way while the page before is worked on, so
latency is shared by all of them and no thread has to be switched. Nothing is checked but the
status: no retry, no timeout, no proof.
"""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from benchmarks.contenders.job import PAGE_SIZE, Job

RECEIVE_BUFFER = 1024 * 1024


class Value(msgspec.Struct, gc=False):
    hex: str
    repr: str


class Holding(msgspec.Struct, gc=False):
    asset_identifier: str
    value: Value
    block_height: int
    tx_id: str


class Holdings(msgspec.Struct, gc=False):
    total: int
    results: list[Holding]


def pages(job: Job) -> Iterator[list[Holding]]:
    """The pages of the job's first principal, in order."""
    decode = msgspec.json.Decoder(Holdings).decode
    first, *others = (_Connection(job.base_url, job.principals[0]) for _ in range(job.connections))
    first.ask(0)
    answer = decode(first.answer())
    yield answer.results
    starts = range(PAGE_SIZE, answer.total, PAGE_SIZE)
    connections = [first, *others][: len(starts)]
    for connection, start in zip(connections, starts, strict=False):
        connection.ask(start)
    for place in range(len(starts)):
        connection = connections[place % len(connections)]
        body = connection.answer()
        if place + len(connections) < len(starts):
            connection.ask(starts[place + len(connections)])
        yield decode(body).results


class _Connection:
    def __init__(self, base_url: str, principal: str) -> None:
        url = urlsplit(base_url)
        self._plug = socket.create_connection((url.hostname or "", url.port or 80))
        self._plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._path = (
            f"GET {url.path}/extended/v1/tokens/nft/holdings"
            f"?principal={principal}&limit={PAGE_SIZE}&offset="
        )
        self._rest = f" HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n"
        self._buffer = bytearray(RECEIVE_BUFFER)

    def ask(self, start: int) -> None:
        self._plug.sendall(f"{self._path}{start}{self._rest}".encode())

    def answer(self) -> memoryview:
        """The body, valid until the next answer."""
        view = memoryview(self._buffer)
        filled = self._plug.recv_into(view)
        while (end := self._buffer.find(b"\r\n\r\n", 0, filled)) < 0:
            filled += self._more(view, filled)
        head = bytes(view[:end]).lower()
        if not head.startswith(b"http/1.1 200 "):
            raise OSError(f"the server answered {head[:40]!r}")
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        last = end + 4 + length
        while filled < last:
            filled += self._more(view, filled)
        return view[end + 4 : last]

    def _more(self, view: memoryview, filled: int) -> int:
        received = self._plug.recv_into(view[filled:])
        if not received:
            raise ConnectionError("the server closed the connection")
        return received
