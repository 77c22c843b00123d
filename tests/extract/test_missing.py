"""Stretches of missing rows, against a plain set of ranks."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.missing import END, HIGHEST_PLACE, Known, Missing, before_first

ROWS = 40


def at(rank: int) -> Known:
    return END if rank == 0 else Known(rank, rank * 10)


@given(st.lists(st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)), max_size=15))
def test_what_was_added_is_missing_and_counted_however_stretches_meet(stretches):
    missing, ranks = Missing(), set()
    for low, high in stretches:
        missing.add(at(low), at(high))
        ranks |= set(range(low + 1, high))
    assert {rank for rank in range(1, ROWS + 1) if rank in missing} == ranks
    assert missing.count == len(ranks)
    for rank in set(range(ROWS + 1)) - ranks:
        assert missing.below(rank) == sum(1 for gone in ranks if gone < rank)


@given(st.lists(st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)), max_size=15))
def test_its_places_are_stretches_in_order_that_hold_what_is_missing(stretches):
    missing, ranks = Missing(), set()
    for low, high in stretches:
        missing.add(at(low), at(high))
        ranks |= set(range(low + 1, high))
    bounds = [place for low, high in missing.places for place in (low + 1, high)]
    assert bounds == sorted(set(bounds))
    inside = {
        rank for rank in range(ROWS + 1) for low, high in missing.places if low < rank * 10 < high
    }
    assert inside == ranks


def test_all_rows_may_be_missing():
    missing = Missing()
    missing.add(END, before_first(3))
    assert missing.count == 3
    assert missing.places == ((0, HIGHEST_PLACE),)


def test_neighbours_have_nothing_between_them():
    missing = Missing()
    missing.add(at(4), at(5))
    assert (missing.count, missing.places, 4 in missing) == (0, (), False)
