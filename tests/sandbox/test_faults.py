import gzip
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import Asked
from pipelines.sandbox.faults import bodies, statuses, wire
from pipelines.sandbox.faults.schedule import ONCE, Fault, Faults, When
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE, wait_until

Get = Callable[..., requests.Response]
PATHS = {
    "altura": "/api/v2/item/holders/{}?perPage=10&page={}",
    "hiro": "/extended/v1/tokens/nft/holdings?principal={}&limit=10&offset={}",
    "catenis": "/api/0.6/assets/{}/holders?limit=10&skip={}",
}


@pytest.fixture
def faults(sandbox: Sandbox) -> Faults:
    sandbox.fault = Faults()
    return sandbox.fault


@pytest.fixture
def page(world: World, get: Get, get_signed: Get) -> Callable[[str, int], requests.Response]:
    """page("hiro", 1) → ten rows (of 25) from position 10."""
    keys = {
        "altura": world.add_altura_item(25),
        "hiro": world.add_hiro_principal(25),
        "catenis": world.add_catenis_asset(25),
    }

    def page(provider: str, number: int = 0) -> requests.Response:
        at = number + 1 if provider == "altura" else number * 10
        path = PATHS[provider].format(keys[provider].partition(":")[2], at)
        return get_signed(path) if provider == "catenis" else get(provider, path)

    return page


def exchange(provider: str, target: str = "/x?perPage=10&page=1&limit=10") -> Exchange:
    return Exchange(provider, "GET", target, {}, b"", 1, datetime.now(UTC))


def teapot(_: Exchange, __: Answer) -> Answer:
    return Answer(418)


# --- when a fault strikes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        (When(), [1, 2, 3, 4]),
        (ONCE, [1]),
        (When(first=2), [2, 3, 4]),
        (When(first=2, times=1), [2]),
        (When(start=20), [3, 4]),
        (When(start=20, times=1), [3]),
        (When(share=0), []),
    ],
)
def test_a_fault_strikes_when_it_is_told_to(
    faults: Faults, page: Callable[..., requests.Response], when: When, struck: list[int]
) -> None:
    faults.set("hiro", teapot, when)
    statuses = [page("hiro", number).status_code for number in range(4)]
    assert [number for number, status in enumerate(statuses, 1) if status == 418] == struck
    assert faults.strikes["hiro"] == len(struck)


def test_chance_is_the_same_for_the_same_seed() -> None:
    def struck(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.set("hiro", teapot, When(share=0.5))
        return [faults(exchange("hiro"), Answer(200)).status for _ in range(40)]

    assert struck(1) == struck(1) != struck(2)
    assert set(struck(1)) == {200, 418}


def test_a_fault_strikes_its_provider_alone_until_it_is_cleared(
    faults: Faults, page: Callable[..., requests.Response]
) -> None:
    faults.set("hiro", teapot)
    assert (page("hiro").status_code, page("altura").status_code) == (418, 200)
    faults.clear("hiro")
    assert page("hiro").status_code == 200


@pytest.mark.parametrize(
    ("provider", "target", "part"),
    [
        ("altura", "/x?perPage=10&page=3", Asked(20, 10)),
        ("altura", "/x", Asked(0, 24)),
        ("hiro", "/x?limit=50&offset=7", Asked(7, 50)),
        ("catenis", "/x?limit=500&skip=500", Asked(500, 500)),
    ],
)
def test_the_part_that_is_asked_for_is_read_from_the_request(
    provider: str, target: str, part: Asked
) -> None:
    assert SANDBOXES[provider].asked(exchange(provider, target)) == part


# --- what a client sees ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [wire.reset_before_headers, wire.reset_after_headers, wire.reset_in_body]
)
def test_a_reset_reaches_the_client(
    faults: Faults, page: Callable[..., requests.Response], fault: Fault
) -> None:
    faults.set("hiro", fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as it:
        page("hiro")
    assert "reset by peer" in str(it.value)


@pytest.mark.parametrize(
    ("fault", "begins", "more"),
    [
        (wire.hang, b"", 0),
        (wire.hang_in_body, b"HTTP/1.1 200 OK", 0),
        (wire.drip_headers(0.01), b"HTTP/1.1 200 OK\r\nx-slow: x", 20),
        (wire.drip_body(0.01), b"HTTP/1.1 200 OK", 400),
    ],
)
def test_a_slow_answer_goes_on_until_the_client_hangs_up(
    sandbox: Sandbox, faults: Faults, fault: Fault, begins: bytes, more: int
) -> None:
    faults.set("hiro", fault)
    port = int(sandbox.url("hiro").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /extended/ HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: sandbox.requests["hiro"] == 1, "the request to come in")
        received = b""
        while len(received) < len(begins) + more:
            piece = connection.recv(65536)
            assert piece, "the server hung up"
            received += piece
        assert received.startswith(begins)
        connection.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                assert connection.recv(65536), "the server hung up"


@pytest.mark.parametrize("fault", [wire.huge_body(), wire.gzip_of_nothing])
def test_an_endless_body_is_made_while_it_is_sent(
    sandbox: Sandbox, faults: Faults, fault: Fault
) -> None:
    faults.set("hiro", fault)
    with requests.get(sandbox.url("hiro"), stream=True, timeout=PATIENCE) as response:
        assert int(response.headers["content-length"]) >= wire.GIBIBYTE
        assert len(response.raw.read(2**20, decode_content=False)) == 2**20


def test_a_bomb_is_small_and_inflates_to_a_lot() -> None:
    bomb = wire.gzip_bomb(exchange("hiro"), Answer(200)).body
    assert len(bomb) < 2**19
    assert len(gzip.decompress(bomb)) == 2**28


def test_a_date_is_written_as_http_writes_it() -> None:
    told = parsedate_to_datetime(statuses.http_date(100))
    assert 90 < (told - datetime.now(UTC)).total_seconds() <= 100
    assert parsedate_to_datetime(statuses.http_date(100, zone="")).tzinfo is None


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        (statuses.status(403), 403, {}),
        (statuses.too_many(lambda: "7"), 429, {"retry-after": "7"}),
        (statuses.redirect("http://x.invalid/"), 302, {"location": "http://x.invalid/"}),
        (statuses.html, 200, {"content-type": "text/html; charset=utf-8"}),
        (statuses.error_with_200, 200, {"content-type": "application/json"}),
    ],
)
def test_a_status_is_sent_as_it_is_set(
    sandbox: Sandbox, faults: Faults, fault: Fault, status: int, header: dict[str, str]
) -> None:
    faults.set("altura", fault)
    response = requests.get(sandbox.url("altura"), allow_redirects=False, timeout=PATIENCE)
    assert response.status_code == status
    assert header.items() <= response.headers.items()


def shape_of(provider: str, body: Any) -> tuple[list[Any], Any]:
    """The rows, and what tells their end."""
    if provider == "catenis":
        return body["data"]["assetHolders"], body["data"]["hasMore"]
    if provider == "hiro":
        return body["results"], body["total"]
    return body["holders"], body["count"]


@pytest.mark.parametrize("provider", ["altura", "hiro", "catenis"])
class TestRows:
    """What a body fault does to the first of three pages."""

    @pytest.fixture
    def broken(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> Callable[[Fault], tuple[list[Any], Any]]:
        def broken(fault: Fault) -> tuple[list[Any], Any]:
            faults.set(provider, fault)
            return shape_of(provider, page(provider).json())

        return broken

    def test_some_are_left_out(self, broken: Callable[[Fault], Any]) -> None:
        assert len(broken(bodies.capped(7))[0]) == 7
        assert len(broken(bodies.short(4))[0]) == 6
        assert broken(bodies.no_rows)[0] == []

    def test_an_empty_set_says_so(self, broken: Callable[[Fault], Any]) -> None:
        rows, end = broken(bodies.nothing_at_all)
        assert rows == []
        assert not end

    def test_one_stands_twice(self, broken: Callable[[Fault], Any]) -> None:
        rows, _ = broken(bodies.row_twice)
        assert len(rows) == 10
        assert rows[0] == rows[-1]

    def test_there_are_more_than_there_can_be(
        self, broken: Callable[[Fault], Any], provider: str
    ) -> None:
        rows, end = broken(bodies.past_the_end)
        assert len(rows) > (10 if provider == "catenis" else end)

    def test_the_end_never_comes(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> None:
        faults.set(provider, bodies.endless)
        pages = [shape_of(provider, page(provider, number).json()) for number in (0, 1, 900)]
        assert all(end in (True, 10**9) for _, end in pages)
        assert len({json.dumps(row) for rows, _ in pages for row in rows}) == 30

    def test_the_first_page_comes_again(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> None:
        faults.set(provider, bodies.repeated())
        assert page(provider, 0).content == page(provider, 1).content == page(provider, 2).content

    def test_a_value_is_printed_as_it_is_given(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> None:
        faults.set(provider, bodies.amount(bodies.raw("1e400")))
        assert b":1e400" in page(provider).content

    def test_everything_else_stays_digit_by_digit(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> None:
        true = json.loads(page(provider).content, parse_float=str)
        faults.set(provider, bodies.changed(lambda *_: None))
        assert json.loads(page(provider).content, parse_float=str) == true

    def test_a_key_stands_twice_in_an_object(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str
    ) -> None:
        faults.set(provider, bodies.key_twice)
        repeated = []

        def look(pairs: list[tuple[str, object]]) -> None:
            repeated.append(len(pairs) - len(dict(pairs)))

        json.loads(page(provider).content, object_pairs_hook=look)
        assert sum(repeated) == 1

    @pytest.mark.parametrize("field", ["rows", "end", "key", "amount"])
    def test_a_field_is_missing(
        self, faults: Faults, page: Callable[..., requests.Response], provider: str, field: str
    ) -> None:
        path: tuple[str, ...] = getattr(SANDBOXES[provider].shape, field)
        before = page(provider).text.count(f'"{path[-1]}":')
        faults.set(provider, bodies.missing(field))
        assert page(provider).text.count(f'"{path[-1]}":') == before - 1


# --- an API by cursors ----------------------------------------------------------------------------


@pytest.fixture
def by_cursor(world: World, get: Get) -> Callable[..., requests.Response]:
    """by_cursor() → ten rows (of 25) of Hiro's v3; by_cursor(cursor) → those from there on."""
    principal = world.add_hiro_principal(25).removeprefix("hiro:")

    def by_cursor(cursor: str = "") -> requests.Response:
        query = f"?limit=10{cursor and f'&cursor={cursor}'}"
        return get("hiro", f"/extended/v3/principals/{principal}/balances/nft{query}")

    return by_cursor


@pytest.mark.parametrize(
    ("fault", "rows", "total", "leads_on"),
    [
        (bodies.short(3), 7, 25, True),
        (bodies.no_rows, 0, 25, True),
        (bodies.nothing_at_all, 0, 0, False),
        (bodies.no_cursor, 10, 25, False),
        (bodies.cursor("0x00:SP1.a::a"), 10, 25, True),
        (bodies.end(3), 10, 3, True),
    ],
)
def test_a_page_by_cursor_is_spoilt_where_it_keeps_things(
    faults: Faults,
    by_cursor: Callable[..., requests.Response],
    fault: Fault,
    rows: int,
    total: int,
    leads_on: bool,
) -> None:
    faults.set("hiro", fault)
    body = by_cursor().json()
    assert (len(body["results"]), body["total"]) == (rows, total)
    assert (body["cursor"]["next"] is not None) is leads_on


def test_a_cursor_counts_as_far_down(
    faults: Faults, by_cursor: Callable[..., requests.Response]
) -> None:
    following = by_cursor().json()["cursor"]["next"]
    faults.set("hiro", teapot, When(start=1))
    assert (by_cursor().status_code, by_cursor(following).status_code) == (200, 418)


def test_a_page_is_repeated_whatever_its_cursor(
    faults: Faults, by_cursor: Callable[..., requests.Response]
) -> None:
    following = by_cursor().json()["cursor"]["next"]
    faults.set("hiro", bodies.repeated())
    assert by_cursor().content == by_cursor(following).content


@pytest.mark.parametrize(("text", "given"), [(None, None), ('"x"', '"x"')])
def test_a_header_is_taken_away_or_replaced(
    faults: Faults,
    by_cursor: Callable[..., requests.Response],
    text: str | None,
    given: str | None,
) -> None:
    faults.set("hiro", statuses.header("etag", text))
    assert by_cursor().headers.get("etag") == given
