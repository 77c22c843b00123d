"""A trial's outcome, as a table for people and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.providers.proofs import Proof
from pipelines.trials.tally import Verdict

_COLUMNS = (
    ("world", "<"), ("proof", "<"), ("accepted", ">"), ("wrong", ">"), ("95 % <", ">"),
    ("share accepted", ">"), ("walks each", ">"), ("requests each", ">"), ("naive: accepted", ">"),
    ("wrong", ">"), ("", "<"),
)  # fmt: skip


def table(verdicts: Sequence[Verdict]) -> str:
    """One line for each world and proof."""
    lines = [[name for name, _ in _COLUMNS]]
    for verdict in verdicts:
        lines += _lines(verdict)
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            f"{cell:{align}{width}}"
            for cell, width, (_, align) in zip(line, widths, _COLUMNS, strict=True)
        ).rstrip()
        for line in lines
    )


def _lines(verdict: Verdict) -> Iterable[list[str]]:
    tally = verdict.tally
    accepted = tally.accepted.total()
    for proof in verdict.proofs:
        line = [
            "",
            proof.value,
            f"{tally.accepted[proof]:,}",
            f"{tally.wrong[proof]:,}",
            f"{verdict.bound(proof):.3%}",
        ]
        if proof is verdict.world.proof:
            line[0] = verdict.world.name
            line += [
                f"{accepted / tally.targets:.1%}" if tally.targets else "",
                f"{tally.walks / accepted:.2f}" if accepted else "",
                f"{tally.requests / accepted:.2f}" if accepted else "",
                f"{tally.naive_accepted:,}",
                f"{tally.naive_wrong:,} ({tally.naive_share:.1%})",
            ]
        line += [""] * (len(_COLUMNS) - 1 - len(line))
        yield [*line, _remark(verdict, proof)]


def _remark(verdict: Verdict, proof: Proof) -> str:
    """Whether the world shows anything, and what is known to go wrong in it, with how often."""
    tally = verdict.tally
    shows_nothing = tally.naive_walks and not verdict.is_evidence
    remarks = ["no evidence"] if shows_nothing and proof is verdict.world.proof else []
    if verdict.is_limit(proof) and tally.accepted[proof]:
        share = tally.wrong[proof] / tally.accepted[proof]
        remarks.append(f"a known limit: {share:.2%} wrong")
    return ", ".join(remarks)


def as_json(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The same figures, unrounded."""
    return [
        {
            "world": verdict.world.name,
            "about": verdict.world.about,
            "promises_zero": verdict.world.promises,
            "is_evidence": verdict.is_evidence,
            "faults": verdict.faults,
            "targets": verdict.tally.targets,
            "walks": verdict.tally.walks,
            "requests": verdict.tally.requests,
            "proofs": {
                proof.value: {
                    "accepted": verdict.tally.accepted[proof],
                    "wrong": verdict.tally.wrong[proof],
                    "upper_bound_95": verdict.bound(proof),
                    "known_limit": verdict.is_limit(proof),
                }
                for proof in verdict.proofs
            },
            "naive": {
                "walks": verdict.tally.naive_walks,
                "accepted": verdict.tally.naive_accepted,
                "wrong": verdict.tally.naive_wrong,
            },
            "process_seconds": round(verdict.tally.seconds, 1),
        }
        for verdict in verdicts
    ]
