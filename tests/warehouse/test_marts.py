"""The views and functions of the datasets, on real snapshots."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from pipelines.paths import ROOT
from pipelines.sandbox.world import World

JUST = timedelta(microseconds=1)


@pytest.fixture
def history(pipeline, world: World):
    """An item, a principal and an asset, each with three snapshots and changes in between."""
    keys = [world.add_altura_item(30), world.add_hiro_principal(30), world.add_catenis_asset(30)]
    taken = {key: [] for key in keys}
    for _ in range(3):
        for key in keys:
            taken[key].append(pipeline.take(key))
        world.tick(4)
    return taken


def test_as_of_answers_with_the_snapshot_that_was_the_present_then(pipeline, history):
    for key, snapshots in history.items():
        dataset = {"a": "altura_item_holders", "h": "hiro_nft_holdings"}.get(
            key[0], "catenis_asset_holders"
        )
        for number, snapshot in enumerate(snapshots):
            for moment in (snapshot.snapshot_at, snapshot.snapshot_at + JUST):
                rows = pipeline.sql(
                    f"select snapshot_id, count(*) from {dataset}_as_of(:moment)"
                    " where target = :key group by 1",
                    moment=moment,
                    key=key,
                )
                assert rows == [(snapshot.snapshot_id, snapshot.rows)]
            if number == 0:
                before = snapshot.snapshot_at - JUST
                rows = pipeline.sql(
                    f"select 1 from {dataset}_as_of(:moment) where target = :key",
                    moment=before,
                    key=key,
                )
                assert rows == []


def test_snapshots_rebuilt_have_the_counts_that_were_published(pipeline, history):
    for dataset in ("altura_item_holders", "hiro_nft_holdings", "catenis_asset_holders"):
        wrong = pipeline.sql(
            f"select s.snapshot_id from snapshot s join (select snapshot_id, count(*) as n"
            f" from {dataset}_snapshots group by 1) r using (snapshot_id) where r.n <> s.rows"
        )
        assert wrong == []


def test_one_view_unites_what_the_three_datasets_hold(pipeline, history):
    now = pipeline.sql(
        "select provider, count(*), sum(quantity) from holding_current where valid_to is null"
        " group by 1 order by 1"
    )
    last = {key.partition(":")[0]: snapshots[-1] for key, snapshots in history.items()}
    assert now == [
        ("altura", last["altura"].rows, last["altura"].amount_sum),
        ("catenis", last["catenis"].rows, last["catenis"].amount_sum),
        ("hiro", last["hiro"].rows, last["hiro"].rows),
    ]


def test_what_was_held_is_united_with_the_names_that_its_marts_say(pipeline, history):
    for key in history:
        versions = pipeline.sql(
            "select target, holder, asset, token, quantity, held_since from holding_history"
            " where target = :key",
            key=key,
        )
        told = pipeline.sql(
            "select target, holder, asset, token, quantity_after, held_since"
            " from (select h.* from (select distinct holder from holding_history"
            " where target = :key) w, mart.holder_history(w.holder) h) h"
            " where target = :key and kind <> 'exited'",
            key=key,
        )
        assert versions
        assert set(versions) <= set(told)


@pytest.mark.parametrize("mart", ["positions_as_of", "holders_as_of"])
def test_many_targets_together_are_answered_as_each_by_itself(pipeline, world: World, mart):
    keys = [add(20) for _ in range(6) for add in (world.add_altura_item, world.add_hiro_principal)]
    keys += [world.add_catenis_asset(20) for _ in range(6)]
    for _ in range(2):
        taken = [pipeline.take(key) for key in keys]
        world.tick(2)
    [moment] = {max(snapshot.snapshot_at for snapshot in taken)}
    together = pipeline.sql(f"select * from mart.{mart}(:moment)", moment=moment)
    alone = [
        row
        for key in keys
        for row in pipeline.sql(f"select * from mart.{mart}(:moment, :key)", moment=moment, key=key)
    ]
    assert len({row.target for row in together}) == len(keys) > 16
    assert sorted(together, key=str) == sorted(alone, key=str)
    some = f"select * from mart.{mart}(:moment) where target = :key"
    for key in keys[:3]:
        found = pipeline.sql(some, moment=moment, key=key)
        assert sorted(found, key=str) == sorted(
            (row for row in alone if row.target == key), key=str
        )


def test_a_retired_target_leaves_now_and_keeps_its_history(pipeline, history):
    key = next(iter(history))
    [(moment,)] = pipeline.sql(
        "update target set retired_at = clock_timestamp() where name = :key returning retired_at",
        key=key,
    )
    rows = history[key][-1].rows
    held = "select count(*) from altura_item_holders where valid_to is null"
    as_of = "select count(*) from altura_item_holders_as_of(:moment)"
    assert pipeline.sql(held) == [(0,)]
    assert pipeline.sql(as_of, moment=moment) == [(0,)]
    assert pipeline.sql(as_of, moment=moment - JUST) == [(rows,)]


@pytest.mark.parametrize("how_many", [1, 7, 8, 20])
def test_those_who_have_equally_much_share_a_rank_and_come_by_name(
    pipeline, world: World, how_many
):
    item, asset = world.add_altura_item(0), world.add_catenis_asset(0)
    largest, equals = 99, [(number * 7) % 20 for number in range(20)]
    for number in equals:
        world.altura_set(item, f"0x{number:040x}", 5)
        world.catenis_set(asset, f"d{number:019}", Decimal(5))
    world.altura_set(item, f"0x{largest:040x}", 6)
    world.catenis_set(asset, f"d{largest:019}", Decimal(6))
    for key, name in ((item, "0x{:040x}"), (asset, "d{:019}")):
        pipeline.take(key)
        found = pipeline.sql(
            "select rank, holder from mart.top_holders(:n, :key)", n=how_many, key=key
        )
        expected = [(1, name.format(largest)), *((2, name.format(one)) for one in range(20))]
        assert found == expected[:how_many]


def test_as_of_is_planned_as_one_with_the_query_around_it(pipeline, history):
    plan = pipeline.sql(
        "explain select * from altura_item_holders_as_of(now()) where target_id = 1"
    )
    assert not any("Function Scan" in line for (line,) in plan)


def test_every_statement_that_the_readme_offers_runs(pipeline, history):
    [block] = re.findall(r"```sql\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    statements = [statement for statement in block.split(";") if statement.strip()]
    assert len(statements) == 5
    for statement in statements:
        pipeline.sql(statement)
