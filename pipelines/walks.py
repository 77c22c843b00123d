"""Walks over one target until one of them is proven: walk, stage, judge, walk again.

What a walk reads goes to a desk (desk.py), which keeps two walks beside each other and compares
them.
"""

import logging
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pipelines.desk import Desk, OnProgress, Progress, Proven, PublishedCollect, Stage
from pipelines.errors import MalformedAnswer, TornWalk
from pipelines.extract import proof
from pipelines.extract.by_cursor import by_cursor
from pipelines.extract.fetch import (
    Caps,
    CursorFetcher,
    Fetched,
    PageCapped,
    PositionFetcher,
    fetcher_of,
    located,
)
from pipelines.extract.http import Client
from pipelines.extract.proof import Collect
from pipelines.extract.tips import Base, Tip, Tips
from pipelines.extract.to_last import GivenUp, ToLast
from pipelines.extract.walk import backward, chained, forward
from pipelines.providers.pages import Row
from pipelines.providers.provider import Proof, Target
from pipelines.warehouse.load import Accepted
from pipelines.warehouse.text import kept

logger = logging.getLogger(__name__)


AHEAD = 32
"""Pages beside those under way that may wait for their turn: while a block of rows is copied, the
connections go on."""

REORGANISED = "the chain was reorganised: a block that rows were read at is not part of it any more"


def tips_of(client: Client) -> Tips | None:
    """What a run knows of the provider's chain; None where its rows come from none."""
    chain = client.provider.chain
    return Tips(chain, client.get) if chain else None


class Walks:
    """The walks of one target for one run, until one is proven. `tips` are shared by a run."""

    def __init__(
        self,
        desk: Desk,
        client: Client,
        target: Target,
        on_progress: OnProgress = lambda _: None,
        tips: Tips | None = None,
    ) -> None:
        self._tips = tips or tips_of(client)
        self._seen: dict[str, None] = {}  # tips, in the order of the pages that told them
        self._desk = desk
        self._client = client
        self._target = target
        self._on_progress = on_progress
        self._fetch = fetcher_of(client, target)
        self._clock = desk.clock()
        self._chain = Proof.CHAINED in client.provider.proofs
        self._largest_page = min(client.settings.page_size, client.provider.max_page_size)
        self._page_size = self._first_page_size()
        self._began: float | None = None
        self._page_zero: Fetched[int] | None = None
        self._longest = 1
        self._caps = Caps()
        self._rows_read = 0
        self.walks = self.pages = 0

    @property
    def requests(self) -> int:
        """What all walks together have cost so far, repeated requests included."""
        return self._fetch.requests

    def until_proven(self) -> Proven:
        """What changed since the last snapshot, or a whole walk. Raises as `whole` does."""
        rests = self.since_last()
        return (self.confirmed(rests) if rests else None) or self.whole()

    def whole(self) -> Proven:
        """Walk over all pages until a walk is proven. Raises TornWalk when the bounded number of
        them is not."""
        previous: Collect | None = None
        why = ""
        while self._may_walk():
            place = self.walks % 2
            self.walks += 1
            try:
                collect = self._collect(place, previous)
                proven = self._judge(collect, place, previous)
            except (PageCapped, TornWalk) as torn:
                previous = None
                if capped := self._caps.noticed(torn):
                    self._begin_with(capped)
                    continue
                why = str(torn)
                self._page_size = self._first_page_size()
                logger.info("%s: walk %d is torn: %s", self._target.name, self.walks, torn)
            else:
                if proven:
                    return proven
                why, previous = "two walks in a row gave different rows", collect
                self._page_size = self._another_page_size(self._page_size)
        prefix = self._client.provider.name.upper()
        raise TornWalk(
            f"no state could be proven in {self.walks} walks ({self.pages} pages); the last:"
            f" {why}. If it happens at every tick, the set changes faster than it can be read:"
            f" raise {prefix}_REQUESTS_PER_MINUTE or {prefix}_MAX_WALKS",
            where=self._target.name,
        )

    def _begin_with(self, largest_page: int) -> None:
        """Go on with the pages that the provider gives, as if the walk before had not been."""
        setting = f"{self._client.provider.name.upper()}_PAGE_SIZE"
        logger.warning(
            "%s: the provider gives %d rows a page at most, beginning again with it; set %s to it",
            self._target.name,
            largest_page,
            setting,
        )
        self._largest_page = largest_page
        self._page_size = self._first_page_size()
        self.walks -= 1

    def since_last(self) -> Proven | None:
        """What changed since the last published snapshot, where that is cheaper than a walk. It
        counts where it is `confirmed`."""
        listing, fetch = self._desk.listing, self._fetch
        if listing is None or isinstance(fetch, CursorFetcher) or not self._may_rest():
            return None
        self._seen.clear()
        limit, window = self._page_size, self._client.settings.concurrency
        attempt = ToLast(
            fetch, limit, self._client.ahead, window, listing, self._note, self._is_settled
        )
        try:
            difference = attempt.run(self._desk.stagings[0])
            self._desk.stagings[0].finish(difference.entered)
        except (GivenUp, TornWalk) as reason:
            logger.info("%s: a whole walk is needed: %s", self._target.name, reason)
            if isinstance(reason, GivenUp) and reason.first:
                self._page_zero = reason.first
                self.pages -= 1  # it is counted where the walk begins with it
            return None
        self.walks = 1
        collect = Collect(
            rows=difference.rows,
            pages=self.pages,
            page_size=limit,
            began=difference.first.asked_at,
            ended=time.monotonic(),
            first_answered_at=difference.first.answered_at,
            first_size=difference.first.page.total,
            top_asked_at=difference.top.asked_at,
            top_answered_at=difference.top.answered_at,
            top_total=difference.rows,
            first_tip=difference.first.page.tag,
            last_tip=difference.last.page.tag,
            extra=difference.top.page.extra,
            tips=tuple(self._seen),
        )
        claim = proof.claim_chained_to_last(collect)
        began = collect.began
        return Proven(claim, collect, 0, began, rests_on_published=True, difference=difference)

    def confirmed(self, rests: Proven) -> Proven | None:
        """A walk that rests on the published snapshot, where the chain leads through the block that
        it was read at and through all that this walk saw; None where a whole walk has to tell."""
        if self._tips is None:
            return rests
        tip = self._tips.standing(rests.collect.ended, rests.collect.tips, self._base)
        if tip is None:
            logger.info("%s: a whole walk is needed: %s", self._target.name, REORGANISED)
            return None
        return replace(rests, tip=tip)

    @property
    def _base(self) -> Base | None:
        return self._desk.published.base if self._desk.published else None

    def _may_rest(self) -> bool:
        """Whether it is not known already that `confirmed` will refuse it."""
        if self._tips is None:
            return True
        base = self._base
        known = base is None or base.is_orphaned or base.block.hash in self._tips.orphaned
        return self._tips.is_told and not known

    def _is_settled(self, row: Row) -> bool:
        dataset = self._client.provider.dataset
        if self._base is None or dataset.height is None:
            return True
        height = row[dataset.column_names.index(dataset.height)]
        return isinstance(height, int) and height <= self._base.block.height

    def _closing_tip(self, collect: Collect) -> Tip | None:
        """The chain's newest block after a walk whose tips are all its ancestors; None where the
        server does not tell. Raises TornWalk where one of them is not."""
        if self._tips is None:
            return None
        tip = self._tips.standing(collect.ended, collect.tips)
        if tip is None and self._tips.is_told:
            raise TornWalk(REORGANISED)
        return tip

    def _note(self, fetched: Fetched[int]) -> None:
        """Count a page that was read to find a difference."""
        self._count(fetched)
        page = fetched.page
        read = min(self.pages * self._page_size, page.total or 0)
        self._on_progress(Progress(self._target, 1, self.pages, read, page.total))

    def _count(self, fetched: Fetched[Any]) -> None:
        """Count a page and its rows. Raises MalformedAnswer where a walk has read more of them than
        a set may have: one without an end has to stop somewhere."""
        if self._began is None:
            self._began = fetched.asked_at
        if self._tips and (tip := self._tips.tip_of(fetched.page.tag)):
            self._seen[tip] = None
        self.pages += 1
        self._rows_read += len(fetched.page.rows)
        most = self._client.settings.max_rows
        if self._rows_read > most:
            raise MalformedAnswer(
                f"no end was told in {most} rows;"
                f" {self._client.provider.name.upper()}_MAX_ROWS sets the bound",
                where=located(self._target, fetched.page.start),
            )

    def _may_walk(self) -> bool:
        """Whether fewer requests were made than `max_walks` whole walks take: most torn walks end
        early, and cost little."""
        most = self._client.settings.max_walks
        return self.walks < most or self._fetch.requests < most * self._longest

    def accepted(self, proven: Proven) -> Accepted:
        """The row of `snapshot` that belongs to a proven walk, in the desk's time."""
        collect = proven.collect
        clock = self._desk.clock(self._clock)
        began = collect.began if self._began is None else self._began
        return Accepted(
            started_at=clock.earliest(proven.began),
            snapshot_at=clock.earliest(proven.claim.at),
            snapshot_until=clock.latest(proven.claim.until),
            finished_at=clock.latest(collect.ended),
            proof=proven.claim.proof,
            rows=collect.rows,
            extra=self._client.provider.extra_values(collect.extra),
            cut_attributes=self._desk.stagings[proven.place].cut_attributes,
            walks=self.walks,
            pages=self.pages,
            requests=self._fetch.requests,
            seconds=round(Decimal(collect.ended - began), 3),
            page_size=collect.page_size,
            first_tip=kept(collect.first_tip),
            last_tip=kept(collect.last_tip),
            tip=proven.tip,
        )

    def _first_page_size(self) -> int:
        """Another size than the last published walk's, which may serve as the first collect."""
        last = self._desk.published
        if not self._chain and last and last.page_size == self._largest_page:
            return self._another_page_size(self._largest_page)
        return self._largest_page

    def _another_page_size(self, size: int) -> int:
        """A size whose pages begin elsewhere: no page that a cache kept can fit in its place.

        Four sizes take turns, from the largest down to 13/16 of it.
        """
        sizes = [max(1, self._largest_page * part // 16) for part in (16, 15, 14, 13)]
        return next((smaller for smaller in sizes if smaller < size), self._largest_page)

    def _collect(self, place: int, previous: Collect | None) -> Collect:
        staging = self._desk.stagings[place]
        staging.clear()
        self._rows_read = 0
        self._seen.clear()
        pages = self._whole(self._fetch, previous)
        with closing(pages):
            collect = self._stage(pages, staging)
        staging.finish(collect.rows)
        return collect

    def _whole(
        self, fetch: PositionFetcher | CursorFetcher, previous: Collect | None
    ) -> Generator[Fetched[Any], None, None]:
        """The pages of one walk over the whole set."""
        ahead, window = self._client.ahead, self._client.settings.concurrency
        limit, capped = self._page_size, self._client.provider.addressing.caps_pages_silently
        if isinstance(fetch, CursorFetcher):
            return by_cursor(fetch, limit, may_be_capped=capped)
        if self._chain:
            first, self._page_zero = self._page_zero, None
            return chained(fetch, limit, ahead, AHEAD + window, first=first)
        if rows := self._rows_to_confirm(previous):
            return backward(fetch, limit, rows, ahead, window)
        return forward(fetch, limit, ahead, window, may_be_capped=capped)

    def _rows_to_confirm(self, previous: Collect | None) -> int:
        """How many rows the collect has that this walk is compared with; 0 for a walk forward.

        Where totals are told, a first walk goes forward, as only that finds a silent cap on pages.
        Where they are not, the size of the set shows on its last page alone: what was published can
        be confirmed only by a walk that begins there. It is tried once; the set may have grown.
        """
        if previous:
            return previous.rows
        last = self._desk.published
        if not last or self.walks > 1 or self._client.provider.addressing.caps_pages_silently:
            return 0
        return last.rows if last.rows > self._page_size else 0

    def _stage(self, pages: Iterator[Fetched[Any]], staging: Stage) -> Collect:
        """Write pages to staging as they come, noting what the proof needs of them."""
        first = top = None
        rows = count = 0
        extra = None
        for fetched in pages:
            first = first or fetched
            self._count(fetched)
            if fetched.page.is_first:
                top = fetched
            staging.write(fetched.page.rows)
            rows += len(fetched.page.rows)
            count += 1
            whole = -(-(fetched.page.total or 0) // self._page_size)
            self._longest = max(self._longest, whole, count)
            extra = extra if fetched.page.extra is None else fetched.page.extra
            self._on_progress(Progress(self._target, self.walks, count, rows, fetched.page.total))
        if first is None or top is None:
            raise TornWalk("the walk ended without its first page")
        return Collect(
            rows=rows,
            pages=count,
            page_size=self._page_size,
            began=first.asked_at,
            ended=time.monotonic(),
            first_answered_at=first.answered_at,
            first_size=first.page.size,
            top_asked_at=top.asked_at,
            top_answered_at=top.answered_at,
            top_total=top.page.total,
            first_tip=first.page.tag,
            last_tip=fetched.page.tag,
            extra=extra,
            by_cursor=isinstance(self._fetch, CursorFetcher),
            tips=tuple(self._seen),
        )

    def _judge(self, collect: Collect, place: int, previous: Collect | None) -> Proven | None:
        """The cheapest proof that fits; None where another collect has to be compared with this."""
        last = self._desk.published
        if collect.pages > 1 and self._chain:
            claim, tip = proof.claim_chained(collect), self._closing_tip(collect)
            return Proven(claim, collect, place, collect.began, tip=tip)
        if collect.pages == 1 and last and _is_enough(collect, last):
            return Proven(proof.claim_one_page(collect), collect, place, collect.began)
        if previous:
            if not self._desk.same():
                return None
            claim = proof.claim_same_twice(previous, collect)
            return Proven(claim, collect, place, previous.began)
        if last and self._is_published(collect, last, place):
            claim = proof.claim_same_as_published(collect)
            return Proven(claim, collect, place, collect.began, rests_on_published=True)
        return None

    def _is_published(self, collect: Collect, last: PublishedCollect, place: int) -> bool:
        return (
            collect.page_size != last.page_size
            and collect.extra == last.extra
            and self._desk.same_as_published(place)
        )


def _is_enough(collect: Collect, last: PublishedCollect) -> bool:
    return proof.one_page_is_enough(collect.rows, last.rows, last.page_size)
