"""Worlds that change while they are read: what is published is one true state, or nothing is."""

import re
import threading
from itertools import pairwise

import pytest

from pipelines.errors import HoldfastError, MalformedAnswer, RequestRefused, TornWalk
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.providers.altura import AlturaSandbox
from pipelines.sandbox.world import World


def published_rows(pipeline, dataset, columns, snapshot):
    rows = pipeline.sql(
        f"select {columns} from {dataset}_snapshots where snapshot_id = :id",
        id=snapshot.snapshot_id,
    )
    return frozenset(tuple(row) for row in rows)


def once_after(sandbox, number, change):
    """Run `change` once, after the answer to that many requests."""
    answered = []

    def after(exchange, answer):
        answered.append(exchange)
        if len(answered) == number:
            change()

    sandbox.after_response = after


def test_a_transfer_between_two_pages_of_holders_is_walked_again(pipeline, sandbox, world: World):
    key = world.add_catenis_asset(1100)
    once_after(sandbox, 2, lambda: world.catenis_set(key, "dAAAAAAAAAAAAAAAAAA1", 5))
    snapshot = pipeline.take(key)
    assert (snapshot.proof, snapshot.rows, snapshot.walks) == ("double_collect", 1101, 3)


def test_a_mint_between_two_pages_of_holdings_costs_nothing_and_is_left_to_the_next_snapshot(
    pipeline, sandbox, world: World
):
    key = world.add_hiro_principal(450)
    before = world.state(key).rows
    once_after(sandbox, 1, lambda: world.hiro_mint(key, "SP2X.mid::m", "0x03", "true"))
    snapshot = pipeline.take(key, concurrency=1)
    columns = "asset_identifier, value_hex, value_repr, block_height, tx_id"
    assert snapshot.proof == "chained"
    assert snapshot.requests == snapshot.pages
    assert published_rows(pipeline, "hiro_nft_holdings", columns, snapshot) == before


def test_a_set_that_never_rests_fails_and_says_what_to_do(pipeline, sandbox, world: World):
    key = world.add_altura_item(250)
    pipeline.take(key)
    sandbox.after_response = lambda exchange, answer: world.tick()
    with pytest.raises(TornWalk, match=r"no state could be proven in \d+ walks.*ALTURA_MAX_WALKS"):
        pipeline.take(key, max_walks=3)
    assert pipeline.sql("select count(*) from snapshot") == [(1,)]
    [(reason, message)] = pipeline.sql("select reason, message from walk_failure")
    assert reason == "TornWalk"
    assert message.startswith(key)


def test_an_unchanged_set_is_proven_by_one_walk_against_the_last_snapshot(pipeline, world: World):
    key = world.add_altura_item(250)
    first = pipeline.take(key)
    second = pipeline.take(key)
    assert (first.walks, second.walks, second.proof) == (2, 1, "double_collect")
    assert second.started_at <= second.snapshot_at <= second.snapshot_until <= second.finished_at


def test_a_silent_cap_on_the_page_size_is_found_out(pipeline, sandbox, world: World):
    sandbox.apis["altura"] = AlturaSandbox(max_per_page=24)
    key = world.add_altura_item(93)
    snapshot = pipeline.take(key)
    assert (snapshot.rows, snapshot.proof) == (93, "double_collect")
    assert snapshot.page_size <= 24


def test_a_target_that_fails_leaves_what_was_published(pipeline, sandbox, world: World):
    key = world.add_hiro_principal(10)
    pipeline.take(key)
    sandbox.before_response = lambda exchange: Answer(404, {}, b"<html>gone</html>")
    with pytest.raises(RequestRefused, match=f"{key}, rows from 0: answered 404"):
        pipeline.take(key)
    assert pipeline.sql("select count(*) from hiro_nft_holdings where valid_to is null") == [(10,)]


def test_a_page_with_wrong_types_after_good_ones_leaves_nothing(pipeline, sandbox, world: World):
    key = world.add_catenis_asset(1200)

    def spoil(exchange):
        if "skip=500" in exchange.target:
            body = b'{"status":"success","data":{"assetHolders":[{"holder":7}],"hasMore":true}}'
            return Answer(200, {"content-type": "application/json"}, body)
        return None

    sandbox.before_response = spoil
    with pytest.raises(Exception, match=r"rows from 500.*assetHolders\[0\]"):
        pipeline.take(key)
    assert pipeline.sql("select count(*) from catenis_asset_holders_current") == [(0,)]


@pytest.mark.parametrize(("rows", "most"), [(45, 45), (46, 45), (200, 45)])
@pytest.mark.parametrize("provider", ["altura", "hiro", "catenis"])
def test_the_end_of_a_set_has_to_come_within_the_bound_of_rows_read(
    pipeline, world: World, provider, rows, most
):
    add = {
        "altura": world.add_altura_item,
        "hiro": world.add_hiro_principal,
        "catenis": world.add_catenis_asset,
    }
    key = add[provider](rows)
    if rows <= most:
        assert pipeline.take(key, page_size=10, max_rows=most).rows == rows
        return
    told = (
        rf"{key}, rows from \d+: no end was told in {most} rows; {provider.upper()}_MAX_ROWS sets"
    )
    with pytest.raises(MalformedAnswer, match=told):
        pipeline.take(key, page_size=10, max_rows=most)


def test_what_entered_since_the_last_snapshot_has_to_end_within_the_bound_too(
    pipeline, world: World
):
    key = world.add_hiro_principal(60)
    pipeline.take(key, page_size=10)
    for number in range(20):
        world.hiro_mint(key, "SP2X.mid::m", f"0x01{number:032x}", f"u{number}")
    with pytest.raises(MalformedAnswer, match="no end was told in 15 rows; HIRO_MAX_ROWS"):
        pipeline.take(key, page_size=10, max_rows=15)


def test_two_workers_on_one_target_leave_one_history(pipeline, world: World):
    key = world.add_altura_item(180)
    errors = []

    def work():
        for _ in range(4):
            try:
                pipeline.take(key)
            except HoldfastError as error:
                errors.append(type(error).__name__)
            world.tick()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.take(key)
    assert set(errors) <= {"TornWalk"}
    counted = pipeline.sql("select rows from snapshot order by snapshot_at desc limit 1")
    held = pipeline.sql("select count(*) from altura_item_holders_current")
    assert counted == held
    overlapping = pipeline.sql(
        "select count(*) from altura_item_holders a join altura_item_holders b"
        " using (target_id, key_hash) where a.valid_from < b.valid_from"
        " and (a.valid_to is null or a.valid_to > b.valid_from)"
    )
    assert overlapping == [(0,)]


@pytest.mark.parametrize("cap", [None, 24])
def test_no_collect_repeats_the_requests_that_it_is_compared_with(
    pipeline, sandbox, world: World, cap
):
    sandbox.apis["altura"] = AlturaSandbox(max_per_page=cap)
    key = world.add_altura_item(300)
    taken = [pipeline.take(key) for _ in range(4)]
    assert {snapshot.proof for snapshot in taken} == {"double_collect"}
    assert [snapshot.walks for snapshot in taken] == [2, 1, 1, 1]
    sizes = [snapshot.page_size for snapshot in taken]
    assert all(one != next_one for one, next_one in pairwise(sizes))


def test_where_no_total_is_told_what_was_published_is_confirmed_from_the_end(
    pipeline, sandbox, world: World
):
    """A walk forward does not know the size of the set until it is over: a row that came after the
    last snapshot and left before its page was read would go unnoticed."""
    key = world.add_catenis_asset(1100)
    pipeline.take(key)
    asked = len(sandbox.log)
    again = pipeline.take(key)
    assert (again.walks, again.proof) == (1, "double_collect")
    skips = [int(served.target.partition("skip=")[2]) for served in sandbox.log[asked:]]
    assert (skips[0], sorted(skips)) == (1000, [0, 500, 1000])


def test_a_set_that_grew_since_it_was_published_is_walked_anew(pipeline, world: World):
    key = world.add_catenis_asset(1100)
    pipeline.take(key)
    world.catenis_set(key, "dAAAAAAAAAAAAAAAAAA1", 5)
    again = pipeline.take(key)
    assert (again.walks, again.rows, again.proof) == (3, 1101, "double_collect")


def test_the_moment_of_two_equal_walks_is_the_first_page_of_the_second(
    pipeline, sandbox, world: World
):
    """Nothing is claimed of the time between the walks: a row may come and go there."""
    key = world.add_altura_item(250)
    changed = []

    def come_and_go(exchange, answer):
        if exchange.number == 3:
            world.altura_set(key, "0x" + "ab" * 20, 1)

    def go(exchange):
        if exchange.number == 4:
            world.altura_remove(key, "0x" + "ab" * 20)
            changed.append(world.states(key)[-1].at)

    sandbox.after_response, sandbox.before_response = come_and_go, go
    snapshot = pipeline.take(key)
    assert (snapshot.walks, snapshot.rows) == (2, 250)
    found = published_rows(
        pipeline, "altura_item_holders", "address, balance, name, profile_pic, profile_pic_url",
        snapshot,
    )  # fmt: skip
    assert len(found) == 250
    [left_at] = changed
    assert snapshot.snapshot_at < left_at < snapshot.snapshot_until


def test_a_walk_that_is_torn_while_its_rows_are_copied_is_followed_by_another(
    pipeline, sandbox, world: World
):
    """Rows so long that each page is a block of its own. Seen at 4,800 to 20,000 rows of usual
    length: the next walk began while a block of the torn one was still being copied."""
    key = "altura:0x" + "ab" * 20 + "/1"
    rows = [(f"0x{number:040x}", 1, "n" * 4000, "p" * 4000, "u" * 4000) for number in range(600)]
    world.set_rows(key, rows)
    pipeline.take(key)
    left = []

    def leave(exchange, answer):
        if len(left) < 3 and re.search(r"page=[3-9]", exchange.target):
            left.append(rows.pop())
            world.set_rows(key, rows)

    sandbox.after_response = leave
    snapshot = pipeline.take(key)
    assert (snapshot.rows, snapshot.exited) == (597, 3)
    assert snapshot.walks > 2
