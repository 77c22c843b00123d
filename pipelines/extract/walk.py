"""A target's pages, from the first to the end.

Three ways lead through the pages; the proof that is wanted decides which one is taken. `forward`
and `backward` are the two collects of `double_collect` (and forward alone is a single page);
`chained` reads pages that overlap by one row, several at once. All of them yield each page as soon
as it is judged, so that memory holds a few pages, however large the set.

A short, empty or contradictory page before the end is never taken for the end: it is a torn walk.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace

from pipelines.errors import HoldfastError, TornWalk
from pipelines.extract.http import Client
from pipelines.extract.proof import doubled_rows, link, short_page
from pipelines.providers.provider import Page, Row, Target

logger = logging.getLogger(__name__)

MAX_SHIFTS = 4
"""How often one page is asked for again at a place that moved, before the walk counts as torn."""

_CACHE_HEADERS = ("x-cache", "cf-cache-status", "x-cache-status")


@dataclass(frozen=True)
class Fetched:
    """A page with when it was asked for and answered (monotonic seconds), the chain tip that came
    with it, and whether a cache on the way answered instead of the provider."""

    page: Page
    asked_at: float
    answered_at: float
    tip: str | None
    from_cache: bool


Fetch = Callable[[int, int], Fetched]
"""(start, limit) → the page. Raises a ProviderError or TornWalk, located."""


class PageCapped(Exception):
    """The provider gives at most `limit` rows a page, without saying so."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the provider gives {limit} rows a page at most")
        self.limit = limit


class Fetcher:
    """Fetches and reads pages of one target, from any thread; counts the requests it took."""

    def __init__(self, client: Client, target: Target) -> None:
        self.requests = 0
        self._client = client
        self._target = target
        self._lock = threading.Lock()

    def __call__(self, start: int, limit: int) -> Fetched:
        provider, target = self._client.provider, self._target
        try:
            answer = self._client.get(provider.page_request(target, start, limit), self._count)
            page = provider.read_page(target, start, limit, answer.body)
        except HoldfastError as error:
            raise error.located(f"{target.name}, rows from {start}") from None
        cached = answer.headers.get("age", "0").strip() not in ("", "0") or any(
            "hit" in answer.headers.get(name, "").lower() for name in _CACHE_HEADERS
        )
        return Fetched(
            page=page,
            asked_at=answer.asked_at,
            answered_at=answer.answered_at,
            tip=answer.headers.get("etag"),
            from_cache=cached,
        )

    def _count(self) -> None:
        with self._lock:
            self.requests += 1


def forward(fetch: Fetch, limit: int, *, may_be_capped: bool = False) -> Iterator[Fetched]:
    """Pages of `limit` rows from position 0 until the provider's own end.

    Raises TornWalk for a page that is short before the end, that repeats an earlier one (a walk
    would never end otherwise) or whose total is not the first one's; PageCapped where
    `may_be_capped` and the first page is short.
    """
    first = fetched = fetch(0, limit)
    begins: set[Row] = set()
    while True:
        page = fetched.page
        _refuse_cached(fetched)
        if page.total != first.page.total:
            raise TornWalk(f"the total went from {first.page.total} to {page.total}")
        if not page.last and len(page.rows) < limit:
            if may_be_capped and page.start == 0 and page.rows:
                raise PageCapped(len(page.rows))
            raise TornWalk(short_page(page))
        if page.rows and page.rows[0] in begins:
            raise TornWalk(f"the rows at {page.start} were given before, as the start of a page")
        begins.update(page.rows[:1])
        yield fetched
        if page.last:
            return
        fetched = fetch(page.start + limit, limit)


def backward(fetch: Fetch, limit: int, rows: int) -> Iterator[Fetched]:
    """Pages of `limit` rows from the one that should be the last of a set of `rows` to the first.

    Raises TornWalk as soon as a page shows that the set can't have `rows` rows any more.
    """
    for start in range((rows - 1) // limit * limit, -1, -limit):
        fetched = fetch(start, limit)
        page = fetched.page
        _refuse_cached(fetched)
        expected = min(limit, rows - start)
        is_end = start + expected == rows
        if len(page.rows) != expected or page.last != is_end or page.total not in (None, rows):
            raise TornWalk(
                f"{len(page.rows)} rows at {start} of {page.total or 'an unknown total'}:"
                f" the set of {rows} rows has changed"
            )
        yield fetched


def chained(fetch: Fetch, limit: int, ahead: Executor, window: int) -> Iterator[Fetched]:
    """Pages that overlap, each linked to the one before it; what is doubled is left out.

    Each page is asked for where it should begin with the last row of the one before. Rows that
    entered above make it begin higher, which does no harm; where that row is not on it any more, it
    is asked for again where it stands now. Up to `window` pages are fetched ahead. Raises TornWalk
    when no link can be made.
    """
    upper = fetch(0, limit)
    _refuse_cached(upper)
    if not upper.page.last and len(upper.page.rows) < limit:
        raise TornWalk(short_page(upper.page))
    yield upper
    if upper.page.last:
        return
    pages = _Ahead(fetch, limit, ahead, window)
    try:
        while not upper.page.last:
            lower = _linked(fetch, limit, upper, pages.next(upper.page))
            _refuse_cached(lower)
            yield _without_first_rows(lower, doubled_rows(upper.page, lower.page))
            upper = lower
    finally:
        pages.cancel()


def _linked(fetch: Fetch, limit: int, upper: Fetched, lower: Fetched) -> Fetched:
    for _ in range(MAX_SHIFTS):
        start = link(upper.page, lower.page)
        if start is None:
            return lower
        logger.info("rows from %d stand at %d now, asking again", lower.page.start, start)
        lower = fetch(start, limit)
    if link(upper.page, lower.page) is None:
        return lower
    raise TornWalk(f"rows from {lower.page.start} moved at each of {MAX_SHIFTS} tries to read them")


class _Ahead:
    """Fetches the next pages while the present one is judged.

    Each should begin where the one before it ends. Rows that enter in between only make them
    overlap; where a page had to be asked for again at another place, those to come move with it.
    """

    def __init__(self, fetch: Fetch, limit: int, executor: Executor, window: int) -> None:
        self._fetch = fetch
        self._limit = limit
        self._executor = executor
        self._window = window
        self._pending: deque[Future[Fetched]] = deque()
        self._given = 0

    def next(self, upper: Page) -> Fetched:
        """The page below `upper`, fetched ahead where it was."""
        step = self._limit - 1
        moved = upper.start - self._given * step
        self._given += 1
        while len(self._pending) < self._window:
            start = (self._given + len(self._pending)) * step + moved
            if start <= 0 or start + 1 >= (upper.total or 0):
                break
            self._pending.append(self._executor.submit(self._fetch, start, self._limit))
        if self._pending:
            return self._pending.popleft().result()
        return self._fetch(upper.start + len(upper.rows) - 1, self._limit)

    def cancel(self) -> None:
        for future in self._pending:
            future.cancel()


def _without_first_rows(fetched: Fetched, count: int) -> Fetched:
    page = fetched.page
    return replace(fetched, page=replace(page, start=page.start + count, rows=page.rows[count:]))


def _refuse_cached(fetched: Fetched) -> None:
    if fetched.from_cache:
        raise TornWalk(
            f"rows from {fetched.page.start} came from a cache on the way (Age or a cache-hit"
            " header), which can't show the present state"
        )
