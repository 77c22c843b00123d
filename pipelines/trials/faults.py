"""`python -m pipelines.trials.faults`: every fault on every provider, in one table.

Exit code 1 where one was neither healed nor refused as it should be. Runs on real sockets and a
Postgres that is thrown away; the providers side by side, each in a database of its own.
"""

import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import psycopg
from psycopg import sql
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import make_url

from pipelines.trials.faults_bench import Bench, Outcome
from pipelines.trials.faults_catalogue import ALL, CASES, Case
from pipelines.warehouse.embedded import throwaway
from pipelines.warehouse.migrate import migrate

WIDTH = 160
"""Columns of the table where the output is no terminal."""


def create_database(server: str, name: str) -> str:
    """A migrated database on the server at that URL; returns its URL."""
    url = make_url(server)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    made = url.set(database=name).render_as_string(hide_password=False)
    migrate(made)
    return made


def try_all(server: str, cases: Sequence[Case] = CASES) -> list[Outcome]:
    """The outcomes of all cases on the server at that URL, in the order of the cases."""
    urls = {provider: create_database(server, f"faults_{provider}") for provider in ALL}

    def try_on(provider: str) -> list[Outcome]:
        with Bench(provider, urls[provider]) as bench:
            return [bench.run(case) for case in cases if provider in case.providers]

    with ThreadPoolExecutor(len(ALL)) as threads:
        outcomes = [one for those in threads.map(try_on, ALL) for one in those]
    order = [case.name for case in cases]
    return sorted(outcomes, key=lambda outcome: order.index(outcome.case))


def table_of(outcomes: Sequence[Outcome]) -> Table:
    table = Table("fault", "provider", "outcome", box=box.SIMPLE_HEAD, pad_edge=False)
    last = ""
    for outcome in outcomes:
        style = "red" if outcome.problems else ""
        name = "" if outcome.case == last else outcome.case
        table.add_row(name, outcome.provider, Text(str(outcome), style))
        last = outcome.case
    return table


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-faults-") as folder:
        Path(folder).chmod(0o711)  # the server may run as another user
        with throwaway(Path(folder) / "server") as server:
            outcomes = try_all(server.url)
    console.print(table_of(outcomes))
    healed = sum(outcome.error is None for outcome in outcomes)
    wrong = [outcome for outcome in outcomes if outcome.problems]
    console.print(
        f"{len(outcomes)} trials in {monotonic() - began:.0f} s: {healed} healed,"
        f" {len(outcomes) - healed} refused, {len(wrong)} with a problem",
        style="bold red" if wrong else "bold",
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
