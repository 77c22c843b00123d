"""Asks questions of a world: how long, by which plan, and whether the answer is true.

Seconds are those of a client: planning, execution and all rows fetched. A question and its
baselines take turns, so that a slow moment of the machine falls on all of them. What is compared is
the median; the first round is not counted.
"""

import re
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from benchmarks.sql.generate import World
from benchmarks.sql.questions import Question

ROUNDS = 9
FEWEST = 3
LONGEST = 4.0
"""Seconds after which no further round begins, as soon as there are `FEWEST`."""


UNDEFINED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)


class WrongAnswer(Exception):
    """A question was answered otherwise than the truth is."""


class Timed(msgspec.Struct, frozen=True):
    """Seconds of several executions of one statement."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Line(msgspec.Struct, frozen=True):
    """A question as it was answered. `ratio` is to the first baseline, `met` None where nothing is
    promised; `node` is the node of the plan that took most of the time. `before` is an earlier
    version's time for the same, where there was one that could answer."""

    title: str
    statement: str
    asked: Timed
    baselines: dict[str, Timed]
    target: str
    ratio: float | None
    met: bool | None
    node: str
    plan: list[str]
    before: Timed | None = None


def parameters(connection: psycopg.Connection[Any], world: World) -> dict[str, object]:
    """What the questions' statements name; of each holder that they may be about, what is his."""
    middle = world.snapshots // 2
    holders = {name: _one(connection, query) for name, query in HOLDERS.items()}
    return {
        "target": world.target,
        "oldest": world.moment(0),
        "before": world.moment(middle - 1),
        "middle": world.moment(middle),
        "newest": world.moment(world.snapshots - 1),
        "day_before": world.moment(world.snapshots - 1) - timedelta(days=1),
        "snapshot_id": middle + 1,
        "holders": holders,
    }


HOLDERS: dict[str, LiteralString] = {
    "largest": """
        select target_id, key_hash, address as holder
        from altura_item_holders_current
        order by balance desc, address
        limit 1
    """,
    "busiest": """
        select target_id, key_hash, min(address) as holder
        from altura_item_holders
        group by target_id, key_hash
        order by count(*) desc, key_hash
        limit 1
    """,
}


def _one(connection: psycopg.Connection[Any], query: LiteralString) -> dict[str, object]:
    row = connection.cursor(row_factory=dict_row).execute(query).fetchone()
    if row is None:
        raise LookupError(query)
    return row


def ask(
    connection: psycopg.Connection[Any],
    question: Question,
    given: Mapping[str, Any],
    *,
    rounds: int = ROUNDS,
    earlier: psycopg.Connection[Any] | None = None,
) -> Line:
    """The connections must bind on the client's side (`psycopg.ClientCursor`), so that statements
    arrive with their values, as psql sends them. `earlier` leads to the same world under an earlier
    version's marts. Raises WrongAnswer."""
    given = {**given, **given["holders"][question.holder]}
    if question.truth:
        said, true = (connection.execute(s, given).fetchall() for s in question.truth)
        if sorted(said) != sorted(true):
            raise WrongAnswer(f"{question.title}: {said[:5]} is not {true[:5]}")
    turns = [(connection, s) for s in (question.asked, *question.baselines.values())]
    if earlier and _answers(earlier, question.asked, given):
        turns.append((earlier, question.asked))
    asked, *others = _in_turns(turns, given, rounds)
    before = others.pop() if len(others) > len(question.baselines) else None
    baselines = dict(zip(question.baselines, others, strict=True))
    baseline = others[0].median if others else None
    plan = _plan(connection, question.asked, given)
    return Line(
        title=question.title,
        statement=" ".join(question.asked.split()),
        asked=asked,
        baselines=baselines,
        target=str(question.target),
        ratio=asked.median / baseline if baseline else None,
        met=question.target.met(asked.median, baseline),
        node=decisive(plan),
        plan=plan,
        before=before,
    )


def _answers(
    earlier: psycopg.Connection[Any], statement: LiteralString, given: Mapping[str, object]
) -> bool:
    """Whether an earlier version had what is asked for."""
    try:
        earlier.execute(statement, given)
    except UNDEFINED:
        return False
    return True


def _in_turns(
    turns: Sequence[tuple[psycopg.Connection[Any], LiteralString]],
    given: Mapping[str, object],
    rounds: int,
) -> list[Timed]:
    taken: list[list[float]] = [[] for _ in turns]
    began = time.monotonic()
    for number in range(rounds + 1):
        for (connection, statement), seconds in zip(turns, taken, strict=True):
            start = time.perf_counter()
            connection.execute(statement, given).fetchall()
            if number:
                seconds.append(round(time.perf_counter() - start, 6))
        if number >= FEWEST and time.monotonic() - began > LONGEST:
            break
    return [Timed(seconds) for seconds in taken]


def _plan(
    connection: psycopg.Connection[Any], statement: LiteralString, given: Mapping[str, object]
) -> list[str]:
    explain = sql.SQL("explain (analyze, buffers, costs off) ") + sql.SQL(statement)
    return _executed([line for (line,) in connection.execute(explain, given)])


def _executed(plan: Sequence[str]) -> list[str]:
    """The plan without the parts that were never executed: tables of other providers, mostly."""
    kept, skipped = [], None
    for line in plan:
        depth = len(line) - len(line.lstrip())
        if skipped is not None and depth > skipped:
            continue
        skipped = depth if "(never executed)" in line else None
        if skipped is None:
            kept.append(line)
    return kept


_NODE = re.compile(
    r"^(?P<indent>\s*(?:->  )?)(?P<name>\S.*?) \(actual time=\S+?\.\.(?P<last>[\d.]+)"
    r" rows=[\d.]+ loops=(?P<loops>\d+)\)"
)


def decisive(plan: Sequence[str]) -> str:
    """The node that spent most by itself, with its share of all time that nodes spent, such as
    `Seq Scan on altura_item_holders_current c, 62%`. Of a node that several processes worked on,
    their times add up."""
    spent: list[tuple[str, float]] = []
    open_nodes: list[tuple[int, int]] = []
    for line in plan:
        if not (found := _NODE.match(line)):
            continue
        depth, total = len(found["indent"]), float(found["last"]) * int(found["loops"])
        while open_nodes and open_nodes[-1][0] >= depth:
            open_nodes.pop()
        if open_nodes:
            parent = open_nodes[-1][1]
            spent[parent] = (spent[parent][0], spent[parent][1] - total)
        open_nodes.append((depth, len(spent)))
        spent.append((found["name"], total))
    if not spent:
        return ""
    name, most = max(spent, key=lambda node: node[1])
    everything = sum(own for _, own in spent if own > 0)
    return f"{name}, {most / everything:.0%}" if everything else name
