"""Snapshots that read what changed since the last one, and nothing else (chained_to_last)."""

import json
import random

import pytest

from pipelines.errors import HeldBack, MalformedAnswer
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World

COLUMNS = "asset_identifier, value_hex, value_repr, block_height, tx_id"
PAGE = 10


@pytest.fixture
def holder(world: World) -> str:
    """A principal with 600 tokens, 67 pages of ten that share a row."""
    return world.add_hiro_principal(600)


def current(pipeline):
    return frozenset(
        tuple(row) for row in pipeline.sql(f"select {COLUMNS} from hiro_nft_holdings_current")
    )


def in_order(pipeline):
    rows = pipeline.sql(f"select {COLUMNS} from hiro_nft_holdings_current order by place desc")
    return [tuple(row) for row in rows]


def counts(snapshot):
    return snapshot.entered, snapshot.exited, snapshot.reacquired


def take(pipeline, key, **settings):
    return pipeline.take(key, page_size=PAGE, **settings)


def test_an_unchanged_target_of_many_pages_costs_one_request(pipeline, world, holder):
    first, second = take(pipeline, holder), take(pipeline, holder)
    assert (first.proof, second.proof) == ("chained", "chained_to_last")
    assert (second.requests, second.pages, second.rows) == (1, 1, 600)
    assert counts(second) == (0, 0, 0)
    assert second.previous_id == first.snapshot_id


def test_rows_whose_texts_are_escaped_or_cut_are_known_again(pipeline, world, holder):
    listing = world.state(holder).listing
    hostile = ['u"caf\\u{c3}"', "\0\t\n", "\ud800", "\\u0000", "x" * 5000]
    spoiled = [row._replace(repr=text) for row, text in zip(listing, hostile, strict=False)]
    world.set_rows(holder, (*spoiled, *listing[len(hostile) :]))
    take(pipeline, holder)
    second = take(pipeline, holder)
    assert (second.proof, second.requests) == ("chained_to_last", 1)


def test_what_entered_costs_the_pages_that_it_fills(pipeline, world, holder):
    take(pipeline, holder)
    for number in range(25):
        world.hiro_mint(holder, "SP2X.new::n", f"0x01{number:032x}", f"u{number}")
    second = take(pipeline, holder)
    assert (second.proof, second.requests, counts(second)) == ("chained_to_last", 3, (25, 0, 0))
    assert in_order(pipeline) == list(world.state(holder).listing)


def test_one_row_that_left_far_down_is_found_by_halving(pipeline, world, holder):
    take(pipeline, holder)
    world.hiro_transfer_out(holder, 431)
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained_to_last", (0, 1, 0))
    assert second.requests <= 10
    assert current(pipeline) == world.state(holder).rows


def test_a_token_that_left_and_came_back_counts_as_reacquired(pipeline, world, holder):
    take(pipeline, holder)
    row = world.state(holder).listing[300]
    world.hiro_transfer_out(holder, 300)
    world.hiro_mint(holder, row.asset_identifier, row.hex, row.repr)
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained_to_last", (0, 0, 1))
    assert in_order(pipeline) == list(world.state(holder).listing)


def test_a_set_of_which_much_changed_is_read_whole_and_its_first_page_only_once(
    pipeline, world, holder
):
    whole = take(pipeline, holder).requests
    for index in range(0, 400, 4):
        world.hiro_transfer_out(holder, index)
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained", (0, 100, 0))
    assert second.requests == second.pages < whole
    assert current(pipeline) == world.state(holder).rows


def test_the_last_rows_may_leave_and_the_list_may_end_higher(pipeline, world, holder):
    take(pipeline, holder)
    for _ in range(8):
        world.hiro_transfer_out(holder, len(world.state(holder).listing) - 1)
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained_to_last", (0, 8, 0))
    assert current(pipeline) == world.state(holder).rows


def test_what_leaves_while_it_is_looked_for_is_found_too(pipeline, sandbox, world, holder):
    take(pipeline, holder)
    world.hiro_transfer_out(holder, 431)
    answered = []

    def move(exchange, answer):
        answered.append(exchange)
        if len(answered) == 4:
            world.hiro_transfer_out(holder, 97)
            world.hiro_mint(holder, "SP2X.mid::m", "0x03", "true")

    sandbox.after_response = move
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained_to_last", (1, 2, 0))
    assert current(pipeline) == world.state(holder).rows


def test_a_whole_walk_is_made_every_so_many_snapshots(pipeline, world, holder):
    proofs = [take(pipeline, holder, full_walk_every=3).proof for _ in range(7)]
    rests = "chained_to_last"
    assert proofs == ["chained", rests, rests, "chained", rests, rests, "chained"]


def test_a_whole_walk_every_time_can_be_asked_for(pipeline, world, holder):
    assert {take(pipeline, holder, full_walk_every=1).proof for _ in range(3)} == {"chained"}


def test_a_row_that_came_back_in_its_old_place_makes_a_whole_walk_keep_a_new_order(
    pipeline, world, holder, caplog
):
    """As a reorganisation of the chain does it, which no rule about the top allows for."""
    take(pipeline, holder)
    listing = world.state(holder).listing
    world.hiro_transfer_out(holder, 200)
    assert take(pipeline, holder).exited == 1
    world.set_rows(holder, listing)
    third = take(pipeline, holder)
    assert (third.proof, counts(third), third.reordered) == ("chained", (1, 0, 0), True)
    assert in_order(pipeline) == list(listing)
    assert f"{holder}: its rows stood elsewhere" in caplog.text
    fourth = take(pipeline, holder)
    assert (fourth.requests, fourth.reordered) == (1, False)


def test_a_list_whose_order_changed_is_read_whole(pipeline, world, holder):
    take(pipeline, holder)
    listing = world.state(holder).listing
    world.set_rows(holder, (*listing[50:60], *listing[:50], *listing[60:]))
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained", (0, 0, 0))


def test_rows_that_are_lost_from_the_warehouse_come_back_with_the_next_whole_walk(
    pipeline, world, holder
):
    take(pipeline, holder)
    pipeline.sql("delete from hiro_nft_holdings_current where place = 600")
    second = take(pipeline, holder)
    assert second.proof == "chained"
    assert current(pipeline) == world.state(holder).rows


def test_a_row_that_was_lost_and_entered_anew_is_noticed_where_it_is_published(
    pipeline, world, holder
):
    take(pipeline, holder)
    pipeline.sql("update snapshot set rows = 599")
    pipeline.sql("delete from hiro_nft_holdings_current where place = 300")
    second = take(pipeline, holder)
    assert (second.proof, second.rows) == ("chained", 600)
    assert current(pipeline) == world.state(holder).rows


def test_a_snapshot_without_a_known_order_is_followed_by_a_whole_walk(pipeline, world, holder):
    take(pipeline, holder)
    pipeline.sql("update snapshot set top_place = null")
    pipeline.sql("update hiro_nft_holdings_current set place = null")
    second, third = take(pipeline, holder), take(pipeline, holder)
    assert (second.proof, second.top_place, second.reordered) == ("chained", 600, False)
    assert third.requests == 1
    assert in_order(pipeline) == list(world.state(holder).listing)


def test_a_set_that_lost_too_much_is_held_back_whichever_way_that_was_found(
    pipeline, world, holder
):
    take(pipeline, holder)
    world.set_rows(holder, world.state(holder).listing[:200])
    with pytest.raises(HeldBack):
        take(pipeline, holder)
    assert len(current(pipeline)) == 600


def test_a_set_that_became_one_page_or_none_is_read_whole(pipeline, world, holder):
    take(pipeline, holder)
    world.set_rows(holder, world.state(holder).listing[:PAGE])
    second = take(pipeline, holder, max_drop_share=1)
    assert (second.proof, second.requests, second.rows) == ("chained", 3, PAGE)
    world.set_rows(holder, ())
    third = take(pipeline, holder, max_drop_share=1, accept_empty=True)
    assert (third.rows, third.exited) == (0, PAGE)
    world.hiro_mint(holder, "SP2X.new::n", "0x03", "true")
    assert take(pipeline, holder).rows == 1


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_snapshot_after_snapshot_holds_what_is_true_in_its_order(
    pipeline, world, holder, seed, concurrency
):
    chance = random.Random(seed)
    resting = 0
    for number in range(8):
        for _ in range(chance.choice([0, 1, 3, 8])):
            world.hiro_transfer_out(holder, chance.randrange(500))
        for _ in range(chance.choice([0, 0, 2, 12])):
            token = f"0x01{chance.getrandbits(100):032x}"
            world.hiro_mint(holder, "SP2X.new::n", token, "u1")
        snapshot = take(pipeline, holder, concurrency=concurrency)
        resting += snapshot.proof == "chained_to_last"
        assert in_order(pipeline) == list(world.state(holder).listing), number
        rebuilt = pipeline.sql(
            f"select {COLUMNS} from hiro_nft_holdings_snapshots where snapshot_id = :id",
            id=snapshot.snapshot_id,
        )
        assert frozenset(tuple(row) for row in rebuilt) == world.state(holder).rows
    assert resting >= 4


def spoiled(sandbox, number, body):
    """Answer the request of that number with `body`."""
    asked = []

    def fault(exchange, answer):
        asked.append(exchange)
        return Answer(200, answer.headers, body) if len(asked) == number else answer

    sandbox.fault = fault


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_malformed_answer_fails_the_target_and_nothing_is_lost(
    pipeline, sandbox, world, holder, number
):
    take(pipeline, holder)
    before = current(pipeline)
    world.hiro_transfer_out(holder, 431)
    spoiled(sandbox, number, b'{"limit":10}')
    with pytest.raises(MalformedAnswer):
        take(pipeline, holder)
    assert current(pipeline) == before
    sandbox.fault = None
    assert take(pipeline, holder).exited == 1


@pytest.mark.parametrize("number", [2, 4])
def test_a_page_that_is_short_before_the_end_makes_a_whole_walk(
    pipeline, sandbox, world, holder, number
):
    take(pipeline, holder)
    world.hiro_transfer_out(holder, 431)
    asked = []

    def shorten(exchange, answer):
        asked.append(exchange)
        if len(asked) != number:
            return answer
        page = json.loads(answer.body)
        page["results"] = page["results"][:3]
        return Answer(200, answer.headers, json.dumps(page).encode())

    sandbox.fault = shorten
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained", (0, 1, 0))
    assert current(pipeline) == world.state(holder).rows


def test_an_answer_from_a_cache_makes_a_whole_walk(pipeline, sandbox, world, holder):
    take(pipeline, holder)
    world.hiro_transfer_out(holder, 431)
    asked = []

    def aged(exchange, answer):
        asked.append(exchange)
        age = {"age": "5"} if len(asked) == 3 else {}
        return Answer(answer.status, {**answer.headers, **age}, answer.body)

    sandbox.fault = aged
    assert take(pipeline, holder).proof == "chained"


def test_a_server_that_goes_back_to_an_older_state_makes_a_whole_walk(
    pipeline, sandbox, world, holder
):
    """The top is read again from a server that does not know yet what has left."""
    take(pipeline, holder)
    listing = world.state(holder).listing
    world.hiro_transfer_out(holder, 431)
    left = world.state(holder).listing
    asked = []

    def lag(exchange):
        asked.append(exchange)
        behind = len(asked) > 4 and exchange.query.get("offset") == ["0"] and len(asked) < 20
        world.set_rows(holder, listing if behind else left)

    sandbox.before_response = lag
    assert take(pipeline, holder).proof == "chained"


def test_a_lost_connection_costs_one_request_more(pipeline, sandbox, world, holder):
    take(pipeline, holder)

    def hang_up(exchange):
        sandbox.before_response = None
        raise ConnectionError

    sandbox.before_response = hang_up
    second = take(pipeline, holder)
    assert (second.proof, second.requests, second.pages) == ("chained_to_last", 2, 1)
