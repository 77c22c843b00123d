"""The marts over a rich history, against what was true when each snapshot was taken.

Two targets or more of each provider, options, retired and returned, with every kind of change: the
world moves by itself, and what it does seldom is done by hand.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.sandbox.providers.altura.item import NOT_LISTED
from pipelines.sandbox.world import World
from pipelines.warehouse.registry import retire
from tests.warehouse.truth import (
    Key,
    Seen,
    Truth,
    as_change,
    as_positions,
    as_stint,
    changes,
    exactly,
    expected_history,
    expected_positions,
    key_of,
    standing,
    stints,
)

JUST = timedelta(microseconds=1)
ROUNDS = 7
SIZE = {"altura": (14, 9), "hiro": (20, 12, 3), "catenis": (9, 8)}


@pytest.fixture(scope="module")
def truth(
    create_database: Callable[..., str],
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Truth]:
    """The history and the truth; never written to, but in transactions that are rolled back."""
    world = World(seed=7, size=SIZE)
    database = create_database(template=migrated_template)
    with standing(world, database, tmp_path_factory.mktemp("truth")) as truth:
        for number in range(ROUNDS):
            _happen(world, number)
            for key in _watched(world, number):
                truth.take(key)
            _retire(truth, number)
        yield truth


def _watched(world: World, number: int) -> list[str]:
    """All targets and some of their options; one is retired for two rounds, one for good, and one
    is new in the third."""
    item, other, here, there, small, asset, second = world.targets()
    candy = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"
    keys = [item, item + NOT_LISTED, here, there, small, asset]
    keys.append(f"{here}?asset_identifiers={candy}")
    if number not in (3, 4):
        keys.append(other)
    if number >= 2 and number < ROUNDS - 1:
        keys.append(second)
    return keys


def _retire(truth: Truth, number: int) -> None:
    world = truth.pipeline.world
    gone = {2: world.targets()[1], ROUNDS - 2: world.targets()[-1]}
    with truth.pipeline.warehouse.connect() as connection:
        assert number not in gone or retire(connection, [gone[number]])


def _happen(world: World, number: int) -> None:
    """What lies before a round."""
    item, _, here, there, small, asset, _ = world.targets()
    comes_and_goes = "0x" + "77" * 20
    if number:
        world.tick(2)
        world.hiro_transfer(here, there, 0)
        world.hiro_transfer(there, here, 0)
    if number == 1:
        world.altura_set(item, comes_and_goes, 5)
        world.catenis_set(asset, "dcomesandgoes", Decimal("0.5"))
        world.catenis_set_migrated(asset, Decimal("250.5"))
    if number == 2:
        world.set_rows(small, [])
        world.catenis_set(asset, "dcomesandgoes", 0)
    if number == 3:
        world.altura_remove(item, comes_and_goes)
        world.hiro_mint(small, "SP1.c::t", "0x0100000000000000000000000000000001", "u1")
        world.catenis_set(asset, "dcomesandgoes", 1)
        world.catenis_remove(asset, "dcomesandgoes")
    if number == 4:
        world.altura_set(item, comes_and_goes, 5)
    if number == 5:
        world.catenis_set(asset, "dcomesandgoes", Decimal("0.5"))


def ask(truth: Truth, statement: str, **parameters: Any) -> list[Any]:
    return truth.pipeline.sql(statement, **parameters)


def ends_of_rounds(truth: Truth) -> list[datetime]:
    """The last snapshot of each round: the first target is taken first in each."""
    first, *_ = truth.seen.values()
    begins = [seen.at for seen in first[1:]]
    return [max(at for at in truth.moments() if at < begin) for begin in begins] + [
        truth.moments()[-1]
    ]


def test_the_history_has_every_kind_of_change_and_sets_without_rows(truth: Truth):
    kinds = Counter(change.kind for step in truth.steps() for change in changes(*step))
    assert kinds.keys() == {
        "entered", "exited", "increased", "decreased", "reacquired", "profile"
    }  # fmt: skip
    everything = [seen for history in truth.seen.values() for seen in history]
    assert any(not seen.held for seen in everything)
    assert any(it.quantity == 0 for seen in everything for it in seen.held.values())


# --- now and then ---------------------------------------------------------------------------------


def expected_holders(seen: Seen) -> dict[tuple[str, str], tuple[Any, ...]]:
    together: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for key, it in seen.held.items():
        together[key.holder, key.asset].append(it)
    sums = {who: sum(it.quantity for it in held) for who, held in together.items()}
    return {
        who: (
            len(held),
            sums[who],
            min(it.held_since for it in held),
            1 + sum(other > sums[who] for other in sums.values()),
            seen.snapshot.snapshot_id,
            seen.at,
        )
        for who, held in together.items()
    }


def as_holders(rows: list[Any]) -> dict[Any, tuple[Any, ...]]:
    found = {
        (row.target, row.holder, row.asset): (
            row.tokens,
            exactly(row.quantity),
            row.held_since,
            row.rank,
            row.snapshot_id,
            row.snapshot_at,
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def retired(truth: Truth) -> str:
    """The name of the target that left for good."""
    return truth.pipeline.world.targets()[-1]


@cache
def _registered(truth: Truth) -> list[Any]:
    return ask(truth, "select name, retired_at from target")


def known_at(truth: Truth, moment: datetime) -> list[Seen]:
    """What answers for a moment: what is retired now was not watched from then on."""
    [gone] = [row.retired_at for row in _registered(truth) if row.name == retired(truth)]
    return [
        seen for seen in truth.as_of(moment) if seen.target.name != retired(truth) or moment < gone
    ]


@pytest.mark.parametrize(
    ("mart", "read", "expected"),
    [
        ("positions_as_of", as_positions, expected_positions),
        ("holders_as_of", as_holders, expected_holders),
    ],
)
def test_at_any_moment_they_say_what_was_true_at_the_last_snapshot(
    truth: Truth, mart, read, expected
):
    asked = [
        (name, seen.at + shift)
        for name, history in truth.seen.items()
        for seen in history
        for shift in (-JUST, timedelta(0), JUST)
    ]
    rows = ask(
        truth,
        "select m.name as asked, m.moment, p.*"
        " from unnest(cast(:names as text[]), cast(:moments as timestamptz[])) as m(name, moment)"
        f" cross join lateral mart.{mart}(m.moment, m.name) p",
        names=[name for name, _ in asked],
        moments=[moment for _, moment in asked],
    )
    found = defaultdict(list)
    for row in rows:
        found[row.asked, row.moment].append(row)
    for name, moment in asked:
        true = {
            (name, *who): values
            for seen in known_at(truth, moment)
            if seen.target.name == name
            for who, values in expected(seen).items()
        }
        assert read(found[name, moment]) == true, (name, moment)


@pytest.mark.parametrize(
    ("mart", "read", "expected"),
    [
        ("positions_as_of", as_positions, expected_positions),
        ("holders_as_of", as_holders, expected_holders),
    ],
)
def test_at_any_moment_all_targets_are_told_at_once(truth: Truth, mart, read, expected):
    for moment in ends_of_rounds(truth):
        true = {
            (seen.target.name, *who): values
            for seen in known_at(truth, moment)
            for who, values in expected(seen).items()
        }
        rows = ask(truth, f"select * from mart.{mart}('{moment.isoformat()}')")
        assert read(rows) == true


@pytest.mark.parametrize(
    ("mart", "read", "expected"),
    [
        ("positions_now", as_positions, expected_positions),
        ("holders_now", as_holders, expected_holders),
    ],
)
def test_now_is_the_last_snapshot_of_each_target_that_is_not_retired(
    truth: Truth, mart, read, expected
):
    true = {
        (seen.target.name, *key): values
        for seen in truth.as_of(datetime.max.replace(tzinfo=UTC))
        if seen.target.name != retired(truth)
        for key, values in expected(seen).items()
    }
    assert read(ask(truth, f"select * from mart.{mart}")) == true


@pytest.mark.parametrize("mart", ["positions_now", "holders_now"])
def test_the_shares_of_a_target_make_one(truth: Truth, mart):
    rows = ask(truth, f"select target, quantity, share from mart.{mart}")
    last = {seen.target.name: seen for seen in truth.as_of(datetime.max.replace(tzinfo=UTC))}
    for row in rows:
        true = Fraction(row.quantity) / last[row.target].quantity
        assert abs(Fraction(row.share) - true) < Fraction(1, 10**15)
    for name in {row.target for row in rows}:
        total = sum(Fraction(row.share) for row in rows if row.target == name)
        assert abs(total - 1) < Fraction(1, 10**14), name


@pytest.mark.parametrize("how_many", [0, 1, 3, 1000])
def test_the_top_holders_are_the_first_of_the_holders_now(truth: Truth, how_many):
    columns = "target, rank, holder, asset, quantity, share, held_since, snapshot_id"
    everyone = ask(truth, f"select {columns} from mart.holders_now order by target, rank")
    top = ask(truth, f"select {columns} from mart.top_holders(:n)", n=how_many)
    assert set(top) <= set(everyone)
    for name in {row.target for row in everyone}:
        of_target = [row for row in everyone if row.target == name]
        best = sorted(of_target, key=lambda row: (-row.quantity, row.holder, row.asset))[:how_many]
        assert [row for row in top if row.target == name] == best
    assert top == sorted(top, key=lambda row: (row.target, -row.quantity, row.holder, row.asset))


# --- changes --------------------------------------------------------------------------------------


def test_changes_are_those_of_each_true_state_to_the_next(truth: Truth):
    found = defaultdict(list)
    for row in ask(truth, "select * from mart.changes"):
        found[row.snapshot_id].append(row)
    for earlier, later in truth.steps():
        rows = found.pop(later.snapshot.snapshot_id, [])
        assert sorted(map(as_change, rows), key=str) == sorted(changes(earlier, later), key=str)
        for row in rows:
            assert row.target == later.target.name
            assert row.changed_after == earlier.at
            assert row.changed_until == later.snapshot.snapshot_until
    assert not found


def test_changes_have_the_counts_that_were_published(truth: Truth):
    listed = Counter(
        (row.snapshot_id, row.kind)
        for row in ask(truth, "select snapshot_id, kind from mart.changes")
    )
    for _, later in truth.steps():
        for kind in ("entered", "exited", "increased", "decreased", "reacquired", "profile"):
            published = getattr(later.snapshot, kind)
            assert listed[later.snapshot.snapshot_id, kind] == published


def test_between_any_two_moments_it_is_the_difference_of_the_two_true_states(truth: Truth):
    moments = truth.moments()[::4]
    rows = ask(
        truth,
        "select a.moment as earlier, b.moment as later, c.*"
        " from unnest(cast(:moments as timestamptz[])) as a(moment)"
        " cross join unnest(cast(:moments as timestamptz[])) as b(moment)"
        " cross join lateral mart.changes_between(a.moment, b.moment) c",
        moments=moments,
    )
    found = defaultdict(list)
    for row in rows:
        found[row.earlier, row.later, row.target].append(row)
    for start in moments:
        for end in moments:
            before = {seen.target.name: seen for seen in truth.as_of(start)}
            for later in truth.as_of(end):
                name = later.target.name
                earlier = before.get(name)
                if earlier is None or later.at <= earlier.at:
                    continue
                listed = found.pop((start, end, name), [])
                true = changes(earlier, later)
                assert sorted(map(as_change, listed), key=str) == sorted(true, key=str)
                for row in listed:
                    assert row.earlier_snapshot_id == earlier.snapshot.snapshot_id
                    assert row.later_snapshot_id == later.snapshot.snapshot_id
                    assert row.changed_after == earlier.at
                    assert row.changed_until == later.snapshot.snapshot_until
    assert not found


# --- series ---------------------------------------------------------------------------------------


def test_each_snapshot_goes_on_from_the_one_before(truth: Truth):
    rows = {row.snapshot_id: row for row in ask(truth, "select * from mart.supply_and_holders")}
    for history in truth.seen.values():
        assert (rows[history[0].snapshot.snapshot_id].entered) is None
        assert (rows[history[0].snapshot.snapshot_id].exited) is None
    for earlier, later in truth.steps():
        row, before = rows[later.snapshot.snapshot_id], rows[earlier.snapshot.snapshot_id]
        assert before.positions + row.entered - row.exited == row.positions == len(later.held)
        kinds = Counter(change.kind for change in changes(earlier, later))
        for kind in ("entered", "exited", "increased", "decreased", "reacquired"):
            assert getattr(row, kind) == kinds[kind]


def test_the_series_has_what_all_holders_held_and_what_moved_elsewhere(truth: Truth):
    rows = {row.snapshot_id: row for row in ask(truth, "select * from mart.supply_and_holders")}
    for history in truth.seen.values():
        for seen in history:
            row = rows.pop(seen.snapshot.snapshot_id)
            assert exactly(row.quantity) == seen.quantity
            moved = seen.snapshot.migrated_amount or 0
            assert exactly(row.supply) == seen.quantity + Fraction(moved)
            assert row.holders == len({key.holder for key in seen.held})
            assert row.snapshot_at == seen.at
    assert not rows


DAYS = (0, 0, 2, 20, 21, 100, 430)
"""How many days lie between the first round and each of them, where months are simulated."""


@pytest.fixture
def months(truth: Truth) -> Iterator[tuple[Truth, Callable[[str], list[Any]]]]:
    """The same history as if it had taken months, until the test ends; and how to ask it."""
    ends = ends_of_rounds(truth)
    starts = [truth.moments()[0], *ends[:-1]]

    def when(moment: datetime) -> datetime:
        days = [day for start, day in zip(starts, DAYS, strict=True) if moment > start]
        return moment + timedelta(days=days[-1] if days else 0) - timedelta(days=DAYS[-1])

    columns = {
        "snapshot": ["started_at", "snapshot_at", "snapshot_until", "finished_at", "published_at"],
        "target": ["retired_at"],
    }
    for dataset in ("altura_item_holders", "hiro_nft_holdings", "catenis_asset_holders"):
        columns[f"{dataset}_current"] = ["held_since", "valid_from"]
        columns[f"{dataset}_history"] = ["held_since", "valid_from", "valid_to"]
    with truth.pipeline.warehouse.connect() as connection, connection.begin() as transaction:

        def run(statement: str) -> list[Any]:
            result = connection.execute(sa.text(statement), {"starts": starts, "days": list(DAYS)})
            return list(result.all()) if result.returns_rows else []

        for table, names in columns.items():
            moved = ", ".join(
                f"{name} = {name} + (coalesce((select max(d) from"
                " unnest(cast(:starts as timestamptz[]), cast(:days as integer[])) as r(s, d)"
                f" where {name} > r.s), 0) - {DAYS[-1]}) * interval '24 hours'"
                for name in names
            )
            run(f"update {table} set {moved}")
        yield truth.moved(when), run
        transaction.rollback()


def test_a_day_has_what_its_last_snapshot_showed_and_gaps_carry_on(months):
    truth, run = months
    rows = run("select * from mart.supply_and_holders_daily order by target, day")
    found = {(row.target, row.day): row for row in rows}
    assert len(found) == len(rows)
    gaps = 0
    for name, history in truth.seen.items():
        day, last = history[0].at.date(), history[-1].at.date()
        while day <= last:
            row = found.pop((name, day))
            until = [seen for seen in history if seen.at.date() <= day]
            of_day = [seen for seen in history if seen.at.date() == day]
            counted = [seen.snapshot for seen in of_day if seen.snapshot.previous_id]
            assert row.snapshot_id == until[-1].snapshot.snapshot_id
            assert row.known_at == until[-1].at
            assert row.positions == len(until[-1].held)
            assert exactly(row.quantity) == until[-1].quantity
            assert row.snapshots == len(of_day)
            assert row.entered == (sum(s.entered for s in counted) if counted else None)
            assert row.exited == (sum(s.exited for s in counted) if counted else None)
            gaps += not of_day
            day += timedelta(days=1)
    assert not found
    assert gaps > 1000


# --- how long -------------------------------------------------------------------------------------


def test_stints_are_the_unbroken_times_of_each_position(truth: Truth):
    rows = ask(truth, "select * from mart.stints")
    assert sorted(map(str, map(as_stint, rows))) == sorted(map(str, stints(truth)))
    assert len({(row.target_id, row.key_hash, row.held_since) for row in rows}) == len(rows)


def test_of_a_cohort_so_many_were_held_for_so_many_days(months):
    truth, run = months
    true: dict[Any, list[int]] = {}
    for name, _, since, _, at_least, held_for, known_until in stints(truth):
        for days in (1, 7, 30, 60, 90, 180, 365, 730):
            after = timedelta(days=days)
            counts = true.setdefault((name, since.date().replace(day=1), at_least, days), [0] * 3)
            for place, yes in enumerate((True, known_until - since >= after, held_for >= after)):
                counts[place] += yes
    found = {}
    for row in run("select * from mart.cohorts"):
        found[row.target, row.month, row.at_least, row.days] = [
            row.entered,
            row.observed,
            row.still_holding,
        ]
        assert (row.survival is None) == (row.observed == 0)
        if row.observed:
            share = Fraction(row.still_holding, row.observed)
            assert abs(Fraction(row.survival) - share) < Fraction(1, 10**15)
    assert found == true
    assert any(0 < still < observed for _, observed, still in found.values())


def test_ages_are_counted_in_classes_up_to_the_last_snapshot(months):
    truth, run = months
    true: dict[Any, list[Any]] = {}
    for seen in truth.as_of(datetime.max.replace(tzinfo=UTC)):
        name = seen.target.name
        if name == retired(truth):
            continue
        for it in seen.held.values():
            age = (seen.at - it.held_since) / timedelta(days=1)
            limits = (0, 1, 7, 30, 90, 180, 365)
            counted = true.setdefault((name, max(n for n in limits if n <= age)), [0, 0, 0])
            first = it.held_since == truth.seen[name][0].at
            true[name, max(n for n in limits if n <= age)] = [
                counted[0] + 1,
                counted[1] + it.quantity,
                counted[2] + first,
            ]
    rows = run("select * from mart.holding_age")
    found = {
        (row.target, row.days_from): [row.positions, exactly(row.quantity), row.at_least]
        for row in rows
    }
    assert found == true
    for name in {row.target for row in rows}:
        total = sum(Fraction(row.share_of_positions) for row in rows if row.target == name)
        assert abs(total - 1) < Fraction(1, 10**14)


# --- one holder -----------------------------------------------------------------------------------


def everybody(truth: Truth) -> list[str]:
    return sorted(
        {key.holder for history in truth.seen.values() for seen in history for key in seen.held}
    )


def test_the_history_of_a_holder_is_all_that_it_did_and_what_it_began_with(truth: Truth):
    rows = ask(
        truth,
        "select h.* from unnest(cast(:holders as text[])) as w(who)"
        " cross join lateral mart.holder_history(w.who) h",
        holders=everybody(truth),
    )
    found = defaultdict(list)
    for row in rows:
        found[row.holder].append((row.target, *as_change(row), row.changed_after, row.snapshot_id))
    for holder in everybody(truth):
        assert sorted(found[holder], key=str) == sorted(expected_history(truth, holder), key=str)


def test_the_history_of_a_holder_replayed_gives_each_of_its_states(truth: Truth):
    at_of = {s.snapshot.snapshot_id: s.at for h in truth.seen.values() for s in h}
    holder = truth.seen[truth.pipeline.world.targets()[2]][0].snapshot
    principal = truth.pipeline.world.targets()[2].partition(":")[2]
    rows = ask(truth, "select * from mart.holder_history(:who)", who=principal)
    assert holder.rows > 0
    for name, history in truth.seen.items():
        held: dict[Key, Any] = {}
        mine = [row for row in rows if row.target == name]
        for seen in history:
            while mine and at_of[mine[0].snapshot_id] <= seen.at:
                row = mine.pop(0)
                held.pop(key_of(row), None)
                if row.quantity_after is not None:
                    held[key_of(row)] = (exactly(row.quantity_after), row.held_since)
            true = {
                who: (it.quantity, it.held_since)
                for who, it in seen.held.items()
                if who.holder == principal
            }
            assert held == true
        assert not mine


def test_a_wallet_is_found_in_any_letter_case_and_others_only_as_they_are(truth: Truth):
    item, *_, asset, _ = truth.pipeline.world.targets()
    count = "select count(*) from mart.holder_history(:who)"
    for name, anyhow in ((item, True), (asset, False)):
        holder = next(iter(truth.seen[name][-1].held)).holder
        [(as_it_is,)] = ask(truth, count, who=holder)
        [(in_capitals,)] = ask(truth, count, who=holder.upper())
        assert as_it_is > 0
        assert in_capitals == (as_it_is if anyhow else 0)


@pytest.mark.parametrize("who", ["", "nobody", "0x", None])
def test_nobody_has_no_history(truth: Truth, who):
    assert ask(truth, "select * from mart.holder_history(cast(:who as text))", who=who) == []


# --- targets --------------------------------------------------------------------------------------


def test_targets_are_told_with_their_last_snapshot_and_what_they_are(truth: Truth):
    rows = {row.target: row for row in ask(truth, "select * from mart.targets")}
    assert rows.keys() == truth.seen.keys()
    for name, row in rows.items():
        seen = truth.seen[name][-1]
        assert (row.provider, row.subject) == (seen.target.provider, seen.target.subject)
        assert (row.snapshot_id, row.snapshot_at) == (seen.snapshot.snapshot_id, seen.at)
        assert (row.rows, exactly(row.quantity)) == (len(seen.held), seen.quantity)
        assert (row.retired_at is not None) == (name == retired(truth))


def test_a_target_is_watched_from_its_first_snapshot_until_it_is_retired(truth: Truth):
    for moment in (at + shift for at in truth.moments() for shift in (-JUST, timedelta(0))):
        rows = ask(truth, "select * from mart.targets_as_of(:moment)", moment=moment)
        found = {row.target: (row.snapshot_id, row.rows, exactly(row.quantity)) for row in rows}
        assert found == {
            seen.target.name: (seen.snapshot.snapshot_id, len(seen.held), seen.quantity)
            for seen in known_at(truth, moment)
        }


def test_a_target_can_be_asked_for_by_its_name_or_its_label(truth: Truth):
    name = truth.pipeline.world.targets()[0]
    seen = truth.seen[name][-1]
    with truth.pipeline.warehouse.connect() as connection, connection.begin() as transaction:
        update = sa.text("update target set label = 'Pass' where name = :name")
        connection.execute(update, {"name": name})
        for mart, first in (
            ("targets_as_of", "now()"),
            ("positions_as_of", "now()"),
            ("holders_as_of", "now()"),
            ("top_holders", "1000"),
        ):
            for given, rows in ((name, len(seen.held)), ("Pass", len(seen.held)), ("pass", 0)):
                found = connection.execute(
                    sa.text(f"select target, label from mart.{mart}({first}, :given)"),
                    {"given": given},
                ).all()
                assert len(found) == (min(rows, 1) if mart == "targets_as_of" else rows)
                assert set(found) <= {(name, "Pass")}
        transaction.rollback()
