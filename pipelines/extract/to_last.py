"""What changed since the last published snapshot, without reading what did not.

For providers whose new rows enter at the top only, and whose other rows keep their order. How many
rows follow a known one then tells how many of those below it have left since: none, and nothing
below it needs to be read. Where some have left, pages in between are asked for, halving the stretch
that they are missing from, until each of them was seen to be missing; then the top is read anew
(extract.proof says why that is a proof).

Rows of one block are an exception to the order: blocks that were orphaned leave rows that stand at
the same place as others, and each page shows those in another order. A row that is not where it was
may be on the next page. So it counts as missing only on a page that has the whole of its block.

Where a whole walk would cost about as much, or an answer contradicts the order, the attempt is
given up, and a whole walk does the work.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Protocol

from pipelines.errors import TornWalk
from pipelines.extract.ahead import ReadAhead
from pipelines.extract.fetch import Fetch, Fetched
from pipelines.extract.missing import END, Known, Missing, before_first
from pipelines.extract.walk import chained
from pipelines.providers.pages import Page, Row

logger = logging.getLogger(__name__)

WORTH = 0.75
"""The part of a whole walk's requests from which on a whole walk is made instead."""


AGREEING = 2
"""Readings of the top in a row that have to agree with what was found further down: one would do if
no answer were older than one before it, the second finds most servers that lag behind others."""


class Listing(Protocol):
    """The rows of the last published snapshot, in the provider's order.

    `find` tells for each row where exactly this one stood, attributes included; None where it did
    not.
    """

    @property
    def rows(self) -> int: ...
    def find(self, rows: Sequence[Row]) -> list[Known | None]: ...


class Entered(Protocol):
    """Takes the rows that are new; `clear` forgets those taken so far."""

    def clear(self) -> None: ...
    def write(self, rows: Sequence[Row]) -> None: ...


class GivenUp(Exception):
    """No difference came of it. `first` is the page at position 0 where nothing else was read."""

    def __init__(self, why: str, first: Fetched[int] | None = None) -> None:
        super().__init__(why)
        self.first = first


@dataclass(frozen=True)
class Difference:
    """The set has `rows` rows now: those that entered, and the published ones without `removed`,
    pairs of places between which all have left. `top` is the page at position 0 that counts."""

    entered: int
    removed: tuple[tuple[int, int], ...]
    rows: int
    first: Fetched[int]
    top: Fetched[int]
    last: Fetched[int]


@dataclass(frozen=True)
class _Seen:
    """A published row as an answer showed it: `gone` rows below it had left by then."""

    known: Known
    gone: int


_END = _Seen(END, 0)


class ToLast:
    """One attempt at a target; `on_page` is told of each answer. Not to be used twice."""

    def __init__(
        self,
        fetch: Fetch[int],
        limit: int,
        ahead: Executor,
        window: int,
        listing: Listing,
        on_page: Callable[[Fetched[int]], None],
        is_settled: Callable[[Row], bool] = lambda _: True,
        block_of: Callable[[Row], object] | None = None,
    ) -> None:
        """`is_settled`: whether a row came before the tip that the published ones were read at. One
        that did not is of an orphaned block, and the next block may put rows below it. `block_of`:
        the block of a row, where rows come from blocks."""
        self._fetch = fetch
        self._limit = limit
        self._ahead = ahead
        self._window = window
        self._listing = listing
        self._on_page = on_page
        self._is_settled = is_settled
        self._block_of = block_of
        self._missing = Missing()
        self._first: Fetched[int] | None = None
        self._spent = self._tops = 0

    def run(self, entered: Entered) -> Difference:
        """Find what entered and what left. Raises GivenUp, or TornWalk where pages at the top can't
        be linked."""
        wanted = 1
        while True:
            top, last, seen, count = self._read_top(entered)
            left = self._unexplained(seen)
            if left < 0:
                raise GivenUp("the answer is older than one before it")
            wanted = wanted - 1 if left == 0 else AGREEING
            if not wanted:
                return self._difference(top, last, count)
            if left:
                self._locate(seen, top.page.total or 0)

    def _difference(self, top: Fetched[int], last: Fetched[int], entered: int) -> Difference:
        rows = top.page.total or 0
        if entered + self._listing.rows - self._missing.count != rows:
            raise GivenUp("the rows do not sum up")
        return Difference(
            entered=entered,
            removed=self._missing.places,
            rows=rows,
            first=self._first or top,
            top=top,
            last=last,
        )

    def _read_top(self, entered: Entered) -> tuple[Fetched[int], Fetched[int], _Seen, int]:
        """Linked pages from position 0 to the first that shows a published row: the first and the
        last of them, the lowest row shown, and how many are new."""
        entered.clear()
        top: Fetched[int] | None = None
        count = pages = 0
        above = before_first(self._listing.rows)
        limit = max(2, self._limit - self._tops)  # another URL each time: no cache knows it
        self._tops += 1
        with closing(chained(self._fetch, limit, self._ahead, window=1)) as walk:
            for fetched in walk:
                self._note(fetched)
                pages += 1
                top = top or self._begun(fetched)
                known = self._listing.find(fetched.page.rows)
                seen = self._see(fetched, known, above)
                new = len(known) - len(seen)
                entered.write(fetched.page.rows[:new])
                count += new
                if seen and not self._is_settled(fetched.page.rows[-1]):
                    raise GivenUp(
                        "the rows at the top are of blocks that are not part of the chain"
                    )
                if seen or fetched.page.last:
                    return top, fetched, seen[-1] if seen else _END, count
                self._refuse_dear(pages + 1, fetched.page.total or 0)
        raise GivenUp("the walk ended without a last page")

    def _begun(self, fetched: Fetched[int]) -> Fetched[int]:
        """The page at position 0. Raises GivenUp where reading on can't save anything."""
        if self._first is None:
            self._first = fetched
            total = fetched.page.total or 0
            if fetched.page.last:
                raise GivenUp("all rows are on one page", fetched)
            new_pages = math.ceil((total - self._listing.rows) / self._limit)
            if new_pages > WORTH * self._pages_of(total):
                raise GivenUp("most rows are new", fetched)
        return fetched

    def _see(
        self, fetched: Fetched[int], known: Sequence[Known | None], above: Known | None = None
    ) -> list[_Seen]:
        """What a page shows of the published rows, new ones standing above them; what stood between
        two that are neighbours now is missing, and between `above` and the first of them."""
        page = fetched.page
        new = sum(1 for _ in takewhile(lambda found: found is None, known))
        follow = (page.total or 0) - page.start
        seen: list[_Seen] = []
        for index, found in enumerate(known[new:], start=new):
            if found is None:
                raise GivenUp("a new row stands below known ones")
            if found.rank in self._missing:
                raise GivenUp("a row that was missing is back in its place")
            gone = found.rank - (follow - index)
            if gone < 0 or (seen and found.rank >= seen[-1].known.rank):
                raise GivenUp("known rows stand in another order")
            seen.append(_Seen(found, gone))
        if seen or page.last:
            self._note_missing(page, new, [row.known for row in seen], above)
        return seen

    def _note_missing(
        self, page: Page[int], new: int, shown: list[Known], above: Known | None
    ) -> None:
        """What stood between two rows that are neighbours on this page is missing, unless it may be
        of the block that the page begins in, or of the one that it ends in."""
        blocks = [self._block_of(row) if self._block_of else None for row in page.rows[new:]]
        cut_above = blocks[0] if self._block_of and shown and not above and page.start else None
        cut_below = blocks[-1] if self._block_of and shown and not page.last else None
        neighbours: list[tuple[Known, object]] = [(above, None)] if above else []
        neighbours += zip(shown, blocks, strict=True)
        neighbours += [(END, None)] if page.last else []
        for (high, upper), (low, lower) in pairwise(neighbours):
            is_whole = (cut_above is None or upper != cut_above) and (
                cut_below is None or lower != cut_below
            )
            if is_whole:
                self._missing.add(low, high)

    def _unexplained(self, seen: _Seen) -> int:
        """How many of the rows that left below this one have not been found yet."""
        return seen.gone - self._missing.below(seen.known.rank)

    def _locate(self, top: _Seen, total: int) -> None:
        """Ask for pages in between until it is known what is missing below `top`."""
        rows = [_END, top]
        probed: set[int] = set()
        while stretches := list(self._stretches(rows)):
            requests = sum(self._estimate(*stretch) for stretch in stretches)
            self._refuse_dear(requests + AGREEING, total)
            middles = {self._middle(*stretch, total) for stretch in stretches}
            starts = {self._start(middle, probed, total) for middle in middles} - probed
            if not starts:
                return
            for batch in _batches(sorted(starts, reverse=True), self._window):
                probed.update(batch)
                for fetched, known in self._probe(batch):
                    seen = self._see(fetched, known)
                    rows += [seen[0], seen[-1]] if seen else []
                    total = fetched.page.total or total
            rows.sort(key=lambda row: row.known.rank)

    def _probe(self, starts: Sequence[int]) -> Iterator[tuple[Fetched[int], list[Known | None]]]:
        ahead = ReadAhead(self._fetch, self._limit, self._ahead)
        try:
            pages = list(ahead.in_order(iter(starts), lambda _: len(starts)))
        finally:
            ahead.stop()
        for fetched in pages:
            self._note(fetched)
        found = self._listing.find([row for fetched in pages for row in fetched.page.rows])
        for fetched in pages:
            count = len(fetched.page.rows)
            if not fetched.page.last and count < self._limit:
                raise GivenUp("a page before the end is short")
            yield fetched, found[:count]
            found = found[count:]

    def _stretches(self, rows: Sequence[_Seen]) -> Iterator[tuple[_Seen, _Seen]]:
        """Pairs of rows between which something is missing that was not found yet."""
        for lower, upper in pairwise(rows):
            apart = upper.known.rank - lower.known.rank > 1
            if apart and self._unexplained(upper) > self._unexplained(lower):
                yield lower, upper

    def _pages_between(self, lower: _Seen, upper: _Seen) -> int:
        rows = upper.known.rank - upper.gone - (lower.known.rank - lower.gone)
        return max(1, math.ceil(rows / (self._limit - 1)))

    def _estimate(self, lower: _Seen, upper: _Seen) -> float:
        """Requests that it takes to find each missing row by halving, all pages at most."""
        pages = self._pages_between(lower, upper)
        missing = self._unexplained(upper) - self._unexplained(lower)
        if missing >= pages:
            return pages
        return min(pages, missing * (math.log2(pages / missing) + 1))

    def _middle(self, lower: _Seen, upper: _Seen, total: int) -> int:
        """Where to ask for the page in the middle of a stretch; for a short one, a page that has it
        in its middle.

        Whole pages are counted from its upper end, so that no two of them overlap by more than the
        row that neighbours share."""
        begins = total - (upper.known.rank - upper.gone)
        pages = self._pages_between(lower, upper)
        if pages == 1:
            rows = upper.known.rank - upper.gone - (lower.known.rank - lower.gone)
            begins -= max(0, self._limit - rows) // 2
        return max(0, min(begins + pages // 2 * (self._limit - 1), total - 1))

    def _start(self, middle: int, probed: set[int], total: int) -> int:
        """That page; one that ends or begins in its middle, where it was read already: what is
        missing may be of the block that it begins or ends in."""
        half = self._limit // 2
        others = (min(middle + half, total - 1), max(middle - half, 0))
        return next((start for start in (middle, *others) if start not in probed), middle)

    def _pages_of(self, rows: int) -> int:
        return max(1, math.ceil(rows / (self._limit - 1)))

    def _refuse_dear(self, requests: float, total: int) -> None:
        whole = self._pages_of(total)
        if self._spent + requests > WORTH * whole:
            first = self._first if self._spent == 1 else None
            raise GivenUp(f"about as dear as all {whole} pages", first)

    def _note(self, fetched: Fetched[int]) -> None:
        if fetched.from_cache:
            raise TornWalk(f"rows from {fetched.page.start} came from a cache on the way")
        self._spent += 1
        self._on_page(fetched)


def _batches(starts: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for begin in range(0, len(starts), size):
        yield starts[begin : begin + size]
