"""Whatever becomes of a worker at whatever point, nothing is half there and the next run works.

At each point between a target's registration and the end of its run, the worker is killed or loses
its connections. Then the tables are what they were, or, from the commit on, what was published;
locks and staging tables are gone; and a repeat of the run takes what is missing. What Postgres may
suffer is in test_crashes_postgres.py, a run that Dagster ends in test_crashes_dagster.py.
"""

import os
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa

from pipelines.sandbox.world import World
from tests.end_to_end.crashes import (
    CHANGED,
    HERE,
    LOCKED,
    POINTS,
    PROVEN,
    RECORDED,
    Point,
    Scene,
    acting,
    checksum,
)
from tests.patience import PATIENCE, wait_until

COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()", "snapshot"]
RUN = "worker"


@pytest.fixture
def scene(pipeline, sandbox, world):
    with acting(pipeline, sandbox, world) as prepared:
        yield prepared


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_worker_is_killed_when(point: Point, scene: Scene):
    worker = scene.work(RUN, point)
    seen = scene.everything()
    assert (seen == scene.before) is not point.committed, "readers see a snapshot, or nothing of it"
    worker.kill()
    scene.wait_until_free()
    assert scene.everything() == seen
    assert scene.failures() == (["RequestRefused"] if point is RECORDED else [])
    scene.check_repeat(RUN, published=point.committed)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_worker_loses_its_connections_when(point: Point, scene: Scene):
    worker = scene.work(RUN, point)
    seen = scene.everything()
    scene.cut_off(RUN)
    worker.go_on()
    outcome = worker.outcome()
    if point.committed:
        assert outcome["repeated"] is False
        assert scene.failures() == []
    elif point.refused:
        assert outcome["failed"] == "RequestRefused"
        assert scene.failures() == (["RequestRefused"] if point is RECORDED else [])
    else:
        assert outcome["failed"] == "WarehouseUnreachable"
        assert scene.failures() == ["WarehouseUnreachable"]
    scene.wait_until_free()
    assert scene.everything() == seen
    scene.check_repeat(RUN, published=point.committed)


class TestTwoRunsOfOneTarget:
    def test_that_begins_first_and_publishes_last_rests_on_the_other(self, scene: Scene):
        slow = scene.work("slow", PROVEN)
        snapshot = scene.take("quick")
        published = scene.everything()
        slow.go_on()
        outcome = slow.outcome()
        assert outcome["elsewhere"] is True
        assert outcome["published"] == snapshot.snapshot_id
        assert scene.everything() == published
        assert scene.failures() == []
        assert snapshot.entered + snapshot.exited + snapshot.increased + snapshot.decreased > 0
        scene.wait_until_free()
        scene.check_rows()

    @pytest.mark.parametrize("point", [LOCKED, CHANGED], ids=str)
    def test_that_waits_for_the_others_lock_publishes_after_it(self, point: Point, scene: Scene):
        first = scene.work("one", point)
        second = scene.work("other", PROVEN)
        second.go_on()
        self._wait_for_tries(scene, "other")
        assert scene.everything() == scene.before
        first.go_on()
        published = [first.outcome()["published"], second.outcome()["published"]]
        assert published == sorted(published)
        for snapshot_id in published:
            scene.note(snapshot_id)
        scene.check_rows()
        assert scene.sql(
            "select run_key, entered, exited, increased, decreased, profile from snapshot"
            " where run_key = 'other'"
        ) == [("other", 0, 0, 0, 0, 0)]

    def test_that_waits_for_the_lock_of_a_killed_one_publishes(self, scene: Scene):
        killed = scene.work("killed", CHANGED)
        waiting = scene.work("waiting", PROVEN)
        waiting.go_on()
        self._wait_for_tries(scene, "waiting")
        killed.kill()
        scene.note(waiting.outcome()["published"])
        scene.wait_until_free()
        scene.check_rows()

    def test_that_are_the_same_run_publish_once(self, scene: Scene):
        """As when Dagster takes a run for dead that is not, and begins it anew."""
        taken_for_dead = scene.work(RUN, PROVEN)
        snapshot = scene.take(RUN)
        published = scene.everything()
        taken_for_dead.go_on()
        assert taken_for_dead.outcome() == {"published": snapshot.snapshot_id, "repeated": True}
        assert scene.everything() == published
        assert scene.failures() == []
        scene.wait_until_free()
        scene.check_rows()

    def _wait_for_tries(self, scene: Scene, run: str) -> None:
        trying = (
            f"select count(*) from pg_stat_activity where {HERE} and application_name = :run"
            " and query like '%pg_try_advisory_xact_lock%' and state = 'idle in transaction'"
        )
        wait_until(lambda: scene.sql(trying, run=run) == [(1,)], "the second run to want the lock")


class TestTheCommand:
    """The same by `holdfast snapshot` and Hiro, which fetches pages ahead in threads."""

    @pytest.fixture
    def start(self, sandbox, database_url, tmp_path):
        """start(key) → a process that takes a snapshot of that Hiro principal."""
        workers = []

        def begin(key):
            targets = tmp_path / "targets.yaml"
            targets.write_text(f"hiro:\n  targets:\n    - principal: {key.removeprefix('hiro:')}\n")
            environment = os.environ | {
                "DATABASE_URL": database_url,
                "HOLDFAST_TARGETS": str(targets),
                "HIRO_BASE_URL": sandbox.url("hiro"),
                "HIRO_REQUESTS_PER_MINUTE": "60000",
            }
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            worker = subprocess.Popen(COMMAND, env=environment, text=True, **pipes)
            workers.append(worker)
            return worker

        yield begin
        for worker in workers:
            worker.kill()
            worker.communicate()

    def test_killed_while_pages_are_fetched_ahead_leaves_nothing(
        self, pipeline, sandbox, world: World, start
    ):
        key = world.add_hiro_principal(1500)
        pipeline.take(key)
        before = checksum(pipeline)
        world.tick(5)
        workers = []
        killed_after = sandbox.requests["hiro"] + 4

        def kill(exchange, answer):
            if workers and sandbox.requests["hiro"] > killed_after:
                workers[0].send_signal(signal.SIGKILL)

        sandbox.after_response = kill
        workers.append(start(key))
        assert workers[0].wait(PATIENCE) == -signal.SIGKILL
        sandbox.after_response = None
        assert checksum(pipeline) == before
        assert pipeline.take(key).entered > 0

    def test_killed_while_a_statement_waits_lets_go_of_the_target(
        self, pipeline, world: World, start
    ):
        """The server looks for its client while a statement runs, too: else the lock would be held
        until the statement ends."""
        key = world.add_hiro_principal(400)
        pipeline.take(key)
        before = checksum(pipeline)
        world.tick(5)
        advisory = "select count(*) from pg_locks where locktype = 'advisory' and granted"
        with pipeline.warehouse.connect() as blocker, blocker.begin():
            # Readers and the history table stay free: the worker gets as far as changing current.
            blocker.execute(sa.text("lock table hiro_nft_holdings_current in share mode"))
            worker = start(key)
            waiting = "select count(*) from pg_locks where relation = :table and not granted"
            oid = pipeline.sql("select 'hiro_nft_holdings_current'::regclass::oid")[0][0]
            wait_until(
                lambda: pipeline.sql(waiting, table=oid) == [(1,)], "the worker to reach current"
            )
            assert pipeline.sql(advisory) == [(1,)]
            worker.send_signal(signal.SIGKILL)
            worker.wait(PATIENCE)
            wait_until(lambda: pipeline.sql(advisory) == [(0,)], "the lock to be free")
        assert checksum(pipeline) == before
        snapshot = pipeline.take(key)
        assert snapshot.entered > 0
        assert pipeline.sql("select count(*) from hiro_nft_holdings_current") == [(snapshot.rows,)]
        assert pipeline.sql("select count(*) from walk_failure") == [(0,)]
