"""mart.freshness and mart.snapshots: whether a target is taken when it should be."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from pipelines.errors import HeldBack, RequestRefused
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.registry import Run, retire
from tests.conftest import Pipeline

EVERY_HOUR = "17 * * * *"


@pytest.fixture
def key(world) -> str:
    return world.add_catenis_asset(6)


@pytest.fixture
def tick(pipeline: Pipeline, key):
    """tick("a name") takes the target as a schedule does."""

    def run(name: str, cron: str | None = EVERY_HOUR):
        run = Run(name, scheduled_at=datetime.now(UTC), cron=cron)
        target, client = pipeline.target(key), pipeline.client("catenis")
        return take_snapshot(target, client, pipeline.warehouse, run).snapshot

    return run


def freshness(pipeline: Pipeline):
    [row] = pipeline.sql("select * from mart.freshness")
    return row


def shift(pipeline: Pipeline, interval: str) -> None:
    """As if the last snapshot had been taken, and the next one been due, so much earlier."""
    pipeline.sql(
        "update snapshot set started_at = started_at - cast(:i as interval),"
        " snapshot_at = snapshot_at - cast(:i as interval),"
        " snapshot_until = snapshot_until - cast(:i as interval),"
        " published_at = published_at - cast(:i as interval),"
        " next_due_at = next_due_at - cast(:i as interval)",
        i=interval,
    )


def test_a_target_that_nobody_took_is_never_taken(pipeline, key):
    pipeline.sql("insert into target (provider, name, subject) values ('hiro', 'hiro:x', 'x')")
    row = freshness(pipeline)
    assert (row.target, row.state, row.unproven_ticks) == ("hiro:x", "never taken", 0)
    assert row.last_snapshot_at is row.age is row.due_at is row.late_by is row.reason is None


def test_a_target_is_on_time_until_the_next_tick_of_its_schedule(pipeline, tick):
    snapshot = tick("first")
    row = freshness(pipeline)
    assert (row.state, row.late_by, row.unproven_ticks) == ("on time", None, 0)
    assert row.last_snapshot_at == snapshot.snapshot_at
    assert row.due_at.minute == 17
    assert timedelta(0) < row.due_at - snapshot.snapshot_at <= timedelta(hours=1)


def test_a_target_that_is_taken_by_hand_only_is_never_late(pipeline, tick):
    tick("by hand", cron=None)
    shift(pipeline, "400 days")
    row = freshness(pipeline)
    assert (row.state, row.due_at, row.late_by) == ("on time", None, None)
    assert row.age >= timedelta(days=400)


def test_a_target_whose_tick_has_passed_is_late(pipeline, tick):
    tick("first")
    shift(pipeline, "3 hours")
    row = freshness(pipeline)
    assert row.state == "late"
    assert timedelta(hours=2) <= row.late_by <= row.age
    tick("second")
    assert freshness(pipeline).state == "on time"


def test_a_target_that_fails_is_told_with_how_often_why_and_what_to_do(pipeline, world, key, tick):
    tick("first")
    rows = world.state(key).listing
    world.set_rows(key, [])
    for run in ("second", "third", "third"):
        with pytest.raises(HeldBack):
            tick(run)
    shift(pipeline, "3 hours")
    row = freshness(pipeline)
    assert (row.state, row.unproven_ticks, row.reason) == ("failing", 2, "HeldBack")
    assert "--accept-empty" in row.message
    assert row.last_failure_at > row.last_snapshot_at
    assert row.late_by >= timedelta(hours=2)
    assert row.rows == 6
    world.set_rows(key, rows)
    tick("fourth")
    row = freshness(pipeline)
    assert (row.state, row.unproven_ticks, row.reason, row.message) == ("on time", 0, None, None)


def test_a_target_that_failed_before_its_first_snapshot_is_failing(pipeline, key):
    with pytest.raises(RequestRefused):
        pipeline.take(key, api_secret=SecretStr("wrong"))
    row = freshness(pipeline)
    assert (row.state, row.unproven_ticks, row.reason) == ("failing", 1, "RequestRefused")
    assert row.last_snapshot_at is row.age is row.due_at is row.rows is None


def test_a_retired_target_is_not_awaited(pipeline, key, tick):
    tick("first")
    with pipeline.warehouse.connect() as connection:
        assert retire(connection, [key])
    assert pipeline.sql("select * from mart.freshness") == []
    assert pipeline.sql("select count(*) from mart.snapshots") == [(1,)]


def test_a_target_that_is_watched_again_and_not_proven_is_failing(pipeline, key, tick):
    tick("first")
    with pipeline.warehouse.connect() as connection:
        assert retire(connection, [key])
    with pytest.raises(RequestRefused):
        pipeline.take(key, api_secret=SecretStr("wrong"))
    assert (freshness(pipeline).state, freshness(pipeline).unproven_ticks) == ("failing", 1)


def test_a_snapshot_that_began_after_it_was_due_says_how_long(pipeline, tick):
    first = tick("first")
    shift(pipeline, "3 hours")
    second = tick("second")
    third = tick("third")
    rows = pipeline.sql("select * from mart.snapshots order by snapshot_at")
    due = first.next_due_at - timedelta(hours=3)
    assert [row.due_at for row in rows] == [None, due, second.next_due_at]
    assert [row.begun_late_by for row in rows] == [None, second.started_at - due, None]
    assert rows[1].previous_at == first.snapshot_at - timedelta(hours=3)
    assert rows[2].since_previous == third.snapshot_at - second.snapshot_at
    assert rows[0].previous_at is rows[0].since_previous is None
