"""Forks as the trials have them happen, and changes of rows as blocks that forks take out."""

from collections.abc import Callable
from random import Random

import pytest
import requests

from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.providers.hiro.chain import HiroChain
from pipelines.sandbox.providers.hiro.upheavals import DEEPEST, UPHEAVALS
from pipelines.sandbox.states import Row
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]


@pytest.fixture
def rng() -> Random:
    return Random(5)


@pytest.fixture
def key(world: World, rng: Random) -> str:
    """A set of six rows, as a trial makes it."""
    key = SANDBOXES["hiro"].new_key(rng)
    world.set_rows(key, [new_row(world, rng) for _ in range(6)])
    return key


def new_row(world: World, rng: Random) -> Row:
    return SANDBOXES["hiro"].new_row(rng, world)


def rows(world: World, key: str) -> tuple[Row, ...]:
    return world.states(key)[-1].listing


def enter(world: World, key: str, rng: Random) -> Row:
    row = new_row(world, rng)
    world.set_rows(key, [row, *rows(world, key)])
    return row


def chain_of(world: World) -> HiroChain:
    return world.ledger(HiroChain)


@pytest.mark.parametrize("name", UPHEAVALS)
@pytest.mark.parametrize("seed", range(20))
def test_none_goes_back_to_before_the_set_was_there(world: World, name: str, seed: int) -> None:
    rng = Random(seed)
    world.hiro_blocks(10)
    key = SANDBOXES["hiro"].new_key(rng)
    world.set_rows(key, [new_row(world, rng) for _ in range(3)])
    born, tips = world.tip, [world.tip]
    for _ in range(6):
        UPHEAVALS[name](world, key, rng)
        tips.append(world.tip)
        assert born.leads_to(world.tip)
    assert [tip.height for tip in tips] == sorted({tip.height for tip in tips})
    assert len(chain_of(world).lost) >= 6


def test_a_fork_orphans_one_to_eight_blocks(world: World, key: str, rng: Random) -> None:
    depths = set()
    for _ in range(60):
        world.hiro_blocks(10)
        before = world.tip
        UPHEAVALS["fork"](world, key, rng)
        depths.add(before.height - chain_of(world).base_of(before).height)
    assert depths == set(range(1, DEEPEST + 1))


def test_a_row_that_entered_stays_when_its_block_is_orphaned_and_its_tag_goes(
    world: World, key: str, rng: Random
) -> None:
    tag = chain_of(world).tag(key)
    row = enter(world, key, rng)
    assert chain_of(world).tag(key) != tag
    world.hiro_fork(1)
    assert rows(world, key)[0] == row
    assert chain_of(world).tag(key) == tag


def test_a_row_that_left_comes_back_in_its_place_with_the_fork_that_gave_it(
    world: World, key: str, rng: Random
) -> None:
    entered = [enter(world, key, rng) for _ in range(3)]
    lost = world.hiro_fork(2)
    listing = rows(world, key)
    world.set_rows(key, [row for row in listing if row != entered[1]])
    world.hiro_return(lost)
    assert rows(world, key) == listing


def test_a_swap_above_leaves_another_set_under_the_old_tag_and_tip(
    world: World, key: str, rng: Random
) -> None:
    before, tip, tag = set(rows(world, key)), world.tip, chain_of(world).tag(key)
    UPHEAVALS["swap above"](world, key, rng)
    after = set(rows(world, key))
    assert (len(before - after), len(after - before)) == (1, 1)
    assert tip.leads_to(world.tip)
    assert chain_of(world).tag(key) == tag


def test_another_set_has_the_same_tag_after_a_fork(world: World, key: str, rng: Random) -> None:
    enter(world, key, rng)
    world.hiro_blocks(3)
    before, tag, tip = set(rows(world, key)), chain_of(world).tag(key), world.tip
    UPHEAVALS["same tag"](world, key, rng)
    assert chain_of(world).tag(key) == tag
    assert set(rows(world, key)) < before
    assert not tip.leads_to(world.tip)


def test_tied_rows_have_no_order(world: World, key: str, rng: Random) -> None:
    UPHEAVALS["tie"](world, key, rng)
    listing = rows(world, key)
    orders = {chain_of(world).in_page_order(listing, end) for end in range(1, len(listing))}
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(listing)}
    heights = [[row[3] for row in order] for order in orders]
    assert all(one == sorted(one, reverse=True) for one in heights)


def test_the_same_rows_again_are_no_transaction(world: World, key: str) -> None:
    tag = chain_of(world).tag(key)
    world.set_rows(key, rows(world, key))
    assert chain_of(world).tag(key) == tag
