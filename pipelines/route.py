"""How one target's pages are fetched: by which of the provider's APIs, and in which order."""

import logging
from collections.abc import Callable, Generator
from typing import Any

from pipelines.errors import ProviderError, RequestRefused
from pipelines.extract.by_cursor import by_cursor
from pipelines.extract.fetch import CursorFetcher, Fetched, PositionFetcher, fetcher_of
from pipelines.extract.http import Client
from pipelines.extract.one_version import by_blocks, one_version
from pipelines.extract.walk import backward, chained, forward
from pipelines.extract.ways import Ways
from pipelines.providers.pages import BEGINNING, Cursors, Row
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import Target
from pipelines.providers.way import Way

logger = logging.getLogger(__name__)

AHEAD = 32
"""Pages beside those under way that may wait for their turn: while a block of rows is copied, the
connections go on."""

_GONE = (410,)
_GONE_OR_NEVER_THERE = (404, 410)
"""What a server answers that an API was taken from, and one that is too old to have its
successor."""


class Route:
    """The way to a target's rows, which changes where an API is gone or its order can't be relied
    on. `last_api`: the one that the last published snapshot was read by, where it may be asked
    again; `on_tag` is called with each page's tag."""

    def __init__(
        self,
        client: Client,
        target: Target,
        ways: Ways,
        last_api: str | None,
        on_tag: Callable[[str | None], None],
    ) -> None:
        self._on_tag = on_tag
        self._client = client
        self._target = target
        self._ways = ways
        self._fetchers: list[PositionFetcher | CursorFetcher] = []
        self._in_blocks = False
        self.take(ways.named(last_api) or ways.current)

    def take(self, way: Way) -> None:
        self.way = way
        self._in_blocks = False
        self.fetch = fetcher_of(self._client, self._target, way, self._on_tag)
        self._fetchers.append(self.fetch)

    @property
    def requests(self) -> int:
        return sum(fetch.requests for fetch in self._fetchers)

    @property
    def by_cursor(self) -> bool:
        return isinstance(self.fetch, CursorFetcher)

    @property
    def is_chained(self) -> bool:
        """Whether pages are linked by the rows that they share."""
        return Proof.CHAINED in self.way.proofs and not self._in_blocks

    @property
    def has_versions(self) -> bool:
        """Whether a walk is held together by the tag of its pages."""
        return Proof.ONE_VERSION in self.way.proofs and not self.is_chained

    @property
    def may_be_capped(self) -> bool:
        return self.way.addressing.caps_pages_silently

    def is_unchanged(self, limit: int, tag: str) -> Fetched[Any] | None:
        """An answer without rows that says that the set has that tag still; None where it has
        not."""
        if isinstance(self.fetch, CursorFetcher):
            return self.fetch.unchanged(BEGINNING, limit, tag)
        return self.fetch.unchanged(0, limit, tag)

    def pages(
        self, limit: int, *, first: Fetched[int] | None, confirming: int
    ) -> Generator[Fetched[Any], None, None]:
        """The pages of one walk over the whole set. `first` is its first page, where that was read
        already; `confirming`: the rows of the walk that this one is compared with."""
        fetch, ahead = self.fetch, self._client.ahead
        window = self._client.settings.concurrency

        def closing(tag: str) -> bool:
            return self.is_unchanged(limit, tag) is not None

        if isinstance(fetch, CursorFetcher):
            full = isinstance(self.way.addressing, Cursors) and self.way.addressing.fills_pages
            capped = self.may_be_capped
            pages = by_cursor(fetch, limit, may_be_capped=capped, fills_pages=full)
            return one_version(pages, closing) if self.has_versions else pages
        if self._in_blocks:
            return one_version(by_blocks(fetch, limit, self._height), closing)
        if self.is_chained:
            return chained(fetch, limit, ahead, AHEAD + window, first=first)
        if confirming:
            return backward(fetch, limit, confirming, ahead, window)
        return forward(fetch, limit, ahead, window, may_be_capped=self.may_be_capped)

    @property
    def _height(self) -> Callable[[Row], object]:
        dataset = self._client.provider.dataset
        if dataset.height is None:
            return lambda _: None
        at = dataset.column_names.index(dataset.height)
        return lambda row: row[at]

    def leave_order(self) -> bool:
        """Read the target without relying on the order of its rows. False where that is the case
        already, or nothing else is possible."""
        if not self.is_chained:
            return False
        other = self._ways.after(self.way)
        if other and self._answers(other):
            self.take(other)
        elif Proof.ONE_VERSION in self.way.proofs:
            self._in_blocks = True
        else:
            return False
        how = "in whole blocks" if self._in_blocks else f"by {self.way.api}"
        logger.warning(
            "%s: the order of its rows can't be relied on, it is read %s", self._target.name, how
        )
        return True

    def is_changed_by(self, refused: RequestRefused) -> bool:
        """Take another API where this one is gone and the other answers for the same target."""
        other = self._ways.after(self.way) or self._ways.before(self.way)
        gone = _GONE if self.way.api == self._client.provider.api else _GONE_OR_NEVER_THERE
        if refused.status not in gone or other is None or not self._answers(other):
            return False
        if self._ways.current.api == self.way.api:
            self._ways.switch(other, str(refused))
        self.take(other)
        return True

    def _answers(self, way: Way) -> bool:
        fetch = fetcher_of(self._client, self._target, way)
        self._fetchers.append(fetch)
        try:
            if isinstance(fetch, CursorFetcher):
                fetch(BEGINNING, 1)
            else:
                fetch(0, self._client.settings.page_size)
        except ProviderError as error:
            logger.info("%s does not answer in its place: %s", way.api, error)
            return False
        return True
