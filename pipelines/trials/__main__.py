"""python -m pipelines.trials: put the proofs to trial and say what came of it.

Exits with 1 when a proof accepted what was never true in a world where it promises to be right,
when a world that should be evidence is none, or when too few walks were accepted to tell; with 3
when the time was up before all shares were done. What is done is kept: the next call goes on.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.paths import working_folder
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.report import as_json, table
from pipelines.trials.run import run_shares
from pipelines.trials.shares import Kept, Share, shares_of
from pipelines.trials.tally import Tally, Verdict
from pipelines.trials.worlds import BY_NAME, WORLDS

ELSEWHERE = 0.3
"""The part of the walks for worlds that do not attack the proof in particular: of 10,000 accepted
walks without a wrong one the bound is 0.03 %, of 3,000 it is 0.1 %."""
SLOW_SHARE = 20
"""Of slow worlds, one walk in so many: of those with long walks, and of those in which a proof
promises nothing, as most of their walks are refused and they only say how large its error is."""
KEPT_IN = Path(".holdfast") / "trials.jsonl"
UNFINISHED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    kinds = [BY_NAME[name] for name in asked.world] if asked.world else list(WORLDS)
    walks_of = {kind: _walks(kind, asked.walks) for kind in kinds}
    shares = shares_of(walks_of, asked.seed, spoil=asked.spoil)
    kept = Kept(asked.kept)
    if asked.again:
        kept.forget()
    done = {share: tally for share, tally in kept.done().items() if share in set(shares)}
    _run(shares, done, kept, asked)
    tallies = _sums(walks_of, done)
    is_whole = len(done) == len(shares)
    verdicts = [
        Verdict(kind, walks, tallies[kind.name], finished=is_whole)
        for kind, walks in walks_of.items()
    ]
    sys.stdout.write(table(verdicts) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(as_json(verdicts), indent=2) + "\n")
    faults = [fault for verdict in verdicts for fault in verdict.faults]
    sys.stdout.write("".join(f"FAILED {fault}\n" for fault in faults))
    if not is_whole:
        sys.stdout.write(
            f"Unfinished: {len(done)} of {len(shares)} shares are done. Call it again to go on.\n"
        )
    return 1 if faults else 0 if is_whole else UNFINISHED


def _walks(kind: TrialWorld, walks: int) -> int:
    """How many accepted walks a world is to have."""
    if kind.slow or not kind.promises:
        return max(1, walks // SLOW_SHARE)
    return walks if kind.attacks else max(1, int(walks * ELSEWHERE))


def _run(
    shares: Sequence[Share], done: dict[Share, Tally], kept: Kept, asked: argparse.Namespace
) -> None:
    """Run what is left; progress goes to stderr, as a bar or, where nobody watches, as lines."""
    left = [share for share in shares if share not in done]
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("shares done", total=len(shares), completed=len(done))
        for share, tally in run_shares(left, asked.processes, 60 * asked.minutes):
            done[share] = tally
            kept.add(share, tally)
            progress.update(task, advance=1, description=share.world)
            if progress.disable:
                sys.stderr.write(f"{len(done)} of {len(shares)} shares done: {share.world}\n")


def _sums(walks_of: Mapping[TrialWorld, int], done: Mapping[Share, Tally]) -> dict[str, Tally]:
    tallies = {kind.name: Tally() for kind in walks_of}
    for share, tally in done.items():
        tallies[share.world].add(tally)
    return tallies


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.trials", description=__doc__)
    parser.add_argument(
        "--walks",
        type=_count,
        default=10_000,
        help="accepted walks in each world that attacks its proof; fewer elsewhere",
    )
    parser.add_argument(
        "--world", action="append", choices=sorted(BY_NAME), help="only this one; may be repeated"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1)
    parser.add_argument(
        "--minutes", type=float, default=90, help="begin no share after that time (90)"
    )
    parser.add_argument(
        "--kept",
        type=Path,
        default=working_folder() / KEPT_IN,
        metavar="FILE",
        help=f"where the shares that are done are kept ({KEPT_IN})",
    )
    parser.add_argument("--again", action="store_true", help="forget them, and begin again")
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
