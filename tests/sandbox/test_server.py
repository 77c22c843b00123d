import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.live import Clockwork
from pipelines.sandbox.providers.hiro.api import HOLDINGS
from pipelines.sandbox.server import Sandbox, Served
from pipelines.sandbox.world import World
from tests.patience import PATIENCE

Get = Callable[..., requests.Response]


def holdings(key: str, limit: int = 50, offset: int = 0) -> str:
    return f"{HOLDINGS}?principal={key.removeprefix('hiro:')}&limit={limit}&offset={offset}"


def test_every_provider_has_a_port_of_its_own(sandbox: Sandbox) -> None:
    assert set(sandbox.urls) == {"altura", "hiro", "catenis"}
    assert len(set(sandbox.urls.values())) == 3
    assert all(url.startswith("http://127.0.0.1:") for url in sandbox.urls.values())


def test_a_connection_is_kept_for_the_next_request(sandbox: Sandbox) -> None:
    port = int(sandbox.url("hiro").rpartition(":")[2])
    request = b"GET /extended/ HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_are_counted_and_logged_by_provider(sandbox: Sandbox, get: Get) -> None:
    get("altura", "/x")
    get("hiro", "/y?z=1")
    get("hiro", "/extended/")
    assert sandbox.requests == {"altura": 1, "hiro": 2, "catenis": 0}
    assert sandbox.log == [
        Served("altura", "GET", "/x", 404),
        Served("hiro", "GET", "/y?z=1", 404),
        Served("hiro", "GET", "/extended/", 200),
    ]


def test_the_log_keeps_the_newest_and_the_count_all(world: World, http: requests.Session) -> None:
    with Sandbox(world, log_size=2) as sandbox:
        for number in range(4):
            http.get(f"{sandbox.url('hiro')}/{number}", timeout=PATIENCE)
        assert [line.target for line in sandbox.log] == ["/2", "/3"]
        assert sandbox.requests["hiro"] == 4


def test_a_hook_can_answer_instead(sandbox: Sandbox, get: Get) -> None:
    def gone(exchange: Exchange) -> Answer | None:
        return Answer(429, {"retry-after": "1"}, b"{}") if exchange.number == 2 else None

    sandbox.before_response = gone
    statuses = [get("hiro", "/extended/").status_code for _ in range(3)]
    assert statuses == [200, 429, 200]


def test_a_hook_sees_the_request_as_it_was_sent(sandbox: Sandbox, get: Get) -> None:
    seen: list[Exchange] = []
    sandbox.after_response = lambda exchange, _: seen.append(exchange)
    get("altura", "/x?b=1&a=%2C", **{"X-Api-Key": "k"})
    assert (seen[0].provider, seen[0].target) == ("altura", "/x?b=1&a=%2C")
    assert seen[0].headers["x-api-key"] == "k"


def test_a_hook_can_hang_up(sandbox: Sandbox, get: Get) -> None:
    def hang_up(exchange: Exchange) -> Answer | None:
        raise ConnectionResetError

    sandbox.before_response = hang_up
    with pytest.raises(requests.ConnectionError):
        get("hiro", "/extended/")


def test_a_hook_can_cut_a_body_short(sandbox: Sandbox, get: Get) -> None:
    cut = Answer(200, {"content-length": "100"}, b"[1, 2", close=True)
    sandbox.before_response = lambda _: cut
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get("hiro", "/extended/")


def test_a_fault_changes_the_answer_of_the_api(sandbox: Sandbox, get: Get) -> None:
    sandbox.fault = lambda _, answer: replace(answer, status=503)
    response = get("hiro", "/extended/")
    assert response.status_code == 503
    assert response.json()["status"] == "ready"


def test_an_answer_may_be_delivered_in_its_own_way(sandbox: Sandbox, get: Get) -> None:
    def in_two(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(head)
        connection.sendall(body)

    sandbox.fault = lambda _, answer: replace(answer, deliver=in_two)
    response = get("hiro", "/extended/")
    assert response.json()["status"] == "ready"
    assert response.headers["connection"] == "close"


def test_the_world_can_change_between_two_pages(world: World, sandbox: Sandbox, get: Get) -> None:
    key = world.add_hiro_principal(10)

    def mint(exchange: Exchange, answer: Answer) -> None:
        world.hiro_mint(key, "SP000000000000000000002Q6VF78.a::a", f"0x0{exchange.number}", "x")

    sandbox.after_response = mint
    totals = [get("hiro", holdings(key)).json()["total"] for _ in range(3)]
    assert totals == [10, 11, 12]


def test_one_response_is_one_true_state_however_fast_the_world_moves(
    world: World, sandbox: Sandbox, get: Get
) -> None:
    key = world.add_hiro_principal(30)
    pages = []
    with Clockwork(world, 0.0005):
        for _ in range(40):
            page = get("hiro", holdings(key, 200)).json()
            assert page["total"] == len(page["results"])
            pages.append({(r["asset_identifier"], r["value"]["hex"]) for r in page["results"]})
    true_sets = [{row[:2] for row in state.rows} for state in world.states(key)]
    assert len(true_sets) > 3
    assert all(page in true_sets for page in pages)


def test_requests_in_parallel_are_all_answered(world: World, sandbox: Sandbox) -> None:
    url = sandbox.url("hiro") + holdings(world.add_hiro_principal(300), 200)

    def fetch(_: int) -> int:
        with requests.Session() as session:
            return len(session.get(url, timeout=PATIENCE).json()["results"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(fetch, range(64))) == [200] * 64
    assert sandbox.requests["hiro"] == 64


def test_leaving_frees_ports_and_threads_though_clients_stay_connected(
    world: World, http: requests.Session
) -> None:
    with Sandbox(world) as sandbox:
        port = int(sandbox.url("altura").rpartition(":")[2])
        http.get(sandbox.url("altura"), timeout=PATIENCE)
        threads = [
            thread
            for thread in threading.enumerate()
            if "sandbox-" in thread.name or "process_request_thread" in thread.name
        ]
    for thread in threads:
        thread.join(PATIENCE)
    assert len(threads) >= 4
    assert not any(thread.is_alive() for thread in threads)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_given_port_is_the_first_of_three(world: World) -> None:
    for first in range(21_000, 31_000, 97):
        try:
            with Sandbox(world, port=first) as sandbox:
                ports = [int(url.rpartition(":")[2]) for url in sandbox.urls.values()]
        except OSError:
            continue  # somebody else has one of the three
        assert ports == [first, first + 1, first + 2]
        return
    pytest.fail("no three free ports in a row")


def test_a_taken_port_leaves_nothing_listening(world: World) -> None:
    with Sandbox(world) as running:
        taken = int(running.url("hiro").rpartition(":")[2])
        second = Sandbox(world, port=taken)
        with pytest.raises(OSError, match="in use"):
            second.start()
        assert second.urls == {}


def test_a_clockwork_stands_still_once_it_is_left(world: World) -> None:
    key = world.add_altura_item(20)
    moved = threading.Event()
    with Clockwork(world, 0.001):
        while len(world.states(key)) < 5:
            moved.wait(0.001)
    stopped = len(world.states(key))
    moved.wait(0.02)
    assert len(world.states(key)) == stopped


def test_a_clockwork_needs_time_between_ticks(world: World) -> None:
    with pytest.raises(ValueError, match="not 0 s"):
        Clockwork(world, 0)
