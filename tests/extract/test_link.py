"""`link`, the step of the `chained` proof: on pages of the real walk, and as a property.

B1 and B2 were recorded around a mint, B4 and B5 around a transfer of a row that page 0 had shown:
a client that only counts positions reads a row twice from the first pair and misses one in the
second.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from pipelines.errors import TornWalk
from pipelines.extract.proof import doubled_rows, link
from pipelines.providers.hiro import HiroPrincipal
from pipelines.providers.hiro_v1 import read_page
from pipelines.providers.pages import Answer, Page, Row

HIRO = Path(__file__).parents[1] / "reference/hiro"
TARGET = HiroPrincipal(principal="SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7")
LIMIT = 200

State = tuple[Row, ...]


def recorded(name: str) -> Page[int]:
    body = b"{" + (HIRO / name).read_bytes().partition(b"{")[2]
    return read_page(TARGET, json.loads(body)["offset"], LIMIT, Answer(200, {}, body))


def page_of(state: State, start: int, limit: int = LIMIT) -> Page[int]:
    """What a server in that state answers."""
    rows = state[start : start + limit]
    end = start + len(rows)
    return Page(start, limit, rows, next=end if end < len(state) else None, total=len(state))


@pytest.fixture(scope="module")
def pages() -> list[Page[int]]:
    return [recorded(f"pages/page-limit200-offset{start:04}.http") for start in range(0, 1237, 200)]


@pytest.fixture(scope="module")
def quiet(pages: list[Page[int]]) -> State:
    """The state that the whole walk saw."""
    return tuple(row for page in pages for row in page.rows)


@pytest.fixture(scope="module")
def minted(quiet: State) -> State:
    """The state after the mint: page 0 was recorded in it as B4."""
    return (recorded("torn/B4-page0-before-out.http").rows[0], *quiet)


@pytest.fixture(scope="module")
def transferred(minted: State) -> State:
    """The state after a row of page 0 left, in which B5 was recorded. Which row, B5 does not tell
    and does not matter: the rows from 199 on are the same."""
    return minted[:120] + minted[121:]


# --- the real walk --------------------------------------------------------------------------------


def test_pages_that_do_not_overlap_are_asked_for_again_one_row_higher(
    pages: list[Page[int]],
) -> None:
    asked = [link(upper, lower) for upper, lower in pairwise(pages)]
    assert asked == [page.start - 1 for page in pages[1:]]


def overlapping(state: State) -> Iterator[Page[int]]:
    for start in range(0, len(state) - 1, LIMIT - 1):
        yield page_of(state, start)


def test_pages_that_overlap_by_a_row_are_linked(quiet: State) -> None:
    chain = list(overlapping(quiet))
    links = [link(upper, lower) for upper, lower in pairwise(chain)]
    assert links == [None] * 6


def test_the_last_page_may_be_short(quiet: State) -> None:
    *_, upper, lower = overlapping(quiet)
    assert (link(upper, lower), len(lower.rows)) == (None, 43)


# --- a mint between two pages ---------------------------------------------------------------------


def test_the_page_below_a_mint_is_linked_with_one_row_more_that_is_doubled(
    quiet: State, minted: State
) -> None:
    upper, lower = page_of(quiet, 0), page_of(minted, 199)
    assert (link(upper, lower), doubled_rows(upper, lower)) == (None, 2)


def test_a_page_that_shows_nothing_below_the_shared_row_is_asked_for_where_that_stands(
    quiet: State,
) -> None:
    entered = tuple((*quiet[0][:-1], f"tx {number}") for number in range(LIMIT - 1))
    assert link(page_of(quiet, 0), page_of((*entered, *quiet), 199)) == 398


def test_the_recorded_page_after_the_mint_begins_with_the_shared_row() -> None:
    before = recorded("torn/B1-page0-before.http")
    assert link(before, recorded("torn/B2-page200-after-mint.http")) is None


def test_a_chain_across_a_mint_is_the_state_before_it(quiet: State) -> None:
    before = recorded("torn/B1-page0-before.http")
    after = recorded("torn/B2-page200-after-mint.http")
    assert before.rows + after.rows[1:] == quiet[:399]


# --- a transfer out between two pages -------------------------------------------------------------


def test_the_recorded_page_after_the_transfer_skipped_a_row(transferred: State) -> None:
    after = recorded("torn/B5-page200-after-out.http")
    assert after.rows == transferred[200:400]


def test_the_recorded_page_after_the_transfer_is_asked_for_where_the_rows_stand_now() -> None:
    before = recorded("torn/B4-page0-before-out.http")
    assert link(before, recorded("torn/B5-page200-after-out.http")) == 198


def test_the_page_below_a_transfer_is_asked_for_one_row_higher(
    minted: State, transferred: State
) -> None:
    assert link(page_of(minted, 0), page_of(transferred, 199)) == 198


def test_the_page_asked_for_again_after_a_transfer_is_linked(
    minted: State, transferred: State
) -> None:
    assert link(page_of(minted, 0), page_of(transferred, 198)) is None


def test_a_transfer_of_the_shared_row_itself_is_a_torn_walk(minted: State) -> None:
    without_shared = minted[:199] + minted[200:]
    upper = page_of(minted, 0)
    shifted = link(upper, page_of(without_shared, 199))
    assert shifted is not None
    with pytest.raises(TornWalk, match="not the one that the page above ended with"):
        link(upper, page_of(without_shared, shifted))


def test_a_transfer_below_the_shared_row_is_never_linked(minted: State) -> None:
    without_lower = minted[:700] + minted[701:]
    upper = page_of(minted, 0)
    shifted = link(upper, page_of(without_lower, 199))
    assert shifted is not None
    with pytest.raises(TornWalk, match="not the one that the page above ended with"):
        link(upper, page_of(without_lower, shifted))


# --- pages that can't be linked -------------------------------------------------------------------

ABC: State = (("a",), ("b",), ("c",), ("d",), ("e",))


def test_the_whole_row_has_to_agree_not_its_key_alone() -> None:
    upper = Page(0, 2, (("a", "tx 1"), ("b", "tx 2")), next=2, total=3)
    lower = Page(1, 2, (("b", "tx 9"), ("c", "tx 3")), next=None, total=3)
    with pytest.raises(TornWalk, match="the row at 1 is not the one"):
        link(upper, lower)


def test_a_short_page_before_the_end_is_a_torn_walk() -> None:
    short = Page(1, 3, ABC[1:3], next=3, total=5)
    with pytest.raises(TornWalk, match="2 rows at 1 before the end"):
        link(page_of(ABC, 0, 2), short)


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (page_of(ABC, 0, 2), Page(1, 2, (), next=3, total=5)),
        (Page(0, 2, (), next=2, total=5), page_of(ABC, 1, 2)),
    ],
    ids=["lower", "upper"],
)
def test_an_empty_page_is_a_torn_walk(upper: Page[int], lower: Page[int]) -> None:
    with pytest.raises(TornWalk, match="an empty page at 1"):
        link(upper, lower)


def test_a_total_that_fell_below_the_rows_read_is_a_torn_walk() -> None:
    with pytest.raises(TornWalk, match="the total went from 5 to 2"):
        link(page_of(ABC, 0, 2), page_of(ABC[:2], 0, 2))


# --- in general -----------------------------------------------------------------------------------


class Holdings:
    """A set whose rows enter at the top only. A token that comes back has another transaction."""

    def __init__(self, rows: int) -> None:
        self._entered = 0
        self.state: State = ()
        for token in range(rows):
            self.enter(token)

    def enter(self, token: int) -> None:
        self._entered += 1
        self.state = ((f"token {token}", f"tx {self._entered}"), *self.state)

    def leave(self, index: int) -> None:
        if self.state:
            index %= len(self.state)
            self.state = self.state[:index] + self.state[index + 1 :]


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(0, 15)),
        st.tuples(st.just("leave"), st.integers(0, 15)),
    ),
    max_size=8,
)


@settings(max_examples=500, deadline=None)
@given(rows=st.integers(2, 15), limit=st.integers(2, 5), changes=CHANGES, data=st.data())
def test_a_lower_page_is_only_linked_when_all_below_the_shared_row_is_as_it_was(
    rows: int, limit: int, changes: list[tuple[str, int]], data: st.DataObject
) -> None:
    holdings = Holdings(rows)
    before = holdings.state
    upper = page_of(before, data.draw(st.integers(0, rows - 1), label="upper"), limit)
    for change, number in changes:
        getattr(holdings, change)(number)
    after = holdings.state
    assume(after)
    shared_at = upper.start + len(upper.rows) - 1
    moved = shared_at + len(after) - len(before)
    place = st.sampled_from([shared_at, moved]) | st.integers(0, len(after) - 1)
    start = data.draw(place.filter(lambda at: 0 <= at < len(after)), label="lower")
    lower = page_of(after, start, limit)
    try:
        accepted = link(upper, lower) is None
    except TornWalk:
        accepted = False
    event(f"accepted: {accepted}, changed: {before != after}")
    if accepted:
        assert after[lower.start + doubled_rows(upper, lower) - 1 :] == before[shared_at:]


@settings(deadline=None)
@given(rows=st.integers(2, 15), limit=st.integers(2, 5), entered=st.integers(0, 5), data=st.data())
def test_after_changes_above_a_page_without_the_shared_row_is_asked_for_where_that_stands(
    rows: int, limit: int, entered: int, data: st.DataObject
) -> None:
    holdings = Holdings(rows)
    upper = page_of(holdings.state, data.draw(st.integers(0, rows - 1), label="upper"), limit)
    for _ in range(data.draw(st.integers(0, upper.start + len(upper.rows) - 1), label="left")):
        holdings.leave(0)
    for token in range(entered):
        holdings.enter(token)
    stands_at = holdings.state.index(upper.rows[-1])
    places = st.just(stands_at) | st.integers(0, len(holdings.state) - 1)
    lower = page_of(holdings.state, data.draw(places, label="lower"), limit)
    place = stands_at - lower.start
    goes_on = place == 0 or 0 < place < len(lower.rows) - 1
    assert link(upper, lower) == (None if goes_on else stands_at)
