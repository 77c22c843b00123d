"""Runs trials: real clients and walks over real sockets, against the sandbox on loopback.

Only the staging is not Postgres. A world's walks are dealt out in shares to processes; each share
has a sandbox and a client of its own, and a new set every `STRETCH` snapshots.
"""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from decimal import Decimal
from multiprocessing import get_context
from random import Random

from pipelines.errors import TornWalk
from pipelines.extract.fetch import CursorFetcher, fetcher_of
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.pages import BEGINNING, Extra
from pipelines.providers.proofs import Proof
from pipelines.sandbox.clients import settings_at, target_at
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.trials.between import Between
from pipelines.trials.judge import Amounts, was_true
from pipelines.trials.living import LivingSet
from pipelines.trials.memory import MemoryDesk
from pipelines.trials.naive import NaiveSnapshot, walk_naively
from pipelines.trials.tally import Tally
from pipelines.trials.worlds import BY_NAME, TrialWorld
from pipelines.walks import Walks

SHARE = 500
"""Accepted walks that one task of a process takes."""
STRETCH = 40
"""Targets taken of one set before the next."""
NAIVE_PART = 4
"""Accepted walks for each naive one."""
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
        self._rng = Random(f"{kind.name}/{seed}")  # noqa: S311 - trials must be repeatable
        self._sandbox = stack.enter_context(Sandbox(self.world, log_size=0))
        self._client = stack.enter_context(_client(kind, self._sandbox))
        self._next_set()

    def _next_set(self) -> None:
        self._living = LivingSet(self.world, self._kind, self._rng)
        self._between = Between(self._sandbox, self._kind, self._living, self._rng)
        self._sandbox.before_response = self._between.before_response
        self._sandbox.after_response = self._between.after_response
        self._target = target_at(self._living.key)
        partial = self._kind.proof is Proof.CHAINED_TO_LAST
        self._desk = MemoryDesk(self._client.provider.dataset, partial=partial)

    def run(self, wanted: int) -> Tally:
        """Take targets until the proof on trial has accepted `wanted`, then walk naively."""
        began = time.monotonic()
        tally = self.tally
        while tally.accepted[self._kind.proof] < wanted and tally.targets < wanted * MOST_TRIES:
            grown = len(self._living.state.listing) > 2 * self._kind.rows[1]
            if grown or tally.targets % STRETCH == STRETCH - 1:
                self._next_set()
            self.take()
        for number in range(max(wanted // NAIVE_PART, STRETCH)):
            if number % STRETCH == 0:
                self._next_set()
            self.take_naively()
        tally.seconds += time.monotonic() - began
        return tally

    def take(self) -> None:
        """One target as a run takes it, judged where a proof accepts it."""
        if self._rng.random() < 0.3:
            self._desk.forget()
        self._between.oldest = None
        walks = Walks(self._desk, self._client, self._target)
        try:
            proven = walks.until_proven()
        except TornWalk:
            proven = None
        self.tally.targets += 1
        self.tally.walks += walks.walks
        self.tally.requests += walks.requests
        if proven is None:
            return
        accepted = walks.accepted(proven)
        rows = self._desk.publish(proven)
        if self._spoil and rows:
            rows, self._spoil = rows[1:], False
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
        fetch = fetcher_of(self._client, self._target)
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


def _forget_environment() -> None:
    """A trial takes no setting and no proxy from the machine; looking for proxies takes time, too,
    with each request."""
    os.environ.clear()


def run_share(name: str, seed: str, wanted: int, *, spoil: bool = False) -> Tally:
    """A task of a worker process. With `spoil`, one snapshot loses a row before it is judged."""
    with ExitStack() as stack:
        return Trial(BY_NAME[name], seed, stack, spoil=spoil).run(wanted)


def run_trials(
    walks_of: Mapping[TrialWorld, int], seed: int, processes: int, *, spoil: bool = False
) -> Iterator[tuple[TrialWorld, Tally]]:
    """Run all worlds, yielding each share as it is done, in any order."""
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_forget_environment
    ) as pool:
        tasks = {
            pool.submit(
                run_share,
                kind.name,
                f"{seed}/{begin}",
                min(SHARE, walks - begin),
                spoil=spoil and begin == 0,
            ): kind
            for kind, walks in walks_of.items()
            for begin in range(0, walks, SHARE)
        }
        try:
            for task in as_completed(tasks):
                yield tasks[task], task.result()
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
    )
    return Client(provider, settings)
