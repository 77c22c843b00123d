"""A worker that is killed leaves nothing half done, and the next run just works."""

import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from pipelines.sandbox.world import World

COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()", "snapshot"]
PATIENCE = 20.0


@pytest.fixture
def start_worker(sandbox, database_url, tmp_path):
    """start_worker(key) → a process that takes a snapshot of that Hiro principal."""
    workers = []

    def start(key):
        targets = tmp_path / "targets.yaml"
        targets.write_text(f"hiro:\n  targets:\n    - principal: {key.removeprefix('hiro:')}\n")
        environment = os.environ | {
            "DATABASE_URL": database_url,
            "HOLDFAST_TARGETS": str(targets),
            "HIRO_BASE_URL": sandbox.url("hiro"),
            "HIRO_REQUESTS_PER_MINUTE": "60000",
        }
        worker = subprocess.Popen(
            COMMAND, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.communicate()


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}"
        time.sleep(0.02)


def everything(pipeline):
    """A checksum over all that is published."""
    return pipeline.sql(
        "select (select md5(string_agg(c::text, '' order by c::text))"
        " from hiro_nft_holdings_current c),"
        " (select md5(string_agg(h::text, '' order by h::text)) from hiro_nft_holdings_history h),"
        " (select md5(string_agg(s::text, '' order by s::text)) from snapshot s)"
    )


def test_killed_while_pages_are_staged_nothing_is_published_and_the_next_run_works(
    pipeline, sandbox, world: World, start_worker
):
    key = world.add_hiro_principal(1500)
    pipeline.take(key)
    before = everything(pipeline)
    world.tick(5)
    workers = []

    def kill(exchange, answer):
        if workers and sandbox.requests["hiro"] > killed_after:
            workers[0].send_signal(signal.SIGKILL)

    killed_after = sandbox.requests["hiro"] + 4
    sandbox.after_response = kill
    workers.append(start_worker(key))
    assert workers[0].wait(PATIENCE) == -signal.SIGKILL
    sandbox.after_response = None
    assert everything(pipeline) == before
    assert pipeline.take(key).entered > 0


def test_killed_in_the_middle_of_the_publish_transaction_nothing_is_half_there(
    pipeline, world: World, start_worker
):
    key = world.add_hiro_principal(400)
    pipeline.take(key)
    before = everything(pipeline)
    world.tick(5)
    with pipeline.warehouse.connect() as blocker, blocker.begin():
        # Readers and the history table stay free: the worker gets as far as changing current.
        blocker.execute(sa.text("lock table hiro_nft_holdings_current in share mode"))
        worker = start_worker(key)
        waiting = "select count(*) from pg_locks where relation = :table and not granted"
        oid = pipeline.sql("select 'hiro_nft_holdings_current'::regclass::oid")[0][0]
        wait_until(
            lambda: pipeline.sql(waiting, table=oid) == [(1,)], "the worker to reach current"
        )
        worker.send_signal(signal.SIGKILL)
        worker.wait(PATIENCE)
    assert everything(pipeline) == before
    snapshot = pipeline.take(key)
    assert snapshot.entered > 0
    assert pipeline.sql("select count(*) from hiro_nft_holdings_current") == [(snapshot.rows,)]
    assert pipeline.sql("select count(*) from walk_failure") == [(0,)]


def test_a_killed_workers_lock_is_free_within_seconds(pipeline, world: World, start_worker):
    key = world.add_hiro_principal(400)
    pipeline.take(key)
    world.tick(5)
    with pipeline.warehouse.connect() as blocker, blocker.begin():
        blocker.execute(sa.text("lock table hiro_nft_holdings_current in share mode"))
        worker = start_worker(key)
        advisory = "select count(*) from pg_locks where locktype = 'advisory' and granted"
        wait_until(lambda: pipeline.sql(advisory) == [(1,)], "the worker to lock the target")
        worker.send_signal(signal.SIGKILL)
        worker.wait(PATIENCE)
        wait_until(lambda: pipeline.sql(advisory) == [(0,)], "the lock to be free")


def test_staging_is_gone_with_its_session(pipeline, world: World):
    pipeline.take(world.add_catenis_asset(700))
    pipeline.warehouse.close()
    left = "select count(*) from pg_class where relname like 'staging%' or relname = 'delta'"
    wait_until(lambda: pipeline.sql(left) == [(0,)], "temp tables to be dropped")
