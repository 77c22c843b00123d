"""Walks that fetch several pages at once: order, ends, failures, bounds."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import Any

import pytest

from pipelines.errors import RequestRefused, TornWalk
from pipelines.extract.fetch import Fetched, PositionFetcher, fetcher_of
from pipelines.extract.http import Client
from pipelines.extract.walk import backward, chained, forward
from pipelines.providers.pages import Row
from pipelines.providers.provider import Target
from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE

Connect = Callable[..., Client]
TargetOf = Callable[[str], Target]
AsInWorld = Callable[[Row], tuple[object, ...]]
LIMIT = 10
WINDOW = 4
PROVIDERS = ["altura", "catenis"]


@dataclass
class Bench:
    """One target with `pages` pages of ten rows, the last one with five, and a client for it."""

    key: str
    pages: int
    world: World
    sandbox: Sandbox
    client: Client
    fetch: PositionFetcher
    as_in_world: AsInWorld

    def forward(self, window: int = WINDOW) -> Iterator[Fetched[int]]:
        return forward(self.fetch, LIMIT, self.client.ahead, window)

    def backward(self, window: int = WINDOW) -> Iterator[Fetched[int]]:
        return backward(self.fetch, LIMIT, self.rows, self.client.ahead, window)

    @property
    def rows(self) -> int:
        return self.pages * LIMIT - 5

    def walk(self, way: str) -> Iterator[Fetched[int]]:
        return self.forward() if way == "forward" else self.backward()

    def listing(self) -> list[Any]:
        state = self.world.state(self.key)
        assert state is not None
        return list(SANDBOXES[self.key.partition(":")[0]].in_order(state))

    def rows_of(self, pages: Iterator[Fetched[int]]) -> list[Any]:
        return [self.as_in_world(row) for fetched in pages for row in fetched.page.rows]

    def settle(self) -> None:
        """Whatever had been left to the client's threads has been begun and has ended."""
        meet = threading.Barrier(self.client.settings.concurrency)
        for done in [self.client.ahead.submit(meet.wait, PATIENCE) for _ in range(meet.parties)]:
            done.result(PATIENCE)


@pytest.fixture
def bench(
    world: World, sandbox: Sandbox, connect: Connect, target_of: TargetOf, as_in_world: AsInWorld
) -> Callable[[str, int], Bench]:
    def bench(provider: str, pages: int) -> Bench:
        add = {"altura": world.add_altura_item, "catenis": world.add_catenis_asset}[provider]
        key = add(pages * LIMIT - 5)
        client = connect(provider, sandbox.url(provider), max_tries=2, concurrency=8)
        fetch = fetcher_of(client, target_of(key))
        return Bench(key, pages, world, sandbox, client, fetch, as_in_world)

    return bench


def page_of(exchange: Exchange) -> int:
    """The number of the page that is asked for, from 0."""
    if exchange.provider == "altura":
        return int(exchange.query["page"][0]) - 1
    return int(exchange.query["skip"][0]) // LIMIT


class Traffic:
    """What the sandbox sees: who is under way, who was answered; and the hooks that steer it.

    `hold[page]` is the page whose answer has to be made before that page's own; `instead[page]` is
    answered in that page's place; `change[page]` changes the JSON of the API's own answer.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.hold: dict[int, int] = {}
        self.instead: dict[int, Answer] = {}
        self.change: dict[int, Callable[[dict[str, Any]], object]] = {}
        self.arrived: list[int] = []
        self.answered: list[int] = []
        self.most = 0
        self._under_way = 0
        self._sandbox = sandbox
        self._changed = threading.Condition()
        sandbox.before_response = self._before
        sandbox.after_response = self._after

    @property
    def under_way(self) -> int:
        with self._changed:
            return self._under_way

    def await_arrivals(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.arrived) >= count, PATIENCE)

    def _before(self, exchange: Exchange) -> Answer | None:
        page = page_of(exchange)
        with self._changed:
            self.arrived.append(page)
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self._changed.notify_all()
            if (awaited := self.hold.get(page)) is not None:
                assert self._changed.wait_for(lambda: awaited in self.answered, PATIENCE)
        if page in self.change:
            headers = {k: v for k, v in exchange.headers.items() if k != "accept-encoding"}
            answer = self._sandbox.answer(replace(exchange, headers=headers), self._sandbox.world)
            body = json.loads(answer.body)
            self.change[page](body)
            return Answer(200, answer.headers, compact(body).encode())
        return self.instead.get(page)

    def _after(self, exchange: Exchange, _: Answer) -> None:
        with self._changed:
            self.answered.append(page_of(exchange))
            self._under_way -= 1
            self._changed.notify_all()


@pytest.fixture
def traffic(sandbox: Sandbox) -> Traffic:
    return Traffic(sandbox)


# --- order --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "way", "at_once"),
    [
        ("altura", "forward", [1, 2, 3, 4]),
        ("altura", "backward", [10, 9, 8, 7]),
        ("catenis", "forward", [4, 5, 6, 7]),
        ("catenis", "backward", [10, 9, 8, 7]),
    ],
)
def test_four_pages_are_under_way_at_once_and_given_out_in_order(
    bench: Callable[[str, int], Bench],
    traffic: Traffic,
    provider: str,
    way: str,
    at_once: list[int],
) -> None:
    walk = bench(provider, 12)
    traffic.hold = dict(pairwise(at_once))  # the last is answered first
    pages = list(walk.walk(way))
    answered = [traffic.answered.index(page) for page in at_once]
    assert answered == sorted(answered, reverse=True)
    numbers = [fetched.page.start // LIMIT for fetched in pages]
    assert numbers == (list(range(12)) if way == "forward" else list(range(11, -1, -1)))
    pages.sort(key=lambda fetched: fetched.page.start)
    assert walk.rows_of(iter(pages)) == walk.listing()


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_other_page_is_asked_for_after_the_first_was_answered(
    bench: Callable[[str, int], Bench], provider: str, way: str
) -> None:
    first, *others = bench(provider, 9).walk(way)
    assert len(others) == 8
    assert min(fetched.asked_at for fetched in others) >= first.answered_at


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_more_than_the_window_is_under_way(
    bench: Callable[[str, int], Bench], traffic: Traffic, provider: str, way: str
) -> None:
    walk = bench(provider, 20)
    list(walk.walk(way))
    assert traffic.most <= WINDOW < walk.client.settings.concurrency


@pytest.mark.parametrize("way", ["forward", "backward", "chained"])
def test_no_more_than_the_window_is_fetched_and_not_given_out(
    bench: Callable[[str, int], Bench],
    world: World,
    sandbox: Sandbox,
    connect: Connect,
    target_of: TargetOf,
    way: str,
) -> None:
    walk = bench("catenis", 30)
    client, fetch = walk.client, walk.fetch
    if way == "chained":
        client = connect("hiro", sandbox.url("hiro"), concurrency=8)
        fetch = fetcher_of(client, target_of(world.add_hiro_principal(200)))
    begun = given = most = 0
    lock = threading.Lock()

    def counting(
        start: int, limit: int, on_try: Callable[[], None] = lambda: None, /
    ) -> Fetched[int]:
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - given)
        return fetch(start, limit, on_try)

    ways = {
        "forward": lambda: forward(counting, LIMIT, client.ahead, WINDOW),
        "backward": lambda: backward(counting, LIMIT, walk.rows, client.ahead, WINDOW),
        "chained": lambda: chained(counting, LIMIT, client.ahead, WINDOW),
    }
    for _ in ways[way]():
        with lock:
            given += 1
    assert given > 20
    assert most == WINDOW


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pages", range(1, 14))
def test_where_a_total_is_told_no_request_is_wasted(
    bench: Callable[[str, int], Bench], traffic: Traffic, pages: int
) -> None:
    walk = bench("altura", pages)
    assert walk.rows_of(walk.forward()) == walk.listing()
    assert sorted(traffic.arrived) == list(range(pages))


@pytest.mark.parametrize(
    ("pages", "most"), [(1, 1), (2, 2), (3, 4), (4, 5), (5, 8), (6, 9), (7, 10), (9, 12), (20, 23)]
)
def test_without_a_total_fewer_requests_are_wasted_than_fit_the_window(
    bench: Callable[[str, int], Bench], traffic: Traffic, pages: int, most: int
) -> None:
    walk = bench("catenis", pages)
    # The end is told when all that may be asked for have arrived.
    traffic.hold = {pages - 1: most - 1} if most > pages else {}
    assert walk.rows_of(walk.forward()) == walk.listing()
    assert sorted(traffic.arrived) == list(range(most))
    assert walk.fetch.requests == most


@pytest.mark.parametrize("pages", [1, 2, 3, 9])
def test_one_page_at_a_time_wastes_no_request(
    bench: Callable[[str, int], Bench], traffic: Traffic, pages: int
) -> None:
    walk = bench("catenis", pages)
    assert walk.rows_of(walk.forward(window=1)) == walk.listing()
    assert traffic.arrived == list(range(pages))


# --- the end without a total --------------------------------------------------------------------


def test_pages_beyond_the_end_may_have_what_migrated(
    bench: Callable[[str, int], Bench], traffic: Traffic
) -> None:
    walk = bench("catenis", 5)
    walk.world.catenis_set_migrated(walk.key, 7)
    traffic.hold = {4: 7}
    pages = list(walk.forward())
    assert set(traffic.answered) == set(range(8))
    assert walk.rows_of(iter(pages)) == walk.listing()
    extras = [fetched.page.extra for fetched in pages]
    assert [extra is not None for extra in extras] == [False] * 4 + [True]


def holder(number: int) -> dict[str, Any]:
    return {"holder": {"deviceId": f"d{number}"}, "balance": {"total": 1, "unconfirmed": 0}}


@pytest.mark.parametrize("page", [5, 6, 7])
def test_a_holder_beyond_the_end_is_torn(
    bench: Callable[[str, int], Bench], traffic: Traffic, page: int
) -> None:
    walk = bench("catenis", 5)
    traffic.hold = {4: page}
    traffic.change[page] = lambda body: body["data"]["assetHolders"].append(holder(1))
    with pytest.raises(TornWalk, match=f"1 rows at {page}0, beyond the end that the page at 40"):
        list(walk.forward())


def test_a_page_beyond_the_end_that_promises_more_is_torn(
    bench: Callable[[str, int], Bench], traffic: Traffic
) -> None:
    walk = bench("catenis", 5)
    traffic.hold = {4: 6}
    traffic.change[6] = lambda body: body["data"].update(hasMore=True)
    with pytest.raises(TornWalk, match="0 rows at 60 and more to come, beyond the end"):
        list(walk.forward())


def test_an_end_that_is_told_above_full_pages_is_torn(
    bench: Callable[[str, int], Bench], traffic: Traffic
) -> None:
    walk = bench("catenis", 9)
    traffic.hold = {4: 5}
    traffic.change[4] = lambda body: body["data"].update(hasMore=False)
    with pytest.raises(TornWalk, match="10 rows at 50 and more to come, beyond the end"):
        list(walk.forward())


def test_a_short_page_above_the_end_is_torn(
    bench: Callable[[str, int], Bench], traffic: Traffic
) -> None:
    walk = bench("catenis", 9)
    traffic.change[5] = lambda body: body["data"]["assetHolders"].pop()
    with pytest.raises(TornWalk, match="9 rows at 50 before the end, where 10 fit a page"):
        list(walk.forward())


@pytest.mark.parametrize("status", [400, 503])
def test_a_page_beyond_the_end_that_fails_does_no_harm(
    bench: Callable[[str, int], Bench], traffic: Traffic, status: int
) -> None:
    walk = bench("catenis", 5)
    traffic.hold = {4: 6}
    traffic.instead[6] = Answer(status, {}, b"{}")
    assert walk.rows_of(walk.forward()) == walk.listing()


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "way", "fails", "later"),
    [
        ("altura", "forward", 3, 2),
        ("altura", "backward", 9, 10),
        ("catenis", "forward", 6, 5),
        ("catenis", "backward", 9, 10),
    ],
)
def test_a_failure_comes_up_after_the_pages_before_it(
    bench: Callable[[str, int], Bench],
    traffic: Traffic,
    provider: str,
    way: str,
    fails: int,
    later: int,
) -> None:
    walk = bench(provider, 12)
    traffic.instead[fails] = Answer(400, {}, b"{}")
    traffic.hold = {later: fails}
    pages = walk.walk(way)
    good = list(range(fails)) if way == "forward" else [11, 10]
    assert [next(pages).page.start // LIMIT for _ in good] == good
    with pytest.raises(RequestRefused, match=f"rows from {fails}0: answered 400"):
        next(pages)
    assert traffic.under_way == 0
    assert len(traffic.arrived) <= len(good) + WINDOW
    assert walk.fetch.requests == len(traffic.arrived)


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_a_torn_page_comes_before_a_failure_behind_it(
    bench: Callable[[str, int], Bench], traffic: Traffic, way: str
) -> None:
    walk = bench("altura", 6)
    torn, failed = (2, 3) if way == "forward" else (3, 2)
    traffic.change[torn] = lambda body: body.update(count=99)
    traffic.instead[failed] = Answer(400, {}, b"{}")
    traffic.hold = {torn: failed}
    with pytest.raises(TornWalk, match="99"):
        list(walk.walk(way))


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_is_left_running_where_the_consumer_stops(
    bench: Callable[[str, int], Bench], traffic: Traffic, provider: str, way: str
) -> None:
    walk = bench(provider, 30)
    pages = walk.walk(way)
    for _ in range(6):
        next(pages)
    traffic.await_arrivals(6 + WINDOW - 1)
    pages.close()
    seen = list(traffic.arrived)
    assert traffic.under_way == 0
    walk.settle()
    assert traffic.arrived == seen
    assert walk.fetch.requests == len(seen) == 6 + WINDOW - 1


def test_a_page_that_waits_for_another_try_is_not_asked_for_again_after_the_end(
    bench: Callable[[str, int], Bench], traffic: Traffic
) -> None:
    walk = bench("altura", 12)
    traffic.instead[3] = Answer(503)
    second_try = threading.Event()

    def fetch(start: int, limit: int, on_try: Callable[[], None] = lambda: None, /) -> Fetched[int]:
        tries = count(1)

        def before_try() -> None:
            if next(tries) == 2:
                second_try.set()
                while True:  # until it is refused
                    on_try()
                    time.sleep(0.001)
            on_try()

        return walk.fetch(start, limit, before_try)

    pages = forward(fetch, LIMIT, walk.client.ahead, WINDOW)
    next(pages)
    next(pages)
    assert second_try.wait(PATIENCE)
    pages.close()
    walk.settle()
    assert traffic.under_way == 0
    assert traffic.arrived.count(3) == 1


@pytest.mark.parametrize("period", [1, 2, 5])
def test_pages_that_go_round_for_ever_are_torn(
    bench: Callable[[str, int], Bench], sandbox: Sandbox, period: int
) -> None:
    walk = bench("catenis", 1)

    def answer(exchange: Exchange) -> Answer:
        first = page_of(exchange) % period * LIMIT
        data = {"assetHolders": [holder(first + n) for n in range(LIMIT)], "hasMore": True}
        return Answer(200, {}, compact({"status": "success", "data": data}).encode())

    sandbox.before_response = answer
    with pytest.raises(TornWalk, match="were given before, as the start of a page"):
        list(walk.forward())
    assert sandbox.requests["catenis"] < period + 1 + WINDOW
