"""What one snapshot after another leaves in the warehouse."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pipelines.errors import HeldBack, RequestRefused, Unexpected
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.world import World
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.registry import Run, oldest_first

UINT256 = 2**256 - 1


def holders(pipeline, key):
    return pipeline.sql(
        "select address, balance from altura_item_holders where target = :key"
        " and valid_to is null order by address",
        key=key,
    )


def test_a_first_snapshot_enters_every_row(pipeline, world: World):
    key = world.add_altura_item(7)
    snapshot = pipeline.take(key)
    assert (snapshot.rows, snapshot.entered, snapshot.previous_id) == (7, 7, None)
    assert holders(pipeline, key) == sorted((row[0], row[1]) for row in world.state(key).rows)


def test_an_unchanged_target_gets_a_snapshot_and_no_row_version(pipeline, world: World):
    key = world.add_hiro_principal(250)
    first = pipeline.take(key)
    second = pipeline.take(key)
    assert second.previous_id == first.snapshot_id
    assert [second.entered, second.exited, second.reacquired, second.profile] == [0, 0, 0, 0]
    assert pipeline.sql("select count(*) from hiro_nft_holdings") == [(250,)]
    assert pipeline.sql("select count(*) from hiro_nft_holdings_snapshots") == [(500,)]


def test_each_kind_of_change_is_counted_and_kept(pipeline, world: World):
    key = world.add_altura_item(0)
    for name, balance in (("aa", 5), ("bb", 5), ("cc", 5), ("dd", 5)):
        world.altura_set(key, "0x" + name * 20, balance)
    pipeline.take(key)
    world.altura_set(key, "0x" + "aa" * 20, 6)
    world.altura_set(key, "0x" + "bb" * 20, 4)
    world.altura_set(key, "0x" + "cc" * 20, 5, name="Carla")
    world.altura_remove(key, "0x" + "dd" * 20)
    world.altura_set(key, "0x" + "ee" * 20, 1)
    snapshot = pipeline.take(key)
    counts = (snapshot.entered, snapshot.exited, snapshot.increased, snapshot.decreased)
    assert (*counts, snapshot.profile) == (1, 1, 1, 1, 1)
    kinds = pipeline.sql(
        "select change, balance_before, balance_after from altura_item_holders_changes"
        " where snapshot_id = :id order by change",
        id=snapshot.snapshot_id,
    )
    assert kinds == [
        ("decreased", 5, 4),
        ("entered", None, 1),
        ("exited", 5, None),
        ("increased", 5, 6),
        ("profile", 5, 5),
    ]


def test_held_since_lasts_over_changes_of_amount_and_starts_anew_on_entry(pipeline, world: World):
    key = world.add_altura_item(0)
    world.altura_set(key, "0x" + "aa" * 20, 1)
    world.altura_set(key, "0x" + "bb" * 20, 1)
    first = pipeline.take(key)
    world.altura_set(key, "0x" + "aa" * 20, 2)
    world.altura_remove(key, "0x" + "bb" * 20)
    second = pipeline.take(key)
    world.altura_set(key, "0x" + "bb" * 20, 1)
    third = pipeline.take(key)
    rows = pipeline.sql(
        "select left(address, 4), held_since, valid_from from altura_item_holders_current"
        " order by address"
    )
    assert rows == [
        ("0xaa", first.snapshot_at, second.snapshot_at),
        ("0xbb", third.snapshot_at, third.snapshot_at),
    ]


def test_a_token_that_left_and_came_back_is_reacquired(pipeline, world: World):
    here, there = world.add_hiro_principal(3), world.add_hiro_principal(0)
    pipeline.take(here)
    world.hiro_transfer(here, there, 1)
    world.hiro_transfer(there, here, 0)
    snapshot = pipeline.take(here)
    assert (snapshot.reacquired, snapshot.entered, snapshot.exited) == (1, 0, 0)
    since = pipeline.sql("select held_since from hiro_nft_holdings_current order by held_since")
    assert since[-1] == (snapshot.snapshot_at,)


def test_uint256_balances_are_exact(pipeline, world: World):
    key = world.add_altura_item(0)
    world.altura_set(key, "0x" + "aa" * 20, UINT256)
    world.altura_set(key, "0x" + "bb" * 20, UINT256 - 1)
    snapshot = pipeline.take(key)
    assert holders(pipeline, key) == [("0x" + "aa" * 20, UINT256), ("0x" + "bb" * 20, UINT256 - 1)]
    assert snapshot.amount_sum == 2 * UINT256 - 1


def test_amounts_with_seven_decimals_are_exact(pipeline, world: World):
    key = world.add_catenis_asset(0)
    amounts = {"dAAAAAAAAAAAAAAAAAA1": "0.0000001", "dAAAAAAAAAAAAAAAAAA2": "1145.7500001"}
    for device, total in amounts.items():
        world.catenis_set(key, device, Decimal(total))
    snapshot = pipeline.take(key)
    stored = pipeline.sql("select device_id, total from catenis_asset_holders")
    assert dict(stored) == {device: Decimal(total) for device, total in amounts.items()}
    assert snapshot.amount_sum == Decimal("1145.7500002")


def test_the_migrated_amount_is_kept_apart_from_holders(pipeline, world: World):
    key = world.add_catenis_asset(3)
    world.catenis_set_migrated(key, Decimal("250.5"), Decimal("0.5"))
    snapshot = pipeline.take(key)
    assert snapshot.rows == 3
    assert (snapshot.migrated_amount, snapshot.migrated_unconfirmed) == (
        Decimal("250.5"),
        Decimal("0.5"),
    )
    held = pipeline.sql("select sum(total) from catenis_asset_holders where valid_to is null")
    assert held == [(snapshot.amount_sum,)]


def test_a_name_that_is_no_longer_shown_keeps_its_last_known_value(pipeline, world: World):
    key = world.add_catenis_asset(0)
    device = "dAAAAAAAAAAAAAAAAAA1"
    world.catenis_set(key, device, 1, name="Meter 7", prod_unique_id="P-7")
    pipeline.take(key)
    world.catenis_set(key, device, 1, name=None, prod_unique_id=None)
    snapshot = pipeline.take(key)
    assert snapshot.profile == 0
    assert pipeline.sql("select name, prod_unique_id from catenis_asset_holders") == [
        ("Meter 7", "P-7")
    ]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("nul\x00inside", "nul\\u0000inside"),
        ("lone \ud83d surrogate", "lone \\ud83d surrogate"),
        ("backslash \\u0000 typed", "backslash \\u005cu0000 typed"),
        ("The Altura OG ", "The Altura OG "),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
    ],
)
def test_a_hostile_name_is_kept_in_a_reversible_form(pipeline, world: World, name, stored):
    key = world.add_altura_item(0)
    world.altura_set(key, "0x" + "aa" * 20, 1, name=name)
    pipeline.take(key)
    assert pipeline.sql("select name from altura_item_holders") == [(stored,)]


def test_an_overlong_name_is_cut_with_its_hash_and_counted(pipeline, world: World):
    key = world.add_altura_item(0)
    world.altura_set(key, "0x" + "aa" * 20, 1, name="x" * 100_000)
    snapshot = pipeline.take(key)
    [(name,)] = pipeline.sql("select name from altura_item_holders")
    assert snapshot.cut_attributes == 1
    assert len(name) < 5_000
    assert "sha256:" in name


def test_a_clarity_value_of_100_kilobytes_is_a_key(pipeline, world: World):
    key = world.add_hiro_principal(2)
    long_value = "0x02" + (50_000).to_bytes(4).hex() + "ab" * 50_000
    world.hiro_mint(key, "SP000000000000000000002Q6VF78.bns::names", long_value, "0x" + "ab" * 9)
    pipeline.take(key)
    [(stored, kind)] = pipeline.sql(
        "select value_hex, value_type from hiro_nft_holdings_current where value_type = 'buffer'"
        " and length(value_hex) > 1000"
    )
    assert (stored, kind) == (long_value, "buffer")


def test_a_run_publishes_a_target_once(pipeline, world: World):
    key = world.add_altura_item(5)
    first = pipeline.take(key, run="tick 1")
    world.tick(3)
    again = pipeline.take(key, run="tick 1")
    assert again.snapshot_id == first.snapshot_id
    assert pipeline.sql("select count(*) from snapshot") == [(1,)]


def test_a_set_that_was_never_there_is_published_and_flagged(pipeline, world: World):
    snapshot = pipeline.take(world.add_hiro_principal(0))
    assert snapshot.is_first_and_empty


def test_an_unexpectedly_empty_set_is_held_and_the_rows_stay(pipeline, world: World):
    key = world.add_catenis_asset(5)
    pipeline.take(key)
    world.set_rows(key, [])
    for _ in range(2):
        with pytest.raises(HeldBack, match="empty, where there were 5 rows"):
            pipeline.take(key)
    assert pipeline.sql("select count(*) from holding_current where valid_to is null") == [(5,)]
    assert pipeline.sql("select reason, held_rows from walk_failure") == [("HeldBack", 0)] * 2


def test_an_empty_set_is_published_when_the_target_allows_it_and_a_later_run_agrees(
    pipeline, world: World
):
    key = world.add_catenis_asset(5)
    target = pipeline.target(key, allow_empty=True)
    pipeline.take(target)
    world.set_rows(key, [])
    with pytest.raises(HeldBack):
        pipeline.take(target, run="tick 2")
    with pytest.raises(HeldBack):
        pipeline.take(target, run="tick 2")
    assert pipeline.take(target, run="tick 3").exited == 5


def test_a_person_can_vouch_for_an_empty_set_once(pipeline, world: World):
    key = world.add_catenis_asset(5)
    pipeline.take(key)
    world.set_rows(key, [])
    assert pipeline.take(key, accept_empty=True).rows == 0


def test_a_large_drop_is_held_until_a_later_run_agrees(pipeline, world: World):
    key = world.add_altura_item(20)
    pipeline.take(key)
    world.set_rows(key, sorted(world.state(key).rows)[:8])
    with pytest.raises(HeldBack, match="12 of 20 rows are gone"):
        pipeline.take(key)
    assert pipeline.take(key).rows == 8


def test_a_large_drop_that_was_not_repeated_is_not_published_later(pipeline, world: World):
    key = world.add_altura_item(20)
    full = sorted(world.state(key).rows)
    pipeline.take(key)
    world.set_rows(key, full[:8])
    with pytest.raises(HeldBack):
        pipeline.take(key)
    world.set_rows(key, full)
    pipeline.take(key)
    world.set_rows(key, full[:8])
    with pytest.raises(HeldBack):
        pipeline.take(key)


def test_a_walk_overtaken_by_a_later_one_leaves_the_target_to_it(pipeline, sandbox, world: World):
    key = world.add_hiro_principal(30)
    pipeline.take(key)
    overtaking = []

    def overtake(exchange, answer):
        if not overtaking:
            overtaking.append(True)
            world.hiro_transfer_out(key, 0)
            overtaking.append(pipeline.take(key))

    sandbox.after_response = overtake
    assert pipeline.take(key) == overtaking[1]
    assert pipeline.sql("select count(*) from walk_failure") == [(0,)]
    assert pipeline.sql("select max(snapshot_id), count(*) from snapshot") == [
        (overtaking[1].snapshot_id, 2)
    ]
    assert pipeline.sql("select count(*) from hiro_nft_holdings_current") == [(29,)]


def test_two_options_of_one_item_are_two_targets(pipeline, world: World):
    key = world.add_altura_item(0)
    world.altura_set(key, "0x" + "aa" * 20, 3)
    world.altura_list(key, "0x" + "aa" * 20, 2)
    pipeline.take(pipeline.target(key))
    pipeline.take(pipeline.target(key, include_listed=False))
    rows = pipeline.sql(
        "select t.options, count(*) from holding_current p join target t using (target_id)"
        " group by t.target_id, t.options order by t.target_id"
    )
    assert rows == [({}, 1), ({"include_listed": "false"}, 2)]


def test_a_hold_outlasts_other_failures_in_between(pipeline, sandbox, world: World):
    key = world.add_altura_item(20)
    pipeline.take(key)
    world.set_rows(key, sorted(world.state(key).rows)[:8])
    with pytest.raises(HeldBack):
        pipeline.take(key)
    sandbox.before_response = lambda exchange: Answer(404, {}, b"")
    with pytest.raises(RequestRefused):
        pipeline.take(key)
    sandbox.before_response = None
    assert pipeline.take(key).rows == 8


def test_a_set_that_exchanges_its_rows_is_not_held_back(pipeline, world: World):
    key = world.add_altura_item(3)
    pipeline.take(key)
    world.set_rows(key, world.state(world.add_altura_item(3)).listing)
    snapshot = pipeline.take(key)
    assert (snapshot.entered, snapshot.exited) == (3, 3)


def test_a_target_with_many_asset_identifiers_has_a_name_that_fits(pipeline, world: World):
    key = world.add_hiro_principal(4)
    issuer = "SP000000000000000000002Q6VF78"
    identifiers = tuple(f"{issuer}.contract-number-{n}::token" for n in range(150))
    target = pipeline.target(key, asset_identifiers=identifiers)
    assert pipeline.take(target).rows == 0
    [(name, options)] = pipeline.sql("select name, options from target")
    assert name.startswith(f"{key}?sha256=")
    assert options["asset_identifiers"].count(",") == 149


def test_a_mistake_in_holdfast_ends_its_target_only_and_is_kept(pipeline, world: World, caplog):
    key = world.add_altura_item(3)

    def mistaken(*_):
        raise KeyError("canary")

    client = pipeline.client("altura", concurrency=2)
    addressing = replace(client.provider.addressing, read_page=mistaken)
    client.provider = replace(client.provider, addressing=addressing)
    with pytest.raises(Unexpected, match="KeyError, a mistake in Holdfast"):
        take_snapshot(pipeline.target(key), client, pipeline.warehouse, Run("by hand"))
    assert pipeline.sql("select reason, transient from walk_failure") == [("Unexpected", False)]
    assert "KeyError" in caplog.text


def test_those_without_a_snapshot_are_taken_first_then_the_oldest(pipeline, world: World):
    keys = [world.add_altura_item(1) for _ in range(4)]
    targets = [pipeline.target(key) for key in keys]
    for number in (2, 0):
        pipeline.take(targets[number])
    with pipeline.warehouse.connect() as connection:
        ordered = oldest_first(connection, targets)
    assert ordered == [targets[1], targets[3], targets[2], targets[0]]
