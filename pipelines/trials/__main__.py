"""python -m pipelines.trials: put the proofs to trial and say what came of it.

Exits with 1 when a proof accepted what was never true in a world where it promises to be right,
when a world that should be evidence is none, or when too few walks were accepted to tell.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.trials.report import as_json, table
from pipelines.trials.run import run_trials
from pipelines.trials.tally import Tally, Verdict
from pipelines.trials.worlds import BY_NAME, WORLDS, TrialWorld

SLOW_SHARE = 20
"""Of slow worlds, one walk in so many: of those with long walks, and of those in which a proof
promises nothing, as most of their walks are refused and they only say how large its error is."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    kinds = [BY_NAME[name] for name in asked.world] if asked.world else list(WORLDS)
    verdicts = _run(kinds, asked)
    sys.stdout.write(table(verdicts) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(as_json(verdicts), indent=2) + "\n")
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    sys.stdout.write("".join(f"FAILED {fault}\n" for fault in faults))
    return 1 if faults else 0


def _run(kinds: Sequence[TrialWorld], asked: argparse.Namespace) -> list[Verdict]:
    """Run the trials; progress goes to stderr, as a bar or, where nobody watches, as lines."""
    fewer = max(1, asked.walks // SLOW_SHARE)
    walks_of = {kind: fewer if kind.slow or not kind.promises else asked.walks for kind in kinds}
    tallies = {kind.name: Tally() for kind in kinds}
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("walks accepted", total=sum(walks_of.values()))
        shares = run_trials(walks_of, asked.seed, asked.processes, spoil=asked.spoil)
        for kind, tally in shares:
            sum_of = tallies[kind.name]
            sum_of.add(tally)
            progress.update(task, advance=tally.accepted[kind.proof], description=kind.name)
            if progress.disable and sum_of.accepted[kind.proof] >= walks_of[kind]:
                sys.stderr.write(f"{kind.name}: {walks_of[kind]:,} walks accepted\n")
    return [Verdict(kind, walks, tallies[kind.name]) for kind, walks in walks_of.items()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.trials", description=__doc__)
    parser.add_argument(
        "--walks",
        type=_count,
        default=10_000,
        help=f"accepted walks in each world; 1 in {SLOW_SHARE} of them in slow ones",
    )
    parser.add_argument(
        "--world", action="append", choices=sorted(BY_NAME), help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1)
    parser.add_argument(
        "--spoil",
        action="store_true",
        help="take a row from one accepted snapshot of each world: the trial has to fail",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, not {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
