"""The marts after any sequence of states that a target may go through.

Few holders, quantities and details, so that all that can follow each other does: what leaves comes
back as it was or otherwise, sets get empty, and nothing changes.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.sandbox.world import EMPTY, World
from tests.warehouse.truth import (
    Truth,
    as_change,
    as_positions,
    as_stint,
    changes,
    expected_history,
    expected_positions,
    standing,
    stints,
)

HOLDERS = "abcd"
NUMBERS = itertools.count(1)

held = st.tuples(st.sampled_from([0, 1, 2, 10**30]), st.sampled_from([None, "x", "y"]))
states = st.lists(
    st.dictionaries(st.sampled_from(HOLDERS), held, max_size=4), min_size=2, max_size=5
)
BACK_AS_IT_WAS = [{"a": (1, "x")}, {}, {"a": (1, "x")}]
CHANGED_BACK = [{"a": (1, "x"), "b": (2, None)}, {"a": (2, "y")}, {"a": (1, "x"), "b": (2, None)}]


@pytest.fixture(scope="module")
def pipeline(
    create_database: Callable[..., str],
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    """A pipeline that every example takes a target of its own with."""
    database = create_database(template=migrated_template)
    with standing(World(size=EMPTY), database, tmp_path_factory.mktemp("any")) as truth:
        yield truth.pipeline


def altura(number: int, state: dict[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
    rows = [
        (f"0x{number:036x}{ord(who):04x}", quantity, detail, None, None)
        for who, (quantity, detail) in state.items()
    ]
    return f"altura:0x{number:040x}/1", rows


def hiro(number: int, state: dict[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
    """The detail, and so the quantity, is another transaction."""
    rows = [
        (
            "SP000000000000000000002Q6VF78.c::t",
            f"0x01{ord(who):032x}",
            f"u{ord(who)}",
            7,
            f"0x{[None, 'x', 'y'].index(detail):032x}{quantity:032x}",
        )
        for who, (quantity, detail) in state.items()
    ]
    return f"hiro:SP000000000000000000002Q6VF78.p-{number}", rows


def catenis(number: int, state: dict[str, Any]) -> tuple[str, list[tuple[Any, ...]]]:
    rows = [
        (f"d{who}{number:018d}", Decimal(quantity), Decimal(0), detail, None)
        for who, (quantity, detail) in state.items()
    ]
    return f"catenis:a{number:019d}", rows


@pytest.mark.parametrize("rows_of", [altura, hiro, catenis])
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=states)
@example(BACK_AS_IT_WAS)
@example(CHANGED_BACK)
def test_the_marts_tell_any_history_as_it_was(pipeline, rows_of, history):
    number = next(NUMBERS)
    truth = Truth(pipeline)
    for state in history:
        key, rows = rows_of(number, state)
        pipeline.world.set_rows(key, rows)
        truth.take(key)
    check_states(truth)
    check_changes(truth)
    check_differences(truth)
    check_holders(truth)
    check_stints(truth)


def check_states(truth: Truth) -> None:
    for name, seen in ((name, seen) for name, history in truth.seen.items() for seen in history):
        rows = truth.pipeline.sql(
            "select * from mart.positions_as_of(:moment, :name)", moment=seen.at, name=name
        )
        assert as_positions(rows) == {
            (name, *who): values for who, values in expected_positions(seen).items()
        }


def check_changes(truth: Truth) -> None:
    [name] = truth.seen
    rows = truth.pipeline.sql("select * from mart.changes where target = :name", name=name)
    found = defaultdict(list)
    for row in rows:
        found[row.snapshot_id].append(as_change(row))
    for step in truth.steps():
        listed = found.pop(step[1].snapshot.snapshot_id, [])
        assert sorted(listed, key=str) == sorted(changes(*step), key=str)
    assert not found


def check_differences(truth: Truth) -> None:
    """Between any two snapshots; and one after the other they lead from the first to the last."""
    [(name, history)] = truth.seen.items()
    replayed = {who: it.quantity for who, it in history[0].held.items()}
    for earlier, later in itertools.combinations(history, 2):
        rows = truth.pipeline.sql(
            "select * from mart.changes_between(:earlier, :later, :name)",
            earlier=earlier.at,
            later=later.at,
            name=name,
        )
        found = [as_change(row) for row in rows]
        assert sorted(found, key=str) == sorted(changes(earlier, later), key=str)
    for earlier, later in truth.steps():
        for row in truth.pipeline.sql(
            "select * from mart.changes_between(:earlier, :later, :name)",
            earlier=earlier.at,
            later=later.at,
            name=name,
        ):
            change = as_change(row)
            assert replayed.pop(change.key, None) == change.before
            if change.after is not None:
                replayed[change.key] = change.after
        assert replayed == {key: it.quantity for key, it in later.held.items()}


def check_holders(truth: Truth) -> None:
    everybody = {key.holder for h in truth.seen.values() for seen in h for key in seen.held}
    for holder in everybody:
        rows = truth.pipeline.sql("select * from mart.holder_history(:who)", who=holder)
        found = [(row.target, *as_change(row), row.changed_after, row.snapshot_id) for row in rows]
        assert sorted(found, key=str) == sorted(expected_history(truth, holder), key=str)


def check_stints(truth: Truth) -> None:
    [name] = truth.seen
    rows = truth.pipeline.sql("select * from mart.stints where target = :name", name=name)
    assert sorted(map(str, map(as_stint, rows))) == sorted(map(str, stints(truth)))
