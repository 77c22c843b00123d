"""What stands between a set and its reader: a lag that is the same in everything that is told, and
rows that are newer than their tag."""

from random import Random

import pytest

from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.providers.hiro.chain import HiroChain
from pipelines.sandbox.world import EMPTY, World
from pipelines.trials.between import Late, Replica


@pytest.fixture
def world() -> World:
    return World(size=EMPTY)


@pytest.fixture
def key(world: World) -> str:
    """A principal of two states: first two tokens, then three others."""
    rng, sandbox = Random(1), SANDBOXES["hiro"]
    key = sandbox.new_key(rng)
    for count in (2, 3):
        world.set_rows(key, [sandbox.new_row(rng, world) for _ in range(count)])
    return key


def test_a_replica_shows_rows_tip_and_tag_of_one_moment(world: World, key: str) -> None:
    first, second = world.states(key)
    now, then = Replica(world, key, 0), Replica(world, key, 1)
    assert (now.state(key), then.state(key)) == (second, first)
    chains = [replica.ledger(HiroChain) for replica in (now, then)]
    assert [chain.shown.height - world.tip.height for chain in chains] == [0, -1]
    assert chains[0].tag(key) != chains[1].tag(key)
    assert chains[1].find(world.tip.index_hash) is None


def test_a_replica_is_never_further_behind_than_the_first_state(world: World, key: str) -> None:
    assert Replica(world, key, 9).state(key) == world.states(key)[0]


def test_a_replica_calls_a_block_canonical_that_was_orphaned_since(world: World, key: str) -> None:
    tip = world.tip
    world.hiro_fork(1)
    world.set_rows(key, [])
    chain = Replica(world, key, 1).ledger(HiroChain)
    assert tip.leads_to(chain.shown)
    assert not tip.leads_to(world.tip)


def test_rows_can_be_newer_than_the_tag(world: World, key: str) -> None:
    late = Late(world, lambda: world.set_rows(key, []))
    tip = late.ledger(HiroChain).shown
    state = late.state(key)
    assert state is not None
    assert state.listing == ()
    assert tip.height == world.tip.height - 1
