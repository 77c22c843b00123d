"""Walks over one target until one of them is proven: walk, stage, judge, walk again.

What a walk reads goes to a desk (desk.py), which keeps two walks beside each other and compares
them.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any, TypeVar

from pipelines.desk import Desk, OnProgress, Progress, Proven, PublishedCollect, Stage
from pipelines.errors import MalformedAnswer, OutOfOrder, RequestRefused, TornWalk
from pipelines.extract import proof
from pipelines.extract.fetch import Caps, Fetched, PageCapped, PositionFetcher, located
from pipelines.extract.http import Client
from pipelines.extract.proof import Claim, Collect
from pipelines.extract.tips import Tips, tips_of
from pipelines.extract.to_last import GivenUp, ToLast
from pipelines.extract.ways import Ways
from pipelines.footing import Footing
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import Target
from pipelines.route import Route
from pipelines.warehouse.load import Accepted
from pipelines.warehouse.text import kept

logger = logging.getLogger(__name__)


TIED = 2
"""Walks that tear while the tip of the chain stands still, after which the order of the rows counts
as tied: what else would show one row at two positions of a set at rest?"""

Work = TypeVar("Work")


class Walks:
    """The walks of one target for one run, until one is proven. `tips` are shared by a run."""

    def __init__(
        self,
        desk: Desk,
        client: Client,
        target: Target,
        on_progress: OnProgress = lambda _: None,
        tips: Tips | None = None,
        ways: Ways | None = None,
    ) -> None:
        last = desk.published
        base = last.base if last else None
        self._desk = desk
        self._client = client
        self._target = target
        self._on_progress = on_progress
        dataset = client.provider.dataset
        self._footing = Footing(tips or tips_of(client), base, dataset, target.name)
        ways = (ways or Ways(client.provider, client.settings)).of(target)
        last_api = last.api if last and base else None
        self._route = Route(client, target, ways, last_api, self._footing.note)
        self._clock = desk.clock()
        self._largest_page = min(client.settings.page_size, client.provider.max_page_size)
        self._page_size = self._first_page_size()
        self._most_walks = client.settings.max_walks
        self._began: float | None = None
        self._page_zero: Fetched[int] | None = None
        self._longest = 1
        self._caps = Caps()
        self._rows_read = self._tied = 0
        self.walks = self.pages = 0

    @property
    def requests(self) -> int:
        """What all walks together have cost so far, repeated requests included."""
        return self._route.requests

    def until_proven(self) -> Proven:
        """What changed since the last snapshot, or a whole walk. Raises as `whole` does."""
        rests = self.since_last()
        return (self.confirmed(rests) if rests else None) or self.whole()

    def since_last(self) -> Proven | None:
        """What changed since the last published snapshot, where that is cheaper than a walk. It
        counts where it is `confirmed`."""
        return self._by_some_api(self._since_last)

    def confirmed(self, rests: Proven) -> Proven | None:
        """What `since_last` found, where the chain bears it (see Footing)."""
        proven = self._footing.confirmed(rests)
        if proven is None:
            logger.info("%s: a whole walk is needed: the chain was reorganised", self._target.name)
        return proven

    def whole(self) -> Proven:
        """Walk over all pages until a walk is proven. Raises TornWalk when the bounded number of
        them is not."""
        return self._by_some_api(self._walk_until_proven)

    def _by_some_api(self, work: Callable[[], Work]) -> Work:
        """Do the work, by another API where this one is gone."""
        try:
            return work()
        except RequestRefused as refused:
            if not self._route.is_changed_by(refused):
                raise
            self._page_zero = None
            return work()

    def _walk_until_proven(self) -> Proven:
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
                if isinstance(torn, OutOfOrder):
                    self._doubt_order()
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

    def _doubt_order(self) -> None:
        """A walk was torn by its rows: after some that were while the chain stood still, rely on
        the order of the rows no longer."""
        self._tied += self._route.is_chained and len(self._footing.seen) == 1
        if self._tied >= TIED and self._route.leave_order():
            self._most_walks += TIED

    def _since_last(self) -> Proven | None:
        listing, fetch = self._desk.listing, self._route.fetch
        if not self._footing.may_rest():
            return None
        if Proof.SAME_VERSION in self._route.way.proofs:
            return self._same_version()
        if listing is None or not isinstance(fetch, PositionFetcher):
            return None
        self._footing.begin(asks=False)
        limit, window = self._page_size, self._client.settings.concurrency
        footing = self._footing
        attempt = ToLast(
            fetch,
            limit,
            self._client.ahead,
            window,
            listing,
            self._note,
            footing.is_settled,
            footing.block_of,
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
            tips=self._footing.seen,
        )
        claim = proof.claim_chained_to_last(collect)
        return self._proven(claim, collect, 0, rests_on_published=True, difference=difference)

    def _same_version(self) -> Proven | None:
        """Whether the set has the tag still that it had when it was published."""
        last = self._desk.published
        if last is None or last.tag is None or last.api != self._route.way.api:
            return None
        fetched = self._route.is_unchanged(self._page_size, last.tag)
        if fetched is None:
            return None
        self._desk.stagings[0].clear()
        self._desk.stagings[0].finish(0)
        self._count(fetched)
        self.walks = 1
        collect = last.still(fetched, by_cursor=self._route.by_cursor)
        return self._proven(proof.claim_same_version(collect), collect, 0, rests_on_published=True)

    def _proven(self, claim: Claim, collect: Collect, place: int, **more: Any) -> Proven:
        ordered = self._route.is_chained
        given = {"began": collect.began, "api": self._route.way.api or None, "ordered": ordered}
        return Proven(claim, collect, place, **(given | more))

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
        most = self._most_walks
        return self.walks < most or self._route.requests < most * self._longest

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
            requests=self._route.requests,
            seconds=round(Decimal(collect.ended - began), 3),
            page_size=collect.page_size,
            first_tip=kept(collect.first_tip),
            last_tip=kept(collect.last_tip),
            tip=proven.tip,
            api=proven.api,
            ordered=proven.ordered,
        )

    def _first_page_size(self) -> int:
        """Another size than the last published walk's, which may serve as the first collect."""
        last = self._desk.published
        differs = not (self._route.is_chained or self._route.has_versions)
        if differs and last and last.page_size == self._largest_page:
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
        self._footing.begin(asks=self._route.by_cursor)
        first, self._page_zero = self._page_zero, None
        if first:
            self._footing.note(first.page.tag)
        confirming = self._rows_to_confirm(previous)
        pages = self._route.pages(self._page_size, first=first, confirming=confirming)
        with closing(pages):
            collect = self._stage(pages, staging)
        staging.finish(collect.rows)
        return collect

    def _rows_to_confirm(self, previous: Collect | None) -> int:
        """How many rows the collect has that this walk is compared with; 0 for a walk forward.

        Where totals are told, a first walk goes forward, as only that finds a silent cap on pages.
        Where they are not, the size of the set shows on its last page alone: what was published can
        be confirmed only by a walk that begins there. It is tried once; the set may have grown.
        """
        if previous:
            return previous.rows
        last = self._desk.published
        if not last or self.walks > 1 or self._route.may_be_capped:
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
            by_cursor=self._route.by_cursor,
            tips=self._footing.seen,
            version=first.page.tag if self._route.has_versions else None,
        )

    def _judge(self, collect: Collect, place: int, previous: Collect | None) -> Proven | None:
        """The cheapest proof that fits; None where another collect has to be compared with this."""
        last = self._desk.published
        is_enough = bool(last and collect.pages == 1 and _is_enough(collect, last))
        is_linked = collect.pages > 1 and self._route.is_chained
        stands = is_linked or collect.version is not None
        tip = self._footing.closing(collect) if stands else None
        if is_linked:
            return self._proven(proof.claim_chained(collect), collect, place, tip=tip)
        if collect.version and (collect.pages > 1 or is_enough):
            return self._proven(proof.claim_one_version(collect), collect, place, tip=tip)
        if is_enough:
            return self._proven(proof.claim_one_page(collect), collect, place)
        if previous and self._desk.same():
            claim = proof.claim_same_twice(previous, collect)
            return self._proven(claim, collect, place, began=previous.began, tip=tip)
        if not previous and last and self._is_published(collect, last, place):
            claim = proof.claim_same_as_published(collect)
            return self._proven(claim, collect, place, rests_on_published=True, tip=tip)
        return None

    def _is_published(self, collect: Collect, last: PublishedCollect, place: int) -> bool:
        return (
            collect.page_size != last.page_size
            and collect.extra == last.extra
            and self._desk.same_as_published(place)
        )


def _is_enough(collect: Collect, last: PublishedCollect) -> bool:
    return proof.one_page_is_enough(collect.rows, last.rows, last.page_size)
