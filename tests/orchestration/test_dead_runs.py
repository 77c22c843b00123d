"""Which runs of Dagster are ended, when, and what is left of them."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.events import (
    DagsterEvent,
    DagsterEventType,
    EngineEventData,
    RunEnqueuedData,
)
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from pydantic import SecretStr

from pipelines.runtime import Runtime
from pipelines.sandbox.world import World
from pipelines.warehouse.runs import end_run, living

Status = dg.DagsterRunStatus
JOBS = ("altura_snapshots", "hiro_snapshots", "after_snapshots", "audit")


EVENTS = {
    Status.QUEUED: (DagsterEventType.PIPELINE_ENQUEUED, RunEnqueuedData("", "", "")),
    Status.STARTING: (DagsterEventType.PIPELINE_STARTING, EngineEventData({})),
    Status.STARTED: (DagsterEventType.PIPELINE_START, None),
    Status.CANCELING: (DagsterEventType.PIPELINE_CANCELING, None),
}
"""By which a run comes to be so."""


@pytest.fixture
def run_of(orchestra):
    """Makes an unfinished run of a job, of a certain age for Dagster."""

    def make(job: str = "altura_snapshots", status: Status = Status.STARTED, minutes: float = 0):
        return unfinished_run(orchestra, job, status, minutes)

    return make


def unfinished_run(orchestra, job: str, status: Status, minutes: float = 0) -> dg.DagsterRun:
    instance = orchestra.instance
    definition = orchestra.definitions().resolve_job_def(job)
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("holdfast"), "__repository__")
    run = instance.create_run_for_job(
        definition,
        tags=definition.run_tags,
        remote_job_origin=RemoteJobOrigin(origin, job),
        job_code_origin=None,
    )
    if status in EVENTS:
        event, data = EVENTS[status]
        happened = DagsterEvent(event.value, run.job_name, event_specific_data=data)
        instance.report_dagster_event(happened, run.run_id)
    _age(instance, run.run_id, minutes)
    assert instance.get_run_by_id(run.run_id).status is status
    return run


def _age(instance, run_id, minutes):
    """Dagster's storage says when a run was made: SQL, as its library has no way to."""
    with instance.run_storage.connect() as connection:
        made = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)
        connection.execute(
            sa.text("update runs set create_timestamp = :made where run_id = :run"),
            {"made": made.strftime("%Y-%m-%d %H:%M:%S.%f"), "run": run_id},
        )


def look(orchestra):
    definitions = orchestra.definitions()
    [sensor] = [one for one in definitions.sensors if one.name == "dead_runs_sensor"]
    context = dg.build_sensor_context(instance=orchestra.instance)
    return sensor.evaluate_tick(context).skip_message


def status_of(orchestra, run):
    return orchestra.instance.get_run_by_id(run.run_id).status


def pass_minutes(pipeline, minutes):
    pipeline.sql(
        "update run set seen_at = seen_at - make_interval(secs => :s),"
        " looked_at = looked_at - make_interval(secs => :s),"
        " silent_since = silent_since - make_interval(secs => :s)",
        s=minutes * 60,
    )


@pytest.fixture(autouse=True)
def a_server_of_some_age(long_running_server):
    return long_running_server


@pytest.mark.parametrize(("minutes", "ended"), [(9, False), (11, True)])
def test_a_run_that_was_never_launched_is_ended_after_ten_minutes(
    orchestra, run_of, minutes, ended
):
    run = run_of(status=Status.NOT_STARTED, minutes=minutes)
    said = look(orchestra)
    assert ("not launched within 10 minutes" in said) == ended
    assert status_of(orchestra, run) is (Status.FAILURE if ended else Status.NOT_STARTED)


def test_a_queued_run_is_never_ended(orchestra, run_of):
    run = run_of(status=Status.QUEUED, minutes=600)
    assert look(orchestra) == "no run is under way"
    assert status_of(orchestra, run) is Status.QUEUED


def test_a_run_whose_process_does_not_begin_has_dagsters_own_time(
    orchestra, run_of, monkeypatch: pytest.MonkeyPatch
):
    run = run_of(status=Status.STARTING)
    assert orchestra.instance.run_monitoring_start_timeout_seconds == 180
    look(orchestra)
    assert status_of(orchestra, run) is Status.STARTING
    patience = property(lambda instance: -1)
    monkeypatch.setattr(type(orchestra.instance), "run_monitoring_start_timeout_seconds", patience)
    assert "its process has not begun within" in look(orchestra)
    assert status_of(orchestra, run) is Status.FAILURE


@pytest.mark.parametrize("job", JOBS)
def test_a_run_of_any_job_without_a_sign_is_ended(orchestra, pipeline, run_of, job):
    run = run_of(job)
    for _ in range(2):
        assert look(orchestra) == "every run under way shows signs of life"
        pass_minutes(pipeline, 1.9)
    assert "no sign of life" in look(orchestra)
    assert status_of(orchestra, run) is Status.FAILURE
    assert look(orchestra) == "no run is under way"


def test_a_run_that_was_ended_in_the_warehouse_alone_is_ended_in_dagster_by_the_next_look(
    orchestra, pipeline, run_of
):
    run = run_of()
    with pipeline.warehouse.transaction() as connection:
        end_run(connection, run.run_id, run.job_name, "whoever did was killed then")
    assert "whoever did was killed then" in look(orchestra)
    assert status_of(orchestra, run) is Status.FAILURE


def test_a_run_that_a_person_ended_and_nobody_works_on_becomes_canceled(
    orchestra, pipeline, run_of
):
    run = run_of(status=Status.CANCELING)
    for _ in range(3):
        look(orchestra)
        pass_minutes(pipeline, 1.9)
    assert status_of(orchestra, run) is Status.CANCELED


def test_a_run_that_shows_signs_lives_for_hours(orchestra, pipeline, run_of):
    run = run_of(minutes=600)
    with living(pipeline.warehouse, run.run_id, run.job_name) as pulse:
        for _ in range(5):
            look(orchestra)
            pass_minutes(pipeline, 1.9)
            pulse._written -= 60
            pulse.expect()
    assert status_of(orchestra, run) is Status.STARTED


def test_a_job_of_others_with_the_same_name_is_left_alone(orchestra, pipeline, instance):
    @dg.op
    def nothing():
        pass

    @dg.job(name="altura_snapshots")
    def theirs():
        nothing()

    run = instance.create_run_for_job(theirs, status=Status.STARTED)
    for _ in range(3):
        assert look(orchestra) == "no run is under way"
        pass_minutes(pipeline, 1.9)
    assert status_of(orchestra, run) is Status.STARTED


def test_a_dead_run_of_the_command_line_is_ended_too(orchestra, pipeline, run_of):
    alive = run_of()
    with pipeline.warehouse.transaction() as connection:
        connection.exec_driver_sql(
            "insert into run (run_id, job, worker, started_at, seen_at)"
            " values ('cli 1', 'holdfast snapshot', 'here', clock_timestamp(), clock_timestamp())"
        )
    with living(pipeline.warehouse, alive.run_id, alive.job_name):
        for _ in range(2):
            look(orchestra)
            pass_minutes(pipeline, 1.9)
        pipeline.sql("update run set seen_at = clock_timestamp() where job <> 'holdfast snapshot'")
        assert "run cli 1 of holdfast snapshot" in look(orchestra)
    assert pipeline.sql("select run_id from run where ended_at is not null") == [("cli 1",)]


def test_a_warehouse_that_is_away_is_no_sign_of_death(orchestra, run_of):
    run = run_of(minutes=600)
    away = SecretStr("postgresql://nobody@127.0.0.1:1/nowhere")
    settings = orchestra.pipeline.runtime.settings.model_copy(update={"database_url": away})
    orchestra.pipeline.runtime = Runtime(settings, orchestra.pipeline.runtime.providers)
    for _ in range(3):
        assert "nothing can be said of the runs under way" in look(orchestra)
    assert status_of(orchestra, run) is Status.STARTED


def test_what_a_dead_run_left_is_taken_by_its_retry(orchestra, pipeline, world: World):
    """Dagster's retry is another run of the same tick: it has another row, and the same key."""
    keys = [world.add_altura_item(3) for _ in range(2)]
    tick = datetime.fromisoformat("2026-11-20T08:00:00+00:00")
    first = orchestra.run("altura", tick=tick, names=keys[:1])
    assert first.success
    assert orchestra.run("altura", tick=tick, names=keys).success
    assert pipeline.sql("select count(*), count(distinct run_key) from snapshot") == [(2, 1)]
    [(runs, ended)] = pipeline.sql("select count(*), count(finished_at) from run")
    assert (runs, ended) == (2, 2)
