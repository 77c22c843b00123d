from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Thread

import pytest

from pipelines.providers import c32
from pipelines.sandbox.providers.altura.item import MARKETPLACE, NOT_LISTED, AlturaRow
from pipelines.sandbox.providers.catenis.asset import CatenisRow
from pipelines.sandbox.providers.hiro.holdings import FILTERED, HiroRow
from pipelines.sandbox.world import World

SMALL = {"altura": (30, 80), "hiro": (20, 90), "catenis": (10, 60)}
ASSET = "SP000000000000000000002Q6VF78.bns::names"


def shown(world: World) -> dict[str, list[tuple[object, ...]]]:
    keys = [*world.targets(), *(key + NOT_LISTED for key in world.targets("altura"))]
    return {key: [(s.listing, s.aggregate) for s in world.states(key)] for key in keys}


def moved(seed: int) -> World:
    world = World(seed, SMALL)
    world.tick(40)
    return world


def test_the_same_seed_and_ticks_give_the_same_world() -> None:
    assert shown(moved(7)) == shown(moved(7))


def test_another_seed_gives_another_world() -> None:
    assert shown(moved(7)).keys().isdisjoint(shown(moved(8)).keys())


def test_a_world_begins_with_as_many_rows_as_asked_for() -> None:
    world = World()
    sizes = [len(world.states(key)[0].rows) for key in world.targets()]
    assert sizes == [60, 1200, 150, 2100, 40, 1300]


def test_ticks_change_every_target() -> None:
    assert all(len(states) > 10 for states in shown(moved(1)).values())


def test_an_empty_target_comes_to_life() -> None:
    world = World(size={"altura": (0,), "hiro": (0,), "catenis": (0,)})
    world.tick(5)
    assert all(world.states(key)[-1].rows for key in world.targets())


@pytest.mark.parametrize(("provider", "key_columns"), [("altura", 1), ("hiro", 2), ("catenis", 1)])
def test_holders_enter_and_leave(provider: str, key_columns: int) -> None:
    world = moved(3)
    states = world.states(world.targets(provider)[-1])
    before = {row[:key_columns] for row in states[0].rows}
    after = {row[:key_columns] for row in states[-1].rows}
    assert before - after
    assert after - before


def test_rows_are_plain_tuples_to_compare_with(world: World) -> None:
    key = world.add_altura_item(0)
    world.altura_set(key, "0xaa", 3, name="N")
    assert world.states(key)[-1].rows == frozenset({("0xaa", 3, "N", None, None)})


def test_amounts_stay_within_what_the_providers_can_show() -> None:
    world = moved(5)
    for key in world.targets():
        for row in (row for state in world.states(key) for row in state.listing):
            if isinstance(row, AlturaRow):
                assert 0 < row.balance < 2**256
            if isinstance(row, CatenisRow):
                assert 0 <= row.unconfirmed <= row.total
                assert row.total > 0
                assert row.total == round(row.total, 7)


def test_unconfirmed_amounts_come_and_confirm() -> None:
    world = moved(5)
    for before, after in pairwise(world.states(world.targets("catenis")[-1])):
        waiting = {row[:2] for row in before.rows if row[2]}
        if waiting & {row[:2] for row in after.rows if not row[2]}:
            return
    pytest.fail("nothing ever confirmed")


def test_what_migrated_grows_on_one_asset_and_stays_absent_on_the_other() -> None:
    world = moved(5)
    first, second = world.targets("catenis")
    totals = [s.aggregate.total for s in world.states(second) if s.aggregate]
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]
    assert {s.aggregate for s in world.states(first)} == {None}


def test_principals_have_valid_addresses() -> None:
    for key in World(2, SMALL).targets("hiro"):
        assert c32.decode(key.removeprefix("hiro:"))[0] in {20, 22}


def test_tokens_stand_newest_first_and_only_once() -> None:
    world = moved(5)
    for key in world.targets("hiro"):
        for state in world.states(key):
            rows = [row for row in state.listing if isinstance(row, HiroRow)]
            heights = [row.block_height for row in rows]
            assert heights == sorted(heights, reverse=True)
            assert len({row[:2] for row in rows}) == len(rows)


def test_nothing_is_ever_inserted_below_a_token_that_stayed() -> None:
    world = moved(6)
    for key in world.targets("hiro"):
        states = world.states(key)
        for before, after in pairwise(states):
            stayed = [row for row in after.listing if row in before.rows]
            assert stayed == [row for row in before.listing if row in after.rows]
            assert after.listing[len(after.listing) - len(stayed) :] == tuple(stayed)


def test_a_transferred_token_enters_at_the_top_as_the_new_block(world: World) -> None:
    giver, taker = world.add_hiro_principal(5), world.add_hiro_principal(5)
    token = world.states(giver)[-1].listing[3]
    world.hiro_transfer(giver, taker, 3)
    top = world.states(taker)[-1].listing[0]
    assert isinstance(token, HiroRow)
    assert isinstance(top, HiroRow)
    assert top[:3] == token[:3]
    assert top.block_height == world.tip.height > token.block_height
    assert top.tx_id != token.tx_id
    assert world.states(giver)[-1].at == world.states(taker)[-1].at


def test_a_token_that_comes_back_has_another_transaction(world: World) -> None:
    key = world.add_hiro_principal(0)
    world.hiro_mint(key, ASSET, "0x03", "true")
    world.hiro_transfer_out(key, 0)
    world.hiro_mint(key, ASSET, "0x03", "true")
    transactions = {row[4] for state in world.states(key) for row in state.rows}
    assert len(transactions) == 2


def test_a_token_cannot_be_minted_twice_to_one_holder(world: World) -> None:
    key = world.add_hiro_principal(0)
    world.hiro_mint(key, ASSET, "0x03", "true")
    with pytest.raises(ValueError, match="already holds"):
        world.hiro_mint(key, ASSET, "0x03", "true")


def test_every_block_moves_the_tip(world: World) -> None:
    key = world.add_hiro_principal(3)
    tips = [world.tip]
    world.hiro_transfer_out(key, 0)
    tips.append(world.tip)
    world.tick()
    tips.append(world.tip)
    assert len({tip.index_hash for tip in tips}) == 3
    assert [tip.height - tips[0].height for tip in tips] == [0, 1, 2]


def test_a_listing_changes_only_the_set_without_listed_ones(world: World) -> None:
    key = world.add_altura_item(0)
    world.altura_set(key, "0xaa", 3)
    world.altura_list(key, "0xaa", 2)
    assert len(world.states(key)) == 2
    assert world.states(key + NOT_LISTED)[-1].rows == {
        ("0xaa", 1, None, None, None),
        (MARKETPLACE, 2, None, None, None),
    }


def test_a_holder_who_listed_everything_is_seen_only_with_listed_ones(world: World) -> None:
    key = world.add_altura_item(0)
    world.altura_set(key, "0xaa", 3)
    world.altura_list(key, "0xaa", 3)
    assert {row[0] for row in world.states(key)[-1].rows} == {"0xaa"}
    assert {row[0] for row in world.states(key + NOT_LISTED)[-1].rows} == {MARKETPLACE}


def test_profile_fields_that_are_not_given_stay(world: World) -> None:
    key = world.add_altura_item(0)
    world.altura_set(key, "0xaa", 3, name="A", profile_pic="p")
    world.altura_set(key, "0xaa", 4, name=None)
    assert world.states(key)[-1].rows == {("0xaa", 4, None, "p", None)}


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 199, 400, 401])
def test_a_target_can_be_made_with_any_number_of_rows(world: World, rows: int) -> None:
    keys = (
        world.add_altura_item(rows),
        world.add_hiro_principal(rows),
        world.add_catenis_asset(rows),
    )
    assert [len(world.states(key)[-1].rows) for key in keys] == [rows] * 3


def test_hostile_rows_are_kept_as_given(world: World) -> None:
    rows = [("0xaa", 1, "nul\0 and \ud800", "p" * 100_000, None)]
    world.set_rows("altura:0xcc/1", rows)
    assert world.states("altura:0xcc/1")[-1].rows == set(rows)


def test_a_key_that_stands_twice_is_refused(world: World) -> None:
    key = world.add_catenis_asset(3)
    row = ("d" * 20, Decimal(1), Decimal(0), None, None)
    with pytest.raises(ValueError, match="several rows"):
        world.set_rows(key, [row, row])
    assert len(world.states(key)[-1].rows) == 3


def test_a_view_of_another_target_cannot_be_set(world: World) -> None:
    with pytest.raises(ValueError, match="view of another target"):
        world.set_rows("altura:0xcc/1" + NOT_LISTED, [])


def test_a_change_that_changes_nothing_makes_no_state(world: World) -> None:
    key = world.add_altura_item(0)
    world.altura_set(key, "0xaa", 3)
    world.altura_set(key, "0xaa", 3)
    assert len(world.states(key)) == 2


def test_states_share_their_rows() -> None:
    world = moved(1)
    for before, after in pairwise(world.states(world.targets("catenis")[-1])):
        objects = {id(row) for row in before.listing}
        made_anew = [row for row in after.listing if id(row) not in objects]
        assert len(made_anew) < 10


def test_the_state_in_force_counts_as_between(world: World) -> None:
    key = world.add_altura_item(0)
    for balance in (1, 2, 3, 4):
        world.altura_set(key, "0xaa", balance)
    _, one, two, three, four = world.states(key)
    just_before = three.at - timedelta(microseconds=1)
    assert world.states_between(key, two.at, three.at) == [two, three]
    assert world.states_between(key, just_before, just_before) == [two]
    assert world.states_between(key, two.at + (three.at - two.at) / 2, four.at) == [
        two,
        three,
        four,
    ]
    assert world.states_between(key, datetime.now(UTC), datetime.now(UTC)) == [four]
    assert world.states_between(key, one.at - timedelta(days=1), one.at)[-1] == one


def test_there_is_no_state_before_a_target_was_made(world: World) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    key = world.add_altura_item(1)
    assert world.states_between(key, before - timedelta(seconds=1), before) == []


def test_times_strictly_increase_and_are_never_late() -> None:
    began = datetime.now(UTC)
    world = moved(1)
    world.altura_set(world.targets("altura")[0], "0xaa", 3)
    ended = datetime.now(UTC)
    for key in world.targets():
        times = [state.at for state in world.states(key)]
        assert times == sorted(set(times))
        assert began <= times[0]
        assert times[-1] <= ended


def test_a_filter_shows_its_tokens_and_only_changes_of_those(world: World) -> None:
    key = world.add_hiro_principal(0)
    world.hiro_mint(key, "SP000000000000000000002Q6VF78.a::a", "0x03", "true")
    world.hiro_mint(key, "SP000000000000000000002Q6VF78.b::b", "0x03", "true")
    world.hiro_mint(key, "SP000000000000000000002Q6VF78.c::c", "0x03", "true")
    wanted = "SP000000000000000000002Q6VF78.a::a,SP000000000000000000002Q6VF78.c::c"
    states = world.states(key + FILTERED + wanted)
    assert [[row[0][-1] for row in state.listing] for state in states] == [[], ["a"], ["c", "a"]]
    last = world.states_between(key + FILTERED + wanted, states[-1].at, datetime.now(UTC))
    assert [state.rows for state in last] == [states[-1].rows]


def test_an_unknown_target_has_no_state_and_no_verbs(world: World) -> None:
    assert world.state("hiro:SP000000000000000000002Q6VF78") is None
    with pytest.raises(KeyError):
        world.hiro_transfer_out("SP000000000000000000002Q6VF78", 0)
    with pytest.raises(KeyError):
        world.states("altura:0xaa/1")


def test_changes_from_several_threads_are_all_kept(world: World) -> None:
    key = world.add_altura_item(0)

    def change(thread: int) -> None:
        for number in range(50):
            world.altura_set(key, f"0x{thread}", number + 1)

    threads = [Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.states(key)) == 1 + 4 * 50
