"""Runs trials: real clients and walks over real sockets, against the sandbox on loopback.

Only the staging is not Postgres. A world's walks are dealt out in shares to processes (shares.py);
each share has a sandbox and a client of its own, and a new set every `STRETCH` snapshots.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from decimal import Decimal
from multiprocessing import get_context
from random import Random

from pipelines.errors import TornWalk
from pipelines.extract.fetch import CursorFetcher, fetcher_of
from pipelines.extract.http import Client
from pipelines.extract.tips import tips_of
from pipelines.providers import PROVIDERS
from pipelines.providers.pages import BEGINNING, Extra
from pipelines.providers.proofs import Proof
from pipelines.sandbox.clients import settings_at, target_at
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.trials.between import Between
from pipelines.trials.judge import Amounts, was_true
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.living import LivingSet
from pipelines.trials.memory import MemoryDesk
from pipelines.trials.naive import NaiveSnapshot, walk_naively
from pipelines.trials.shares import Share
from pipelines.trials.tally import Tally
from pipelines.trials.worlds import BY_NAME
from pipelines.walks import Walks

STRETCH = 40
"""Targets taken of one set before the next."""
MOST_TRIES = 30
"""Targets taken for each accepted walk that is asked for, before a share is given up."""


class Trial:
    """One share of a world's walks."""

    def __init__(
        self, kind: TrialWorld, seed: str, stack: ExitStack, *, spoil: bool = False
    ) -> None:
        self.tally = Tally()
        self._spoil = spoil
        self.world = World(size=EMPTY)
        self._kind = kind
        self._seed = seed
        self._rng = self._random("")
        self._sandbox = stack.enter_context(Sandbox(self.world, log_size=0))
        self._client = stack.enter_context(_client(kind, self._sandbox))
        self._begin_set(None)

    def _random(self, what: str) -> Random:
        """Chance for one part of a trial. Where several pages are asked for together, what happens
        to each is a matter of time; a naive walk asks for one, and can be repeated exactly."""
        return Random(f"{self._kind.name}/{self._seed}/{what}")  # noqa: S311 - no secret

    def _next_set(self) -> None:
        self._begin_set(self._between)

    def _begin_set(self, before: Between | None) -> None:
        self._living = LivingSet(self.world, self._kind, self._rng)
        self._between = Between(self._sandbox, self._kind, self._living, self._rng, before)
        self._sandbox.before_response = self._between.before_response
        self._sandbox.after_response = self._between.after_response
        self._target = target_at(self._living.key)
        partial = self._kind.proof in (Proof.CHAINED_TO_LAST, Proof.SAME_VERSION)
        self._desk = MemoryDesk(self._client.provider.dataset, partial=partial)

    def run(self, wanted: int, naive: int = 0) -> Tally:
        """Take targets until the proof on trial has accepted `wanted`, then walk naively so many
        times."""
        began = time.monotonic()
        tally = self.tally
        while tally.accepted[self._kind.proof] < wanted and tally.targets < wanted * MOST_TRIES:
            grown = len(self._living.state.listing) > 2 * self._kind.rows[1]
            if grown or tally.targets % STRETCH == STRETCH - 1:
                self._next_set()
            self.take()
        self._rng = self._random("naive")
        for number in range(naive):
            if number % STRETCH == 0:
                self._next_set()
            self.take_naively()
        tally.seconds += time.monotonic() - began
        return tally

    def take(self) -> None:
        """One target as a run takes it, judged where a proof accepts it."""
        if self._rng.random() < 0.3:
            self._desk.forget()
        self._living.maybe_change_between()
        self._between.oldest = None
        tips = tips_of(self._client)
        walks = Walks(self._desk, self._client, self._target, tips=tips)
        try:
            proven = walks.until_proven()
        except TornWalk:
            proven = None
        if tips:
            self._desk.learn(tips.orphaned)
        if self._between.mistake:
            raise self._between.mistake
        self.tally.targets += 1
        self.tally.walks += walks.walks
        self.tally.requests += walks.requests
        if proven is None:
            return
        accepted = walks.accepted(proven)
        rows = self._desk.publish(proven)
        if self._spoil and rows:
            middle = len(rows) // 2  # without the newest, they might be the state before
            rows, self._spoil = [*rows[:middle], *rows[middle + 1 :]], False
        self.tally.accepted[proven.claim.proof] += 1
        self.tally.wrong[proven.claim.proof] += not was_true(
            self.world,
            self._living.key,
            rows,
            _apart(proven.collect.extra),
            min(accepted.snapshot_at, self._between.oldest or accepted.snapshot_at),
            accepted.snapshot_until,
        )

    def take_naively(self) -> None:
        """One walk by the naive test, judged the same way."""
        self._between.oldest = None
        clock = self._desk.clock()
        self.tally.naive_walks += 1
        try:
            found = self._walk_naively()
        except TornWalk:
            return
        if found is None:
            return
        clock = self._desk.clock(clock)
        at = clock.earliest(found.began)
        self.tally.naive_accepted += 1
        self.tally.naive_wrong += not was_true(
            self.world,
            self._living.key,
            found.rows,
            _apart(found.extra),
            min(at, self._between.oldest or at),
            clock.latest(found.ended),
        )

    def _walk_naively(self) -> NaiveSnapshot | None:
        ways = {way.api: way for way in self._client.provider.ways}
        fetch = fetcher_of(self._client, self._target, ways.get(self._kind.api))
        dataset, page_size = self._client.provider.dataset, self._kind.page_size
        if isinstance(fetch, CursorFetcher):
            return walk_naively(fetch, BEGINNING, dataset, page_size)
        return walk_naively(fetch, 0, dataset, page_size)


def _apart(extra: Extra | None) -> Amounts:
    """What was told beside the rows, as the judge takes it."""
    if extra is None:
        return None, None
    total, unconfirmed = (Decimal(amount) for amount in extra if amount is not None)
    return total, unconfirmed


def _begin_process() -> None:
    """A trial takes no setting and no proxy from the machine; looking for proxies takes time, too,
    with each request. What is worth a warning elsewhere happens here all the time."""
    os.environ.clear()
    logging.disable(logging.WARNING)


def run_share(share: Share) -> Tally:
    """A task of a worker process."""
    with ExitStack() as stack:
        trial = Trial(BY_NAME[share.world], share.seed, stack, spoil=share.spoil)
        return trial.run(share.walks, share.naive)


def run_shares(
    shares: Sequence[Share], processes: int, seconds: float
) -> Iterator[tuple[Share, Tally]]:
    """Run them in their order, yielding each as it is done. None begins after that time."""
    end = time.monotonic() + seconds
    waiting = list(reversed(shares))
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin_process
    ) as pool:
        running: dict[Future[Tally], Share] = {}
        try:
            while True:
                while waiting and len(running) < processes and time.monotonic() < end:
                    share = waiting.pop()
                    running[pool.submit(run_share, share)] = share
                if not running:
                    return
                for task in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(task), task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _client(kind: TrialWorld, sandbox: Sandbox) -> Client:
    provider = PROVIDERS[kind.provider]
    settings = settings_at(
        kind.provider,
        sandbox.url(kind.provider),
        requests_per_minute=60_000_000,
        concurrency=kind.workers,
        page_size=kind.page_size,
        max_walks=provider.settings_type.model_fields["max_walks"].default,
        **({"api": kind.api} if kind.api else {}),
    )
    return Client(provider, settings)
