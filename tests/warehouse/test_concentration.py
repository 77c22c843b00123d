"""The concentration of snapshots, computed after they were published."""

import threading
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa

from pipelines.sandbox.world import World
from pipelines.warehouse import concentration
from pipelines.warehouse.concentration import (
    RefreshProgress,
    count_missing,
    refresh_concentration,
)

MOST = 2**256 - 1
FIGURES = "holders, top_1, top_10, top_100, gini, herfindahl, nakamoto"
ENDED = """
    insert into altura_item_holders_history
        (target_id, key_hash, address, balance, held_since, valid_from, valid_to)
    select target_id, key_hash, address, balance, held_since, valid_from, :at
    from altura_item_holders_current
    where target_id = :target and key_hash = cast(:key as uuid)"""
GONE = """
    delete from altura_item_holders_current
    where target_id = :target and key_hash = cast(:key as uuid)"""
BEGUN = """
    insert into altura_item_holders_current
        (target_id, key_hash, address, balance, held_since, valid_from)
    select :target, cast(:key as uuid), :key, cast(:amount as numeric), :at, :at
    where cast(:amount as numeric) is not null"""
PUBLISHED = """
    insert into snapshot
        (target_id, previous_id, run_key, started_at, snapshot_at, snapshot_until, finished_at,
        proof, rows, entered, exited, increased, decreased, reacquired, profile, amount_sum,
        cut_attributes, walks, pages, requests, seconds, page_size)
    select
        :target, (select max(snapshot_id) from snapshot where target_id = :target),
        cast(:at as timestamptz)::text, :at, :at, :at, :at, 'single_page', :rows, 0, 0, :changed,
        0, 0, 0, :sum, 0, 1, 1, 1, 1, 100"""
HALF_A_DIGIT = Fraction(1, 2 * 10**15)


def refresh(pipeline, **options) -> int:
    with pipeline.warehouse.connect() as connection:
        return refresh_concentration(connection, **options)


def figures(pipeline):
    """Every row, the oldest snapshot first."""
    return [
        tuple(row)
        for row in pipeline.sql(
            f"select {FIGURES} from snapshot_concentration order by snapshot_id"
        )
    ]


def by_the_book(amounts):
    """The textbook formulas, over fractions."""
    held = sorted(Fraction(amount) for amount in amounts if amount > 0)
    if not held:
        return (0, 0, 0, 0, None, None, None)
    count, total, largest = len(held), sum(held), held[::-1]
    ranked = sum(place * amount for place, amount in enumerate(held, 1))
    gini = 2 * ranked / (count * total) - Fraction(count + 1, count)
    nakamoto = next(n for n in range(1, count + 1) if 2 * sum(largest[:n]) > total)
    tops = [sum(largest[:n]) for n in (1, 10, 100)]
    herfindahl = sum((amount / total) ** 2 for amount in held)
    return (count, *tops, gini, herfindahl, nakamoto)


def is_as_by_the_book(row, amounts):
    expected = by_the_book(amounts)
    coefficients = zip(row[4:6], expected[4:6], strict=True)
    return (row[:4], row[6]) == (expected[:4], expected[6]) and all(
        found is wanted is None or abs(Fraction(found) - wanted) <= HALF_A_DIGIT
        for found, wanted in coefficients
    )


def pretend(pipeline, key, *states):
    """Snapshots of a target of which only amounts are known, one an hour: the tables as publishing
    leaves them, for amounts that no sandbox gives out."""
    with pipeline.warehouse.transaction() as connection:
        target_id = connection.scalar(
            sa.text(
                "insert into target (provider, name, subject) values (:provider, :key, :key)"
                " returning target_id"
            ),
            {"provider": key.partition(":")[0], "key": key},
        )
        for number, amounts in enumerate(states):
            publish(connection, target_id, number, states[number - 1] if number else [], amounts)
    return target_id


def publish(connection, target_id, number, before, amounts):
    old, new = dict(enumerate(before)), dict(enumerate(amounts))
    at = connection.scalar(
        sa.text("select timestamptz '2026-11-01Z' + :number * interval '1 hour'"),
        {"number": number},
    )
    changed = sorted(place for place in old | new if old.get(place) != new.get(place))
    for place in changed:
        of = {"target": target_id, "at": at, "key": f"{place:032x}", "amount": new.get(place)}
        for statement in (ENDED, GONE, BEGUN):
            connection.execute(sa.text(statement), of)
    connection.execute(
        sa.text(PUBLISHED),
        {
            "target": target_id,
            "at": at,
            "rows": len(amounts),
            "changed": len(changed),
            "sum": sum(map(Decimal, amounts), Decimal(0)),
        },
    )


@pytest.mark.parametrize(
    "amounts",
    [
        [],
        [0, 0],
        [7],
        [1, 1, 1, 1],
        [0, 3, 1, 2, 0],
        [MOST] * 3,
        [MOST, 1, 1],
        [1] * 150 + [2, MOST],
        [10**n for n in range(70)],
    ],
    ids=lambda amounts: f"{len(amounts)} of which {sum(map(bool, amounts))}",
)
def test_the_figures_are_those_of_the_textbook_for_amounts_up_to_2_to_the_256(pipeline, amounts):
    pretend(pipeline, "altura:0xab/1", amounts)
    assert refresh(pipeline) == 1
    [row] = figures(pipeline)
    assert is_as_by_the_book(row, amounts)


def test_each_snapshot_is_computed_from_what_held_then(pipeline):
    states = [[5, 5], [5, 5, 90], [5, 0, 90], [90], [90], [], [1, 2, 3]]
    pretend(pipeline, "altura:0xab/1", *states)
    assert refresh(pipeline) == len(states)
    found = figures(pipeline)
    assert len(found) == len(states)
    assert all(map(is_as_by_the_book, found, states))


def test_real_snapshots_of_altura_and_catenis_get_a_row_and_those_of_hiro_none(
    pipeline, world: World
):
    keys = [world.add_altura_item(40), world.add_catenis_asset(30), world.add_hiro_principal(20)]
    taken = {}
    for _ in range(3):
        for key in keys:
            taken[pipeline.take(key).snapshot_id] = key
        world.tick(4)
    assert refresh(pipeline) == 6
    for snapshot_id, key in taken.items():
        provider = key.partition(":")[0]
        rows = pipeline.sql(
            f"select {FIGURES} from snapshot_concentration where snapshot_id = :it", it=snapshot_id
        )
        if provider == "hiro":
            assert rows == []
            continue
        dataset, amount = {
            "altura": ("altura_item_holders", "balance"),
            "catenis": ("catenis_asset_holders", "total"),
        }[provider]
        held = pipeline.sql(
            f"select {amount} from {dataset}_snapshots where snapshot_id = :it", it=snapshot_id
        )
        assert is_as_by_the_book(tuple(rows[0]), [amount for (amount,) in held])
    assert refresh(pipeline) == 0


def test_a_snapshot_without_changes_has_the_figures_of_the_one_before_and_reads_no_holder(pipeline):
    target_id = pretend(pipeline, "altura:0xab/1", [4, 1])
    assert refresh(pipeline) == 1
    with pipeline.warehouse.transaction() as connection:
        for number in (1, 2):
            publish(connection, target_id, number, [4, 1], [4, 1])
        connection.execute(sa.text("delete from altura_item_holders_current"))
    assert refresh(pipeline) == 2
    assert figures(pipeline) == [figures(pipeline)[0]] * 3


def test_the_newest_come_first_and_a_refresh_that_was_stopped_goes_on(pipeline):
    pretend(pipeline, "altura:0xab/1", *([number, 1] for number in range(2, 7)))
    told: list[RefreshProgress] = []

    class Stopped(Exception):
        pass

    def stop_after_two(progress: RefreshProgress) -> None:
        told.append(progress)
        if progress.done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        refresh(pipeline, on_progress=stop_after_two)
    assert told == [RefreshProgress(1, 4), RefreshProgress(2, 3)]
    assert [row[1] for row in figures(pipeline)] == [5, 6]
    assert refresh(pipeline, seconds=0) == 0
    assert refresh(pipeline) == 3
    assert [row[1] for row in figures(pipeline)] == [2, 3, 4, 5, 6]
    assert refresh(pipeline) == 0


def test_several_at_once_do_each_snapshot_once(pipeline):
    pretend(pipeline, "altura:0xab/1", *([number, 1] for number in range(2, 22)))
    done: list[int] = []
    threads = [threading.Thread(target=lambda: done.append(refresh(pipeline))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 20
    assert [row[1] for row in figures(pipeline)] == list(range(2, 22))


def test_what_another_process_is_at_is_left_to_it(pipeline):
    pretend(pipeline, "altura:0xab/1", [3, 1], [5, 1])
    [(newest,)] = pipeline.sql("select max(snapshot_id) from snapshot")
    with pipeline.warehouse.transaction() as other:
        other.execute(sa.select(sa.func.pg_try_advisory_xact_lock(concentration.lock_of(newest))))
        assert refresh(pipeline) == 1
        assert [row[1] for row in figures(pipeline)] == [3]
    assert refresh(pipeline) == 1
    with pipeline.warehouse.connect() as connection:
        assert count_missing(connection) == 0
