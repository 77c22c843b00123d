"""A target that is no longer watched leaves "now"; what was published of it stays."""

import pytest

from pipelines.errors import Unreachable
from pipelines.sandbox.world import World
from pipelines.warehouse.registry import Run, find_absent, register_target, retire

NOW = "select count(*) from holding_current where valid_to is null"
HELD_SINCE = (
    "select holder, held_since from (table holding_current union all table holding_history) h"
    " where target = :name order by 1"
)


@pytest.fixture
def assets(pipeline, world: World) -> list[str]:
    """Two Catenis assets of 12 and 20 holders, one snapshot each."""
    keys = [world.add_catenis_asset(size) for size in (12, 20)]
    for key in keys:
        pipeline.take(key)
    return keys


def absent(pipeline, *names: str, of: str = "targets"):
    with pipeline.warehouse.connect() as connection:
        return find_absent(connection, of, names)


def retire_all_but(pipeline, *names: str) -> list[str]:
    gone = [name for found in absent(pipeline, *names) for name in found.names]
    with pipeline.warehouse.connect() as connection:
        return retire(connection, gone)


def test_what_is_not_watched_any_more_leaves_now_and_stays_in_the_past(pipeline, assets):
    gone, kept = assets
    assert retire_all_but(pipeline, kept) == [gone]
    assert pipeline.sql(NOW) == [(20,)]
    [(until,)] = pipeline.sql("select retired_at from target where name = :name", name=gone)
    past = "select count(*) from catenis_asset_holders_as_of(:until - interval '1 microsecond')"
    assert pipeline.sql(past, until=until) == [(32,)]
    closed = "select count(*) from catenis_asset_holders where valid_to = :until"
    assert pipeline.sql(closed, until=until) == [(12,)]


def test_a_target_is_retired_once_whatever_its_provider(pipeline, assets, world: World):
    item = world.add_altura_item(9)
    pipeline.take(item)
    assert retire_all_but(pipeline) == sorted([item, *assets])
    times = pipeline.sql("select name, retired_at from target order by name")
    assert retire_all_but(pipeline) == []
    assert pipeline.sql("select name, retired_at from target order by name") == times


def test_a_walk_that_was_under_way_does_not_undo_a_retirement(pipeline, assets, sandbox):
    def retire_meanwhile(exchange, answer):
        with pipeline.warehouse.connect() as connection:
            retire(connection, [assets[0]])

    sandbox.after_response = retire_meanwhile
    pipeline.take(assets[0])
    sandbox.after_response = None
    assert pipeline.sql(NOW) == [(20,)]
    pipeline.take(assets[0])
    assert pipeline.sql(NOW) == [(32,)]


def test_one_target_is_retired_by_its_name(pipeline, assets):
    with pipeline.warehouse.connect() as connection:
        assert retire(connection, [assets[0]])
        assert not retire(connection, [assets[0]])
        assert not retire(connection, ["catenis:unknown"])
    assert pipeline.sql(NOW) == [(20,)]


def test_a_target_that_is_watched_again_goes_on_where_it_stopped(pipeline, assets, world: World):
    since = pipeline.sql(HELD_SINCE, name=assets[0])
    first = pipeline.sql("select snapshot_id from snapshot order by 1 limit 1")[0][0]
    retire_all_but(pipeline)
    snapshot = pipeline.take(assets[0])
    assert (snapshot.previous_id, snapshot.entered, snapshot.exited) == (first, 0, 0)
    assert pipeline.sql(NOW) == [(12,)]
    assert pipeline.sql(HELD_SINCE, name=assets[0]) == since


def test_a_failed_walk_does_not_bring_a_target_back(pipeline, assets):
    retire_all_but(pipeline)
    with pytest.raises(Unreachable):
        pipeline.take(assets[0], base_url="http://127.0.0.1:1", max_tries=1)
    assert pipeline.sql(NOW) == [(0,)]


def test_a_list_misses_only_what_it_brought_itself(pipeline, assets, world: World):
    other = world.add_catenis_asset(3)
    with pipeline.warehouse.connect() as connection:
        register_target(
            connection, pipeline.target(other), Run("a run", list_name="another team's")
        )
    [found] = absent(pipeline, assets[0])
    assert (found.provider, found.names, found.current) == ("catenis", (assets[1],), 2)
    [found] = absent(pipeline, of="another team's")
    assert found.names == (other,)
    assert absent(pipeline, of="unknown") == []


def test_a_target_belongs_to_the_list_that_brought_it_last(pipeline, assets):
    with pipeline.warehouse.connect() as connection:
        register_target(connection, pipeline.target(assets[0]), Run("a run", list_name="another"))
    [found] = absent(pipeline)
    assert found.names == (assets[1],)


@pytest.mark.parametrize(("gone", "doubtful"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_list_that_misses_more_than_half_of_a_providers_targets_is_doubtful(
    pipeline, world: World, gone, doubtful
):
    keys = [world.add_altura_item(1) for _ in range(4)]
    with pipeline.warehouse.connect() as connection:
        for key in keys:
            register_target(connection, pipeline.target(key), Run("a run"))
    [found] = absent(pipeline, *keys[gone:])
    assert (len(found.names), found.current, found.is_doubtful) == (gone, 4, doubtful)
    assert str(found) == f"{gone} of 4 altura targets are no longer on the list"
