"""Hiro's v1 and v3: the same rows, whichever is asked, and from one to the other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.errors import RequestRefused
from pipelines.sandbox.providers.hiro.api import Version
from pipelines.sandbox.providers.hiro.blocks import Token
from pipelines.sandbox.world import World

COLUMNS = "asset_identifier, value_hex, value_repr, block_height, tx_id"
PAGE = 10
NEW = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.new::n"


@pytest.fixture
def holder(world: World) -> str:
    """A principal with 60 tokens, seven pages of ten."""
    return world.add_hiro_principal(60)


def take(pipeline, key, **settings):
    return pipeline.take(key, page_size=PAGE, **settings)


def serve(sandbox, **version):
    sandbox.apis["hiro"] = replace(sandbox.apis["hiro"], version=Version(**version))


def current(pipeline, columns=COLUMNS):
    rows = pipeline.sql(f"select {columns} from hiro_nft_holdings_current")
    return frozenset(tuple(row) for row in rows)


def keys(world, holder):
    return frozenset(row[:3] for row in world.state(holder).rows)


def mint(world, holder, *numbers):
    for number in numbers:
        world.hiro_mint(holder, NEW, f"0x01{number:032x}", f"u{number}")


def counts(snapshot):
    return snapshot.entered, snapshot.exited, snapshot.reacquired, snapshot.profile


def paths(sandbox):
    return [line.target.partition("?")[0] for line in sandbox.log]


def test_v3_is_taken_once_v1_is_gone_and_remembered(pipeline, sandbox, world, holder, caplog):
    first = take(pipeline, holder)
    serve(sandbox, v1=False)
    second = take(pipeline, holder)
    assert (first.api, first.proof, second.api, second.proof) == (
        "v1",
        "chained",
        "v3",
        "one_version",
    )
    assert counts(second) == (0, 0, 0, 0)
    assert "v3 is asked in place of v1 from now on: " in caplog.text
    seen = len(sandbox.log)
    third = take(pipeline, holder)
    assert (third.proof, third.requests) == ("same_version", 1)
    assert not [path for path in paths(sandbox)[seen:] if "/v1/" in path]
    assert pipeline.sql("select provider, api from provider_api") == [("hiro", "v3")]


def test_v1_is_asked_again_after_a_day_and_taken_back(pipeline, sandbox, world, holder):
    serve(sandbox, v1=False)
    take(pipeline, holder)
    serve(sandbox)
    assert take(pipeline, holder).api == "v3"
    pipeline.sql("update provider_api set tried_at = tried_at - :day", day=timedelta(days=1))
    other = world.add_hiro_principal(30)
    assert take(pipeline, other).api == "v1"
    assert pipeline.sql("select count(*) from provider_api") == [(0,)]
    resting = [take(pipeline, holder, full_walk_every=3) for _ in range(3)]
    assert "v1" in [snapshot.api for snapshot in resting]


def test_v1_that_is_gone_without_a_successor_is_told(pipeline, sandbox, world, holder):
    serve(sandbox, v1=False, v3=False)
    with pytest.raises(RequestRefused, match=r"answered 410.*HIRO_API"):
        take(pipeline, holder)
    serve(sandbox, v1=False)
    with pytest.raises(RequestRefused, match="answered 410"):
        take(pipeline, holder, api="v1")


def test_from_v1_to_v3_and_back_no_row_changes_that_did_not(pipeline, sandbox, world, holder):
    take(pipeline, holder, api="v1")
    told = {row[:2]: row for row in world.state(holder).rows}
    first, second = (row[:2] for row in world.state(holder).listing[20:22])
    world.hiro_transfer_out(holder, 20)
    mint(world, holder, 1, 2)
    by_v3 = take(pipeline, holder, api="v3")
    assert (by_v3.proof, counts(by_v3)) == ("one_version", (2, 1, 0, 0))
    known = {row[:2]: row for row in current(pipeline)}
    assert first not in known
    assert known[second] == told[second]
    assert known[NEW, f"0x01{1:032x}"][3:] == (None, None)

    mint(world, holder, 3)
    back = take(pipeline, holder, api="v1")
    assert (back.proof, counts(back), back.reordered) == ("chained", (1, 0, 0, 0), False)
    assert current(pipeline) == world.state(holder).rows
    assert pipeline.sql("select count(*) from hiro_nft_holdings_history") == [(1,)]
    [(valid_from, held_since)] = pipeline.sql(
        "select distinct valid_from, held_since from hiro_nft_holdings_current"
        " where value_hex = :one",
        one=f"0x01{1:032x}",
    )
    assert valid_from == held_since == by_v3.snapshot_at
    assert take(pipeline, holder, api="v1").requests == 1


def test_a_token_that_left_and_came_back_while_v3_is_asked_is_told_by_v1_later(
    pipeline, world, holder
):
    """v3 tells no transaction: to it the token has stayed."""
    take(pipeline, holder, api="v1")
    row = world.state(holder).listing[30]
    world.hiro_transfer_out(holder, 30)
    world.hiro_mint(holder, *row[:3])
    assert counts(take(pipeline, holder, api="v3")) == (0, 0, 0, 0)
    assert counts(take(pipeline, holder, api="v1")) == (0, 0, 1, 0)


def test_an_unchanged_target_of_v3_costs_one_request_and_a_whole_walk_every_so_often(
    pipeline, world, holder
):
    found = [take(pipeline, holder, api="v3", full_walk_every=3) for _ in range(7)]
    whole, rests = "one_version", "same_version"
    assert [one.proof for one in found] == [whole, rests, rests, whole, rests, rests, whole]
    assert {one.requests for one in found if one.proof == rests} == {1}
    assert len(current(pipeline)) == 60


def test_what_changes_while_v3_is_read_makes_the_walk_torn(pipeline, sandbox, world, holder):
    moves = [2, 7, 12]

    def move(exchange, answer):
        if exchange.number in moves:
            mint(world, holder, exchange.number)

    sandbox.after_response = move
    found = take(pipeline, holder, api="v3")
    assert (found.proof, found.walks) == ("one_version", 4)
    assert current(pipeline, "asset_identifier, value_hex, value_repr") == keys(world, holder)


def test_a_principal_of_one_page_or_none_is_confirmed_by_a_second_reading(pipeline, world):
    few, none = world.add_hiro_principal(5), world.add_hiro_principal(0)
    assert [take(pipeline, few, api="v3").proof for _ in range(2)] == [
        "double_collect",
        "same_version",
    ]
    assert [take(pipeline, none, api="v3").proof for _ in range(2)] == [
        "double_collect",
        "single_page",
    ]


@pytest.mark.parametrize("filters", [False, True])
def test_targets_narrowed_to_classes_are_read_class_by_class(
    pipeline, sandbox, world, holder, filters
):
    serve(sandbox, v1=False, filters=filters)
    mint(world, holder, *range(30))
    held = {}
    for row in world.state(holder).rows:
        held.setdefault(row[0], set()).add(row[:3])
    several = sorted(held, key=lambda name: -len(held[name]))[:3]
    target = pipeline.target(holder, asset_identifiers=several)
    found = take(pipeline, target)
    assert (found.api, found.proof) == ("v3", "one_version")
    assert current(pipeline, "asset_identifier, value_hex, value_repr") == frozenset(
        row for name in several for row in held[name]
    )


def swap_above_the_tip(world, holder, giver):
    """A fork that lives above the last tip alone: it gives a token to the principal and takes
    another, loses, and leaves both in custody. Then the tag is the one from before again."""
    token = Token(*world.state(giver).listing[0][:3])
    world.hiro_transfer(giver, holder, 0)
    world.hiro_transfer_out(holder, 1)
    return token


def test_a_swap_above_the_last_tip_is_a_limit_of_the_tag_until_the_next_whole_walk(
    pipeline, world, holder
):
    """Nobody looked while that fork lived: 304, every tip that was seen is canonical, two rows are
    wrong. One in HIRO_FULL_WALK_EVERY snapshots reads everything, and puts it right."""
    giver = world.add_hiro_principal(3)
    world.hiro_blocks(1)
    take(pipeline, holder, api="v3", full_walk_every=3)
    swap_above_the_tip(world, holder, giver)
    world.hiro_fork(2)
    columns = "asset_identifier, value_hex, value_repr"
    second = take(pipeline, holder, api="v3", full_walk_every=3)
    assert (second.proof, len(current(pipeline, columns) ^ keys(world, holder))) == (
        "same_version",
        2,
    )
    take(pipeline, holder, api="v3", full_walk_every=3)
    fourth = take(pipeline, holder, api="v3", full_walk_every=3)
    assert (fourth.proof, counts(fourth)) == ("one_version", (1, 1, 0, 0))
    assert current(pipeline, columns) == keys(world, holder)


def test_a_swap_above_the_last_tip_is_seen_where_any_target_was_read_meanwhile(
    pipeline, world, holder
):
    giver = world.add_hiro_principal(30)
    world.hiro_blocks(1)
    take(pipeline, holder, api="v3")
    swap_above_the_tip(world, holder, giver)
    take(pipeline, giver, api="v3")
    world.hiro_fork(2)
    take(pipeline, giver, api="v3")
    second = take(pipeline, holder, api="v3")
    assert (second.proof, counts(second)) == ("one_version", (1, 1, 0, 0))
    true = keys(world, holder) | keys(world, giver)
    assert current(pipeline, "asset_identifier, value_hex, value_repr") == true


def test_v1_shows_a_swap_above_the_last_tip(pipeline, world, holder):
    giver = world.add_hiro_principal(3)
    take(pipeline, holder)
    swap_above_the_tip(world, holder, giver)
    world.hiro_fork(2)
    second = take(pipeline, holder)
    assert (second.proof, counts(second)) == ("chained_to_last", (1, 1, 0, 0))
    assert current(pipeline) == world.state(holder).rows


def tie(world, holder):
    """Tokens of an orphaned block, left over, and as many of the block that won, in their places:
    v1's order has no last criterion for them."""
    mint(world, holder, *range(100, 130))
    world.hiro_fork(
        30,
        lambda fork: [
            (
                fork.move(Token(NEW, f"0x01{number:032x}", f"u{number}"), None, holder),
                fork.next_block(),
            )
            for number in range(200, 230)
        ],
    )


@pytest.mark.parametrize("page_size", [7, 10, 13])
@pytest.mark.parametrize("v3", [True, False])
def test_a_principal_with_tied_rows_is_proven_at_rest(
    pipeline, sandbox, world, holder, v3, page_size
):
    serve(sandbox, v3=v3)
    tie(world, holder)
    found = pipeline.take(holder, page_size=page_size)
    assert current(pipeline, "asset_identifier, value_hex, value_repr") == keys(world, holder)
    assert found.proof in ("one_version", "chained")
    again = pipeline.take(holder, page_size=page_size)
    assert current(pipeline, "asset_identifier, value_hex, value_repr") == keys(world, holder)
    if v3 and found.proof == "one_version":
        assert (found.api, again.proof, again.requests) == ("v3", "same_version", 1)


@pytest.mark.parametrize(("api", "most"), [("v1", 10), ("v3", 62)])
def test_one_change_far_down_costs_v1_a_few_pages_and_v3_all_of_them(pipeline, world, api, most):
    """Why v1 is asked while both answer."""
    large = world.add_hiro_principal(600)
    take(pipeline, large, api=api)
    world.hiro_transfer_out(large, 431)
    changed = take(pipeline, large, api=api)
    assert (counts(changed), changed.requests <= most) == ((0, 1, 0, 0), True)
    assert changed.requests > most // 2
