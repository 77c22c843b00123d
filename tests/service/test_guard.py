"""Who is let through to Dagster's webserver, over real sockets; the application behind it says yes.

What Dagster itself makes of it is seen in tests/end_to_end/test_service.py."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from pipelines.service.guard import guards
from tests.patience import PATIENCE, wait_until

EVIL = "http://evil.example"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


async def everything(request) -> PlainTextResponse:
    return PlainTextResponse("yes")


async def socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    routes = [Route("/{path:path}", everything, methods=methods), WebSocketRoute("/ws", socket)]
    app = Starlette(routes=routes, middleware=guards(["dagster.example", "*.corp.example"]))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, "the server")
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE)


def status(port: int, method: str, path: str, **headers: str) -> int:
    """The answer's; a header's {port} is the server's."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        sent = {name.replace("_", "-"): value.format(port=port) for name, value in headers.items()}
        connection.request(method, path, headers=sent)
        return connection.getresponse().status


OWN = [
    {},
    {"Origin": "http://127.0.0.1:{port}"},
    {"Origin": "HTTP://127.0.0.1:{port}"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "localhost:{port}", "Origin": "http://localhost:{port}"},
    {"Host": "dagster.example", "Origin": "https://dagster.example"},
    {"Host": "dagster.example:8443", "Origin": "https://dagster.example:8443"},
    {"Host": "127.0.0.1:{port}", "Origin": "https://dagster.example"},
    {"Host": "DAGSTER.example", "Origin": "https://dagster.example"},
]
FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost:{port}"},
    {"Origin": "http://127.0.0.1:{port}.evil.example"},
    {"Origin": "http://x@127.0.0.1:{port}"},
    {"Origin": "http://[127.0.0.1:{port}"},
    {"Origin": "http://evil-dagster.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:{port}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": EVIL},
]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_its_own_pages_and_scripts_may_do_everything(port: int, headers):
    for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
        assert status(port, method, "/graphql", **headers) == 200
    assert status(port, "GET", "/ws", **headers, **UPGRADE) == 101


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_may_look_and_not_touch(port: int, headers):
    assert status(port, "GET", "/", **headers) == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert status(port, method, "/report_asset_materialization/x", **headers) == 403
    assert status(port, "GET", "/ws", **headers, **UPGRADE) == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1]"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_host_that_is_not_ours_gets_nothing(port: int, host: str, method: str):
    assert status(port, method, "/", Host=host) == 400
    assert status(port, "GET", "/ws", Host=host, **UPGRADE) in (400, 403)


@pytest.mark.parametrize(
    "path",
    [
        *("/graphql?query=mutation{x}", "/graphql?query", "/graphql/?query=", "//graphql?query=x"),
        *("/graphql?a=b&%71uery=x", "/%67raphql?query=x", "/prefix/graphql?query=x"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_query_in_the_url_is_refused_whoever_asks(port: int, path: str, method: str):
    assert status(port, method, path) == 405
    assert status(port, method, path, Origin="http://127.0.0.1:{port}") == 405


def test_a_query_elsewhere_is_none_of_its_business(port: int):
    assert status(port, "GET", "/runs?query=mine") == 200
    assert status(port, "GET", "/graphql?queries=1") == 200
