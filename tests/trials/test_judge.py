"""The judge of the trials finds what was never true, and what was true at another time."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from pipelines.sandbox.states import Aggregate, State
from pipelines.sandbox.world import EMPTY, World
from pipelines.trials.judge import was_true

NOTHING = (None, None)


@pytest.fixture
def world() -> World:
    return World(size=EMPTY)


@pytest.fixture
def states(world: World) -> list[State]:
    """Three states of one item, each with another holder more."""
    key = world.add_altura_item(5)
    for number in range(2):
        world.altura_set(key, f"0x{number:040x}", 7)
    return world.states(key)


def judged(world: World, states: list[State], rows: Iterable, first: int, last: int) -> bool:
    """Whether `rows` were true between the beginnings of two states."""
    [key] = world.targets("altura")
    return was_true(world, key, rows, NOTHING, states[first].at, states[last].at)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_state_was_true_in_its_time(world: World, states: list[State], number: int) -> None:
    assert judged(world, states, states[number].listing, number, number)
    assert judged(world, states, reversed(states[number].listing), 0, 2)


def test_a_state_was_not_true_before_it_began(world: World, states: list[State]) -> None:
    assert not judged(world, states, states[2].listing, 0, 1)


def test_a_state_was_not_true_after_the_next_one_began(world: World, states: list[State]) -> None:
    assert not judged(world, states, states[0].listing, 1, 2)
    [key] = world.targets("altura")
    just_before = states[1].at - timedelta(microseconds=1)
    assert was_true(world, key, states[0].listing, NOTHING, just_before, states[2].at)


def test_a_mix_of_two_states_was_never_true(world: World, states: list[State]) -> None:
    assert not judged(world, states, states[0].listing[1:] + states[1].listing[-1:], 0, 2)


def test_a_snapshot_without_one_row_was_never_true(world: World, states: list[State]) -> None:
    assert not judged(world, states, states[0].listing[1:], 0, 2)


def test_a_snapshot_with_a_row_twice_was_never_true(world: World, states: list[State]) -> None:
    assert not judged(world, states, (*states[0].listing, states[0].listing[0]), 0, 2)


def test_an_amount_without_a_holder_belongs_to_the_state(world: World) -> None:
    key = world.add_catenis_asset(3)
    world.catenis_set_migrated(key, 5)
    before, after = world.states(key)
    for amount, expected in ((Aggregate(5, 0), True), (NOTHING, False)):
        assert was_true(world, key, after.listing, amount, after.at, after.at) is expected
    assert was_true(world, key, before.listing, NOTHING, before.at, before.at)


def hiro_row(row: tuple, height: int | None, tx_id: str | None) -> tuple:
    return (*row[:3], "uint", 1, height, tx_id)


def test_what_an_api_does_not_show_may_be_null_and_must_be_right_where_it_is_shown(
    world: World,
) -> None:
    key = world.add_hiro_principal(3)
    [state] = world.states(key)
    first, *others = state.listing
    rest = [hiro_row(row, None, None) for row in others]
    for height, tx_id, expected in (
        (None, None, True),
        (first[3], first[4], True),
        (first[3] + 1, first[4], False),
    ):
        rows = [hiro_row(first, height, tx_id), *rest]
        assert was_true(world, key, rows, NOTHING, state.at, state.at) is expected
    assert not was_true(world, key, rest, NOTHING, state.at, state.at)
