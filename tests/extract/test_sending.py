"""Requests go where the settings and the environment say, through a proxy where there is one."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.extract.http import Client
from pipelines.providers.pages import PageRequest

Connect = Callable[..., Client]
StartServer = Callable[[Callable[[socket.socket, int], None]], Any]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
QUERY = (("a", "x y"), ("b", "~é"))


class Asked:
    """Answers every request, and keeps the heads."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    def __call__(self, connection: socket.socket, _: int) -> None:
        received = b""
        while piece := connection.recv(4096):
            received += piece
            if received.endswith(b"\r\n\r\n"):
                self.heads.append(received.decode())
                received = b""
                connection.sendall(OK)

    @property
    def lines(self) -> list[str]:
        """The request lines."""
        return [head.split("\r\n", 1)[0] for head in self.heads]


@pytest.fixture
def asked() -> Asked:
    return Asked()


def get(client: Client, path: str = "/x") -> None:
    client.get(PageRequest(path, QUERY), lambda: None)


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("", "/x"),
        ("/", "/x"),
        ("/api/v1", "/api/v1/x"),
        ("/api/v1/", "/api/v1/x"),
        ("/a b/é", "/a%20b/%C3%A9/x"),
    ],
)
def test_the_path_of_the_base_url_leads_every_request(
    connect: Connect, raw_server: StartServer, asked: Asked, base: str, path: str
) -> None:
    client = connect("hiro", raw_server(asked).url + base)
    get(client)
    get(client)
    assert asked.lines == [f"GET {path}?a=x%20y&b=~%C3%A9 HTTP/1.1"] * 2


def test_every_request_has_the_same_headers(
    connect: Connect, raw_server: StartServer, asked: Asked
) -> None:
    server = raw_server(asked)
    client = connect("hiro", server.url, api_key="k-1")
    get(client, "/x")
    get(client, "/y")
    first, second = (set(head.split("\r\n")[1:]) for head in asked.heads)
    assert first == second
    assert first >= {f"Host: {server.host}", "x-api-key: k-1", "Accept: application/json"}


def test_a_request_goes_through_the_environments_proxy(
    connect: Connect, raw_server: StartServer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", raw_server(asked).url)
    get(connect("hiro", "http://nowhere.invalid/api"))
    assert asked.lines == ["GET http://nowhere.invalid/api/x?a=x%20y&b=~%C3%A9 HTTP/1.1"]


def test_a_host_that_is_excepted_is_reached_without_the_proxy(
    connect: Connect, raw_server: StartServer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://nowhere.invalid")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    get(connect("hiro", raw_server(asked).url))
    assert asked.lines == ["GET /x?a=x%20y&b=~%C3%A9 HTTP/1.1"]


def test_a_proxys_credentials_go_to_the_proxy(
    connect: Connect, raw_server: StartServer, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = raw_server(asked).url.replace("http://", "http://user:pass@")
    monkeypatch.setenv("http_proxy", proxy)
    get(connect("hiro", "http://nowhere.invalid"))
    assert "Proxy-Authorization: Basic dXNlcjpwYXNz" in asked.heads[0]
