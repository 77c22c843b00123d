"""The audit finds nothing in what the pipeline wrote, and every kind of damage done to it.

The history is rich on purpose: several targets of each provider, many snapshots of a moving world,
of each provider a target that was retired, came back and is retired again. Each damage is done to a
copy of its own.
"""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pipelines.demo import demo_runtime
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.altura import AlturaItem
from pipelines.providers.catenis import CatenisAsset
from pipelines.providers.hiro import HiroPrincipal
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from pipelines.settings import Settings
from pipelines.snapshots import take_snapshots
from pipelines.warehouse.audit import MOST_EXAMPLES, RULES, Finding, audit, load_rules
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import Run, retire

ROUNDS = 12
SIZE = {"altura": (40, 150), "hiro": (60, 230), "catenis": (30, 120)}


@pytest.fixture(scope="module")
def rich_history(create_database: Callable[..., str], migrated_template: str) -> str:
    """The URL of a database with what `ROUNDS` runs of each provider published."""
    url = create_database(template=migrated_template)
    world = World(size=SIZE)
    with Sandbox(world) as sandbox, Warehouse(url) as warehouse:
        runtime = demo_runtime(Settings(_env_file=None), sandbox.urls)
        for number in range(ROUNDS):
            for name in PROVIDERS:
                _take_all(runtime, warehouse, world, name, number)
            _move(world)
    return url


def _take_all(runtime: Runtime, warehouse: Warehouse, world: World, name: str, number: int) -> None:
    """A run over a provider's targets; the first is retired twice and returns once."""
    first, *others = [_target(key) for key in world.targets(name)]
    with Client(PROVIDERS[name], runtime.providers[name]) as client:
        watched = others if number in (4, 5, ROUNDS - 1) else [first, *others]
        outcomes = list(take_snapshots(watched, client, warehouse, Run(f"run {number}")))
    assert all(hasattr(outcome, "snapshot") for outcome in outcomes), outcomes
    if number in (4, ROUNDS - 1):
        with warehouse.connect() as connection:
            assert retire(connection, [first.name])


def _move(world: World) -> None:
    """Several steps, and a token that leaves and comes back between two snapshots."""
    world.tick(3)
    here, there = world.targets("hiro")
    world.hiro_transfer(here, there, 0)
    world.hiro_transfer(there, here, 0)


def _target(key: str):
    provider, _, subject = key.partition(":")
    if provider == "altura":
        address, _, token_id = subject.partition("/")
        return AlturaItem(address=address, token_id=token_id)
    if provider == "hiro":
        return HiroPrincipal(principal=subject)
    return CatenisAsset(asset_id=subject)


@pytest.fixture
def copy(rich_history: str, create_database: Callable[..., str]) -> str:
    """A copy of it, to be damaged."""
    return create_database(template=rich_history)


def findings(url: str) -> list[Finding]:
    with Warehouse(url) as warehouse:
        return [
            finding for provider in PROVIDERS.values() for finding in audit(warehouse, provider)
        ]


def damage(url: str, statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        touched = connection.execute(statements)
        while touched.nextset():
            pass
        assert touched.rowcount != 0, "nothing was damaged"


def broken(url: str) -> dict[str, Finding]:
    return {found.rule.name: found for found in findings(url) if not found.passed}


def test_nothing_is_found_in_what_the_pipeline_wrote(rich_history):
    assert [str(found) for found in findings(rich_history) if not found.passed] == []


def test_the_history_that_is_audited_has_every_kind_of_change(rich_history):
    with psycopg.connect(rich_history.replace("+psycopg", "")) as connection:
        counted = connection.execute(
            "select sum(entered), sum(exited), sum(increased), sum(decreased), sum(reacquired),"
            " sum(profile), count(distinct proof) from snapshot where previous_id is not null"
        ).fetchone()
        retired = connection.execute(
            "select count(*) from target where retired_at is not null"
        ).fetchone()
    assert all(counted), counted
    assert retired == (3,)


ITEM = "altura_item_holders"

DAMAGES = re.findall(
    r"-- (\w+): (.+)\n((?:(?!--|\n).+\n)+)",
    (Path(__file__).parent / "audit_damages.sql").read_text(encoding="utf-8"),
)
"""The rule that has to find it, what it is, and the statements."""

SHORTHAND = {
    ":middle": """
        from (
            select s.snapshot_id from snapshot s
            where s.previous_id is not null
                and exists (select from snapshot n where n.previous_id = s.snapshot_id)
            order by s.snapshot_id
            limit 1
        ) m""",
    ":unchecked": """
        do $$ declare c record; begin
            for c in select conrelid::regclass as of, conname from pg_constraint
                where contype in ('c', 'f', 'u') and connamespace = 'public'::regnamespace loop
                execute format('alter table %s drop constraint %I cascade', c.of, c.conname);
            end loop;
        end $$""",
}


@pytest.mark.parametrize(
    ("rule", "statements"),
    [pytest.param(rule, statements, id=kind) for rule, kind, statements in DAMAGES],
)
def test_a_damage_is_found_and_its_rule_is_named(copy, rule, statements):
    for name, written_out in SHORTHAND.items():
        statements = statements.replace(name, written_out)
    damage(copy, statements)
    found = broken(copy)
    assert rule in found, f"only {sorted(found)} were found broken"
    assert f"{rule} is broken" in str(found[rule])
    assert found[rule].examples


def test_every_rule_has_a_damage_that_it_finds():
    assert {rule for rule, _, _ in DAMAGES} == {rule.name for rule in load_rules()}


def test_a_finding_tells_how_many_where_what_it_means_and_what_to_do(copy):
    damage(copy, f"update {ITEM}_history set address = address || 'x'")
    found = broken(copy)["key_hash_is_of_its_key"]
    with psycopg.connect(copy.replace("+psycopg", "")) as connection:
        [(count, address, target)] = connection.execute(
            f"select count(*) over (), h.address, t.name from {ITEM}_history h join target t"
            " using (target_id) order by h.target_id, h.key_hash limit 1"
        )
    text = str(found)
    assert found.count == count
    assert len(found.examples) == MOST_EXAMPLES
    assert text.startswith(f"key_hash_is_of_its_key is broken {count:,} times in {ITEM}.")
    assert f"- {target}: {address}: its key has the hash " in text
    assert f"- and {count - MOST_EXAMPLES:,} more" in text
    assert found.rule.means in text
    assert found.rule.advice in text


def test_a_rule_is_checked_while_snapshots_are_published_and_writes_nothing(copy):
    with Warehouse(copy) as warehouse, warehouse.connect() as other, other.begin():
        other.exec_driver_sql(f"delete from {ITEM}_current")
        found = list(audit(warehouse, PROVIDERS["altura"]))
    assert all(finding.passed for finding in found)


def test_an_audit_of_nothing_finds_nothing(database_url):
    assert all(finding.passed for finding in findings(database_url))


def test_each_rule_is_one_file_that_begins_with_its_sentence():
    assert [rule.name for rule in load_rules()] == sorted(file.stem for file in RULES.glob("*.sql"))
    for rule in load_rules():
        assert rule.sentence.endswith(".")
        assert rule.means.endswith(".")
        assert rule.advice.endswith(".")
