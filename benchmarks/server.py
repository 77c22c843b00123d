"""The server that every contender reads from: prepared rows, joined to pages as they are asked for.

It must be much cheaper than any contender, or it would be what is measured: one thread, one epoll
loop, rows that are JSON already, and latency by timers instead of sleeping threads. It runs as a
process of its own. A path names the world and the latency, so no request changes any state:

    /n200000/50/extended/v1/tokens/nft/holdings?principal=…&limit=200&offset=0    50 ms later

`/prepare/<world>` makes a world before the measurement begins and tells its truth; `/stats` tells
the CPU seconds and the requests so far. The process ends when its standard input does.
"""

import heapq
import itertools
import json
import re
import select
import socket
import sys
import time
from dataclasses import asdict

from benchmarks.worlds import Worlds

LARGEST_REQUEST = 64 * 1024
SEND_BUFFER = 1024 * 1024
MAX_LIMIT = 200

_PAGE = re.compile(rb"GET /(\w+)/(\d+)/extended/v1/tokens/nft/holdings\?(\S*) HTTP/1\.1\r\n")
_PREPARE = re.compile(rb"GET /prepare/(\w+) HTTP/1\.1\r\n")
_STATS = re.compile(rb"GET /stats HTTP/1\.1\r\n")
_FORGET = re.compile(rb"GET /forget HTTP/1\.1\r\n")


class _Connection:
    """What came in and is not yet a request, and what could not yet be sent."""

    def __init__(self, plug: socket.socket) -> None:
        self.plug = plug
        self.received = b""
        self.unsent = b""


class Server:
    """Answers until its standard input ends."""

    def __init__(self) -> None:
        self._worlds = Worlds()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._due: list[tuple[float, int, _Connection, list[bytes]]] = []
        self._numbers = itertools.count()
        self._requests = 0

    def run(self) -> None:
        self._poll.register(self._listener, select.EPOLLIN)
        self._poll.register(sys.stdin, select.EPOLLIN)
        listening, input_ = self._listener.fileno(), sys.stdin.fileno()
        while True:
            for number, event in self._poll.poll(self._next_due()):
                if number == listening:
                    self._accept()
                elif number == input_:
                    return
                elif event & select.EPOLLOUT:
                    self._send(self._connections[number], [])
                else:
                    self._receive(self._connections[number])
            self._send_due()

    def _next_due(self) -> float | None:
        return max(self._due[0][0] - time.monotonic(), 0) if self._due else None

    def _send_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, connection, answer = heapq.heappop(self._due)
            self._send(connection, answer)

    def _accept(self) -> None:
        plug, _ = self._listener.accept()
        plug.setblocking(False)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._connections[plug.fileno()] = _Connection(plug)
        self._poll.register(plug, select.EPOLLIN)

    def _close(self, connection: _Connection) -> None:
        number = connection.plug.fileno()
        if number in self._connections:
            self._poll.unregister(number)
            del self._connections[number]
            connection.plug.close()

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.plug.recv(LARGEST_REQUEST)
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        data = connection.received + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            self._answer(connection, data[: end + 2])
            data = data[end + 4 :]
        connection.received = data

    def _answer(self, connection: _Connection, request: bytes) -> None:
        latency, answer = self._respond(request)
        self._requests += 1
        if latency:
            due = time.monotonic() + latency / 1000
            heapq.heappush(self._due, (due, next(self._numbers), connection, answer))
        else:
            self._send(connection, answer)

    def _respond(self, request: bytes) -> tuple[int, list[bytes]]:
        """Milliseconds to wait, and the answer in pieces."""
        try:
            if found := _PAGE.match(request):
                return int(found[2]), self._page(found[1].decode(), found[3])
            if found := _PREPARE.match(request):
                return 0, _ok("", json.dumps(asdict(self._worlds[found[1].decode()].truth)))
        except (KeyError, ValueError) as error:
            body = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()
            return 0, _answer("400 Bad Request", "", body)
        if _STATS.match(request):
            stats = {"cpu_seconds": time.process_time(), "requests": self._requests}
            return 0, _ok("", json.dumps(stats))
        if _FORGET.match(request):
            self._worlds.forget()
            return 0, _ok("", "{}")
        return 0, _answer("404 Not Found", "", b'{"error":"Not Found"}')

    def _page(self, world: str, query: bytes) -> list[bytes]:
        asked = dict(pair.split("=", 1) for pair in query.decode().split("&"))
        limit, offset = int(asked["limit"]), int(asked.get("offset", "0"))
        if not 0 < limit <= MAX_LIMIT or offset < 0:
            raise ValueError(f"limit {limit} offset {offset}")
        head, rows = self._worlds[world].page(asked["principal"], offset, limit)
        return _answer("200 OK", world, head, rows, b"]}")

    def _send(self, connection: _Connection, answer: list[bytes]) -> None:
        """Send as much as the socket takes; epoll tells when it takes the rest."""
        try:
            if connection.unsent:
                answer = [connection.unsent, *answer]
            sent = connection.plug.sendmsg(answer)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        waiting = bool(connection.unsent)
        rest = b"" if sent == sum(map(len, answer)) else b"".join(answer)[sent:]
        connection.unsent = rest
        if waiting != bool(rest):
            wanted = select.EPOLLIN | (select.EPOLLOUT if rest else 0)
            self._poll.modify(connection.plug, wanted)


def _ok(world: str, body: str) -> list[bytes]:
    return _answer("200 OK", world, body.encode())


def _answer(status: str, world: str, *body: bytes) -> list[bytes]:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n"
        "cache-control: public, no-cache, must-revalidate\r\n"
        f'etag: "{world}"\r\ncontent-length: {sum(map(len, body))}\r\n\r\n'
    )
    return [head.encode(), *body]


def main() -> None:
    server = Server()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    server.run()


if __name__ == "__main__":
    main()
