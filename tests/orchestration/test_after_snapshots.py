"""What follows on snapshots: when the sensor asks for it, and what a run makes."""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from pipelines.orchestration import after_snapshots
from pipelines.orchestration.after_snapshots import JOB
from pipelines.paths import REPORT_FILE
from pipelines.sandbox.world import World
from pipelines.warehouse.concentration import lock_of

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Sensor:
    """The sensor as the daemon evaluates it: each look begins with the cursor of the one before."""

    def __init__(self, orchestra) -> None:
        self._instance = orchestra.instance
        self._repository = orchestra.definitions().get_repository_def()
        self._cursor: str | None = None

    def look(self) -> dg.RunRequest | str:
        """The one run that it asks for, or why none."""
        context = dg.build_sensor_context(
            instance=self._instance, cursor=self._cursor, repository_def=self._repository
        )
        told = self._repository.get_sensor_def(f"{JOB}_sensor").evaluate_tick(context)
        self._cursor = told.cursor
        requests = told.run_requests or []
        assert len(requests) <= 1
        return requests[0] if requests else told.skip_message

    def asks(self) -> bool:
        return isinstance(self.look(), dg.RunRequest)


@pytest.fixture
def sensor(orchestra) -> Sensor:
    return Sensor(orchestra)


def start_run(orchestra, job: str) -> dg.DagsterRun:
    definition = orchestra.definitions().resolve_job_def(job)
    return orchestra.instance.create_run_for_job(
        definition, status=dg.DagsterRunStatus.STARTED, tags=definition.run_tags
    )


def publish(orchestra) -> None:
    """The event of a target that was published."""
    event = dg.AssetMaterialization("hiro_nft_holdings", partition="hiro:SP1")
    orchestra.instance.report_runless_asset_event(event)


def run_job(orchestra) -> dg.ExecuteInProcessResult:
    return (
        orchestra.definitions()
        .resolve_job_def(JOB)
        .execute_in_process(run_config=QUIET, instance=orchestra.instance, raise_on_error=False)
    )


def materializations(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    return {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def test_the_sensor_asks_once_for_whatever_is_new_though_other_targets_never_were_published(
    orchestra, sensor, world: World
):
    keys = [world.add_altura_item(3) for _ in range(2)]
    world.add_catenis_asset(3)
    assert sensor.look() == "nothing has been published yet"
    orchestra.run("altura", names=keys[:1])
    first = sensor.look()
    assert "nothing has been published since" in sensor.look()
    orchestra.run("altura", names=keys[1:])
    orchestra.run("catenis")
    second = sensor.look()
    assert "nothing has been published since" in sensor.look()
    assert len({first.run_key, second.run_key}) == 2


def test_what_is_published_while_its_run_is_under_way_is_asked_for_after_that_run(
    orchestra, sensor
):
    publish(orchestra)
    assert sensor.asks()
    own = start_run(orchestra, JOB)
    publish(orchestra)
    assert sensor.look().startswith(f"run {own.run_id[:8]} of {JOB} is still started")
    orchestra.instance.report_run_canceled(own)
    assert sensor.asks()
    assert not sensor.asks()


def test_one_run_follows_on_all_runs_of_a_tick_unless_they_take_long(
    orchestra, sensor, monkeypatch
):
    publish(orchestra)
    orchestra.instance.report_run_canceled(start_run(orchestra, JOB))
    taking = start_run(orchestra, "altura_snapshots")
    assert sensor.look().startswith(f"run {taking.run_id[:8]} of altura_snapshots is still started")
    monkeypatch.setattr(after_snapshots, "PATIENCE", timedelta(0))
    assert sensor.asks()
    publish(orchestra)
    monkeypatch.undo()
    assert not sensor.asks()
    orchestra.instance.report_run_canceled(taking)
    assert sensor.asks()


def test_a_run_computes_what_is_missing_and_writes_the_report(orchestra, pipeline, world: World):
    keys = [world.add_altura_item(30), world.add_catenis_asset(20), world.add_hiro_principal(10)]
    for _ in range(2):
        for key in keys:
            pipeline.take(key)
        world.tick(4)
    made = materializations(run_job(orchestra))
    assert set(made) == {"concentration", "report"}
    assert (made["concentration"]["snapshots"], made["concentration"]["left_for_the_next_run"]) == (
        4,
        0,
    )
    assert pipeline.sql("select count(*) from mart.concentration") == [(4,)]
    path = pipeline.runtime.settings.holdfast_home / REPORT_FILE
    assert made["report"]["path"] == str(path)
    assert made["report"]["targets"] == 3
    assert made["report"]["overview"].startswith("![rows over time](data:image/png;base64,")
    assert len(made["report"]["overview"]) < 40_000
    assert all(key in path.read_text() for key in keys)

    again = materializations(run_job(orchestra))
    assert again["concentration"]["snapshots"] == 0


def test_a_run_that_left_a_backlog_is_followed_by_one_as_long_as_that_gets_on(
    orchestra, sensor, pipeline, world: World
):
    key = world.add_altura_item(30)
    for _ in range(3):
        snapshot_id = pipeline.take(key).snapshot_id
        world.tick(4)
    orchestra.run("altura", names=[key])
    assert sensor.asks()
    with pipeline.warehouse.transaction() as other:
        other.execute(sa.select(sa.func.pg_try_advisory_xact_lock(lock_of(snapshot_id))))
        for computed in (3, 0):
            made = materializations(run_job(orchestra))["concentration"]
            assert (made["snapshots"], made["left_for_the_next_run"]) == (computed, 1)
            assert sensor.asks() is bool(computed)
            assert "nothing has been published since" in sensor.look()
    publish(orchestra)
    assert sensor.asks()
    made = materializations(run_job(orchestra))["concentration"]
    assert (made["snapshots"], made["left_for_the_next_run"]) == (1, 0)
    assert not sensor.asks()


def test_a_database_that_is_not_ready_fails_the_run_in_words(orchestra, empty_database_url):
    runtime = orchestra.pipeline.runtime
    url = SecretStr(empty_database_url)
    orchestra.pipeline.runtime = replace(
        runtime, settings=runtime.settings.model_copy(update={"database_url": url})
    )
    result = run_job(orchestra)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "run holdfast migrate" in failure.step_failure_data.user_failure_data.description
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
