"""A target's pages, from the first to the end, where they have positions (by_cursor.py: cursors).

Three ways lead through the pages; the proof that is wanted decides which one is taken. `forward`
and `backward` are the two collects of `double_collect` (and forward alone is a single page);
`chained` reads pages that overlap by one row. All of them fetch up to `window` pages at once by
`ahead`, and yield them in order, each as soon as it is judged, so that memory holds a few pages,
however large the set. They have to be closed: only then is nothing under way any more.

The first page of a walk is fetched alone, and every other one is asked for after it was answered.
`double_collect` rests on that: the state that it proves is the one at the second collect's first
page. A row that the first collect saw, before that page, and the second one saw, after it, was
there at that page; a page of the second collect that was answered before its first page would show
what was there earlier, and both collects might have a row that had left by then.

A short, empty or contradictory page before the end is never taken for the end: it is a torn walk.
"""

import logging
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from dataclasses import replace
from itertools import chain, count

from pipelines.errors import Cancelled, ProviderError, TornWalk
from pipelines.extract.ahead import ReadAhead
from pipelines.extract.fetch import Fetch, Fetched, refuse_cached, refuse_short
from pipelines.extract.proof import doubled_rows, link
from pipelines.providers.pages import Page

logger = logging.getLogger(__name__)

MAX_SHIFTS = 4
"""How often one page is asked for again at a place that moved, before the walk counts as torn."""


def forward(
    fetch: Fetch[int], limit: int, ahead: Executor, window: int, *, may_be_capped: bool = False
) -> Generator[Fetched[int], None, None]:
    """Pages of `limit` rows from position 0 until the provider's own end.

    Raises TornWalk for a page that is short before the end, that repeats an earlier one (a walk
    would never end otherwise) or whose total is not the first one's, and for rows beyond the end;
    PageCapped where `may_be_capped` and the first page is short.
    """
    first = fetched = fetch(0, limit)
    pages = ReadAhead(fetch, limit, ahead)
    # Hashes of rows, and not the rows: of ten thousand pages these are megabytes. Two rows with the
    # same 64 bits (1 in 10^11 such walks) would make a sound walk count as torn, to be made again.
    begins: set[int] = set()
    try:
        below = pages.in_order(count(limit, limit), _room(first.page, window))
        for fetched in chain((first,), below):
            page = fetched.page
            refuse_cached(fetched)
            if page.total != first.page.total:
                raise TornWalk(f"the total went from {first.page.total} to {page.total}")
            refuse_short(page, may_be_capped=may_be_capped)
            begin = hash(page.rows[:1])
            if begin in begins:
                raise TornWalk(
                    f"the rows at {page.start} were given before, as the start of a page"
                )
            begins.add(begin)
            yield fetched
            if page.last:
                break
        _refuse_rows_beyond(fetched.page, pages)
    finally:
        pages.stop()


def _room(first: Page[int], window: int) -> Callable[[int], int]:
    """How many pages a forward walk may have asked for when `given` pages were given out.

    A total tells where the end is. Without one, each page asked for beyond the end is a request
    wasted: the walk looks 1 page ahead at first, 2 after two pages, 4 after four and so on. A set
    of one or two pages costs no request more, a larger one fewer than `window` and than its pages.
    """
    if first.total is None:
        return lambda given: min(window, 1 << given.bit_length() - 1)
    whole = -(-first.total // first.limit)
    return lambda given: max(1, min(window, whole - given))


def _refuse_rows_beyond(end: Page[int], pages: ReadAhead[Fetched[int]]) -> None:
    """Look at the pages that were under way when the last one told that it is the end.

    They were not needed: one that failed says nothing. One with rows, or that promises more, shows
    that the set has changed.
    """
    for late in pages.stop():
        error = late.exception()
        if isinstance(error, Cancelled):
            continue
        if isinstance(error, ProviderError):
            logger.info("a page beyond the end failed, and was not needed: %s", error)
            continue
        page = late.result().page
        if page.rows or not page.last:
            raise TornWalk(
                f"{len(page.rows)} rows at {page.start}{'' if page.last else ' and more to come'},"
                f" beyond the end that the page at {end.start} told"
            )


def backward(
    fetch: Fetch[int], limit: int, rows: int, ahead: Executor, window: int
) -> Generator[Fetched[int], None, None]:
    """Pages of `limit` rows from the one that should be the last of a set of `rows` to the first.

    Raises TornWalk as soon as a page shows that the set can't have `rows` rows any more.
    """
    starts = range((rows - 1) // limit * limit, -1, -limit)
    end = fetch(starts[0], limit)
    pages = ReadAhead(fetch, limit, ahead)
    try:
        above = pages.in_order(iter(starts[1:]), lambda _: window)
        for fetched in chain((end,), above):
            page = fetched.page
            refuse_cached(fetched)
            expected = min(limit, rows - page.start)
            is_end = page.start + expected == rows
            if len(page.rows) != expected or page.last != is_end or page.total not in (None, rows):
                raise TornWalk(
                    f"{len(page.rows)} rows at {page.start} of {page.total or 'an unknown total'}:"
                    f" the set of {rows} rows has changed"
                )
            yield fetched
    finally:
        pages.stop()


def chained(
    fetch: Fetch[int],
    limit: int,
    ahead: Executor,
    window: int,
    *,
    first: Fetched[int] | None = None,
) -> Generator[Fetched[int], None, None]:
    """Pages that overlap, each linked to the one before it; what is doubled is left out.

    Each page is asked for where it should begin with the last row of the one before. Rows that
    entered above make it begin higher, which does no harm; where that row is not on it any more, it
    is asked for again where it stands now. Up to `window` pages are fetched ahead; `first` is the
    page at position 0 where that was just read. Raises TornWalk when no link can be made.
    """
    upper = first or fetch(0, limit)
    refuse_cached(upper)
    refuse_short(upper.page)
    yield upper
    if upper.page.last:
        return
    pages = _Below(fetch, limit, ahead, window)
    try:
        while not upper.page.last:
            lower = _linked(fetch, limit, upper, pages.next(upper.page))
            refuse_cached(lower)
            yield _without_first_rows(lower, doubled_rows(upper.page, lower.page))
            upper = lower
    finally:
        pages.stop()


def _linked(
    fetch: Fetch[int], limit: int, upper: Fetched[int], lower: Fetched[int]
) -> Fetched[int]:
    for _ in range(MAX_SHIFTS):
        start = link(upper.page, lower.page)
        if start is None:
            return lower
        logger.info("rows from %d stand at %d now, asking again", lower.page.start, start)
        lower = fetch(start, limit)
    if link(upper.page, lower.page) is None:
        return lower
    raise TornWalk(f"rows from {lower.page.start} moved at each of {MAX_SHIFTS} tries to read them")


class _Below:
    """The pages of a chained walk, fetched ahead.

    Each should begin where the one before it ends. Rows that enter in between only make them
    overlap; where a page had to be asked for again at another place, those to come move with it.
    """

    def __init__(self, fetch: Fetch[int], limit: int, executor: Executor, window: int) -> None:
        self._fetch = fetch
        self._limit = limit
        self._window = window
        self._pages = ReadAhead(fetch, limit, executor)
        self._given = 0

    def next(self, upper: Page[int]) -> Fetched[int]:
        """The page below `upper`, fetched ahead where it was."""
        step = self._limit - 1
        moved = upper.start - self._given * step
        self._given += 1
        while len(self._pages) < self._window:
            start = (self._given + len(self._pages)) * step + moved
            if start <= 0 or start + 1 >= (upper.total or 0):
                break
            self._pages.ask(start)
        if len(self._pages):
            return self._pages.take()
        return self._fetch(upper.start + len(upper.rows) - 1, self._limit)

    def stop(self) -> None:
        self._pages.stop()


def _without_first_rows(fetched: Fetched[int], count: int) -> Fetched[int]:
    page = fetched.page
    return replace(fetched, page=replace(page, start=page.start + count, rows=page.rows[count:]))
