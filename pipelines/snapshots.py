"""The use case: snapshots of one target, or of many. Called by Dagster and by the CLI.

Targets that seem not to have changed wait for each other: one look at the chain serves for many
(see taking.py).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue

from pipelines.desk import OnProgress, Progress
from pipelines.extract.http import Client
from pipelines.providers.provider import Target
from pipelines.taking import Doubtful, Failed, Outcome, Taken, Taking, Unchanged
from pipelines.warehouse.moments import Moment
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run, oldest_first
from pipelines.warehouse.staging import BLOCK_BYTES
from pipelines.warehouse.tips import forget_old

__all__ = ["Failed", "Progress", "Taken", "take_snapshot", "take_snapshots"]

HEARTBEAT = 30.0
"""Seconds between two signs of life of a run whose targets take long."""

TOGETHER = 50
"""Unchanged targets that wait for one look at the chain. At 25 requests a minute and a block every
five seconds 24 blocks are added meanwhile: one answer lists 30."""

LONGEST_WAIT = 150.0
"""Seconds that an unchanged target waits for others at most."""


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
    taking = Taking(client, warehouse, run, accept_empty, on_progress, block_bytes, moment)
    outcome: Outcome = taking.take(target)
    if isinstance(outcome, Unchanged):
        [outcome] = taking.publish_unchanged([outcome])
    if isinstance(outcome, Doubtful):
        outcome = taking.take(target, whole=True)
    taking.finish()
    if isinstance(outcome, Taken):
        return outcome
    assert isinstance(outcome, Failed)  # noqa: S101 - a whole walk leaves nothing else
    raise outcome.error


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
        with connection.begin():
            forget_old(connection)
    taking = Taking(client, warehouse, run, accept_empty, on_progress)
    with ThreadPoolExecutor(client.settings.concurrency, client.provider.name) as threads:
        try:
            yield from _as_they_end(taking, targets, threads, heartbeat)
            taking.finish()
        except BaseException:
            client.cancel()
            threads.shutdown(wait=True, cancel_futures=True)
            raise


def _as_they_end(
    taking: "Taking",
    targets: Sequence[Target],
    threads: ThreadPoolExecutor,
    heartbeat: Callable[[], None],
) -> Iterator[Taken | Failed]:
    """Each by a queue: waiting for any of a thousand looks at all of them each time."""
    ended: SimpleQueue[Future[Sequence[Outcome]]] = SimpleQueue()
    waiting: list[Unchanged] = []
    under_way = 0

    def start(work: Callable[[], Sequence[Outcome]]) -> int:
        threads.submit(work).add_done_callback(ended.put)
        return 1

    for target in targets:
        under_way += start(partial(taking.attempt, target))
    while under_way or waiting:
        if waiting and (not under_way or _is_time(waiting)):
            under_way += start(partial(taking.publish_unchanged, waiting))
            waiting = []
        try:
            outcomes = ended.get(timeout=HEARTBEAT).result()
        except Empty:
            heartbeat()
            continue
        under_way -= 1
        for outcome in outcomes:
            if isinstance(outcome, Unchanged):
                waiting.append(outcome)
            elif isinstance(outcome, Doubtful):
                under_way += start(partial(taking.attempt, outcome.target, whole=True))
            else:
                yield outcome


def _is_time(waiting: Sequence[Unchanged]) -> bool:
    return len(waiting) >= TOGETHER or time.monotonic() - waiting[0].since > LONGEST_WAIT
