"""What changed since the last snapshot, where rows of one block stand elsewhere on another page."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter

import pytest

from pipelines.errors import TornWalk
from pipelines.extract.fetch import Fetched
from pipelines.extract.to_last import GivenUp, ToLast
from pipelines.providers.pages import Page, Row
from pipelines.trials.memory import MemoryListing

ROWS = 100
PAGE = 8


class Rows:
    """Takes the rows that are new."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def clear(self) -> None:
        self.rows = []

    def write(self, rows) -> None:
        self.rows += rows


def token(number: int, height: int) -> Row:
    return (f"t{number}", height)


def published(tied: int) -> list[Row]:
    """The newest first, a row for each block; but two, from `tied` on, are of one block."""
    heights = [ROWS - number + (number > tied) for number in range(ROWS)]
    return [token(number, height) for number, height in enumerate(heights)]


def server(rows: list[Row], flips: Callable[[int], bool]):
    """Pages of a list whose tied rows change places where `flips` says so of a page's end."""

    def fetch(start: int, limit: int, on_try: Callable[[], None] = lambda: None) -> Fetched[int]:
        on_try()
        end = start + limit
        shown = list(rows)
        for at in range(len(rows) - 1):
            if rows[at][1] == rows[at + 1][1] and flips(end):
                shown[at : at + 2] = shown[at + 1], shown[at]
        page = Page(
            start=start,
            limit=limit,
            rows=tuple(shown[start:end]),
            next=end if end < len(rows) else None,
            total=len(rows),
        )
        return Fetched(page, 0.0, 0.0, from_cache=False)

    return fetch


def taken(before: list[Row], now: list[Row], flips: Callable[[int], bool]) -> set[Row] | None:
    """The set as an attempt finds it; None where it is given up."""
    listing, entered = MemoryListing(before), Rows()
    fetch, block_of = server(now, flips), itemgetter(1)
    with ThreadPoolExecutor(1) as ahead:
        attempt = ToLast(fetch, PAGE, ahead, 1, listing, lambda _: None, block_of=block_of)
        try:
            difference = attempt.run(entered)
        except (GivenUp, TornWalk):
            return None
    found = [*entered.rows, *listing.without(difference.removed)]
    return set(found) if len(set(found)) == len(found) else None  # staging refuses what is doubled


@pytest.mark.parametrize("odd", [0, 1])
def test_a_row_that_changed_places_with_another_of_its_block_is_not_missing(odd: int) -> None:
    """One row leaves and another comes, so that the number of rows says nothing."""
    found = given_up = 0
    for tied in range(1, ROWS - 1, 9):
        before = published(tied)
        for left in range(ROWS):
            now = [token(ROWS, 1000), *before[:left], *before[left + 1 :]]
            shown = taken(before, now, lambda end: end % 2 == odd)
            assert shown is None or shown == set(now), (tied, left)
            found += shown is not None
            given_up += shown is None
    assert found > given_up


def test_without_ties_every_row_that_left_is_found() -> None:
    before = [token(number, ROWS - number) for number in range(ROWS)]
    for left in range(ROWS):
        now = [token(ROWS, 1000), *before[:left], *before[left + 1 :]]
        shown = taken(before, now, lambda _: True)
        assert shown is None or shown == set(now)


def test_an_unchanged_list_is_one_page_in_whatever_order_the_rows_of_a_block_come() -> None:
    before = published(20)
    assert taken(before, before, lambda end: end % 2 == 0) == set(before)
