"""`holdfast snapshot`."""

import json
import signal
import threading
from pathlib import Path

import sqlalchemy as sa

from pipelines.sandbox.world import World
from pipelines.warehouse.concentration import lock_of
from tests.patience import PATIENCE

OTHER_ASSET = "aQjlzShmrnEZeeYBZihc"


def test_every_target_is_taken_and_what_was_published_is_printed(holdfast, environment):
    done = holdfast("snapshot", **environment)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 targets published" in done.stdout
    assert "The vault" in done.stdout
    assert "chained" in done.stdout


def test_one_target_is_taken_by_its_label(holdfast, environment):
    done = holdfast("snapshot", "The vault", **environment)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 target published" in done.stdout


def test_a_target_named_twice_is_taken_once(holdfast, environment, world: World):
    done = holdfast("snapshot", "The vault", world.targets("hiro")[0], **environment)
    assert "1 of 1 target published" in done.stdout


def test_without_a_terminal_each_target_is_a_line_as_it_ends(holdfast, environment, world: World):
    done = holdfast("snapshot", **environment)
    lines = [line for line in done.stderr.splitlines() if line.startswith("published: ")]
    assert f"published: {world.targets('hiro')[0]}: 250 rows, chained" in lines
    assert len(lines) == 3
    assert "\x1b" not in done.stderr + done.stdout


def test_json_has_what_was_published_and_what_was_not(holdfast, environment, world: World):
    environment["CATENIS_API_SECRET"] = "not-the-secret"
    done = holdfast("snapshot", "--json", **environment)
    assert done.returncode == 1
    told = {record["provider"]: record for record in json.loads(done.stdout)}
    assert told["hiro"]["target"] == world.targets("hiro")[0]
    assert (told["hiro"]["label"], told["hiro"]["published"]) == ("The vault", True)
    assert (told["hiro"]["rows"], told["hiro"]["proof"]) == (250, "chained")
    assert told["hiro"]["snapshot_at"].endswith("+00:00")
    assert isinstance(told["altura"]["amount_sum"], str)
    assert (told["catenis"]["published"], told["catenis"]["reason"]) == (False, "RequestRefused")
    assert "answered 401" in told["catenis"]["message"]


def test_a_target_that_fails_makes_exit_code_1_and_leaves_the_others(holdfast, environment):
    environment["CATENIS_API_SECRET"] = "not-the-secret"
    done = holdfast("snapshot", **environment)
    assert done.returncode == 1
    assert "2 of 3 targets published" in done.stdout
    assert "answered 401" in done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr


def test_a_target_that_does_not_exist_makes_exit_code_2_and_a_suggestion(holdfast, environment):
    done = holdfast("snapshot", "The vaul", **environment)
    assert done.returncode == 2
    assert "did you mean The vault" in done.stderr


def test_a_snapshot_retires_nothing_whatever_its_list_says(
    holdfast, environment, world: World, pipeline
):
    for arguments in ((), ("--accept-empty", "nobody"), ("nobody",)):
        path = Path(environment["HOLDFAST_TARGETS"])
        holdfast("snapshot", *arguments, **environment)
        path.write_text(f"altura:\n{path.read_text().partition('altura:')[2]}")
    assert pipeline.sql("select count(*) from target where retired_at is not null") == [(0,)]


def test_a_wrong_name_beside_accept_empty_is_refused_before_anything_is_opened(
    holdfast, environment
):
    gone = environment | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere"}
    done = holdfast("snapshot", "nobody", "--accept-empty", **gone)
    assert (done.returncode, "has no target 'nobody'" in done.stderr) == (2, True), done.stderr


def test_the_concentration_of_what_was_published_is_there_and_what_is_left_is_told(
    holdfast, environment, world: World, pipeline
):
    [before] = [pipeline.take(key) for key in world.targets("altura")]
    world.tick(10)
    with pipeline.warehouse.transaction() as other:
        other.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_of(before.snapshot_id))))
        done = holdfast("snapshot", **environment)
    assert done.returncode == 0, done.stderr
    assert "mart.concentration still lacks 1 snapshot." in done.stderr
    told = "select provider, snapshot_id <= :before from mart.concentration order by 1, 2"
    assert pipeline.sql(told, before=before.snapshot_id) == [("altura", False), ("catenis", False)]
    holdfast("snapshot", "The vault", **environment)
    assert ("altura", True) in pipeline.sql(told, before=before.snapshot_id)


def test_a_concentration_that_fails_is_told_and_takes_no_snapshot_back(
    holdfast, environment, pipeline
):
    pipeline.sql("drop table snapshot_concentration cascade")
    done = holdfast("snapshot", **environment)
    assert done.returncode == 1
    assert "3 of 3 targets published" in done.stdout
    assert "What was published stays, but mart.concentration lacks it" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(pipeline.sql("select 1 from snapshot")) == 3


def test_ctrl_c_ends_it_soon_though_the_server_hangs_and_keeps_what_was_published(
    start_holdfast, environment, sandbox, pipeline
):
    hanging, ended = threading.Event(), threading.Event()
    patient = {f"CATENIS_{name}_TIMEOUT": "600" for name in ("READ", "TOTAL")}

    def hang(exchange):
        if exchange.provider == "catenis":
            hanging.set()
            ended.wait()

    sandbox.before_response = hang
    running = start_holdfast("snapshot", **(environment | patient))
    assert hanging.wait(PATIENCE)
    running.send_signal(signal.SIGINT)
    try:
        _, messages = running.communicate(timeout=PATIENCE)
    finally:
        ended.set()
    sandbox.before_response = None
    assert running.returncode == 130
    assert "Interrupted. What was published stays, nothing is half done." in messages
    assert "Traceback" not in messages
    assert len(pipeline.sql("select 1 from snapshot")) == 2
