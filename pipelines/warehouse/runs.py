"""Runs, and how it is known that one is dead.

No engine can say so of every run: a process that was killed with its parents leaves nobody who
reports it, and a machine that sleeps looks just like one that is gone. So each run has a row, and
what it does leaves signs there: a page, a request, a commit, the announced end of a long wait. A
statement of its that Postgres still executes is one, too. Who finds the same sign at two looks that
lie far enough apart ends the run. That may be wrong, as when a machine was stopped for minutes and
goes on: so the transaction that publishes reads the run's row, and a run that was ended publishes
nothing any more (a fencing token, in the words of distributed systems).
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pipelines.errors import HoldfastError, RunEnded
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.schema import run as runs

logger = logging.getLogger(__name__)

SIGN_SECONDS = 10.0
"""Between two signs that are written, at least."""

LONG_WAIT = 120.0
"""Seconds of a wait; the end of a longer one is written down beforehand."""

SILENCE = timedelta(minutes=3)
"""Without a sign between two looks that lie this far apart, a run is dead."""

LOOK_GAP = timedelta(minutes=2)
"""Looks that follow each other faster show that Postgres answered in between: a run could have
written. After a longer gap a new silence begins."""

LONG_SILENCE = timedelta(minutes=15)
"""Of a run without a sign for so long, with a server that was up all that time, two looks are
enough, whatever the gap between them: where a schedule alone looks, it is an hour."""

NAME_LENGTH = 63
"""Bytes that Postgres keeps of an application's name."""


def session_name(run_id: str) -> str:
    """The application's name of a run's sessions, by which its statements are found."""
    return f"holdfast {run_id}"[:NAME_LENGTH]


class Pulse:
    """The signs of life of one run. Safe to call from every thread of the run."""

    def __init__(self, warehouse: Warehouse, run_id: str) -> None:
        self._warehouse = warehouse
        self._run_id = run_id
        self._cancel: Callable[[], None] = lambda: None
        self._writing = threading.Lock()
        self._written = time.monotonic()
        self._announced = self._written
        self._ended = False

    def when_ended(self, cancel: Callable[[], None]) -> None:
        """Have `cancel` called when it is found that the run was ended from outside."""
        self._cancel = cancel
        if self._ended:
            cancel()

    def expect(self, seconds: float = 0.0) -> None:
        """Something was done, and the next sign may take `seconds` to come."""
        now = time.monotonic()
        until = now + seconds
        announces = seconds > LONG_WAIT and until > self._announced + SIGN_SECONDS
        if not announces and now - self._written < SIGN_SECONDS:
            return
        if self._writing.acquire(blocking=announces):  # another thread's sign is as good
            try:
                self._written = now
                self._announced = max(self._announced, until)
                self._write(seconds if announces else 0.0)
            finally:
                self._writing.release()

    def _write(self, seconds: float) -> None:
        """A database that can't be reached ends no run: whoever looks can't either."""
        now = sa.func.clock_timestamp()
        sign = runs.update().where(runs.c.run_id == self._run_id).values(seen_at=now)
        if seconds:
            until = sa.func.greatest(runs.c.waits_until, now + timedelta(seconds=seconds))
            sign = sign.values(waits_until=until)
        try:
            with self._warehouse.transaction() as connection:
                ended = connection.scalar(sign.returning(runs.c.ended_why))
        except HoldfastError as error:
            logger.warning("no sign of life could be written: %s", error)
            return
        if ended and not self._ended:
            self._ended = True
            logger.error("this run was ended from outside: %s", ended)
            self._cancel()


@contextmanager
def living(warehouse: Warehouse, run_id: str, job: str) -> Iterator[Pulse]:
    """A run under way, from its row's beginning to its end. Raises RunEnded where it was ended
    before it began."""
    with warehouse.transaction() as connection:
        _begin(connection, run_id, job)
    try:
        yield Pulse(warehouse, run_id)
    finally:
        try:
            with warehouse.transaction() as connection:
                _finish(connection, run_id)
        except HoldfastError as error:  # what ended the run is the error to tell
            logger.warning("the end of run %s could not be written: %s", run_id, error)


def _begin(connection: sa.Connection, run_id: str, job: str) -> None:
    """A run has several steps, each with a beginning and an end; the row is theirs in turn."""
    now = sa.func.clock_timestamp()
    ours = {"worker": worker_name(), "started_at": now, "seen_at": now, "waits_until": None}
    begun = (
        insert(runs)
        .values(run_id=run_id, job=job, **ours)
        .on_conflict_do_update(
            index_elements=[runs.c.run_id],
            set_=ours | {"silent_since": None, "finished_at": None},
            where=runs.c.ended_at.is_(None),
        )
        .returning(runs.c.run_id)
    )
    if connection.scalar(begun) is None:
        fence(connection, run_id)


def _finish(connection: sa.Connection, run_id: str) -> None:
    connection.execute(
        runs.update()
        .where(runs.c.run_id == run_id)
        .values(finished_at=sa.func.clock_timestamp(), seen_at=sa.func.clock_timestamp())
    )


def fence(connection: sa.Connection, run_id: str) -> None:
    """Raise RunEnded where the run was ended from outside; else nobody ends it before this
    transaction does. Signs of life can be written meanwhile: they change no key."""
    found = connection.execute(
        sa.select(runs.c.ended_at, runs.c.ended_why)
        .where(runs.c.run_id == run_id)
        .with_for_update(read=True, key_share=True)
    ).one_or_none()
    if found is not None and found.ended_at is not None:
        raise RunEnded(
            f"the run was ended from outside at {found.ended_at:%Y-%m-%d %H:%M:%S} UTC"
            f" ({found.ended_why}). It publishes nothing any more; its retry, or the next tick,"
            " takes what is missing"
        )


def end_run(connection: sa.Connection, run_id: str, job: str, why: str) -> None:
    """End a run from outside, whether its process has begun or not. What it is publishing at this
    moment is waited for."""
    connection.execute(insert(runs).values(run_id=run_id, job=job).on_conflict_do_nothing())
    ours = runs.c.run_id == run_id
    connection.execute(sa.select(runs.c.run_id).where(ours).with_for_update())
    connection.execute(
        runs.update()
        .where(ours, runs.c.ended_at.is_(None))
        .values(ended_at=sa.func.clock_timestamp(), ended_why=why)
    )


def ended_from_outside(connection: sa.Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Those of the runs that were ended already, and why."""
    found = connection.execute(
        sa.select(runs.c.run_id, runs.c.ended_why).where(
            runs.c.run_id.in_(run_ids), runs.c.ended_at.is_not(None)
        )
    )
    return {row.run_id: row.ended_why for row in found}


@dataclass(frozen=True)
class Silent:
    """A run that shows no sign of life. `seen_at`: its last one; None where it never had any."""

    run_id: str
    job: str
    worker: str | None
    seen_at: datetime | None
    silent_since: datetime

    def __str__(self) -> str:
        if self.seen_at is None:
            return f"no sign of life since {self.silent_since:%H:%M:%S} UTC, nor any before"
        worker = f" of {self.worker}" if self.worker else ""
        return f"no sign of life{worker} since {self.seen_at:%Y-%m-%d %H:%M:%S} UTC"


def server_started(connection: sa.Connection) -> datetime:
    """When Postgres was started: before that, nobody could write a sign."""
    moment: datetime = connection.execute(
        sa.select(sa.func.pg_postmaster_start_time())
    ).scalar_one()
    return moment


def look(connection: sa.Connection, expected: Mapping[str, str], started: datetime) -> list[Silent]:
    """Look at every run that has not ended, and return those that are dead.

    `expected` gives the ids of runs that somebody knows to be under way, with their jobs: they are
    looked at even where their process never wrote a row, or died between two of its steps.
    `started`: see `server_started`.
    """
    if expected:
        connection.execute(
            insert(runs).on_conflict_do_nothing(),
            [{"run_id": run_id, "job": job} for run_id, job in expected.items()],
        )
    known = {"started": started, "expected": list(expected)}
    looked = connection.execute(sa.text(_LOOK), _LIMITS | known).mappings()
    return [
        Silent(row["run_id"], row["job"], row["worker"], row["seen_at"], row["silent_since"])
        for row in looked
        if row["dead"]
    ]


_LIMITS = {"silence": SILENCE, "gap": LOOK_GAP, "long": LONG_SILENCE}

_LOOK = """
    with now as (
        select clock_timestamp() as at
    ),
    seen as (
        select
            run.run_id,
            now.at,
            -- A sign since the silence began, an announced wait, or a statement under way.
            run.silent_since is null
            or run.seen_at > run.silent_since
            or run.waits_until > now.at
            or exists (
                select from pg_stat_activity a
                where a.application_name = left('holdfast ' || run.run_id, 63)
                    and a.pid <> pg_backend_pid()
                    and coalesce(a.state, 'active') = 'active'
            )
            -- Or Postgres was away, so that nobody could have written a sign.
            or :started > run.silent_since
            or run.looked_at < now.at - cast(:gap as interval)
                and greatest(run.seen_at, run.waits_until, :started)
                    > now.at - cast(:long as interval) as lives
        from run, now
        where run.ended_at is null
            and (run.finished_at is null or run.run_id = any (cast(:expected as text[])))
        for no key update of run
    )
    update run
    set looked_at = seen.at, silent_since = case when lives then seen.at else silent_since end
    from seen
    where run.run_id = seen.run_id
    returning
        run.run_id, run.job, run.worker, run.seen_at, run.silent_since,
        run.silent_since <= seen.at - cast(:silence as interval) as dead
"""


def worker_name() -> str:
    """This process, for people: machine and process id."""
    return f"{socket.gethostname()}, process {os.getpid()}"
