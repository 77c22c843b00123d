"""Moments that are given: who may give one, and which the history has room for."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import ConfigurationError, HeldBack, MomentRefused
from pipelines.providers import PROVIDERS
from pipelines.snapshots import take_snapshot
from pipelines.warehouse import moments
from pipelines.warehouse.audit import audit
from pipelines.warehouse.moments import Moment, is_made_up, mark_as_made_up
from pipelines.warehouse.registry import Run

DAY = timedelta(days=1)
SPAN = timedelta(seconds=7)
FIRST = datetime(2026, 1, 5, 6, 7, 8, 901, tzinfo=UTC)


@pytest.fixture
def key(world) -> str:
    return world.add_altura_item(6)


@pytest.fixture
def take(pipeline, key):
    """take(at) → the snapshot that was published as of a moment of seven seconds."""
    numbers = itertools.count(1)

    def take(at: datetime, until: datetime | None = None, key: str = key, cron: str | None = None):
        target = pipeline.target(key)
        client = pipeline.client(target.provider)
        run = Run(f"given {next(numbers)}", cron=cron)
        moment = Moment(at, until or at + SPAN)
        return take_snapshot(target, client, pipeline.warehouse, run, moment=moment).snapshot

    return take


@pytest.fixture
def marked(pipeline) -> None:
    with pipeline.warehouse.transaction() as connection:
        mark_as_made_up(connection)


def kept(pipeline):
    """How many snapshots there are, and why others were refused."""
    [(snapshots,)] = pipeline.sql("select count(*) from snapshot")
    return snapshots, pipeline.sql("select reason, transient, message from walk_failure")


# --- who may give one -----------------------------------------------------------------------------


def test_in_a_database_that_is_not_marked_no_moment_is_given(pipeline, take, key):
    with pytest.raises(MomentRefused, match="double_collect does not know the moment of its state"):
        take(FIRST)
    [(snapshots), [(reason, transient, message)]] = kept(pipeline)
    assert (snapshots, reason, transient) == (0, "MomentRefused", False)
    assert message.startswith(f"{key}: ")


def test_a_setting_of_a_session_marks_nothing(pipeline, take):
    pipeline.sql("create schema if not exists demo")
    pipeline.sql("set holdfast.world = 'demo'")
    with pytest.raises(MomentRefused, match="not marked as a demo's or a test's"):
        take(FIRST)


def test_a_proof_that_knows_the_moment_may_give_it_anywhere(pipeline, take, monkeypatch):
    monkeypatch.setattr(moments, "KNOW_THEIR_MOMENT", frozenset({"double_collect"}))
    assert take(FIRST).snapshot_at == FIRST


def test_a_database_that_holds_snapshots_is_never_marked(pipeline, key):
    pipeline.take(key)
    with (
        pytest.raises(ConfigurationError, match="holds snapshots: only an empty one"),
        pipeline.warehouse.transaction() as connection,
    ):
        mark_as_made_up(connection)
    with pipeline.warehouse.transaction() as connection:
        assert not is_made_up(connection)


@pytest.mark.usefixtures("marked")
def test_a_marked_database_may_be_marked_again(pipeline, take):
    take(FIRST)
    with pipeline.warehouse.transaction() as connection:
        mark_as_made_up(connection)
        assert is_made_up(connection)


# --- what becomes of it ---------------------------------------------------------------------------


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_months_of_history_are_made_in_a_moment_and_pass_the_audit(pipeline, world, take, provider):
    add = {
        "altura": world.add_altura_item,
        "hiro": world.add_hiro_principal,
        "catenis": world.add_catenis_asset,
    }
    key = add[provider](20)
    taken = []
    for number in range(12):
        taken.append(take(FIRST + 10 * number * DAY, key=key))
        world.tick(3)
    now = pipeline.take(key)
    for number, snapshot in enumerate(taken):
        at = FIRST + 10 * number * DAY
        times = (snapshot.started_at, snapshot.snapshot_at)
        ends = (snapshot.snapshot_until, snapshot.finished_at, snapshot.published_at)
        assert times == (at,) * 2
        assert ends == (at + SPAN,) * 3
    assert now.snapshot_at > datetime.now(UTC) - timedelta(minutes=10)
    assert [finding for finding in audit(pipeline.warehouse, PROVIDERS[provider])
            if not finding.passed] == []  # fmt: skip
    dataset = PROVIDERS[provider].dataset.name
    starts = pipeline.sql(f"select distinct valid_from from {dataset} order by 1")
    assert {at for (at,) in starts} <= {s.snapshot_at for s in (*taken, now)}
    assert len(starts) > 6


@pytest.mark.usefixtures("marked")
def test_the_next_snapshot_is_due_by_the_moment_that_was_given(take):
    snapshot = take(FIRST, cron="0 7 * * *")
    assert snapshot.next_due_at == FIRST.replace(hour=7, minute=0, second=0, microsecond=0)


@pytest.mark.usefixtures("marked")
def test_without_a_given_moment_a_marked_database_goes_by_its_clock(pipeline, key):
    [(before,)] = pipeline.sql("select clock_timestamp()")
    assert pipeline.take(key).snapshot_until >= before


@pytest.mark.usefixtures("marked")
def test_a_guard_holds_a_set_whatever_the_moment(pipeline, world, take, key):
    take(FIRST)
    for address, *_ in list(world.state(key).rows)[1:]:
        world.altura_remove(key, address)
    with pytest.raises(HeldBack):
        take(FIRST + DAY)
    assert take(FIRST + 2 * DAY).rows == 1


@pytest.mark.usefixtures("marked")
def test_a_retired_target_is_watched_again_by_a_walk_after_its_retirement(pipeline, take):
    take(FIRST)
    pipeline.sql("update target set retired_at = clock_timestamp()")
    take(FIRST + DAY)
    assert pipeline.sql("select retired_at from target") == [(None,)]


# --- which it has room for ------------------------------------------------------------------------


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize(
    ("at", "until", "told"),
    [
        (FIRST, FIRST - SPAN, "ends before it begins: 2026-01-05T06:07:08.000901"),
        (FIRST.replace(tzinfo=None), FIRST, "has no time zone"),
        (FIRST, FIRST.replace(tzinfo=None), "has no time zone"),
        (datetime(2200, 1, 1, tzinfo=UTC), None, "lies in the future: 2200-01-01"),
        (FIRST, datetime(2200, 1, 1, tzinfo=UTC), "lies in the future"),
    ],
)
def test_a_moment_that_can_t_be_is_refused(pipeline, take, at, until, told):
    with pytest.raises(MomentRefused, match=told):
        take(at, until)
    assert kept(pipeline)[0] == 0


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("later", [-DAY, timedelta(0), SPAN / 2])
def test_a_moment_that_does_not_follow_the_last_snapshot_is_refused(pipeline, take, later):
    last = take(FIRST)
    with pytest.raises(MomentRefused, match="does not follow the last snapshot, which was taken"):
        take(FIRST + later)
    assert pipeline.sql("select snapshot_id from snapshot") == [(last.snapshot_id,)]


@pytest.mark.usefixtures("marked")
def test_a_moment_may_begin_where_the_last_one_ends(take):
    take(FIRST)
    assert take(FIRST + SPAN).snapshot_at == FIRST + SPAN


@pytest.mark.usefixtures("marked")
def test_the_same_point_in_time_is_given_once(take):
    take(FIRST, FIRST)
    with pytest.raises(MomentRefused, match="does not follow the last snapshot"):
        take(FIRST, FIRST)


@pytest.mark.usefixtures("marked")
def test_a_past_moment_is_not_put_before_what_was_really_taken(pipeline, take, key):
    pipeline.take(key)
    with pytest.raises(MomentRefused, match="does not follow the last snapshot"):
        take(FIRST)
