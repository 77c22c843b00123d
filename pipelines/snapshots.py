"""The use case: walk, stage, prove, publish, for one target. Called by Dagster and by the CLI.

A walk that can't be proven is walked again, a bounded number of times; what was published before
stays as it is until a proven walk replaces it in one transaction. Whatever ends a target's attempt
is kept in `walk_failure`.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import sqlalchemy as sa

from pipelines.errors import Contradicted, HoldfastError, RunEnded, Superseded, Unexpected
from pipelines.extract.http import Client
from pipelines.providers.provider import Provider, Target
from pipelines.walks import OnProgress, Progress, Proven, PublishedCollect, Walks
from pipelines.warehouse.listing import PublishedListing
from pipelines.warehouse.load import Accepted, Guard, publish, same_as_current
from pipelines.warehouse.moments import Moment
from pipelines.warehouse.postgres import DatabaseClock, Warehouse
from pipelines.warehouse.registry import (
    PublishedSnapshot,
    Run,
    find_published,
    last_published,
    oldest_first,
    partial_in_a_row,
    record_failure,
    register_target,
)
from pipelines.warehouse.staging import BLOCK_BYTES, StagingArea

__all__ = ["Failed", "Progress", "Taken", "take_snapshot", "take_snapshots"]

logger = logging.getLogger(__name__)

HEARTBEAT = 30.0
"""Seconds between two signs of life of a run whose targets take long."""


@dataclass(frozen=True)
class Taken:
    """A target that is published for a run. `repeated`: an earlier attempt had done it already.
    `elsewhere`: another run did while this one walked, and the target is as fresh."""

    target: Target
    snapshot: PublishedSnapshot
    repeated: bool
    elsewhere: bool = False


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
    block_bytes: int = BLOCK_BYTES,
    moment: Moment | None = None,
) -> Taken:
    """Take, prove and publish one snapshot of `target`, unless `run` has published it already.

    Rows are copied in blocks of `block_bytes`: small ones let a trial break off between two.
    `moment` is the snapshot's in place of the walk's own: warehouse/moments.py says who may give
    one.

    Raises HoldfastError, located at the target, after keeping it in `walk_failure`; but RunEnded is
    about the run, whose target is another run's by now.
    """
    target_id = None
    try:
        with warehouse.connect() as connection:
            target_id = register_target(connection, target, run.list_name)
            with connection.begin():
                published = find_published(connection, target_id, run.key)
                last = last_published(connection, target_id)
                partial = partial_in_a_row(connection, target_id)
            if published:
                return Taken(target, published, repeated=True)
            may_rest = partial < client.provider.partial_in_a_row(client.settings)
            guard = Guard(client.settings.max_drop_share, target.allow_empty, accept_empty)
            provider = client.provider
            with closing(
                StagingArea(connection, provider.dataset, block_bytes=block_bytes)
            ) as area:
                desk = _Desk(connection, area, provider, target_id, last, may_rest=may_rest)
                walks = Walks(desk, client, target, on_progress)
                try:
                    snapshot, repeated = _prove_and_publish(walks, desk, run, guard, moment)
                except Superseded as superseded:
                    logger.info("%s: %s", target.name, superseded)
                    return Taken(target, _newest(connection, target_id), False, elsewhere=True)
                except Contradicted as contradicted:
                    logger.warning("%s: %s; reading every page", target.name, contradicted)
                    desk.listing = None
                    snapshot, repeated = _prove_and_publish(walks, desk, run, guard, moment)
    except Exception as error:  # noqa: BLE001 - a mistake of ours, too, ends one target only
        failure = _as_failure(target, error)
        if target_id is not None and not isinstance(failure, RunEnded):
            _keep_failure(warehouse, target_id, run, failure)
        raise failure from None
    if snapshot.reordered and not repeated:
        logger.warning(
            "%s: its rows stood elsewhere than the snapshots before it say: the chain was"
            " reorganised, or one that read only what changed was wrong; all of it was read now",
            target.name,
        )
    return Taken(target, snapshot, repeated)


def _newest(connection: sa.Connection, target_id: int) -> PublishedSnapshot:
    with connection.begin():
        newest = last_published(connection, target_id)
    if newest is None:
        raise Unexpected("what superseded a walk is gone")
    return newest


def _prove_and_publish(
    walks: Walks, desk: "_Desk", run: Run, guard: Guard, moment: Moment | None
) -> tuple[PublishedSnapshot, bool]:
    """The snapshot, and whether an attempt of the same run had published it already."""
    proven = walks.until_proven()
    return desk.publish(run, proven, walks.accepted(proven), guard, moment)


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
            for future in _as_they_end(futures, heartbeat):
                yield _outcome(futures[future], future)
        except BaseException:
            client.cancel()
            threads.shutdown(wait=True, cancel_futures=True)
            raise


def _as_they_end(
    futures: Collection[Future[Taken]], heartbeat: Callable[[], None]
) -> Iterator[Future[Taken]]:
    """Each by a queue: waiting for any of a thousand looks at all of them each time."""
    ended: SimpleQueue[Future[Taken]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    left = len(futures)
    while left:
        try:
            yield ended.get(timeout=HEARTBEAT)
        except Empty:
            heartbeat()
        else:
            left -= 1


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


class _Desk:
    """Where the walks of one target are kept and compared: Postgres (see walks.Desk)."""

    def __init__(
        self,
        connection: sa.Connection,
        area: StagingArea,
        provider: Provider,
        target_id: int,
        last: PublishedSnapshot | None,
        *,
        may_rest: bool,
    ) -> None:
        dataset = provider.dataset
        self._last = last
        self._area = area
        self.stagings = area.collects
        self.listing: PublishedListing | None = None
        if may_rest and last and last.top_place is not None:
            self.listing = PublishedListing(connection, dataset, target_id, last.rows, area.settle)
        self.published = _as_collect(last, provider) if last else None
        self._connection = connection
        self._dataset = dataset
        self._target_id = target_id

    def publish(
        self,
        run: Run,
        proven: Proven,
        accepted: Accepted,
        guard: Guard,
        moment: Moment | None,
    ) -> tuple[PublishedSnapshot, bool]:
        return publish(
            self._connection,
            self._dataset,
            self._target_id,
            run,
            self.stagings[proven.place],
            accepted,
            guard,
            known=self._last,
            rests_on_known=proven.rests_on_published,
            removed=proven.difference.removed if proven.difference else None,
            moment=moment,
        )

    def same(self) -> bool:
        return self._area.same()

    def same_as_published(self, place: int) -> bool:
        return same_as_current(
            self._connection, self._dataset, self._target_id, self.stagings[place]
        )

    def clock(self, before: DatabaseClock | None = None) -> DatabaseClock:
        return DatabaseClock.read(self._connection, before)


def _as_collect(last: PublishedSnapshot, provider: Provider) -> PublishedCollect:
    extra = tuple(getattr(last, name) for name in provider.extra_columns)
    told = any(value is not None for value in extra)
    return PublishedCollect(last.rows, last.page_size, extra if told else None)
