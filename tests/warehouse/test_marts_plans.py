"""How the marts are planned over many holders: what they read of the tables."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from pipelines.warehouse.postgres import Warehouse

MANY = 20_000
MOMENT = "'2026-01-15'"

GENERATED = """
    insert into target (provider, name, subject)
    values
        ('altura', 'altura:0xc/1', '0xc/1'),
        ('hiro', 'hiro:SP1', 'SP1'),
        ('catenis', 'catenis:a', 'a');
    insert into snapshot (
        target_id, previous_id, run_key, started_at, snapshot_at, snapshot_until, finished_at,
        proof, rows, entered, exited, increased, decreased, reacquired, profile, amount_sum,
        cut_attributes, walks, pages, requests, seconds, page_size
    )
    select
        target_id, case when day > 1 then 3 * (day - 2) + target_id end, day::text, t, t, t, t,
        'single_page', :many, 0, 0, 0, 0, 0, 0, :many, 0, 1, 1, 1, 0, 100
    from generate_series(1, 30) day
    cross join (values (1), (2), (3)) target (target_id)
    cross join lateral (select '2026-01-01'::timestamptz + day * interval '1 day') moment (t);
    insert into altura_item_holders_current (
        target_id, key_hash, address, balance, held_since, valid_from
    )
    select
        1,
        left(encode(sha256(int4send(octet_length(a)) || convert_to(a, 'UTF8')), 'hex'), 32)::uuid,
        a, 1 + n / 3, '2026-01-02', '2026-01-02'::timestamptz + (n % 30) * interval '1 day'
    from generate_series(1, :many) n
    cross join lateral (select '0x' || lpad(to_hex(n), 40, '0')) address (a);
    insert into altura_item_holders_history (
        target_id, key_hash, address, balance, held_since, valid_from, valid_to
    )
    select target_id, key_hash, address, balance + 1, held_since, held_since, valid_from
    from altura_item_holders_current
    where valid_from > held_since;
    insert into catenis_asset_holders_current (
        target_id, key_hash, device_id, total, unconfirmed, held_since, valid_from
    )
    select 3, key_hash, address, balance, 0, held_since, valid_from
    from altura_item_holders_current;
    insert into catenis_asset_holders_history (
        target_id, key_hash, device_id, total, unconfirmed, held_since, valid_from, valid_to
    )
    select 3, key_hash, address, balance, 0, held_since, valid_from, valid_to
    from altura_item_holders_history;
    analyze;
"""


@pytest.fixture(scope="module")
def filled(create_database: Callable[..., str], migrated_template: str) -> Iterator[Warehouse]:
    with Warehouse(create_database(template=migrated_template)) as warehouse:
        with warehouse.transaction() as connection:
            for statement in GENERATED.rstrip().removesuffix(";").split(";"):
                connection.execute(sa.text(statement), {"many": MANY})
        yield warehouse


@pytest.fixture
def explain(filled: Warehouse) -> Callable[[str], list[dict[str, Any]]]:
    """explain(query) → the nodes of its plan, run."""

    def run(query: str) -> list[dict[str, Any]]:
        with filled.transaction() as connection:
            statement = f"explain (analyze, timing off, format json) {query}"
            [plan] = connection.scalar(sa.text(statement))
        return list(nodes(plan["Plan"]))

    return run


class Asked(NamedTuple):
    """The rows of an answer, and those that were read of current and history for it."""

    rows: int
    read: int


@pytest.fixture
def ask(filled: Warehouse) -> Callable[[str], Asked]:
    """ask(query) → what it gave and read, counted by Postgres: also inside of functions that are
    planned by themselves, which a plan does not show."""

    def run(query: str) -> Asked:
        with filled.transaction() as connection:
            before = connection.scalar(sa.text(READ))
            rows = connection.execute(sa.text(query)).all()
            return Asked(len(rows), connection.scalar(sa.text(READ)) - before)

    return run


READ = """
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))
    from pg_stat_xact_user_tables
    where relname like any (array['%\\_current', '%\\_history'])
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def rows_read(plan: list[dict[str, Any]]) -> int:
    return rows_of(plan, "")


def rows_of(plan: list[dict[str, Any]], table: str) -> int:
    """Rows that came out of tables whose names begin so, and those thrown away there. A join may
    look for a first row before it knows that there is nothing to join."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in plan
        if "Relation Name" in node and node["Relation Name"].startswith(table)
    )


def ways(plan: list[dict[str, Any]], suffix: str) -> set[str]:
    """How the tables of holders are read: the types of the nodes that were run."""
    return {
        node["Node Type"]
        for node in plan
        if node.get("Relation Name", "").endswith(suffix) and node["Actual Loops"]
    }


@pytest.mark.parametrize("arguments", ["10", "10, 'altura:0xc/1'", "10, 'catenis:a'"])
def test_the_top_holders_are_read_from_an_index_and_nothing_else_is(explain, arguments):
    plan = explain(f"select * from mart.top_holders({arguments})")
    assert "Function Scan" not in {node["Node Type"] for node in plan}
    assert ways(plan, "holders_current") <= {"Index Scan", "Index Only Scan"}
    assert rows_read(plan) < 500


def test_the_history_of_a_holder_is_found_by_its_key(ask):
    holder = "0x" + "0" * 36 + "0abc"
    assert ask(f"select * from mart.holder_history('{holder}')") == Asked(rows=4, read=4)


@pytest.mark.parametrize("mart", ["targets_as_of", "positions_as_of", "holders_as_of"])
def test_a_literal_moment_is_planned_as_one_with_the_query_around_it(explain, mart):
    plan = explain(
        f"select * from mart.{mart}({MOMENT}) where target = 'altura:0xc/1' and snapshot_id > 0"
    )
    assert "Function Scan" not in {node["Node Type"] for node in plan}
    assert rows_of(plan, "catenis_asset_holders") < 100


def test_a_change_between_two_moments_costs_what_changed(ask):
    asked = ask("select * from mart.changes_between('2026-01-15', '2026-01-16', 'altura:0xc/1')")
    assert 0 < 2 * asked.rows <= asked.read < MANY / 5


@pytest.mark.parametrize("mart", ["positions_now", "holders_now", "stints"])
def test_one_target_reads_nothing_of_another_providers(explain, mart):
    plan = explain(f"select * from mart.{mart} where target = 'catenis:a'")
    assert plan[0]["Actual Rows"] >= MANY
    assert rows_of(plan, "altura_item_holders") < 100
