"""The worlds of `make bench-sql` are true histories, and its questions are answered truly."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.results import Machine
from benchmarks.sql.__main__ import answers
from benchmarks.sql.ask import WrongAnswer, ask, decisive, parameters
from benchmarks.sql.generate import FILLED, OFTEN, RARELY, World
from benchmarks.sql.questions import Target, questions
from benchmarks.sql.report import missed, report
from benchmarks.sql.results import Answers, Results, read, write
from pipelines.providers import PROVIDERS
from pipelines.warehouse.audit import audit
from pipelines.warehouse.postgres import Warehouse

WORLD = World(400, 200, timedelta(hours=1))
PLAN = """\
Aggregate (actual time=9.000..9.000 rows=1.00 loops=1)
  Buffers: shared hit=4
  ->  Nested Loop (actual time=0.000..8.000 rows=20.00 loops=1)
        ->  Seq Scan on target t (actual time=0.000..1.000 rows=2.00 loops=1)
        ->  Index Scan using i on history h (actual time=0.000..3.000 rows=10.00 loops=2)
Planning Time: 99.000 ms""".splitlines()


@pytest.fixture(scope="module")
def url(create_database: Callable[..., str], migrated_template: str) -> str:
    return create_database(template=migrated_template)


@pytest.fixture(scope="module")
def asked(url: str) -> Answers:
    return answers(plain(url), WORLD, settle=lambda: None)


@pytest.fixture(scope="module")
def connection(url: str, asked: Answers) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(plain(url), cursor_factory=psycopg.ClientCursor) as connected:
        yield connected
        connected.rollback()


@pytest.fixture(scope="module")
def results(asked: Answers) -> Results:
    machine = Machine("A processor", 2, 2**34, "Linux", "3.11", "18.0", {"fsync": "on"}, {}, 0.5)
    return Results("2026-01-01T00:00:00+00:00", machine, [asked], 1.0)


def plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


def held(slot: int, snapshot: int) -> bool:
    """Whether a slot of the world has a holder in a snapshot."""
    period = RARELY if slot % 10 else OFTEN
    phase = (slot // 10 * 7919 + slot % 10 * 61) % period
    changes = max(0, (snapshot - phase - 1) // period + 1)
    return slot % 20 > 0 or (changes + slot // 10) % 5 != 4


def test_the_audit_finds_nothing_in_a_world(url: str, asked: Answers) -> None:
    with Warehouse(url) as warehouse:
        findings = list(audit(warehouse, PROVIDERS["altura"]))
    assert len(findings) > 10
    assert [str(finding) for finding in findings if not finding.passed] == []


def test_as_of_every_snapshot_there_are_so_many_holders_as_were_made(
    connection: psycopg.Connection[Any],
) -> None:
    counted = connection.execute("""
        select a.holders, d.holders, a.quantity = s.amount_sum
        from snapshot s
        cross join lateral (
            select count(*) as holders, sum(quantity) as quantity
            from mart.holders_as_of(s.snapshot_at)
        ) a
        cross join lateral (
            select count(*) as holders from altura_item_holders_as_of(s.snapshot_at)
        ) d
        order by s.snapshot_at
    """).fetchall()
    slots = range(1, round(WORLD.holders / FILLED) + 1)
    true = [sum(held(slot, number) for slot in slots) for number in range(WORLD.snapshots)]
    assert counted == [(holders, holders, True) for holders in true]
    assert len(set(true)) > 3


def test_a_world_has_every_kind_of_change_at_about_one_percent(
    connection: psycopg.Connection[Any],
) -> None:
    row = connection.execute("""
        select
            sum(entered), sum(exited), sum(increased), sum(decreased),
            avg((entered + exited) / 2 + increased + decreased)
        from snapshot
        where previous_id is not null
    """).fetchone()
    assert row is not None
    *kinds, changes = row
    assert all(kind > 0 for kind in kinds)
    assert 0.007 < changes / WORLD.holders < 0.013


def test_holders_of_a_world_come_back_and_hand_on_what_they_have(
    connection: psycopg.Connection[Any],
) -> None:
    row = connection.execute("""
        select
            (select max(stints) from (
                select count(*) as stints from mart.stints group by key_hash
            ) holder),
            (select count(*) from mart.transfers_seen)
    """).fetchone()
    assert row is not None
    stints, transfers = row
    assert stints > 1
    assert transfers > 10


def test_every_question_is_answered_by_a_plan_that_is_kept(asked: Answers) -> None:
    assert [line.title for line in asked.lines] == [one.title for one in questions()]
    for line in asked.lines:
        assert len(line.asked.seconds) == len(next(iter(line.baselines.values())).seconds)
        assert line.node.split(",")[0] in "\n".join(line.plan)


def test_a_wrong_answer_is_told(connection: psycopg.Connection[Any]) -> None:
    given = parameters(connection, WORLD)
    with connection.transaction(force_rollback=True):
        connection.execute("delete from altura_item_holders_history")
        wrong = set()
        for question in questions():
            try:
                ask(connection, question, given, rounds=1)
            except WrongAnswer:
                wrong.add(question.title)
    assert {"as of the oldest: mart.holders_as_of", "as of the middle: mart.holders_as_of"} <= wrong
    assert "holders now: count" not in wrong


def test_what_is_appended_in_part_is_computed_in_whole(asked: Answers) -> None:
    stored = asked.stored
    assert WORLD.holders * 50 < stored.sampled <= stored.rows
    assert stored.ours.whole < stored.appended.whole
    assert 50 < stored.appended.table / stored.rows < 250


def test_the_report_names_every_question_and_every_target_that_was_missed(
    results: Results, asked: Answers
) -> None:
    text = report(results)
    assert "## 400 holders, 200 hourly snapshots" in text
    assert all(f"| {line.title} " in text for line in asked.lines)
    assert len(missed(results)) == sum(line.met is False for line in asked.lines)
    assert text.count("**no**") == len(missed(results))


def test_kept_answers_are_read_as_they_were(results: Results, tmp_path: Path) -> None:
    write(results, tmp_path / "kept.json")
    assert read(tmp_path / "kept.json") == results


def test_the_decisive_node_is_the_one_that_spent_most_by_itself() -> None:
    assert decisive(PLAN) == "Index Scan using i on history h, 67%"


@pytest.mark.parametrize(
    ("target", "seconds", "met"),
    [
        (Target(most=2), 0.2, True),
        (Target(most=2), 0.21, False),
        (Target(faster=10), 0.01, True),
        (Target(faster=10), 0.011, False),
        (Target(milliseconds=2), 0.0019, True),
        (Target(milliseconds=2), 0.0021, False),
        (Target(), 0.1, None),
    ],
)
def test_a_target_is_met_or_missed_or_none(
    target: Target, seconds: float, *, met: bool | None
) -> None:
    assert target.met(seconds, 0.1) is met
