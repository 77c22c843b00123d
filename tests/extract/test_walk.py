import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pipelines.errors import MalformedAnswer, ServerFailed, TornWalk
from pipelines.extract.fetch import Fetched, PageCapped, PositionFetcher, fetcher_of
from pipelines.extract.http import Client
from pipelines.extract.walk import (
    MAX_SHIFTS,
    backward,
    chained,
    forward,
)
from pipelines.providers.pages import Row
from pipelines.providers.provider import Target
from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.providers.altura import AlturaSandbox
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.states import State
from pipelines.sandbox.world import World

Connect = Callable[..., Client]
TargetOf = Callable[[str], Target]
AsInWorld = Callable[[Row], tuple[object, ...]]
Rows = list[tuple[object, ...]]
CANDY = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"
POSITION = {"hiro": "offset", "altura": "page", "catenis": "skip"}


class Walker:
    """Walks one target of the sandbox, and keeps what came."""

    def __init__(self, fetch: PositionFetcher, client: Client, as_in_world: AsInWorld) -> None:
        self.fetch = fetch
        self.pages: list[Fetched[int]] = []
        self.client = client
        self._as_in_world = as_in_world

    def forward(self, limit: int, window: int = 1, *, may_be_capped: bool = False) -> Rows:
        ahead = self.client.ahead
        return self._rows(forward(self.fetch, limit, ahead, window, may_be_capped=may_be_capped))

    def backward(self, limit: int, rows: int, window: int = 1) -> Rows:
        return self._rows(backward(self.fetch, limit, rows, self.client.ahead, window))

    def chained(self, limit: int, window: int = 1) -> Rows:
        return self._rows(chained(self.fetch, limit, self.client.ahead, window))

    def _rows(self, pages: Iterator[Fetched[int]]) -> Rows:
        self.pages = []
        for fetched in pages:
            self.pages.append(fetched)
        return [self._as_in_world(row) for fetched in self.pages for row in fetched.page.rows]


@pytest.fixture
def walker(
    sandbox: Sandbox, connect: Connect, target_of: TargetOf, as_in_world: AsInWorld
) -> Callable[[str], Walker]:
    """walker("hiro:SP…") → a Walker of that target."""

    def walker(key: str) -> Walker:
        provider = key.partition(":")[0]
        client = connect(provider, sandbox.url(provider), max_tries=2)
        return Walker(fetcher_of(client, target_of(key)), client, as_in_world)

    return walker


def truth(world: World, key: str) -> State:
    state = world.state(key)
    assert state is not None
    return state


def mint(world: World, key: str, serial: int = 0) -> None:
    world.hiro_mint(key, CANDY, f"0x01{2**64 + serial:032x}", f"u{2**64 + serial}")


def mint_page(world: World, key: str, number: int = 0) -> None:
    """As many rows at the top as fit a page of ten."""
    for serial in range(10):
        mint(world, key, 10 * number + serial)


def after(sandbox: Sandbox, happens: dict[int, Callable[[], object]]) -> None:
    """Let things happen when the n-th request (from 1) has been answered."""

    def after_response(exchange: Exchange, answer: Answer) -> None:
        happens.get(exchange.number, lambda: None)()

    sandbox.after_response = after_response


def plain_answer(sandbox: Sandbox, exchange: Exchange) -> Answer:
    """What the API answers, not compressed."""
    headers = {name: v for name, v in exchange.headers.items() if name != "accept-encoding"}
    return sandbox.answer(replace(exchange, headers=headers), sandbox.world)


def instead(sandbox: Sandbox, number: int, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the n-th answer be the API's own with a change made to its JSON."""

    def before(exchange: Exchange) -> Answer | None:
        if exchange.number != number:
            return None
        answer = plain_answer(sandbox, exchange)
        body = json.loads(answer.body)
        change(body)
        return Answer(200, answer.headers, compact(body).encode())

    sandbox.before_response = before


def with_header(sandbox: Sandbox, number: int, name: str, value: str) -> None:
    def before(exchange: Exchange) -> Answer | None:
        if exchange.number != number:
            return None
        answer = plain_answer(sandbox, exchange)
        return Answer(200, {**answer.headers, name: value}, answer.body)

    sandbox.before_response = before


def asked_for(sandbox: Sandbox, provider: str) -> list[int]:
    """The positions that were asked for, in order."""
    name = POSITION[provider]
    return [int(served.target.partition(f"{name}=")[2].split("&")[0]) for served in sandbox.log]


# --- still sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize(
    ("tokens", "limit", "requests"),
    [
        (0, 200, 1),
        (1, 200, 1),
        (199, 200, 1),
        (200, 200, 1),
        (201, 200, 2),
        (398, 200, 2),
        (399, 200, 2),
        (400, 200, 3),
        (2, 2, 1),
        (3, 2, 2),
        (9, 2, 8),
        (3, 3, 1),
        (4, 3, 2),
        (5, 3, 2),
        (6, 3, 3),
    ],
)
def test_a_chained_walk_reads_every_row_once_and_in_order(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    tokens: int,
    limit: int,
    requests: int,
    window: int,
) -> None:
    key = world.add_hiro_principal(tokens)
    walk = walker(key)
    assert walk.chained(limit, window) == list(truth(world, key).listing)
    assert sandbox.requests["hiro"] == walk.fetch.requests == requests
    assert len(walk.pages) == requests
    assert {fetched.page.tag for fetched in walk.pages} == {f'"{world.tip.index_hash}"'}
    assert walk.pages[-1].page.last
    assert walk.pages[0].page.total == tokens


@pytest.mark.parametrize("window", [1, 3, 4, 50])
def test_a_chained_walk_fetches_ahead_what_it_needs_and_no_more(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], window: int
) -> None:
    key = world.add_hiro_principal(100)
    assert len(walker(key).chained(10, window)) == 100
    assert sorted(asked_for(sandbox, "hiro")) == list(range(0, 99, 9))


def test_pages_of_a_chained_walk_stand_where_their_first_new_row_stands(
    world: World, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_hiro_principal(8))
    walk.chained(4)
    assert [(f.page.start, len(f.page.rows)) for f in walk.pages] == [(0, 4), (4, 3), (7, 1)]


@pytest.mark.parametrize("limit", [24, 100])
@pytest.mark.parametrize(
    ("pages", "rest"), [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1), (2, 0), (3, 0), (3, 7)]
)
def test_a_forward_walk_reads_every_holder_of_an_item_once(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    limit: int,
    pages: int,
    rest: int,
) -> None:
    holders = pages * limit + rest
    key = world.add_altura_item(holders)
    walk = walker(key)
    assert walk.forward(limit, may_be_capped=True) == list(
        SANDBOXES["altura"].in_order(truth(world, key))
    )
    assert sandbox.requests["altura"] == max(1, -(-holders // limit))
    assert asked_for(sandbox, "altura") == list(range(1, sandbox.requests["altura"] + 1))


@pytest.mark.parametrize("migrated", [None, Decimal("250.5")])
@pytest.mark.parametrize("devices", [0, 1, 499, 500, 501, 1000, 1001])
def test_a_forward_walk_reads_every_device_once_and_stops_at_the_end(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    devices: int,
    migrated: Decimal | None,
) -> None:
    key = world.add_catenis_asset(devices)
    if migrated is not None:
        world.catenis_set_migrated(key, migrated)
    walk = walker(key)
    assert walk.forward(500) == list(SANDBOXES["catenis"].in_order(truth(world, key)))
    assert sandbox.requests["catenis"] == max(1, -(-devices // 500))
    extras = [fetched.page.extra for fetched in walk.pages]
    assert extras[:-1] == [None] * (len(extras) - 1)
    assert (extras[-1].total if extras[-1] else None) == migrated


@pytest.mark.parametrize("limit", [1, 7, 30, 31, 59, 60, 61, 500])
def test_a_backward_walk_reads_the_same_rows_with_another_page_size(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], limit: int
) -> None:
    for key in (world.add_altura_item(60), world.add_catenis_asset(60)):
        walk = walker(key)
        there = walk.forward(20)
        back = walk.backward(limit, len(there))
        assert len(walk.pages) == -(-60 // limit)
        starts = [fetched.page.start for fetched in walk.pages]
        assert starts == sorted(starts, reverse=True)
        assert starts[-1] == 0
        assert sorted(back) == sorted(there)


def test_the_migrated_amount_comes_with_the_first_page_of_a_backward_walk(
    world: World, walker: Callable[[str], Walker]
) -> None:
    key = world.add_catenis_asset(10)
    world.catenis_set_migrated(key, 7)
    walk = walker(key)
    walk.backward(4, 10)
    assert [fetched.page.extra is not None for fetched in walk.pages] == [True, False, False]


@pytest.mark.parametrize(("cap", "holders"), [(24, 25), (24, 100), (1, 2), (99, 100)])
def test_a_silent_cap_on_the_page_size_is_found_out(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], cap: int, holders: int
) -> None:
    key = world.add_altura_item(holders)
    sandbox.apis["altura"] = AlturaSandbox(max_per_page=cap)
    walk = walker(key)
    with pytest.raises(PageCapped) as capped:
        walk.forward(100, may_be_capped=True)
    assert capped.value.limit == cap
    assert walk.pages == []
    assert len(walk.forward(capped.value.limit, may_be_capped=True)) == holders


def test_a_cap_that_all_holders_fit_under_changes_nothing(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_altura_item(24)
    sandbox.apis["altura"] = AlturaSandbox(max_per_page=24)
    assert len(walker(key).forward(100, may_be_capped=True)) == 24


def test_where_no_cap_is_known_a_short_first_page_is_torn(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_altura_item(100)
    sandbox.apis["altura"] = AlturaSandbox(max_per_page=24)
    with pytest.raises(TornWalk, match="24 rows at 0 before the end, where 100 fit a page"):
        walker(key).forward(100)


def test_pages_are_given_out_as_they_come(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_altura_item(30))
    pages = forward(walk.fetch, 10, walk.client.ahead, 4)
    next(pages)
    assert sandbox.requests["altura"] == 1
    pages.close()


def test_a_page_says_when_it_was_asked_for_and_answered(
    world: World, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_altura_item(30))
    walk.forward(10)
    times = [time for fetched in walk.pages for time in (fetched.asked_at, fetched.answered_at)]
    assert times == sorted(times)


def test_every_try_is_counted_as_a_request(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_altura_item(30))
    sandbox.before_response = lambda exchange: Answer(503) if exchange.number == 2 else None
    assert len(walk.forward(10)) == 30
    assert walk.fetch.requests == 4


def test_a_failure_names_the_target_and_the_rows(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_altura_item(30)
    sandbox.before_response = lambda exchange: Answer(503) if exchange.number > 1 else None
    with pytest.raises(ServerFailed) as failed:
        walker(key).forward(10)
    assert str(failed.value).startswith(f"{key}, rows from 10: answered 503")
    assert failed.value.message.endswith("(tried 2 times)")


def test_a_failure_of_a_page_fetched_ahead_ends_the_walk(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(40)
    sandbox.before_response = lambda exchange: (
        Answer(400, {}, b"{}") if "offset=27" in exchange.target else None
    )
    walk = walker(key)
    with pytest.raises(Exception, match="rows from 27: answered 400"):
        walk.chained(10, 4)
    assert len(walk.pages) == 3


# --- chained walks over a set that moves --------------------------------------------------------


def test_a_mint_during_a_chained_walk_shifts_the_pages_and_does_not_show(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    before = truth(world, key).listing
    after(sandbox, {1: lambda: mint(world, key)})
    walk = walker(key)
    assert walk.chained(10) == list(before)
    assert asked_for(sandbox, "hiro") == [0, 9, 18, 27]
    assert [fetched.page.start for fetched in walk.pages] == [0, 11, 19, 28]


def test_more_mints_than_fit_a_page_have_the_next_one_asked_for_again(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    before = truth(world, key).listing
    after(sandbox, {1: lambda: mint_page(world, key)})
    assert walker(key).chained(10) == list(before)
    assert asked_for(sandbox, "hiro") == [0, 9, 19, 28]


def test_a_mint_at_every_request_costs_a_chained_walk_no_more_than_a_page(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(100)
    before = truth(world, key).listing
    sandbox.after_response = lambda exchange, _: mint(world, key, exchange.number)
    assert walker(key).chained(10) == list(before)
    assert sandbox.requests["hiro"] <= 1 + 100 // 8


@pytest.mark.parametrize("answered", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 4])
def test_mints_at_any_moment_leave_the_state_that_page_0_saw(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], answered: int, window: int
) -> None:
    key = world.add_hiro_principal(40)
    before = truth(world, key).listing
    after(sandbox, {answered: lambda: [mint(world, key, serial) for serial in range(3)]})
    walk = walker(key)
    assert walk.chained(10, window) == list(before)
    assert walk.pages[0].page.total == 40


def test_a_row_that_leaves_above_shifts_the_pages_and_is_kept(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    before = truth(world, key).listing
    after(sandbox, {1: lambda: world.hiro_transfer_out(key, 3)})
    assert walker(key).chained(10) == list(before)
    assert asked_for(sandbox, "hiro") == [0, 9, 8, 17]


@pytest.mark.parametrize("index", [9, 10, 15, 18, 27])
def test_a_row_that_leaves_below_tears_the_walk(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], index: int
) -> None:
    key = world.add_hiro_principal(28)
    after(sandbox, {1: lambda: world.hiro_transfer_out(key, index)})
    with pytest.raises(TornWalk, match="is not the one that the page above ended with"):
        walker(key).chained(10)


def test_one_in_and_one_out_above_go_unnoticed_and_change_nothing(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    before = truth(world, key).listing
    after(sandbox, {1: lambda: (world.hiro_transfer_out(key, 4), mint(world, key))})
    assert walker(key).chained(10) == list(before)
    assert asked_for(sandbox, "hiro") == [0, 9, 18]


@pytest.mark.parametrize("index", [9, 10, 27])
def test_one_in_above_and_one_out_below_tear_the_walk_though_the_total_is_the_same(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], index: int
) -> None:
    key = world.add_hiro_principal(28)
    after(sandbox, {1: lambda: (world.hiro_transfer_out(key, index), mint(world, key))})
    with pytest.raises(TornWalk):
        walker(key).chained(10)


def test_a_row_that_left_and_came_back_is_another_row(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key, other = world.add_hiro_principal(28), world.add_hiro_principal(0)

    def there_and_back() -> None:
        world.hiro_transfer(key, other, 9)
        world.hiro_transfer(other, key, 0)

    after(sandbox, {1: there_and_back})
    with pytest.raises(TornWalk):
        walker(key).chained(10)


def test_a_row_that_came_back_with_as_many_rows_below_it_is_told_by_its_transaction(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key, other = world.add_hiro_principal(4), world.add_hiro_principal(0)

    def there_and_back_while_one_below_leaves() -> None:
        world.hiro_transfer(key, other, 1)
        world.hiro_transfer(other, key, 0)
        world.hiro_transfer_out(key, 2)

    after(sandbox, {1: there_and_back_while_one_below_leaves})
    with pytest.raises(TornWalk, match="is not the one that the page above ended with"):
        walker(key).chained(2)
    assert asked_for(sandbox, "hiro") == [0, 1, 0]


@pytest.mark.parametrize("left", [0, 1, 5])
@pytest.mark.parametrize("window", [1, 4])
def test_a_set_that_shrinks_below_the_next_page_tears_the_walk(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], left: int, window: int
) -> None:
    key = world.add_hiro_principal(28)

    def shrink() -> None:
        for _ in range(28 - left):
            world.hiro_transfer_out(key, 0)

    after(sandbox, {1: shrink})
    with pytest.raises(TornWalk, match="shrank"):
        walker(key).chained(10, window)


def test_a_page_that_moves_at_every_try_is_given_up(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    sandbox.after_response = lambda exchange, _: mint_page(world, key, exchange.number)
    with pytest.raises(TornWalk, match=f"moved at each of {MAX_SHIFTS} tries"):
        walker(key).chained(10)
    assert sandbox.requests["hiro"] == 2 + MAX_SHIFTS


def test_a_page_that_moves_as_often_as_it_may_is_still_linked(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    before = truth(world, key).listing
    moves = range(1, 1 + MAX_SHIFTS)
    after(sandbox, {number: lambda n=number: mint_page(world, key, n) for number in moves})
    assert walker(key).chained(10) == list(before)


def test_a_principal_that_fills_after_page_0_was_empty_shows_as_empty(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(0)
    after(sandbox, {1: lambda: [mint(world, key, serial) for serial in range(30)]})
    assert walker(key).chained(10) == []


# --- forward and backward walks over a set that moves -------------------------------------------


def test_a_holder_more_or_less_tears_a_forward_walk(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_altura_item(50)
    gone = SANDBOXES["altura"].in_order(truth(world, key))[30].address
    after(sandbox, {2: lambda: world.altura_remove(key, gone)})
    with pytest.raises(TornWalk, match="the total went from 50 to 49"):
        walker(key).forward(10)
    after(sandbox, {4: lambda: world.altura_set(key, gone, 1)})
    with pytest.raises(TornWalk, match="the total went from 49 to 50"):
        walker(key).forward(10)


def test_devices_that_leave_while_the_pages_are_read_shorten_a_forward_walk_only(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    """Without a total nothing shows it: this is what the second collect is for."""
    key = world.add_catenis_asset(25)
    gone = [row.device_id for row in SANDBOXES["catenis"].in_order(truth(world, key))[:10]]
    after(sandbox, {1: lambda: [world.catenis_remove(key, device) for device in gone]})
    walk = walker(key)
    first = walk.forward(10)
    assert len(first) == 15
    with pytest.raises(TornWalk, match="the set of 25 rows has changed"):
        walk.backward(9, 25)


@pytest.mark.parametrize("provider", ["altura", "catenis"])
@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("size", [30, 31, 39])
def test_a_backward_walk_of_a_set_of_another_size_is_torn_at_its_first_page(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    provider: str,
    change: int,
    size: int,
) -> None:
    add = {"altura": world.add_altura_item, "catenis": world.add_catenis_asset}[provider]
    walk = walker(add(size + change))
    with pytest.raises(TornWalk, match=f"the set of {size} rows has changed"):
        walk.backward(10, size)
    assert walk.fetch.requests == 1


def test_a_change_of_size_in_a_backward_walk_tears_it(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_altura_item(50)
    gone = SANDBOXES["altura"].in_order(truth(world, key))[0].address
    after(sandbox, {2: lambda: world.altura_remove(key, gone)})
    with pytest.raises(TornWalk, match="the set of 50 rows has changed"):
        walker(key).backward(10, 50)


# --- answers that contradict the walk -----------------------------------------------------------


def targets(world: World) -> dict[str, str]:
    return {
        "hiro": world.add_hiro_principal(28),
        "altura": world.add_altura_item(30),
        "catenis": world.add_catenis_asset(30),
    }


def walk_through(walk: Walker, provider: str) -> Rows:
    return walk.chained(10) if provider == "hiro" else walk.forward(10)


def listed(provider: str, body: dict[str, Any]) -> list[Any]:
    rows: list[Any] = (
        body["data"]["assetHolders"]
        if provider == "catenis"
        else body[{"hiro": "results", "altura": "holders"}[provider]]
    )
    return rows


@pytest.mark.parametrize("provider", ["hiro", "altura", "catenis"])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("rows", [0, 1, 9])
def test_a_page_that_is_short_before_the_end_is_torn(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    provider: str,
    number: int,
    rows: int,
) -> None:
    walk = walker(targets(world)[provider])

    def cut(body: dict[str, Any]) -> None:
        del listed(provider, body)[rows:]

    instead(sandbox, number, cut)
    with pytest.raises(TornWalk, match=r"row|empty page"):
        walk_through(walk, provider)
    assert len(walk.pages) == number - 1


@pytest.mark.parametrize("provider", ["hiro", "altura", "catenis"])
def test_a_page_larger_than_asked_is_malformed(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], provider: str
) -> None:
    walk = walker(targets(world)[provider])

    def lengthen(body: dict[str, Any]) -> None:
        rows = listed(provider, body)
        rows.append(rows[0])

    instead(sandbox, 2, lengthen)
    with pytest.raises(MalformedAnswer, match="on a page of 10"):
        walk_through(walk, provider)


@pytest.mark.parametrize("provider", ["hiro", "altura", "catenis"])
@pytest.mark.parametrize("number", [2, 3])
def test_a_page_that_comes_again_is_torn(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    provider: str,
    number: int,
) -> None:
    walk = walker(targets(world)[provider])
    first: list[Any] = []

    def before(exchange: Exchange) -> Answer | None:
        answer = plain_answer(sandbox, exchange)
        body = json.loads(answer.body)
        if exchange.number == 1:
            first.extend(listed(provider, body))
        if exchange.number == number:
            listed(provider, body)[:] = first[: len(listed(provider, body))]
            return Answer(200, answer.headers, compact(body).encode())
        return None

    sandbox.before_response = before
    with pytest.raises(TornWalk):
        walk_through(walk, provider)


@pytest.mark.parametrize("field", ["limit", "offset"])
@pytest.mark.parametrize("number", [1, 2])
def test_an_answer_to_another_question_is_malformed(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], field: str, number: int
) -> None:
    walk = walker(targets(world)["hiro"])
    instead(sandbox, number, lambda body: body.update({field: body[field] + 1}))
    with pytest.raises(MalformedAnswer, match="asked for limit 10 offset"):
        walk.chained(10)


@pytest.mark.parametrize("provider", ["hiro", "altura"])
@pytest.mark.parametrize(("total", "error"), [(-1, MalformedAnswer), (3, TornWalk)])
def test_a_total_that_the_rows_belie_is_not_believed(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    provider: str,
    total: int,
    error: type[Exception],
) -> None:
    walk = walker(targets(world)[provider])
    name = {"hiro": "total", "altura": "count"}[provider]
    instead(sandbox, 1, lambda body: body.update({name: total}))
    with pytest.raises(error):
        walk_through(walk, provider)


CACHED = [("Age", "30"), ("X-Cache", "HIT"), ("X-Cache", "Hit from cloudfront")]
CACHED += [("CF-Cache-Status", "HIT"), ("X-Cache-Status", "hit")]


@pytest.mark.parametrize(("name", "value"), CACHED)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("provider", ["hiro", "altura", "catenis"])
def test_a_page_out_of_a_cache_is_torn(
    world: World,
    sandbox: Sandbox,
    walker: Callable[[str], Walker],
    provider: str,
    number: int,
    name: str,
    value: str,
) -> None:
    walk = walker(targets(world)[provider])
    with_header(sandbox, number, name, value)
    with pytest.raises(TornWalk, match="came from a cache"):
        walk_through(walk, provider)


def test_a_page_out_of_a_cache_tears_a_backward_walk(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    walk = walker(targets(world)["altura"])
    with_header(sandbox, 2, "Age", "1")
    with pytest.raises(TornWalk, match="came from a cache"):
        walk.backward(10, 30)


def test_a_page_out_of_a_cache_is_torn_where_it_is_asked_for_again(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    key = world.add_hiro_principal(28)
    after(sandbox, {1: lambda: mint_page(world, key)})
    with_header(sandbox, 3, "Age", "1")
    with pytest.raises(TornWalk, match="came from a cache"):
        walker(key).chained(10)


@pytest.mark.parametrize(
    ("name", "value"), [("Age", "0"), ("X-Cache", "Miss from cloudfront"), ("X-Cache", "MISS")]
)
def test_a_cache_that_did_not_answer_does_no_harm(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], name: str, value: str
) -> None:
    walk = walker(targets(world)["altura"])
    with_header(sandbox, 2, name, value)
    assert len(walk.forward(10)) == 30


# --- servers without an end ---------------------------------------------------------------------


def holders_page(devices: list[str], *, has_more: bool) -> Answer:
    balance = {"total": 1, "unconfirmed": 0}
    entries = [{"holder": {"deviceId": device}, "balance": balance} for device in devices]
    data = {"assetHolders": entries, "hasMore": has_more}
    return Answer(200, {}, compact({"status": "success", "data": data}).encode())


def test_empty_pages_that_promise_more_are_torn(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_catenis_asset(1))
    sandbox.before_response = lambda _: holders_page([], has_more=True)
    with pytest.raises(TornWalk, match="0 rows at 0 before the end, where 10 fit a page"):
        walk.forward(10)
    assert sandbox.requests["catenis"] == 1


@pytest.mark.parametrize("period", [1, 2, 5])
def test_full_pages_that_go_round_and_promise_more_for_ever_are_torn(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], period: int
) -> None:
    walk = walker(world.add_catenis_asset(1))
    sandbox.before_response = lambda exchange: (
        holders_page([f"d{exchange.number % period}-{n}" for n in range(10)], has_more=True)
        if exchange.number < 1000
        else Answer(400)
    )
    with pytest.raises(TornWalk, match="were given before, as the start of a page"):
        walk.forward(10)
    assert sandbox.requests["catenis"] == period + 1


def test_a_count_without_end_over_one_page_is_torn(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker]
) -> None:
    walk = walker(world.add_altura_item(10))
    one_page = [{"address": f"0x{n:040x}", "balance": 1} for n in range(10)]
    body = compact({"holders": one_page, "count": 10**15}).encode()
    sandbox.before_response = lambda exchange: (
        Answer(200, {}, body) if exchange.number < 1000 else Answer(400)
    )
    with pytest.raises(TornWalk, match="were given before, as the start of a page"):
        walk.forward(10)


@pytest.mark.parametrize("window", [1, 4])
def test_one_page_for_every_offset_and_a_total_without_end_are_torn(
    world: World, sandbox: Sandbox, walker: Callable[[str], Walker], window: int
) -> None:
    key = world.add_hiro_principal(28)
    walk = walker(key)

    def before(exchange: Exchange) -> Answer:
        offset = int(exchange.query["offset"][0])
        target = exchange.target.replace(f"offset={offset}", "offset=0")
        first_page = plain_answer(sandbox, replace(exchange, target=target))
        body = json.loads(first_page.body) | {"offset": offset, "total": 10**15}
        return Answer(200, {}, compact(body).encode())

    sandbox.before_response = before
    with pytest.raises(TornWalk, match="is not the one that the page above ended with"):
        walk.chained(10, window)


def test_a_principal_is_walked_through_a_filter(
    world: World, sandbox: Sandbox, connect: Connect, target_of: TargetOf, as_in_world: AsInWorld
) -> None:
    key = world.add_hiro_principal(90)
    target = target_of(key).model_copy(update={"asset_identifiers": (CANDY,)})
    client = connect("hiro", sandbox.url("hiro"))
    walk = Walker(fetcher_of(client, target), client, as_in_world)
    expected = truth(world, f"{key}?asset_identifiers={CANDY}").listing
    assert 4 < len(expected) < 90
    assert walk.chained(4, 3) == list(expected)
