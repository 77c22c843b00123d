"""`python -m benchmarks.sql`: makes worlds, asks them, prints tables and keeps them.

    python -m benchmarks.sql                   all three worlds, at full size
    python -m benchmarks.sql --world 3         one of them
    python -m benchmarks.sql --quick           a tenth of the holders and snapshots of each
    python -m benchmarks.sql --before ../old   each question also asked of another checkout's marts,
                                               in turns
    python -m benchmarks.sql --show sql        the tables of a run that was kept

A full run is kept as benchmarks/results/sql.json and .md, any other as part.sql. Exit code 1 where
an answer was wrong; a target that was missed is told, and is no failure.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.databases import databases
from benchmarks.folders import RESULTS, SCRATCH
from benchmarks.machine import machine
from benchmarks.sql.ask import WrongAnswer, ask, parameters
from benchmarks.sql.before import copy_concentration, migrate_by
from benchmarks.sql.generate import World, generate
from benchmarks.sql.questions import questions
from benchmarks.sql.report import missed, report
from benchmarks.sql.results import Answers, Results, read, write
from benchmarks.sql.storage import stored
from pipelines.warehouse.concentration import refresh_concentration
from pipelines.warehouse.postgres import Warehouse

WORLDS = (
    World(1_000_000, 50, timedelta(days=1)),
    World(50_000, 365, timedelta(days=1)),
    World(50_000, 8_760, timedelta(hours=1)),
)
CONCENTRATION_SECONDS = 10.0
"""For as long the concentration of snapshots is computed, newest first."""


def main() -> int:
    arguments = _arguments()
    if arguments.show:
        results = read(RESULTS / f"{arguments.show}.json")
    else:
        worlds = [WORLDS[number - 1] for number in arguments.world]
        if arguments.quick:
            worlds = [small(world) for world in worlds]
        try:
            results = _measure(worlds, arguments.before)
        except WrongAnswer as error:
            sys.stderr.write(f"{error}\n")
            return 1
        whole = worlds == list(WORLDS) and arguments.before is None
        name = "sql" if whole else "part.sql"
        write(results, RESULTS / f"{name}.json")
        (RESULTS / f"{name}.md").write_text(report(results), encoding="utf-8")
    sys.stdout.write(report(results))
    for line in missed(results):
        sys.stderr.write(f"Target missed: {line}\n")
    return 0


def _arguments() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(prog="python -m benchmarks.sql", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--world", type=numbers, default=[1, 2, 3], help="of 1 to 3, by commas")
    parser.add_argument("--quick", action="store_true", help="small ones")
    parser.add_argument(
        "--before", type=Path, metavar="CHECKOUT", help="another version of Holdfast to ask, too"
    )
    parser.add_argument("--show", metavar="NAME", help="measure nothing, show kept results")
    arguments = parser.parse_args()
    if not set(arguments.world) <= {1, 2, 3}:
        parser.error("there are the worlds 1, 2 and 3")
    return arguments


def small(world: World) -> World:
    """A tenth of the holders and of the snapshots."""
    return replace(world, holders=world.holders // 10, snapshots=max(world.snapshots // 10, 10))


def _measure(worlds: list[World], checkout: Path | None) -> Results:
    SCRATCH.mkdir(mode=0o755, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        Path(scratch).chmod(0o755)  # Postgres may have to run as another user
        with databases(Path(scratch, "server")) as ours:
            results = Results(
                began_at=datetime.now(UTC).isoformat(timespec="seconds"), machine=machine(ours)
            )
            for world in worlds:
                with ExitStack() as stack:
                    url = stack.enter_context(ours.fresh(migrated=True))
                    before = None
                    if checkout:
                        before = stack.enter_context(ours.fresh(migrated=False))
                        migrate_by(checkout, before)
                    settle = ours.checkpoint
                    results.worlds.append(answers(url, world, settle=settle, before=before))
    results.seconds = time.monotonic() - began
    return results


def answers(
    url: str, world: World, *, settle: Callable[[], None], before: str | None = None
) -> Answers:
    """Everything about one world, in a fresh migrated database. `settle` is called before the first
    question, to have written what is still to be written. `before` is the URL of a database that an
    earlier version has migrated: it gets the same world and the same questions. Raises
    WrongAnswer."""
    began = time.monotonic()
    generate(url, world)
    generated = time.monotonic() - began
    _tell(f"{world.holders:,} holders, {world.snapshots:,} snapshots: made in {generated:.0f} s")
    began = time.monotonic()
    with Warehouse(url) as warehouse, warehouse.connect() as connection:
        concentrated = refresh_concentration(connection, seconds=CONCENTRATION_SECONDS)
    concentration_seconds = time.monotonic() - began
    lines = []
    with ExitStack() as stack:
        asking = stack.enter_context(_asking(url))
        [history_rows] = asking.execute(
            "select count(*) from altura_item_holders_history"
        ).fetchone() or [0]
        stores = stored(asking, world)
        asking.execute("vacuum (analyze)")
        earlier = stack.enter_context(_asking(before)) if before else None
        if before and earlier:
            generate(before, world)
            copy_concentration(asking, earlier)
            earlier.execute("vacuum (analyze)")
        settle()
        given = parameters(asking, world)
        for question in questions():
            line = ask(asking, question, given, earlier=earlier)
            beside = f" ({line.before.median * 1000:.2f} before)" if line.before else ""
            _tell(f"{line.title}: {line.asked.median * 1000:.2f} ms{beside}; {line.node}")
            lines.append(line)
    return Answers(
        holders=world.holders,
        snapshots=world.snapshots,
        step_seconds=world.step.total_seconds(),
        history_rows=history_rows,
        generated_seconds=generated,
        concentrated=concentrated,
        concentration_seconds=concentration_seconds,
        stored=stores,
        lines=lines,
    )


def _asking(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
