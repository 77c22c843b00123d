"""Who lives, who is dead, and that a dead run publishes nothing. Times are moved by SQL: nobody
waits for three minutes."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

from pipelines.errors import RunEnded
from pipelines.sandbox.world import World
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run
from pipelines.warehouse.runs import (
    Pulse,
    end_run,
    living,
    look,
    server_started,
    session_name,
)

RUN, JOB = "a run", "a job"


@pytest.fixture
def warehouse(pipeline) -> Warehouse:
    return pipeline.warehouse


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def looked(warehouse: Warehouse, expected=None, started: datetime = LONG_AGO) -> list[str]:
    with warehouse.transaction() as connection:
        return [silent.run_id for silent in look(connection, expected or {}, started)]


def pass_time(pipeline, minutes: float) -> None:
    """All that was written lies so many minutes further back."""
    columns = ("started_at", "seen_at", "waits_until", "looked_at", "silent_since")
    moved = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in columns)
    pipeline.sql(f"update run set {moved}", seconds=minutes * 60)


def end(warehouse: Warehouse, why: str = "it was silent") -> None:
    with warehouse.transaction() as connection:
        end_run(connection, RUN, JOB, why)


def test_a_run_without_a_sign_between_two_looks_three_minutes_apart_is_dead(pipeline, warehouse):
    with living(warehouse, RUN, JOB):
        assert looked(warehouse) == []
        pass_time(pipeline, 1.5)
        assert looked(warehouse) == []
        pass_time(pipeline, 1.4)
        assert looked(warehouse) == []
        pass_time(pipeline, 0.2)
        assert looked(warehouse) == [RUN]


def test_a_run_that_ended_by_itself_is_not_looked_at(pipeline, warehouse):
    with living(warehouse, RUN, JOB):
        looked(warehouse)
    pass_time(pipeline, 60)
    assert looked(warehouse) == []
    [(ended, finished)] = pipeline.sql("select ended_at, finished_at from run")
    assert (ended, finished is not None) == (None, True)


def test_every_sign_begins_the_silence_again(pipeline, warehouse):
    with living(warehouse, RUN, JOB) as pulse:
        for _ in range(4):
            looked(warehouse)
            pass_time(pipeline, 1.9)
            pulse._written -= 60
            pulse.expect()
            assert looked(warehouse) == []


def test_a_wait_that_was_announced_is_no_silence(pipeline, warehouse):
    with living(warehouse, RUN, JOB) as pulse:
        pulse.expect(seconds=900)
        for _ in range(7):
            looked(warehouse)
            pass_time(pipeline, 1.9)
        assert looked(warehouse) == []
        for _ in range(2):
            pass_time(pipeline, 1.9)
            dead = looked(warehouse)
        assert dead == [RUN]


def test_a_statement_that_postgres_executes_is_a_sign(pipeline, warehouse, database_url):
    statement = sa.text("select pg_sleep(60)")
    with (
        Warehouse(database_url, session=session_name(RUN)) as own,
        own.connect() as connection,
        living(warehouse, RUN, JOB),
    ):
        pid = connection.scalar(sa.text("select pg_backend_pid()"))
        connection.rollback()
        thread = threading.Thread(target=lambda: _until_cancelled(connection, statement))
        thread.start()
        active = "select count(*) from pg_stat_activity where pid = :pid and state = 'active'"
        while pipeline.sql(active, pid=pid) != [(1,)]:
            pass
        for _ in range(3):
            assert looked(warehouse) == []
            pass_time(pipeline, 1.9)
        pipeline.sql("select pg_cancel_backend(:pid)", pid=pid)
        thread.join()
        for _ in range(3):
            dead = looked(warehouse)
            pass_time(pipeline, 1.9)
        assert dead == [RUN]


def _until_cancelled(connection: sa.Connection, statement: sa.TextClause) -> None:
    with pytest.raises(sa.exc.OperationalError) as cancelled, connection.begin():
        connection.execute(statement)
    assert isinstance(cancelled.value.orig, psycopg.errors.QueryCanceled)


def test_a_gap_between_looks_is_no_silence_as_postgres_may_have_been_away(pipeline, warehouse):
    with living(warehouse, RUN, JOB):
        assert looked(warehouse) == []
        pass_time(pipeline, 5)
        assert looked(warehouse) == []
        pass_time(pipeline, 1.9)
        assert looked(warehouse) == []
        pass_time(pipeline, 1.9)
        assert looked(warehouse) == [RUN]


def test_a_schedule_alone_whose_looks_lie_an_hour_apart_is_enough(pipeline, warehouse):
    with living(warehouse, RUN, JOB):
        assert looked(warehouse) == []
        pass_time(pipeline, 60)
        assert looked(warehouse) == [RUN]


@pytest.mark.parametrize("minutes", [3, 60])
def test_a_server_that_was_started_since_the_first_look_begins_the_silence_again(
    pipeline, warehouse, minutes
):
    with living(warehouse, RUN, JOB):
        assert looked(warehouse) == []
        pass_time(pipeline, minutes)
        with warehouse.transaction() as connection:
            just_now = server_started(connection)
        pipeline.sql("update run set silent_since = :at - interval '1 s'", at=just_now)
        assert looked(warehouse, started=just_now) == []


def test_a_run_that_never_wrote_a_row_is_dead_when_it_never_does(pipeline, warehouse):
    expected = {RUN: JOB}
    for _ in range(2):
        assert looked(warehouse, expected) == []
        pass_time(pipeline, 1.9)
    assert looked(warehouse, expected) == [RUN]
    [(job, worker)] = pipeline.sql("select job, worker from run")
    assert (job, worker) == (JOB, None)


def test_a_run_that_was_expected_begins_in_its_row(pipeline, warehouse):
    looked(warehouse, {RUN: JOB})
    pass_time(pipeline, 2.9)
    with living(warehouse, RUN, JOB):
        assert looked(warehouse) == []


def test_a_run_that_died_between_two_steps_is_dead(pipeline, warehouse):
    with living(warehouse, RUN, JOB):
        pass
    for _ in range(2):
        assert looked(warehouse, {RUN: JOB}) == []
        pass_time(pipeline, 1.9)
    assert looked(warehouse) == [], "nobody says that it is still under way"
    assert looked(warehouse, {RUN: JOB}) == [RUN]


def test_what_was_ended_before_it_began_does_not_begin(warehouse):
    end(warehouse, "not launched in time")
    with pytest.raises(RunEnded, match="not launched in time"), living(warehouse, RUN, JOB):
        pytest.fail("it began")


def test_a_run_that_was_ended_publishes_nothing_and_says_so(pipeline, warehouse, world: World):
    key = world.add_altura_item(3)
    target, client = pipeline.target(key), pipeline.client("altura")
    with living(warehouse, RUN, JOB):
        take_snapshot(target, client, warehouse, Run("first", run_id=RUN))
        end(warehouse)
        with pytest.raises(
            RunEnded, match=r"it was silent.*its retry, or the next tick"
        ) as refused:
            take_snapshot(target, client, warehouse, Run("second", run_id=RUN))
    assert not refused.value.transient
    assert pipeline.sql("select run_key from snapshot") == [("first",)]
    assert pipeline.sql("select count(*) from walk_failure") == [(0,)]
    take_snapshot(target, client, warehouse, Run("second", run_id="its retry"))
    assert pipeline.sql("select count(*) from snapshot") == [(2,)]


def test_ending_a_run_waits_for_what_it_is_publishing(pipeline, warehouse, world, monkeypatch):
    """Either the snapshot is there when the run counts as ended, or it never will be."""
    key = world.add_altura_item(3)
    seen: list[tuple[int, bool]] = []
    ending = threading.Thread(target=end, args=(warehouse,))

    def while_publishing(*arguments):
        ending.start()
        blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        while pipeline.sql(blocked) == [(0,)]:
            pass
        with living_pulse.transaction() as connection:  # signs can be written meanwhile
            connection.execute(sa.text("update run set seen_at = clock_timestamp()"))
        seen.append((1, ending.is_alive()))
        return inserted(*arguments)

    living_pulse = warehouse
    import pipelines.warehouse.load as module  # noqa: PLC0415

    inserted = module._amount_sum
    monkeypatch.setattr(module, "_amount_sum", while_publishing)
    with living(warehouse, RUN, JOB):
        client = pipeline.client("altura")
        take_snapshot(pipeline.target(key), client, warehouse, Run("first", run_id=RUN))
        ending.join()
    assert seen == [(1, True)]
    assert pipeline.sql("select count(*) from snapshot, run where ended_at is not null") == [(1,)]


def test_a_run_that_was_ended_notices_at_its_next_sign(warehouse):
    cancelled = []
    with living(warehouse, RUN, JOB) as pulse:
        pulse.when_ended(lambda: cancelled.append("now"))
        end(warehouse)
        pulse.expect()
        assert cancelled == [], "a sign is written every ten seconds"
        pulse._written -= 60
        pulse.expect()
        pulse._written -= 60
        pulse.expect()
    assert cancelled == ["now"]


def test_signs_are_written_now_and_then_and_a_long_wait_at_once(pipeline, warehouse):
    with living(warehouse, RUN, JOB) as pulse:
        first = pipeline.sql("select seen_at, waits_until from run")
        for _ in range(100):
            pulse.expect()
            pulse.expect(seconds=30)
        assert pipeline.sql("select seen_at, waits_until from run") == first
        pulse.expect(seconds=300)
        [(seen_at, waits_until)] = pipeline.sql("select seen_at, waits_until from run")
    assert timedelta(seconds=299) < waits_until - seen_at < timedelta(seconds=301)


def test_a_warehouse_that_is_away_ends_no_run(caplog):
    with Warehouse("postgresql://nobody@127.0.0.1:1/nowhere") as away:
        Pulse(away, RUN).expect(seconds=300)
    assert "no sign of life could be written" in caplog.text
