"""The marts as frames: exact, aware, typed the same whether there are rows or not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from pipelines.analysis import (
    Marts,
    changes,
    changes_between,
    concentration,
    connect,
    frames,
    holder_history,
    holders_as_of,
    snapshots,
)
from pipelines.analysis.columns import RATIOS
from pipelines.analysis.report import data
from pipelines.errors import ConfigurationError, SchemaNotReady, WarehouseUnreachable
from tests.analysis.small_world import ITEM_LABEL, LARGEST, WALLET, SmallWorld

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

OF_A_CHANGE = {
    "provider": "str",
    "target_id": "Int64",
    "target": "str",
    "label": "str",
    "kind": "str",
    "holder": "str",
    "asset": "str",
    "token": "str",
    "quantity_before": "object",
    "quantity_after": "object",
    "delta": "object",
    "changed_after": "datetime64[us, UTC]",
    "changed_until": "datetime64[us, UTC]",
}
OF_A_HOLDER = {
    "tokens": "Int64",
    "quantity": "object",
    "held_since": "datetime64[us, UTC]",
    "rank": "Int64",
    "share": "float64",
}


@pytest.fixture(scope="module")
def marts(told: SmallWorld, tmp_path_factory) -> Iterator[Marts]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", told.url)
        patch.setenv("HOLDFAST_HOME", str(tmp_path_factory.mktemp("home")))
        with connect() as opened:
            yield opened


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def test_what_was_held_comes_back_to_the_last_digit(marts, told):
    first, second = told.of_item
    then = holders_as_of(marts, first.snapshot_at, ITEM_LABEL).iloc[0]
    assert (then["holder"], then["quantity"], then["rank"]) == (WALLET, Decimal(LARGEST), 1)
    now = holders_as_of(marts, second.snapshot_at, told.item)
    assert now["quantity"].iloc[0] == Decimal(LARGEST - 1)
    assert now["share"].sum() == pytest.approx(1)
    [change] = changes(marts, ITEM_LABEL).itertuples()
    assert (change.kind, change.quantity_after, change.delta) == ("decreased", LARGEST - 1, -1)
    assert change.changed_after == first.snapshot_at
    assert change.changed_until == second.snapshot_until
    between = changes_between(marts, first.snapshot_at, second.snapshot_at, told.item)
    assert between["delta"].tolist() == [-1]
    known = snapshots(marts, ITEM_LABEL)
    assert known["quantity"].tolist() == [one.amount_sum for one in told.of_item]
    assert known["since_previous"].iloc[1] == second.snapshot_at - first.snapshot_at
    assert concentration(marts, ITEM_LABEL)["holders"].tolist() == [12, 12]
    history = holder_history(marts, WALLET)
    assert history["kind"].tolist() == ["first seen", "decreased"]
    assert history["changed_after"].isna().tolist() == [True, False]
    assert history["quantity_before"].tolist() == [None, Decimal(LARGEST)]


def test_changes_within_bounds_are_those_that_happened_there_for_certain(marts, told):
    first, second = told.of_item
    after, until = first.snapshot_at, second.snapshot_until
    just = timedelta(microseconds=1)
    assert len(changes(marts, ITEM_LABEL, after=after, until=until)) == 1
    assert changes(marts, ITEM_LABEL, after=after + just).empty
    assert changes(marts, ITEM_LABEL, until=until - just).empty


def test_an_empty_result_has_the_columns_and_types_of_a_full_one(marts, told):
    last = told.of_item[-1].snapshot_at
    pairs = [
        (holders_as_of(marts, LONG_AGO), holders_as_of(marts, last), OF_A_HOLDER),
        (changes(marts, until=LONG_AGO), changes(marts), OF_A_CHANGE),
        (changes_between(marts, LONG_AGO, last), changes_between(marts, last, last), OF_A_CHANGE),
        (holder_history(marts, "nobody"), holder_history(marts, WALLET), OF_A_CHANGE),
    ]
    for empty, full, expected in pairs:
        assert empty.empty
        assert types(empty) == types(full)
        assert types(full).items() >= expected.items()
    marts_of_time = {"snapshot_at": "datetime64[us, UTC]", "snapshot_id": "Int64"}
    of_spread = {"gini": "float64", "top_10_share": "float64", "nakamoto": "Int64"}
    assert types(concentration(marts)).items() >= (marts_of_time | of_spread).items()
    of_snapshots = {"since_previous": "timedelta64[us]", "rows": "Int64", "reordered": "boolean"}
    assert types(snapshots(marts)).items() >= (marts_of_time | of_snapshots).items()


def test_a_moment_without_a_time_zone_is_refused(marts):
    with pytest.raises(ConfigurationError, match=r"any time zone: say 2026-11-01T00:00:00\+00:00"):
        holders_as_of(marts, datetime(2026, 11, 1))  # noqa: DTZ001 - what is to be refused
    for no_moment in ("2026-11-01T00:00Z", pd.NaT):
        with pytest.raises(ConfigurationError, match="expected a datetime"):
            holders_as_of(marts, no_moment)


def test_a_moment_may_be_in_any_time_zone_and_pandas_own(marts, told):
    last = pd.Timestamp(told.of_item[-1].snapshot_at)
    elsewhere = last.tz_convert("Pacific/Auckland")
    assert len(holders_as_of(marts, last, ITEM_LABEL)) == 12
    assert len(holders_as_of(marts, elsewhere, ITEM_LABEL)) == 12


def test_an_unknown_target_brings_what_comes_close(marts, told):
    for ask in (changes, concentration, snapshots):
        with pytest.raises(ConfigurationError, match="no target 'the item'; did you mean The item"):
            ask(marts, "the item")


def test_nothing_can_be_changed_through_it_and_it_can_be_asked_anything(marts, told):
    asked = marts.ask("select count(*) as n from snapshot where rows = :rows", rows=12)
    assert asked["n"].tolist() == [2]
    with pytest.raises(Exception, match="read-only transaction"):
        marts.ask("delete from snapshot returning rows")


def test_columns_of_the_same_name_are_refused_with_their_names_and_what_to_write(marts):
    held, targets = "mart.top_holders(3)", "mart.targets"
    both = set.intersection(*(set(marts.ask(f"select * from {one}")) for one in (held, targets)))
    assert "quantity" in both
    with pytest.raises(ConfigurationError) as refused:
        marts.ask(f"select * from {held} h join {targets} t using (target_id)")
    assert str(refused.value) == (
        "the result has columns of the same name: "
        + ", ".join(f"{name} (2)" for name in sorted(both - {"target_id"}))
        + ". Give each a name of its own, such as t.quantity as quantity_of_target"
    )
    with pytest.raises(ConfigurationError, match=r"same name: \?column\? \(3\)"):
        marts.ask("select 1, 2, 3")


@pytest.mark.parametrize(("module", "ask"), [(frames, frames.query), (data, data._ask)])
def test_a_query_of_the_project_that_names_two_columns_the_same_is_refused(
    marts, monkeypatch, tmp_path, module, ask
):
    (tmp_path / "joined.sql").write_text("select 1 as quantity, 2 as quantity, 3 as rank")
    monkeypatch.setattr(module, "QUERIES", tmp_path)
    refused = pytest.raises(ConfigurationError, match=r"same name: quantity \(2\)\. ")
    with marts.reading() as connection, refused:
        ask(connection, "joined")


def test_columns_with_a_name_of_their_own_are_all_there(marts):
    asked = marts.ask(
        "select h.*, t.quantity as quantity_of_target"
        " from mart.top_holders(1) h join mart.targets t using (target_id)"
        " where h.label = :label",
        label=ITEM_LABEL,
    )
    assert asked["quantity"].tolist() == [Decimal(LARGEST - 1)]
    [*_, last] = snapshots(marts, ITEM_LABEL)["quantity"]
    assert asked["quantity_of_target"].tolist() == [last]


def test_numbers_are_exact_beyond_what_a_double_holds(marts):
    long, deep, large = 10**30 + 1, Decimal("19287230.7755440000000001"), 2**53 + 1
    asked = marts.ask(
        "select * from (values (cast(:a as numeric), cast(:b as numeric), cast(:c as bigint)),"
        " (null, cast(:d as numeric), null)) v (quantity, total, rows)"
        " order by quantity nulls last",
        a=long, b=deep, c=large, d=LARGEST,
    )  # fmt: skip
    assert types(asked) == {"quantity": "object", "total": "object", "rows": "Int64"}
    assert asked["quantity"].tolist() == [Decimal(long), None]
    assert asked["total"].tolist() == [deep, Decimal(LARGEST)]
    assert asked["rows"].tolist() == [large, pd.NA]


def test_an_interrupted_question_leaves_a_connection_that_answers(marts, told):
    with pytest.raises(KeyboardInterrupt), marts.reading():
        raise KeyboardInterrupt
    assert len(snapshots(marts, ITEM_LABEL)) == 2


def test_every_quotient_of_the_marts_is_known_as_one(marts):
    """By its name: what is exact and what is a quotient is all numeric to Postgres."""
    numerics = marts.ask(
        "select distinct a.attname as name from pg_attribute a join pg_class c"
        " on c.oid = a.attrelid where c.relnamespace = 'mart'::regnamespace"
        " and a.atttypid = 'numeric'::regtype order by 1"
    )["name"]
    sums = {"delta", "migrated_quantity", "quantity", "quantity_after", "quantity_before", "supply"}
    assert set(numerics) >= RATIOS
    assert set(numerics) - RATIOS - sums <= {"seconds", "entered", "exited"}


def test_connecting_tells_what_to_do_where_it_is_not_possible(
    monkeypatch, empty_database_url, tmp_path
):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    with pytest.raises(SchemaNotReady, match="run holdfast migrate"):
        connect()
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/nothing")
    with pytest.raises(WarehouseUnreachable, match="Is it running"):
        connect()
