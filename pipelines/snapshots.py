"""The use case: walk, stage, prove, publish, for one target. Called by Dagster and by the CLI.

A walk that can't be proven is walked again, a bounded number of times; what was published before
stays as it is until a proven walk replaces it in one transaction. Whatever ends a target's attempt
is kept in `walk_failure`.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa

from pipelines.errors import HoldfastError, TornWalk, Unexpected
from pipelines.extract import proof
from pipelines.extract.http import Client
from pipelines.extract.proof import Claim, Collect
from pipelines.extract.walk import Fetched, Fetcher, PageCapped, backward, chained, forward
from pipelines.providers.provider import Proof, Target
from pipelines.warehouse.load import Accepted, Guard, publish, same_as_current
from pipelines.warehouse.postgres import DatabaseClock, Warehouse
from pipelines.warehouse.registry import (
    PublishedSnapshot,
    Run,
    find_published,
    last_published,
    oldest_first,
    record_failure,
    register_target,
)
from pipelines.warehouse.staging import Staging, same_rows

logger = logging.getLogger(__name__)

HEARTBEAT = 30.0
"""Seconds between two signs of life of a run whose targets take long."""


@dataclass(frozen=True)
class Progress:
    """How far a target is: rows read of `total` (None: not told), in which walk."""

    target: Target
    walk: int
    pages: int
    rows: int
    total: int | None

    def __str__(self) -> str:
        of_total = f" of {self.total:,}" if self.total is not None else ""
        return (
            f"{self.target.name}: walk {self.walk}, page {self.pages}, {self.rows:,}{of_total} rows"
        )


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Taken:
    """A target that is published for a run. `repeated`: an earlier attempt had done it already."""

    target: Target
    snapshot: PublishedSnapshot
    repeated: bool


@dataclass(frozen=True)
class Failed:
    """A target that was not published, and why."""

    target: Target
    error: HoldfastError


def take_snapshot(
    target: Target,
    client: Client,
    warehouse: Warehouse,
    run: Run,
    *,
    accept_empty: bool = False,
    on_progress: OnProgress = lambda _: None,
) -> Taken:
    """Take, prove and publish one snapshot of `target`, unless `run` has published it already.

    Raises HoldfastError, located at the target, after keeping it in `walk_failure`.
    """
    target_id = None
    try:
        with warehouse.connect() as connection:
            target_id = register_target(connection, target)
            with connection.begin():
                published = find_published(connection, target_id, run.key)
                last = last_published(connection, target_id)
            if published:
                return Taken(target, published, repeated=True)
            walks = _Walks(connection, client, target, target_id, last, on_progress)
            proven = walks.until_proven()
            guard = Guard(client.settings.max_drop_share, target.allow_empty, accept_empty)
            accepted = walks.accepted(proven)
            snapshot = publish(
                connection,
                client.provider.dataset,
                target_id,
                run,
                proven.staging,
                accepted,
                guard,
                first_collect=proven.first_collect,
            )
    except Exception as error:  # noqa: BLE001 - a mistake of ours, too, ends one target only
        failure = _as_failure(target, error)
        if target_id is not None:
            _keep_failure(warehouse, target_id, run, failure)
        raise failure from None
    return Taken(target, snapshot, repeated=snapshot.started_at != accepted.started_at)


def take_snapshots(
    targets: Sequence[Target],
    client: Client,
    warehouse: Warehouse,
    run: Run,
    *,
    accept_empty: bool = False,
    on_progress: OnProgress = lambda _: None,
    heartbeat: Callable[[], None] = lambda: None,
) -> Iterator[Taken | Failed]:
    """Take many targets of one provider, several at once, yielding each as it ends.

    One that fails takes no other down. A caller that stops iterating ends the rest. `on_progress`
    is called by the threads that walk, `heartbeat` by the caller's, every `HEARTBEAT` seconds.
    """
    with warehouse.connect() as connection:
        targets = oldest_first(connection, targets)
    with ThreadPoolExecutor(client.settings.concurrency, client.provider.name) as threads:
        futures = {
            threads.submit(
                take_snapshot,
                target,
                client,
                warehouse,
                run,
                accept_empty=accept_empty,
                on_progress=on_progress,
            ): target
            for target in targets
        }
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
                for future in done:
                    yield _outcome(futures[future], future)
                if not done:
                    heartbeat()
        except BaseException:
            client.cancel()
            threads.shutdown(wait=True, cancel_futures=True)
            raise


def _outcome(target: Target, future: Future[Taken]) -> Taken | Failed:
    try:
        return future.result()
    except HoldfastError as error:
        return Failed(target, error)


def _as_failure(target: Target, error: Exception) -> HoldfastError:
    """Whatever ended a target's attempt, as an error of ours that names the target."""
    if isinstance(error, HoldfastError):
        return error.located(target.name)
    logger.error("%s failed unexpectedly", target.name, exc_info=error)
    return Unexpected(
        f"{type(error).__name__}, a mistake in Holdfast; the log has the details",
        where=target.name,
    )


def _keep_failure(warehouse: Warehouse, target_id: int, run: Run, error: HoldfastError) -> None:
    """Record the failure on a fresh connection: the walk's own may be what failed."""
    try:
        with warehouse.connect() as connection:
            record_failure(connection, target_id, run, error)
    except HoldfastError as another:
        logger.warning("this failure could not be kept in walk_failure (%s): %s", another, error)


@dataclass(frozen=True)
class _Proven:
    """A collect with its claim and its rows.

    `began` is when the first request went out on which the claim rests; `first_collect` is set
    where a published snapshot served as the first of two collects.
    """

    claim: Claim
    collect: Collect
    staging: Staging
    began: float
    first_collect: int | None = None


class _Walks:
    """The walks of one target for one run, until one is proven."""

    def __init__(
        self,
        connection: sa.Connection,
        client: Client,
        target: Target,
        target_id: int,
        last: PublishedSnapshot | None,
        on_progress: OnProgress,
    ) -> None:
        self._connection = connection
        self._client = client
        self._target = target
        self._target_id = target_id
        self._last = last
        self._on_progress = on_progress
        self._dataset = client.provider.dataset
        self._fetch = Fetcher(client, target)
        self._stagings = [Staging(connection, self._dataset, number) for number in (0, 1)]
        self._clock = DatabaseClock.read(connection)
        self._chain = Proof.CHAINED in client.provider.proofs
        self._largest_page = min(client.settings.page_size, client.provider.max_page_size)
        self._page_size = self._first_page_size()
        self._began: float | None = None
        self._walks = self._pages = 0

    def until_proven(self) -> _Proven:
        """Walk until a walk is proven. Raises TornWalk when the bounded number of them is not."""
        previous: tuple[Collect, Staging] | None = None
        why = ""
        while self._walks < self._client.settings.max_walks:
            staging = self._stagings[self._walks % 2]
            self._walks += 1
            try:
                collect = self._collect(staging, previous[0] if previous else None)
                proven = self._judge(collect, staging, previous)
            except PageCapped as capped:
                logger.warning("%s: %s, beginning again with it", self._target.name, capped)
                self._largest_page = capped.limit
                self._page_size = self._first_page_size()
                self._walks, previous = self._walks - 1, None
            except TornWalk as torn:
                why, previous = str(torn), None
                self._page_size = self._first_page_size()
                logger.info("%s: walk %d is torn: %s", self._target.name, self._walks, torn)
            else:
                if proven:
                    return proven
                why, previous = "two walks in a row gave different rows", (collect, staging)
                self._page_size = self._another_page_size(self._page_size)
        prefix = self._client.provider.name.upper()
        raise TornWalk(
            f"no state could be proven in {self._walks} walks ({self._pages} pages); the last:"
            f" {why}. If it happens at every tick, the set changes faster than it can be read:"
            f" raise {prefix}_REQUESTS_PER_MINUTE or {prefix}_MAX_WALKS",
            where=self._target.name,
        )

    def accepted(self, proven: _Proven) -> Accepted:
        """The row of `snapshot` that belongs to a proven walk, in the database's time."""
        collect = proven.collect
        clock = DatabaseClock.read(self._connection, self._clock)
        began = collect.began if self._began is None else self._began
        return Accepted(
            started_at=clock.earliest(proven.began),
            snapshot_at=clock.earliest(proven.claim.at),
            snapshot_until=clock.latest(proven.claim.until),
            finished_at=clock.latest(collect.ended),
            proof=proven.claim.proof,
            rows=collect.rows,
            migrated_amount=collect.aggregate.total if collect.aggregate else None,
            migrated_unconfirmed=collect.aggregate.unconfirmed if collect.aggregate else None,
            cut_attributes=proven.staging.cut_attributes,
            walks=self._walks,
            pages=self._pages,
            requests=self._fetch.requests,
            seconds=round(Decimal(collect.ended - began), 3),
            page_size=collect.page_size,
            first_tip=collect.first_tip,
            last_tip=collect.last_tip,
        )

    def _first_page_size(self) -> int:
        """Another size than the last published walk's, which may serve as the first collect."""
        if not self._chain and self._last and self._last.page_size == self._largest_page:
            return self._another_page_size(self._largest_page)
        return self._largest_page

    def _another_page_size(self, size: int) -> int:
        """A size whose pages begin elsewhere: no page that a cache kept can fit in its place."""
        return max(1, size * 7 // 8) if size == self._largest_page else self._largest_page

    def _collect(self, staging: Staging, previous: Collect | None) -> Collect:
        staging.clear()
        if self._chain:
            window = self._client.settings.concurrency
            pages = chained(self._fetch, self._page_size, self._client.ahead, window)
        elif previous:
            pages = backward(self._fetch, self._page_size, previous.rows)
        else:
            pages = forward(
                self._fetch,
                self._page_size,
                may_be_capped=self._client.provider.caps_pages_silently,
            )
        collect = self._stage(pages, staging)
        staging.finish(collect.rows)
        return collect

    def _stage(self, pages: Iterator[Fetched], staging: Staging) -> Collect:
        """Write pages to staging as they come, noting what the proof needs of them."""
        first = top = None
        rows = count = 0
        aggregate = None
        for fetched in pages:
            first = first or fetched
            if self._began is None:
                self._began = fetched.asked_at
            if fetched.page.start == 0:
                top = fetched
            staging.write(fetched.page.rows)
            rows += len(fetched.page.rows)
            count += 1
            self._pages += 1
            aggregate = fetched.page.aggregate or aggregate
            self._on_progress(Progress(self._target, self._walks, count, rows, fetched.page.total))
        if first is None or top is None:
            raise TornWalk("the walk ended without a page at position 0")
        return Collect(
            rows=rows,
            pages=count,
            page_size=self._page_size,
            began=first.asked_at,
            ended=time.monotonic(),
            top_asked_at=top.asked_at,
            top_answered_at=top.answered_at,
            top_total=top.page.total,
            first_tip=first.tip,
            last_tip=fetched.tip,
            aggregate=aggregate,
        )

    def _judge(
        self,
        collect: Collect,
        staging: Staging,
        previous: tuple[Collect, Staging] | None,
    ) -> _Proven | None:
        """The cheapest proof that fits; None where another collect has to be compared with this."""
        if collect.pages == 1:
            return _Proven(proof.claim_one_page(collect), collect, staging, collect.began)
        if self._chain:
            return _Proven(proof.claim_chained(collect), collect, staging, collect.began)
        if previous:
            before, kept = previous
            if not same_rows(self._connection, kept, staging):
                return None
            claim = proof.claim_same_twice(before, collect)
            return _Proven(claim, collect, staging, before.began)
        if self._last and self._is_published(collect, self._last, staging):
            claim = proof.claim_same_as_published(collect)
            return _Proven(claim, collect, staging, collect.began, self._last.snapshot_id)
        return None

    def _is_published(self, collect: Collect, last: PublishedSnapshot, staging: Staging) -> bool:
        if collect.page_size == last.page_size:
            return False
        aggregate = collect.aggregate
        apart = (aggregate.total, aggregate.unconfirmed) if aggregate else (None, None)
        return apart == (last.migrated_amount, last.migrated_unconfirmed) and same_as_current(
            self._connection, self._dataset, self._target_id, staging
        )
