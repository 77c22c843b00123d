"""One target of a run: walk, stage, prove, publish. snapshots.py takes many of them.

A walk that can't be proven is walked again, a bounded number of times; what was published before
stays as it is until a proven walk replaces it in one transaction. Whatever ends a target's attempt
is kept in `walk_failure`.

A target that has not changed is known not to have by one page, if the chain that the page was read
on leads through what was published. That can be asked for many of them together, so such a target
is given back as `Unchanged`, without a connection, and is published when its turn comes.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace

import sqlalchemy as sa

from pipelines.desk import OnProgress, Proven, PublishedCollect
from pipelines.errors import Contradicted, HoldfastError, RunEnded, Superseded, Unexpected
from pipelines.extract.http import Client
from pipelines.extract.tips import Base, Tips, tips_of
from pipelines.extract.ways import Ways
from pipelines.footing import REORGANISED, Footing
from pipelines.providers.provider import Provider, Target
from pipelines.walks import Walks
from pipelines.warehouse.listing import PublishedListing
from pipelines.warehouse.load import Accepted, Guard, publish, same_as_current
from pipelines.warehouse.moments import Moment
from pipelines.warehouse.notices import keep_notices
from pipelines.warehouse.postgres import DatabaseClock, Warehouse
from pipelines.warehouse.registry import (
    PublishedSnapshot,
    Run,
    find_published,
    last_published,
    partial_in_a_row,
    record_failure,
    register_target,
)
from pipelines.warehouse.staging import BLOCK_BYTES, StagingArea
from pipelines.warehouse.tips import base_of, ends_of_runs, keep_followed, keep_orphaned
from pipelines.warehouse.ways import api_in_use, keep_api

logger = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Unchanged:
    """A target that has not changed, if the chain leads through what it rests on."""

    target: Target
    target_id: int
    last: PublishedSnapshot
    base: Base | None
    rests: Proven
    accepted: Accepted
    since: float


@dataclass(frozen=True)
class Doubtful:
    """A target that does not rest on what was published: all of it has to be read."""

    target: Target


Outcome = Taken | Failed | Unchanged | Doubtful


class Taking:
    """What the targets of one run share."""

    def __init__(
        self,
        client: Client,
        warehouse: Warehouse,
        run: Run,
        accept_empty: bool,
        on_progress: OnProgress,
        block_bytes: int = BLOCK_BYTES,
        moment: Moment | None = None,
    ) -> None:
        self._client = client
        self._warehouse = warehouse
        self._run = run
        self._accept_empty = accept_empty
        self._on_progress = on_progress
        self._block_bytes = block_bytes
        self._moment = moment
        self._tips, self._ways = self._begin_with(client, warehouse)
        self._kept_orphaned: set[str] = set()
        self._answered: set[str | None] = set()

    @staticmethod
    def _begin_with(client: Client, warehouse: Warehouse) -> tuple[Tips | None, Ways]:
        """What earlier runs found: how far the chain was followed, and which API answers."""
        provider, in_use, ends = client.provider, None, list[str]()
        with warehouse.transaction() as connection:
            if provider.successor:
                in_use = api_in_use(connection, provider.name)
            if provider.chain:
                ends = ends_of_runs(connection, provider.name)
        return tips_of(client, ends), Ways(provider, client.settings, in_use)

    def take(self, target: Target, *, whole: bool = False) -> Taken | Failed | Unchanged:
        """One target's walks, published but for one that seems not to have changed. `whole`: all of
        it is read, whatever was published before."""
        target_id = None
        try:
            with self._warehouse.connect() as connection:
                target_id = register_target(connection, target, self._run)
                outcome = self._take(connection, target, target_id, whole=whole)
                self._keep_orphaned(connection)
        except Exception as error:  # noqa: BLE001 - a mistake of ours, too, ends one target only
            return self._failed(target, target_id, error)
        if isinstance(outcome, Taken) and outcome.snapshot.reordered and not outcome.repeated:
            logger.warning(
                "%s: its rows stood elsewhere than the snapshots before it say: the chain was"
                " reorganised, or one that read only what changed was wrong; all of it was read"
                " now",
                target.name,
            )
        return outcome

    def _take(
        self, connection: sa.Connection, target: Target, target_id: int, *, whole: bool
    ) -> Taken | Unchanged:
        client, provider = self._client, self._client.provider
        with connection.begin():
            published = find_published(connection, target_id, self._run.key)
            last = last_published(connection, target_id)
            partial = partial_in_a_row(connection, target_id)
            base = base_of(connection, target_id, last.chain_tip) if last else None
        if published:
            return Taken(target, published, repeated=True)
        may_rest = not whole and partial < provider.partial_in_a_row(client.settings)
        with closing(
            StagingArea(connection, provider.dataset, block_bytes=self._block_bytes)
        ) as area:
            desk = _Desk(connection, area, provider, target_id, last, base, may_rest=may_rest)
            walks = Walks(desk, client, target, self._on_progress, self._tips, self._ways)
            rests = walks.since_last()
            if rests and last and rests.is_unchanged:
                accepted = walks.accepted(rests)
                since = rests.collect.ended
                return Unchanged(target, target_id, last, base, rests, accepted, since)
            proven = walks.confirmed(rests) if rests else None
            if proven is None:
                self._keep_orphaned(connection)
                proven = walks.whole()
            try:
                found = self._publish(desk, target, proven, walks.accepted(proven))
            except Contradicted as contradicted:
                logger.warning("%s: %s; reading every page", target.name, contradicted)
                proven = walks.whole()
                found = self._publish(desk, target, proven, walks.accepted(proven))
        return found

    def _publish(self, desk: "_Desk", target: Target, proven: Proven, accepted: Accepted) -> Taken:
        """Raises Contradicted. What another run has published meanwhile is as fresh."""
        guard = self._guard(target)
        self._answered.add(proven.api)
        try:
            return Taken(target, *desk.publish(self._run, proven, accepted, guard, self._moment))
        except Superseded as superseded:
            logger.info("%s: %s", target.name, superseded)
            return Taken(target, desk.newest(), repeated=False, elsewhere=True)

    def finish(self) -> None:
        """Keep what the answers said beside the rows. What is lost here is said again."""
        try:
            with self._warehouse.transaction() as connection:
                keep_notices(connection, self._client.provider.name, self._client.notices.heard)
                if self._tips and self._tips.followed:
                    keep_followed(connection, self._client.provider.name, self._tips.followed)
                if self._ways.is_automatic and self._ways.current.api in self._answered:
                    keep_api(connection, self._client.provider, self._ways.current)
        except HoldfastError as error:
            logger.warning("what the provider announced could not be kept: %s", error)

    def attempt(self, target: Target, *, whole: bool = False) -> list[Outcome]:
        return [self.take(target, whole=whole)]

    def publish_unchanged(self, waiting: Sequence[Unchanged]) -> list[Outcome]:
        """Publish those whose chain still leads through what they rest on."""
        try:
            if self._tips:
                seen = dict.fromkeys(tip for one in waiting for tip in one.rests.collect.tips)
                self._tips.look(max(one.since for one in waiting), tuple(seen))
                for one in waiting:
                    self._tips.standing(one.since, one.rests.collect.tips, one.base)
                with self._warehouse.connect() as connection:
                    self._keep_orphaned(connection)
        except HoldfastError as error:
            return [self._failed(one.target, one.target_id, _about(one, error)) for one in waiting]
        outcomes: list[Outcome] = []
        for one in waiting:
            try:
                outcomes.append(self._publish_unchanged(one))
            except Exception as error:  # noqa: BLE001 - as in take
                outcomes.append(self._failed(one.target, one.target_id, error))
        return outcomes

    def _publish_unchanged(self, one: Unchanged) -> Outcome:
        accepted, rests = one.accepted, one.rests
        if self._tips:
            dataset = self._client.provider.dataset
            footing = Footing(self._tips, one.base, dataset, one.target.name)
            proven = footing.confirmed(rests)
            if proven is None:
                logger.info("%s: a whole walk is needed: %s", one.target.name, REORGANISED)
                return Doubtful(one.target)
            accepted = replace(accepted, tip=proven.tip)
        provider = self._client.provider
        with (
            self._warehouse.connect() as connection,
            closing(StagingArea(connection, provider.dataset)) as area,
        ):
            area.collects[0].clear()
            area.collects[0].finish(0)
            desk = _Desk(connection, area, provider, one.target_id, one.last, one.base)
            try:
                return self._publish(desk, one.target, rests, accepted)
            except Contradicted as contradicted:
                logger.warning("%s: %s; reading every page", one.target.name, contradicted)
                return Doubtful(one.target)

    def _guard(self, target: Target) -> Guard:
        share = self._client.settings.max_drop_share
        return Guard(share, target.allow_empty, self._accept_empty)

    def _failed(self, target: Target, target_id: int | None, error: Exception) -> Failed:
        """A target's end, kept in `walk_failure` where it is about the target."""
        failure = _as_failure(target, error)
        if target_id is not None and not isinstance(failure, RunEnded):
            _keep_failure(self._warehouse, target_id, self._run, failure)
        return Failed(target, failure)

    def _keep_orphaned(self, connection: sa.Connection) -> None:
        """What was found to be orphaned stays so, also for later runs."""
        found = self._tips.orphaned - self._kept_orphaned if self._tips else set()
        if found:
            with connection.begin():
                keep_orphaned(connection, self._client.provider.name, found)
            self._kept_orphaned |= found


def _about(one: Unchanged, error: HoldfastError) -> HoldfastError:
    """An error that ended a look for many targets, as one of them has it."""
    return copy(error).located(f"{one.target.name}, blocks of the chain")


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
        base: Base | None,
        *,
        may_rest: bool = False,
    ) -> None:
        dataset = provider.dataset
        self._last = last
        self._area = area
        self.stagings = area.collects
        self.listing: PublishedListing | None = None
        if may_rest and last and last.top_place is not None:
            self.listing = PublishedListing(connection, dataset, target_id, last.rows, area.settle)
        rests_on = base if may_rest else None
        self.published = _as_collect(last, provider, rests_on) if last else None
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
            removed=proven.removed,
            moment=moment,
        )

    def newest(self) -> PublishedSnapshot:
        """What is published by now, by whichever run."""
        with self._connection.begin():
            newest = last_published(self._connection, self._target_id)
        if newest is None:
            raise Unexpected("what superseded a walk is gone")
        return newest

    def same(self) -> bool:
        return self._area.same()

    def same_as_published(self, place: int) -> bool:
        return same_as_current(
            self._connection, self._dataset, self._target_id, self.stagings[place]
        )

    def clock(self, before: DatabaseClock | None = None) -> DatabaseClock:
        return DatabaseClock.read(self._connection, before)


def _as_collect(last: PublishedSnapshot, provider: Provider, base: Base | None) -> PublishedCollect:
    extra = tuple(getattr(last, name) for name in provider.extra_columns)
    told = any(value is not None for value in extra)
    return PublishedCollect(
        last.rows, last.page_size, extra if told else None, base, last.api, last.last_tip
    )
