"""What a run knows of a chain, asked of the sandbox's, which forks."""

import time
from dataclasses import replace

import pytest

from pipelines.errors import ServerFailed
from pipelines.extract.tips import Base, Tips
from pipelines.providers.chain import Block
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.providers.hiro.api import Version


@pytest.fixture
def tips_of(connect, sandbox):
    """tips_of(*ends) → what a new run knows."""

    def make(*ends: str, **settings: int) -> Tips:
        client = connect("hiro", sandbox.url("hiro"), **settings)
        return Tips(client.provider.chain, client.get, ends)

    return make


@pytest.fixture(autouse=True)
def somebody(world):
    return world.add_hiro_principal(3)


def block(world) -> Block:
    return Block(world.tip.index_hash, world.tip.height)


def now(tips, *seen, base=None):
    return tips.standing(time.monotonic(), seen, base)


def test_one_answer_is_enough_for_all_tips_of_the_last_thirty_blocks(tips_of, world):
    seen = []
    for _ in range(29):
        world.hiro_blocks()
        seen.append(world.tip.index_hash)
    tips = tips_of()
    assert now(tips, *seen).block == block(world)
    assert tips.requests == 1


def test_a_look_that_began_after_the_pages_serves_for_others_too(tips_of, world):
    tips = tips_of()
    ended = time.monotonic()
    assert tips.standing(ended, ()) == tips.standing(ended, ())
    assert tips.requests == 1
    now(tips)
    assert tips.requests == 2


def test_further_tips_are_listed_page_by_page_down_to_the_first_that_was_seen(tips_of, world):
    seen = []
    for _ in range(100):
        world.hiro_blocks()
        seen.append(world.tip.index_hash)
    tips = tips_of()
    assert now(tips, *seen).block == block(world)
    assert tips.requests == 5  # one look-up, which says how far down, and four pages


def test_a_tip_far_down_that_nothing_else_is_wanted_of_is_looked_up(tips_of, world):
    base = block(world)
    world.hiro_blocks(500)
    tips = tips_of()
    assert now(tips, base=Base(base, base.hash))
    assert tips.requests == 2


def test_the_newest_of_a_line_answers_for_those_below_it(tips_of, world):
    old = [block(world)]
    for _ in range(9):
        world.hiro_blocks(40)
        old.append(block(world))
    world.hiro_blocks(40)
    tips = tips_of()
    ended = time.monotonic()
    for base in old:
        assert tips.standing(ended, (), Base(base, old[-1].hash))
    assert tips.requests == 2


def test_the_looks_of_a_run_are_one_line_until_a_fork_takes_the_last_one(tips_of, world):
    tips = tips_of()
    first = now(tips)
    world.hiro_blocks(3)
    second = now(tips)
    assert first.line == second.line
    world.hiro_fork(2)
    third = now(tips)
    assert third.line != second.line
    assert tips.orphaned == {second.block.hash}


@pytest.mark.parametrize("depth", range(1, 9))
def test_what_a_fork_took_carries_nothing_and_what_it_left_does(tips_of, world, depth):
    world.hiro_blocks(4)
    lower = block(world)
    world.hiro_blocks(1)
    taken = block(world)
    world.hiro_blocks(depth - 1)
    world.hiro_fork(depth)
    tips = tips_of()
    assert now(tips, lower.hash, base=Base(lower, lower.hash))
    assert now(tips, base=Base(taken, taken.hash)) is None
    assert now(tips, lower.hash, taken.hash) is None
    assert taken.hash in tips.orphaned


def test_a_tip_that_was_seen_orphaned_stays_so_when_it_returns(tips_of, world):
    base = block(world)
    lost = world.hiro_fork(1)
    tips = tips_of()
    assert now(tips, base=Base(base, base.hash)) is None
    world.hiro_return(lost)
    assert now(tips, base=Base(base, base.hash)) is None
    assert now(tips_of(), base=Base(base, base.hash, is_orphaned=True)) is None


def test_the_ends_of_earlier_runs_are_asked_for_with_the_first_look(tips_of, world):
    world.hiro_blocks(2)
    kept = world.tip.index_hash
    world.hiro_blocks(1)
    lost = world.hiro_fork(1)
    tips = tips_of(kept, lost)
    now(tips)
    assert (tips.followed, tips.orphaned) == ({kept}, {lost})


def test_a_list_that_lags_behind_the_pages_is_asked_for_again(tips_of, world, sandbox):
    late = []

    def lag(exchange, answer):
        if len(late) < 1:
            late.append(exchange)
            world.hiro_blocks(1)
        return answer

    tips = tips_of()
    world.hiro_blocks(1)
    sandbox.fault = lag
    now(tips)
    seen = world.tip.index_hash
    assert now(tips, seen).block.hash == seen


def test_a_server_without_the_list_is_asked_once(tips_of, sandbox):
    sandbox.apis["hiro"] = replace(sandbox.apis["hiro"], version=Version(blocks=False))
    tips = tips_of()
    assert now(tips) is None
    assert now(tips) is None
    assert (tips.is_told, tips.requests, tips.opened()) == (False, 1, None)


def test_a_server_that_fails_is_no_server_without_the_list(tips_of, sandbox):
    sandbox.before_response = lambda _: Answer(500)
    tips = tips_of(max_tries=1)
    with pytest.raises(ServerFailed):
        now(tips)
    assert tips.is_told
