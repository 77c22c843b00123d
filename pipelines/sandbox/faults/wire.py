"""Faults of the connection: the right answer, delivered wrongly, or bytes that are no answer.

Whatever waits, waits for the client: it ends when that hangs up (or the sandbox closes), so that
no fault leaves a thread behind.
"""

import gzip
import os
import select
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import chain, repeat

from pipelines.sandbox.answers import Answer, Delivery, Exchange
from pipelines.sandbox.faults.schedule import Fault

GIBIBYTE = 2**30
PATIENCE = 60.0  # seconds, for a client that neither reads nor hangs up
_PIECE = b" " * 2**16
_RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds
_GZIP = {"content-encoding": "gzip"}


def reset_before_headers(_: Exchange, answer: Answer) -> Answer:
    return replace(answer, deliver=_cut_after(0, 0))


def reset_after_headers(_: Exchange, answer: Answer) -> Answer:
    return replace(answer, deliver=_cut_after(1, 0))


def reset_in_body(_: Exchange, answer: Answer) -> Answer:
    return replace(answer, deliver=_cut_after(1, 0.5))


def hang(_: Exchange, answer: Answer) -> Answer:
    """Not a byte, until the client gives up."""

    def deliver(connection: socket.socket, _: bytes, __: bytes) -> None:
        _await_hang_up(connection, PATIENCE)

    return replace(answer, deliver=deliver)


def hang_in_body(_: Exchange, answer: Answer) -> Answer:
    """Half of the body, and then not a byte more."""

    def deliver(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(head + body[: len(body) // 2])
        _await_hang_up(connection, PATIENCE)

    return replace(answer, deliver=deliver)


def drip_headers(seconds: float) -> Fault:
    """A byte of a header that never ends, every `seconds`."""

    def deliver(connection: socket.socket, head: bytes, _: bytes) -> None:
        line, _, _ = head.partition(b"\r\n")
        _send(connection, chain([line + b"\r\nx-slow: "], repeat(b"x")), seconds)

    return lambda _, answer: replace(answer, deliver=deliver)


def drip_body(seconds: float) -> Fault:
    """The head, and then a byte of the body every `seconds`."""

    def deliver(connection: socket.socket, head: bytes, body: bytes) -> None:
        single = (body[place : place + 1] for place in range(len(body)))
        _send(connection, chain([head], single), seconds)

    return lambda _, answer: replace(answer, deliver=deliver)


def huge_body(size: int = GIBIBYTE, status: int | None = None) -> Fault:
    """`size` bytes of white space, made while they are sent."""

    def deliver(connection: socket.socket, head: bytes, _: bytes) -> None:
        _send(connection, chain([head], repeat(_PIECE, size // len(_PIECE))))

    def fault(_: Exchange, answer: Answer) -> Answer:
        headers = {**_plain(answer), "content-length": str(size)}
        return Answer(status or answer.status, headers, deliver=deliver)

    return fault


def not_gzip(status: int | None = None) -> Fault:
    """Plain text that says it is compressed."""

    def fault(_: Exchange, answer: Answer) -> Answer:
        return Answer(status or answer.status, {**_plain(answer), **_GZIP}, b"this is not gzip")

    return fault


def gzip_bomb(_: Exchange, answer: Answer) -> Answer:
    """A quarter of a megabyte that inflates to 256 MiB."""
    return Answer(answer.status, {**_plain(answer), **_GZIP}, _bomb())


def gzip_of_nothing(_: Exchange, answer: Answer) -> Answer:
    """A compressed stream that goes on for ever and inflates to not a byte."""

    def deliver(connection: socket.socket, head: bytes, _: bytes) -> None:
        opening, empty_block = gzip.compress(b"")[:10], b"\0\0\0\xff\xff"
        _send(connection, chain([head, opening], repeat(empty_block * 10_000)))

    headers = {**_plain(answer), **_GZIP, "content-length": str(GIBIBYTE * 1024)}
    return Answer(answer.status, headers, deliver=deliver)


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(2**20)) * 256  # what one stream after another inflates to is one


def _plain(answer: Answer) -> dict[str, str]:
    """The answer's headers without those that describe its body."""
    described = ("content-encoding", "content-length")
    return {name: text for name, text in answer.headers.items() if name.lower() not in described}


def _cut_after(share_of_head: float, share_of_body: float) -> Delivery:
    def deliver(connection: socket.socket, head: bytes, body: bytes) -> None:
        sent = head[: int(len(head) * share_of_head)] + body[: int(len(body) * share_of_body)]
        connection.sendall(sent)
        _reset(connection)

    return deliver


def _reset(connection: socket.socket) -> None:
    """Close with a RST; at once, though the server's files on the connection are still open."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    os.close(connection.detach())


def _send(connection: socket.socket, pieces: Iterable[bytes], pause: float = 0) -> None:
    """Send until the pieces or the client's patience end."""
    connection.settimeout(PATIENCE)
    for piece in _until_hang_up(connection, pieces, pause):
        connection.sendall(piece)


def _until_hang_up(
    connection: socket.socket, pieces: Iterable[bytes], pause: float
) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        if pause and _await_hang_up(connection, pause):
            return


def _await_hang_up(connection: socket.socket, seconds: float) -> bool:
    """Whether the client hung up within `seconds`: it has nothing more to say on this connection,
    so what can be read is the end."""
    readable, _, _ = select.select([connection], [], [], seconds)
    return bool(readable)
