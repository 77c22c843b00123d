"""One page of a target: fetched, read, and with what a proof needs to know of its answer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self, TypeVar

from pipelines.errors import HoldfastError, TornWalk
from pipelines.extract.caches import is_from_cache
from pipelines.extract.http import Client, Received
from pipelines.extract.proof import short_page
from pipelines.providers.pages import (
    Addressing,
    Page,
    PageRequest,
    Positions,
    Row,
    Start,
    described,
)
from pipelines.providers.provider import Target
from pipelines.providers.way import Way

Read = TypeVar("Read")


@dataclass(frozen=True)
class Fetched(Generic[Start]):
    """A page with when it was asked for and answered (monotonic seconds), and whether a cache on
    the way answered instead of the provider."""

    page: Page[Start]
    asked_at: float
    answered_at: float
    from_cache: bool

    def with_rows(self, rows: tuple[Row, ...]) -> Self:
        """The same page with others of its rows."""
        return replace(self, page=replace(self.page, rows=rows))


class Fetch(Protocol[Start]):
    """(start, limit) → the page. Raises a ProviderError or TornWalk, located.

    `on_try` is called before each request that goes out; raising, it keeps that request in.
    """

    def __call__(
        self, start: Start, limit: int, on_try: Callable[[], None] = ..., /
    ) -> Fetched[Start]: ...


class PageCapped(Exception):
    """The provider gives at most `limit` rows a page, without saying so."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the provider gives {limit} rows a page at most")
        self.limit = limit


class ShortFirstPage(TornWalk):
    """The first page has fewer rows than fit, although more follow."""

    def __init__(self, message: str, rows: int) -> None:
        super().__init__(message)
        self.rows = rows


class Caps:
    """Notices that a provider caps its pages, also where it is not known to: a set that moves does
    not end the first page at the same row in two walks."""

    def __init__(self) -> None:
        self._short: int | None = None

    def noticed(self, torn: TornWalk | PageCapped) -> int | None:
        """The rows of a page, where it is so by now."""
        if isinstance(torn, PageCapped):
            return torn.limit
        before, self._short = self._short, None
        if isinstance(torn, ShortFirstPage) and torn.rows != before:
            self._short = torn.rows
        return torn.rows if isinstance(torn, ShortFirstPage) and torn.rows == before else None


class Fetcher(Generic[Start]):
    """Fetches and reads pages of one target, from any thread; counts the requests it took.

    `on_tag` is called with the tag of each page that comes, also of one that a walk refuses.
    """

    def __init__(
        self,
        client: Client,
        target: Target,
        addressing: Addressing[Start],
        on_tag: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.requests = 0
        self._on_tag = on_tag
        self._client = client
        self._target = target
        self._addressing = addressing
        self._lock = threading.Lock()

    def __call__(
        self, start: Start, limit: int, on_try: Callable[[], None] = lambda: None
    ) -> Fetched[Start]:
        addressing, target = self._addressing, self._target

        def read(answer: Received) -> Fetched[Start]:
            page = addressing.read_page(target, start, limit, answer)
            self._on_tag(page.tag)
            cached = is_from_cache(answer.headers)
            return Fetched(page, answer.asked_at, answer.answered_at, from_cache=cached)

        try:
            return self._get(addressing.page_request(target, start, limit), on_try, read)
        except HoldfastError as error:
            raise error.located(located(target, start)) from None

    def unchanged(self, first: Start, limit: int, tag: str) -> Fetched[Start] | None:
        """Whether the set has that tag still, by one conditional request for its first page: a page
        without rows, with that tag; None where the set has changed or a cache answered."""

        def read(answer: Received) -> Fetched[Start] | None:
            if answer.status != 304:
                self._addressing.read_page(self._target, first, limit, answer)  # or it is broken
            if answer.status != 304 or is_from_cache(answer.headers):
                return None
            page = Page(start=first, limit=limit, rows=(), next=None, tag=tag)
            return Fetched(page, answer.asked_at, answer.answered_at, from_cache=False)

        try:
            request = self._addressing.page_request(self._target, first, limit)
            request = replace(request, headers=(*request.headers, ("If-None-Match", tag)))
            return self._get(request, lambda: None, read)
        except HoldfastError as error:
            raise error.located(located(self._target, first)) from None

    def _get(
        self, request: PageRequest, on_try: Callable[[], None], read: Callable[[Received], Read]
    ) -> Read:
        def count_try() -> None:
            on_try()
            self._count()

        return self._client.get_and_read(request, count_try, read, self._target.name)

    def _count(self) -> None:
        with self._lock:
            self.requests += 1


class PositionFetcher(Fetcher[int]):
    """Fetches pages by their positions."""


class CursorFetcher(Fetcher[str]):
    """Fetches pages by their cursors."""


def fetcher_of(
    client: Client,
    target: Target,
    way: Way | None = None,
    on_tag: Callable[[str | None], None] = lambda _: None,
) -> PositionFetcher | CursorFetcher:
    """The fetcher for the addressing of one of the provider's APIs, the first one unless told."""
    addressing = way.addressing if way else client.provider.addressing
    if isinstance(addressing, Positions):
        return PositionFetcher(client, target, addressing, on_tag)
    return CursorFetcher(client, target, addressing, on_tag)


def located(target: Target, start: int | str) -> str:
    """Where an error is: the target and the page."""
    return f"{target.name}, rows from {described(start)}"


def refuse_cached(fetched: Fetched[Start]) -> None:
    """Raise TornWalk for an answer that the provider itself did not give."""
    if fetched.from_cache:
        raise TornWalk(
            f"rows from {fetched.page.where} came from a cache on the way (its headers say so:"
            " extract/caches.py), which can't show the present state"
        )


def refuse_short(page: Page[Start], *, may_be_capped: bool = False) -> None:
    """Raise TornWalk for a page that is not full, although more rows should follow: ShortFirstPage
    where it is the first one, or PageCapped where that `may_be_capped`."""
    if page.last or len(page.rows) >= page.limit:
        return
    if page.is_first and page.rows:
        if may_be_capped:
            raise PageCapped(len(page.rows))
        raise ShortFirstPage(short_page(page), len(page.rows))
    raise TornWalk(short_page(page))
