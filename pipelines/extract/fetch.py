"""One page of a target: fetched, read, and with what a proof needs to know of its answer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self

from pipelines.errors import HoldfastError, TornWalk
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

_CACHE_HEADERS = ("x-cache", "cf-cache-status", "x-cache-status")


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
        try:
            request = addressing.page_request(target, start, limit)
            answer = self._get(request, on_try)
            page = addressing.read_page(target, start, limit, answer)
            self._on_tag(page.tag)
        except HoldfastError as error:
            raise error.located(located(target, start)) from None
        return Fetched(page, answer.asked_at, answer.answered_at, from_cache=_is_cached(answer))

    def unchanged(self, first: Start, limit: int, tag: str) -> Fetched[Start] | None:
        """Whether the set has that tag still, by one conditional request for its first page: a page
        without rows, with that tag; None where the set has changed or a cache answered."""
        try:
            request = self._addressing.page_request(self._target, first, limit)
            request = replace(request, headers=(*request.headers, ("If-None-Match", tag)))
            answer = self._get(request)
        except HoldfastError as error:
            raise error.located(located(self._target, first)) from None
        if answer.status != 304 or _is_cached(answer):
            return None
        page = Page(start=first, limit=limit, rows=(), next=None, tag=tag)
        return Fetched(page, answer.asked_at, answer.answered_at, from_cache=False)

    def _get(self, request: PageRequest, on_try: Callable[[], None] = lambda: None) -> Received:
        def count_try() -> None:
            on_try()
            self._count()

        return self._client.get(request, count_try)

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


def _is_cached(answer: Received) -> bool:
    """Whether a cache on the way says that it answered."""
    return answer.headers.get("age", "0").strip() not in ("", "0") or any(
        "hit" in answer.headers.get(name, "").lower() for name in _CACHE_HEADERS
    )


def refuse_cached(fetched: Fetched[Start]) -> None:
    """Raise TornWalk for an answer that the provider itself did not give."""
    if fetched.from_cache:
        raise TornWalk(
            f"rows from {fetched.page.where} came from a cache on the way (Age or a cache-hit"
            " header), which can't show the present state"
        )


def refuse_short(page: Page[Start], *, may_be_capped: bool = False) -> None:
    """Raise TornWalk for a page that is not full, although more rows should follow; PageCapped
    where `may_be_capped` and it is the first one."""
    if page.last or len(page.rows) >= page.limit:
        return
    if may_be_capped and page.is_first and page.rows:
        raise PageCapped(len(page.rows))
    raise TornWalk(short_page(page))
