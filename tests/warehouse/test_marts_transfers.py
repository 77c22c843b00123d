"""mart.transfers_seen: what went from one holder to another, and what only looks as if it had."""

from typing import Any

import pytest

from pipelines.sandbox.world import World
from tests.conftest import Pipeline

CLASS = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.c::t"
TOKENS = {f"u{n}": f"0x01{n:032x}" for n in range(1, 9)}


@pytest.fixture
def two(pipeline: Pipeline, world: World) -> tuple[str, str]:
    """Two principals; the first one's newest tokens are u4, u3, u2, u1, and both have others."""
    keys = world.add_hiro_principal(5), world.add_hiro_principal(5)
    for token in ("u1", "u2", "u3", "u4"):
        world.hiro_mint(keys[0], CLASS, TOKENS[token], token)
    take(pipeline, *keys)
    return keys


def take(pipeline: Pipeline, *keys: str) -> list[Any]:
    return [pipeline.take(key) for key in keys]


def transfers(pipeline: Pipeline) -> list[Any]:
    return pipeline.sql(
        "select t.*, s.snapshot_at as left_shown from mart.transfers_seen t join snapshot s"
        " on s.snapshot_id = t.from_snapshot_id order by s.snapshot_at, t.token, t.quantity"
    )


def names(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return [(t.from_target, t.to_target, t.token, t.inferred) for t in transfers(pipeline)]


def test_a_token_between_two_watched_principals_is_told_with_its_transaction(pipeline, world, two):
    here, there = two
    old_here, old_there = (last(pipeline, key) for key in two)
    world.hiro_transfer(here, there, 0)
    new_here, new_there = take(pipeline, here, there)
    [found] = transfers(pipeline)
    assert (found.from_target, found.to_target) == (here, there)
    assert (found.from_holder, found.to_holder) == tuple(k.partition(":")[2] for k in two)
    assert (found.asset, found.token, found.quantity) == (CLASS, "u4", 1)
    assert (found.evidence, found.inferred) == ("token", False)
    assert found.tx_id == world.state(there).listing[0].tx_id
    assert found.happened_after == max(old_here.snapshot_at, old_there.snapshot_at)
    assert found.happened_until == min(new_here.snapshot_until, new_there.snapshot_until)
    assert found.from_snapshot_id == new_here.snapshot_id
    assert found.to_snapshot_id == new_there.snapshot_id


def last(pipeline: Pipeline, key: str) -> Any:
    [row] = pipeline.sql(
        "select s.* from snapshot s join target t using (target_id) where t.name = :key"
        " order by s.snapshot_at desc limit 1",
        key=key,
    )
    return row


@pytest.mark.parametrize("receiver_first", [True, False])
def test_it_does_not_matter_which_of_the_two_was_taken_first(pipeline, world, two, receiver_first):
    here, there = two
    world.hiro_transfer(here, there, 0)
    take(pipeline, *((there, here) if receiver_first else (here, there)))
    assert names(pipeline) == [(here, there, "u4", False)]


def test_a_token_that_was_somewhere_else_in_between_is_inferred(pipeline, world, two):
    here, there = two
    world.hiro_transfer_out(here, 0)
    before = last(pipeline, here)
    take(pipeline, here, there)
    assert transfers(pipeline) == []
    world.hiro_mint(there, CLASS, TOKENS["u4"], "u4")
    _, after = take(pipeline, here, there)
    [found] = transfers(pipeline)
    assert names(pipeline) == [(here, there, "u4", True)]
    assert found.tx_id == world.state(there).listing[0].tx_id
    assert found.happened_after == before.snapshot_at
    assert found.happened_until == after.snapshot_until


def test_a_token_that_left_and_came_back_is_no_transfer(pipeline, world, two):
    here, there = two
    world.hiro_transfer_out(here, 0)
    take(pipeline, here, there)
    world.hiro_mint(here, CLASS, TOKENS["u4"], "u4")
    take(pipeline, here, there)
    world.hiro_transfer(here, there, 1)
    world.hiro_transfer(there, here, 0)
    take(pipeline, here, there)
    assert transfers(pipeline) == []
    world.hiro_transfer(here, there, 1)
    take(pipeline, here, there)
    assert names(pipeline) == [(here, there, "u4", False)]


def test_there_and_back_are_two_transfers_where_snapshots_saw_both(pipeline, world, two):
    here, there = two
    world.hiro_transfer(here, there, 0)
    take(pipeline, here, there)
    world.hiro_transfer(there, here, 0)
    take(pipeline, here, there)
    assert names(pipeline) == [(here, there, "u4", False), (there, here, "u4", False)]


def test_a_token_that_went_on_the_same_day_is_followed_as_far_as_it_was_seen(pipeline, world, two):
    here, there = two
    third = world.add_hiro_principal(3)
    take(pipeline, third)
    world.hiro_transfer(here, there, 0)
    take(pipeline, there)
    world.hiro_transfer(there, third, 0)
    take(pipeline, third, there, here)
    assert names(pipeline) == [(there, third, "u4", False), (here, there, "u4", False)]


def test_a_principal_that_is_watched_only_afterwards_is_found_by_what_it_began_with(
    pipeline, world, two
):
    here, there = two
    later = world.add_hiro_principal(3)
    world.hiro_transfer(here, later, 0)
    take(pipeline, here, there)
    assert transfers(pipeline) == []
    take(pipeline, later)
    world.hiro_transfer(later, there, 0)
    take(pipeline, here, there, later)
    assert names(pipeline) == [(here, later, "u4", True), (later, there, "u4", False)]


def test_the_same_principal_with_other_options_is_not_where_it_went(pipeline, world, two):
    here, there = two
    filtered = pipeline.target(here, asset_identifiers=(CLASS,))
    pipeline.take(filtered)
    world.hiro_transfer(here, there, 0)
    take(pipeline, there, here)
    assert names(pipeline) == [(here, there, "u4", False)]
    pipeline.take(filtered)
    found = names(pipeline)
    assert found == [(here, there, "u4", False), (filtered.name, there, "u4", False)]


def test_blocks_tell_who_had_it_first_where_the_times_of_two_walks_overlap(pipeline, world, two):
    here, there = two
    world.hiro_transfer(here, there, 0)
    [had_it_before] = take(pipeline, there)
    world.hiro_transfer(there, here, 0)
    [has_it_now] = take(pipeline, here)
    pipeline.sql(
        "update snapshot set (snapshot_until, finished_at) = (:later, :later)"
        " where snapshot_id = :id",
        later=has_it_now.snapshot_until,
        id=had_it_before.snapshot_id,
    )
    world.hiro_transfer_out(here, 0)
    take(pipeline, here)
    assert transfers(pipeline) == []


def test_what_one_holder_lost_and_one_other_gained_is_taken_for_a_transfer(pipeline, world):
    item = world.add_altura_item(0)
    for number, balance in enumerate((10, 10, 10, 10)):
        world.altura_set(item, f"0x{number:040x}", balance)
    [before] = take(pipeline, item)
    world.altura_set(item, f"0x{0:040x}", 7)
    world.altura_set(item, f"0x{1:040x}", 13)
    world.altura_remove(item, f"0x{2:040x}")
    world.altura_set(item, f"0x{9:040x}", 10)
    [after] = take(pipeline, item)
    found = [
        (int(t.from_holder, 16), int(t.to_holder, 16), t.quantity, t.evidence, t.inferred, t.tx_id)
        for t in transfers(pipeline)
    ]
    assert found == [(0, 1, 3, "amount", True, None), (2, 9, 10, "amount", True, None)]
    for each in transfers(pipeline):
        assert (each.happened_after, each.happened_until) == (
            before.snapshot_at,
            after.snapshot_until,
        )
        assert each.from_snapshot_id == each.to_snapshot_id == after.snapshot_id
        assert f"altura:{each.asset}/{each.token}" == each.from_target == each.to_target == item


@pytest.mark.parametrize("others", [{"dc": 8}, {"dc": 12}], ids=["two lost", "two gained"])
def test_amounts_that_fit_several_pairs_are_not_matched(pipeline, world, others):
    asset = world.add_catenis_asset(0)
    for device in ("da", "db", "dc"):
        world.catenis_set(asset, device, 10)
    take(pipeline, asset)
    for device, total in ({"da": 8, "db": 12} | others).items():
        world.catenis_set(asset, device, total)
    take(pipeline, asset)
    assert transfers(pipeline) == []


def test_amounts_are_matched_within_one_snapshot_and_asset_only(pipeline, world):
    first, second = world.add_catenis_asset(0), world.add_catenis_asset(0)
    for asset in (first, second):
        for device in ("da", "db"):
            world.catenis_set(asset, device, 10)
    take(pipeline, first, second)
    world.catenis_set(first, "da", 8)
    world.catenis_set(second, "db", 12)
    take(pipeline, first, second)
    world.catenis_set(first, "db", 12)
    take(pipeline, first, second)
    assert transfers(pipeline) == []
