"""What the tests of crashes share: the points at which a worker stops, workers that stop there, and
what must be true of the warehouse after any of them.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr

from pipelines.sandbox.answers import Answer
from tests.end_to_end import stopping_worker
from tests.patience import PATIENCE, wait_until

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pytest", stopping_worker.__name__])
PAGE_SIZE = 100
HOLDERS = 250
DATASETS = ("altura_item_holders", "hiro_nft_holdings", "catenis_asset_holders")
TABLES = (
    "target",
    "snapshot",
    *(f"{dataset}_{kind}" for dataset in DATASETS for kind in ("current", "history")),
)
HERE = "datname = current_database()"


@dataclass(frozen=True)
class Point:
    """Where a worker stops: at the `nth` call of the function at `place`, entered or left.

    `committed`: whether the snapshot is published by then. `refused`: whether the provider refuses
    a page, so that there is a failure to record.
    """

    name: str
    place: str
    side: str = "left"
    nth: int = 1
    committed: bool = False
    refused: bool = False

    def __str__(self) -> str:
        return self.name


_RECORD = "pipelines.taking:record_failure"
_FINISH = "pipelines.warehouse.staging:Staging.finish"
_LOAD = "pipelines.warehouse.load"

REGISTERED = Point("the target is registered", "pipelines.taking:register_target")
FIRST_PAGE = Point("the first page is staged", "pipelines.warehouse.staging:Staging.write")
FIRST_WALK = Point("the first of two walks is staged", _FINISH)
LAST_PAGE = Point("the last page is staged", _FINISH, side="entered", nth=2)
PROVEN = Point("the walk is proven", "pipelines.walks:Walks.accepted", side="entered")
LOCKED = Point("the target is locked", f"{_LOAD}:_lock")
DELTA = Point("the delta is made", f"{_LOAD}:make_delta")
HISTORY = Point("history is written", f"{_LOAD}:_keep_history")
CHANGED = Point("current is changed", f"{_LOAD}:_apply")
INSERTED = Point("its row in snapshot is inserted", f"{_LOAD}:PublishedSnapshot", side="entered")
COMMITTED = Point("it is committed", "pipelines.taking:publish", committed=True)
RECORDING = Point("its failure is to be recorded", _RECORD, side="entered", refused=True)
RECORDED = Point("its failure is recorded", _RECORD, refused=True)

BEFORE_DELTA = (REGISTERED, FIRST_PAGE, FIRST_WALK, LAST_PAGE, PROVEN, LOCKED)
FROM_DELTA = (DELTA, HISTORY, CHANGED, INSERTED, COMMITTED)
POINTS = (*BEFORE_DELTA, *FROM_DELTA, RECORDING, RECORDED)


def checksum(pipeline: Any) -> dict[str, Any]:
    """A checksum of each table but walk_failure, all of one moment."""
    sums = ", ".join(
        f"(select md5(string_agg(t::text, '' order by t::text)) from {table} t)" for table in TABLES
    )
    return dict(zip(TABLES, pipeline.sql(f"select {sums}")[0], strict=True))


class Worker:
    """A process that takes a snapshot and stops at a point on its way."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._talk, theirs = PROCESSES.Pipe()
        self._process = PROCESSES.Process(target=stopping_worker.work, args=(order, theirs))
        self._process.start()
        theirs.close()

    def wait_for_stop(self) -> None:
        assert self._said() == "stopped"

    def go_on(self) -> None:
        self._talk.send("go on")

    def outcome(self) -> dict[str, Any]:
        """How it came out, once it has ended."""
        outcome = self._said()
        self._process.join(PATIENCE)
        assert self._process.exitcode == 0
        return outcome

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def _said(self) -> Any:
        assert self._talk.poll(PATIENCE), f"the worker said nothing for {PATIENCE:g} s"
        return self._talk.recv()


class Scene:
    """A Catenis asset of three pages with two snapshots, and changes that wait for a third: it
    takes two walks, rows enter, leave and change, and there is a history to be kept."""

    def __init__(self, pipeline: Any, sandbox: Any, world: Any) -> None:
        self.pipeline = pipeline
        self._sandbox = sandbox
        self._world = world
        self._workers: list[Worker] = []
        self.key = world.add_catenis_asset(HOLDERS)
        self._true: dict[int, frozenset[tuple[Any, ...]]] = {}
        self.take("first")
        world.tick(5)
        self.take("second")
        world.tick(5)
        self.before = self.everything()
        assert self.sql("select count(*) > 0 from catenis_asset_holders_history") == [(True,)]

    def sql(self, statement: str, **parameters: Any) -> list[Any]:
        return self.pipeline.sql(statement, **parameters)

    def take(self, run: str) -> Any:
        """A snapshot by this process, whose rows are compared with the world's."""
        snapshot = self.pipeline.take(self.key, run=run, page_size=PAGE_SIZE)
        self.note(snapshot.snapshot_id)
        return snapshot

    def note(self, snapshot_id: int) -> None:
        """Remember that this snapshot has to show the world as it is now."""
        rows = self._world.state(self.key).rows
        self._true[snapshot_id] = frozenset(row[:3] for row in rows)

    def work(self, run: str, point: Point | None = None) -> Worker:
        """A worker on its way, stopped at `point` where one is given."""
        target = self.pipeline.target(self.key)
        known = self.pipeline.client("catenis").settings.model_copy(update={"page_size": PAGE_SIZE})
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in known
        }
        stop = asdict(point) if point else {}
        url = self.pipeline.warehouse.url.update_query_dict({"application_name": run})
        order = {
            "point": {name: stop[name] for name in ("place", "side", "nth") if name in stop},
            "provider": target.provider,
            "target": target.model_dump(),
            "settings": plain,
            "database_url": url.render_as_string(hide_password=False),
            "run": run,
        }
        if point and point.refused:
            self._sandbox.before_response = _refuse_second_page
        worker = Worker(order)
        self._workers.append(worker)
        if point:
            worker.wait_for_stop()
            self._sandbox.before_response = None
        return worker

    def end_workers(self) -> None:
        for worker in self._workers:
            worker.kill()

    def everything(self) -> dict[str, Any]:
        return checksum(self.pipeline)

    def failures(self) -> list[str]:
        return [reason for (reason,) in self.sql("select reason from walk_failure order by 1")]

    def cut_off(self, run: str) -> None:
        """End the server's side of a worker's connections."""
        ended = self.sql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            f" where {HERE} and application_name = :run",
            run=run,
        )
        assert ended > [(0,)]

    def wait_until_free(self) -> None:
        """No worker's lock, session, prepared transaction or temp table is left."""
        locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select"
        self._wait_for_none(f"{locks} oid from pg_database where {HERE})", "the lock to be free")
        self._wait_for_none(
            f"select count(*) from pg_stat_activity where {HERE}"
            " and application_name not in ('', 'holdfast', current_setting('application_name'))"
            " and backend_type = 'client backend'",
            "the worker's sessions to end",
        )
        # This process keeps its own staging tables as long as its connections.
        self.pipeline.warehouse.close()
        self._wait_for_none(
            "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'",
            "temp tables to be dropped",
        )

    def _wait_for_none(self, count: str, what: str) -> None:
        wait_until(lambda: self.sql(count) == [(0,)], what)

    def check_repeat(self, run: str, *, published: bool) -> None:
        """A repeat of the run takes what is missing and nothing else; the next one works, too;
        and every snapshot there is shows what was true of the world."""
        after_crash = self.everything()
        self.take(run)
        if published:
            assert self.everything() == after_crash
        self._world.tick(5)
        self.take("next")
        assert self.sql("select run_key from snapshot order by snapshot_id") == [
            ("first",),
            ("second",),
            (run,),
            ("next",),
        ]
        self.check_rows()

    def check_rows(self) -> None:
        rebuilt: dict[int, set[tuple[Any, ...]]] = {}
        for snapshot_id, *row in self.sql(
            "select snapshot_id, device_id, total, unconfirmed from catenis_asset_holders_snapshots"
        ):
            rebuilt.setdefault(snapshot_id, set()).add(tuple(row))
        assert rebuilt == self._true


def _refuse_second_page(exchange: Any) -> Answer | None:
    return Answer(404, {}, b"{}") if f"skip={PAGE_SIZE}" in exchange.target else None


@contextmanager
def acting(pipeline: Any, sandbox: Any, world: Any) -> Iterator[Scene]:
    """A scene whose workers end with it."""
    scene = Scene(pipeline, sandbox, world)
    try:
        yield scene
    finally:
        sandbox.before_response = None
        scene.end_workers()
