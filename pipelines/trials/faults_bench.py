"""Tries faults on one provider: the real pipeline, over sockets to the sandbox, into a Postgres.

Each trial has a target of its own, with a snapshot that was published before. Then the world
changes, the fault strikes while the next snapshot is taken, and there are two good ends: published,
and a state of the sandbox's world that was true between the snapshot's bounds; or refused, with an
error that names the target and the place, kept in `walk_failure`, every published row as it was,
and the next run without the fault succeeds. Everything else is a problem.
"""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any, Self

import sqlalchemy as sa

from pipelines.errors import HoldfastError, ProviderError, Unexpected
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings, Target
from pipelines.sandbox.clients import settings_at, target_at
from pipelines.sandbox.faults.schedule import Faults
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.states import State
from pipelines.sandbox.world import EMPTY, World
from pipelines.snapshots import take_snapshot
from pipelines.trials.faults_catalogue import TRIED, Case
from pipelines.trials.faults_scene import Scene, SetSize
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import PublishedSnapshot, Run
from pipelines.warehouse.text import cut, escape

LIMITS: dict[str, Any] = {
    "requests_per_minute": 6_000_000,
    "concurrency": 2,
    "connect_timeout": 1.0,
    "read_timeout": 10.0,
    "total_timeout": 20.0,
    "max_body_bytes": 2**24,
    "max_tries": 4,
    "max_walks": 3,
}
"""The settings of the trials: small, so that what is bounded ends soon."""

UNDISTURBED = {"max_walks": 6, "max_drop_share": 1.0}

FIRST_BACKOFF = 0.01
LATER_RUNS = 3
LONGEST_TRIAL = 120.0
"""Seconds after which a fault counts as not survived: by far more than the settings allow, also on
a busy machine."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended. `error` is what refused it, None where it healed; `problems` says what is
    wrong with that end, and is empty for a fault that was survived."""

    case: str
    provider: str
    target: str
    requests: int
    seconds: float
    error: BaseException | None
    problems: tuple[str, ...]

    def __str__(self) -> str:
        ended = f"healed after {self.requests} requests"
        if self.error:
            ended = "refused: " + str(self.error).replace(self.target, "…")
        return "; ".join([*(f"PROBLEM: {problem}" for problem in self.problems), ended])


class Bench:
    """A sandbox with faults for what `TRIED` has by that name, and a migrated database. A context
    manager."""

    def __init__(self, name: str, database_url: str, seed: int = 1) -> None:
        provider, self._own_settings = TRIED[name]
        self._name = name
        self.provider = PROVIDERS[provider]
        self.world = World(seed, EMPTY)
        self.sandbox = Sandbox(self.world)
        self.faults = Faults(seed)
        self.sandbox.fault = self.faults
        self.warehouse = Warehouse(database_url)
        self._chance = Random(seed)  # noqa: S311 - a trial that can be repeated, no secret
        self._runs = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.warehouse)
        self._stack.enter_context(self.sandbox)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, case: Case) -> Outcome:
        """Try one fault on a new target."""
        key = self.world.add(self.provider.name, case.size.rows)
        scene = Scene(self.provider.name, self.world, key, self._chance)
        target = target_at(key)
        self._take_undisturbed(target, case.size)
        case.prepare(scene)
        before, began = self._checksum(), monotonic()
        if case.fault:
            self.faults.set(self.provider.name, case.fault(scene), case.when)
        requests = self.sandbox.requests[self.provider.name]
        with self._client(case) as client:
            taken = self._within_time(target, client, case.size)
        seconds = monotonic() - began
        requests = self.sandbox.requests[self.provider.name] - requests
        problems = self._struck(case)
        self.faults.clear(self.provider.name)
        if isinstance(taken, PublishedSnapshot):
            problems += self._judge_published(scene, taken)
        else:
            problems += self._judge_refused(target, taken, before, case.size)
        error = None if isinstance(taken, PublishedSnapshot) else taken
        return Outcome(
            case.name, self._name, target.name, requests, seconds, error, tuple(problems)
        )

    def _settings(self, size: SetSize, **changed: Any) -> ProviderSettings:
        given = LIMITS | {"url": self.sandbox.url(self.provider.name)} | size.settings
        given |= self._own_settings
        if self.provider.dataset.ordered:
            given["full_walk_every"] = 1  # the faults are aimed at pages of a whole walk
        return settings_at(self.provider.name, **given | changed)

    @contextmanager
    def _client(self, case: Case) -> Iterator[Client]:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))  # and does not listen
            refusing = {"url": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
            settings = self._settings(
                case.size, **case.settings, **({} if case.reachable else refusing)
            )
            with Client(self.provider, settings, first_backoff=FIRST_BACKOFF) as client:
                yield client

    def _take(self, target: Target, client: Client, size: SetSize) -> PublishedSnapshot:
        self._runs += 1
        run = Run(f"trial {self._runs}")
        taken = take_snapshot(target, client, self.warehouse, run, block_bytes=size.block_bytes)
        return taken.snapshot

    def _take_undisturbed(self, target: Target, size: SetSize) -> PublishedSnapshot:
        with Client(self.provider, self._settings(size, **UNDISTURBED)) as client:
            return self._take(target, client, size)

    def _within_time(
        self, target: Target, client: Client, size: SetSize
    ) -> PublishedSnapshot | BaseException:
        """The snapshot, or whatever ended the attempt."""
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(self._take, target, client, size)
            try:
                error = future.exception(LONGEST_TRIAL)
            except TimeoutError:
                client.cancel()
                return TimeoutError(f"no end within {LONGEST_TRIAL:g} s")
            return error or future.result()

    def _struck(self, case: Case) -> list[str]:
        if case.fault and not self.faults.strikes[self.provider.name]:
            return ["the fault struck no request"]
        return []

    def _judge_published(self, scene: Scene, snapshot: PublishedSnapshot) -> list[str]:
        problems = []
        between = self.world.states_between(
            scene.key, snapshot.snapshot_at, snapshot.snapshot_until
        )
        published = self._published_rows(snapshot)
        if not any(self._shows(published, state) for state in between):
            problems.append("what was published was never true")
        if self._failures(scene.key):
            problems.append("walk_failure has a row for what was published")
        return problems

    def _judge_refused(
        self, target: Target, error: BaseException, before: str, size: SetSize
    ) -> list[str]:
        problems = []
        if not isinstance(error, HoldfastError) or isinstance(error, Unexpected):
            problems.append("no error of the tree that says what to do")
        places = [f"{target.name}, rows from "]
        if not isinstance(error, ProviderError) or self.provider.chain:
            places.append(f"{target.name}: ")  # it was about blocks, or about all pages
        if not str(error).startswith(tuple(places)):
            problems.append("the error does not begin with the target and the page")
        if not str(error).replace("\n", "").isprintable():
            problems.append("the error holds what a terminal would obey")
        if self._failures(target.name) != [(type(error).__name__, cut(escape(str(error))))]:
            problems.append("walk_failure does not have this error")
        if self._checksum() != before:
            problems.append("what was published before has changed")
        if again := self._heals(target, size):
            problems.append(f"without the fault the next runs fail: {again}")
        return problems

    def _heals(self, target: Target, size: SetSize) -> HoldfastError | None:
        """None when a run without the fault succeeds, if need be after such errors as pass."""
        error = None
        for _ in range(LATER_RUNS):
            try:
                self._take_undisturbed(target, size)
            except HoldfastError as failed:
                error = failed
                if not error.transient:
                    return error
            else:
                return None
        return error

    # --- what the database says -----------------------------------------------------------------

    def _published_rows(self, snapshot: PublishedSnapshot) -> list[tuple[object, ...]]:
        names = SANDBOXES[self.provider.name].columns
        view = sa.table(
            f"{self.provider.dataset.name}_snapshots",
            sa.column("snapshot_id"),
            *(sa.column(name) for name in names),
        )
        rows = sa.select(*(view.c[name] for name in names)).where(
            view.c.snapshot_id == snapshot.snapshot_id
        )
        with self.warehouse.transaction() as connection:
            return [tuple(row) for row in connection.execute(rows)]

    def _shows(self, published: list[tuple[object, ...]], state: State) -> bool:
        """Whether the rows are those of the state. Where an attribute may be hidden, what was known
        of it before stays; what one API alone tells is null where another was asked."""
        dataset = self.provider.dataset
        width = len(dataset.key)
        found = {row[:width]: row[width:] for row in published}
        true = {row[:width]: row[width:] for row in map(_as_stored, state.listing)}
        names = SANDBOXES[self.provider.name].columns[width:]
        return (
            len(found) == len(published)
            and found.keys() == true.keys()
            and all(
                value == expected
                or (expected is None and name in dataset.kept_when_absent)
                or (value is None and name in dataset.told_by_some)
                for key, row in found.items()
                for name, value, expected in zip(names, row, true[key], strict=True)
            )
        )

    def _failures(self, name: str) -> list[tuple[str, str]]:
        statement = sa.text(
            "select reason, message from walk_failure join target using (target_id)"
            " where name = :name"
        )
        with self.warehouse.transaction() as connection:
            return [(row[0], row[1]) for row in connection.execute(statement, {"name": name})]

    def _checksum(self) -> str:
        """One value over every published row and every snapshot."""
        dataset = self.provider.dataset.name
        sums = []
        with self.warehouse.transaction() as connection:
            for name in (f"{dataset}_current", f"{dataset}_history", "snapshot"):
                row = sa.cast(sa.literal_column("one"), sa.Text)
                table = sa.table(name).alias("one")
                ordered = sa.dialects.postgresql.aggregate_order_by(row, row)
                total = sa.func.md5(sa.func.string_agg(row, ordered))
                sums.append(str(connection.scalar(sa.select(total).select_from(table))))
        return " ".join(sums)


def _as_stored(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(cut(escape(value)) if isinstance(value, str) else value for value in row)
