"""A header is a stranger's text: whatever it holds is kept like any other, and stops nothing."""

import json
import re
import socket

import pytest

from pipelines.sandbox.world import World
from pipelines.warehouse.text import LONGEST_ATTRIBUTE, unescape
from tests.extract.conftest import raw_server
from tests.extract.test_http import read_request

__all__ = ["raw_server"]


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ('"a\x00b"', '"a\x00b"'),
        ("", ""),
        ('"\x85\xff\\u0000\t\x1b[2J"', '"\x85\xff\\u0000\t\x1b[2J"'),
        ('"' + "x" * 60_000 + '"', '"' + "x" * (LONGEST_ATTRIBUTE - 1) + "… sha256:"),
    ],
    ids=["NUL", "nothing", "controls and escapes", "long"],
)
def test_a_tag_is_kept_whatever_it_holds(pipeline, world: World, raw_server, tag: str, kept: str):
    def serve(connection: socket.socket, number: int) -> None:
        while request := read_request(connection):
            limit, offset = re.search(rb"limit=(\d+)&offset=(\d+)", request).groups()
            page = {"limit": int(limit), "offset": int(offset), "total": 0, "results": []}
            body = json.dumps(page).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: {tag}\r\n\r\n"
            connection.sendall(head.encode("latin-1") + body)

    pipeline.take(world.add_hiro_principal(0), base_url=raw_server(serve).url)
    [(first, last)] = pipeline.sql("select first_tip, last_tip from snapshot")
    assert first == last
    assert unescape(first).startswith(kept)
    assert len(first) < LONGEST_ATTRIBUTE + 100
