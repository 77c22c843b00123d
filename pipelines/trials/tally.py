"""What a trial counted, and what follows from it."""

from collections import Counter
from dataclasses import dataclass, field

from pipelines.providers.proofs import Proof
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.statistics import upper_bound

NAIVE_MUST_FAIL = 0.01
"""The share of wrong snapshots below which the naive test makes a world no evidence."""


@dataclass
class Tally:
    """Counts of one world; several are added up."""

    targets: int = 0
    walks: int = 0
    requests: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    naive_walks: int = 0
    naive_accepted: int = 0
    naive_wrong: int = 0
    seconds: float = 0.0

    def add(self, other: "Tally") -> None:
        self.targets += other.targets
        self.walks += other.walks
        self.requests += other.requests
        self.accepted.update(other.accepted)
        self.wrong.update(other.wrong)
        self.naive_walks += other.naive_walks
        self.naive_accepted += other.naive_accepted
        self.naive_wrong += other.naive_wrong
        self.seconds += other.seconds

    @property
    def naive_share(self) -> float:
        return self.naive_wrong / self.naive_accepted if self.naive_accepted else 0.0


@dataclass(frozen=True)
class Verdict:
    """One world's tally beside what was asked of it. Until a trial is `finished`, what is missing
    is no fault yet."""

    world: TrialWorld
    asked: int
    tally: Tally
    finished: bool = True

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """The proofs that accepted something, the one on trial first."""
        others = (proof for proof in Proof if proof in self.tally.accepted)
        return (self.world.proof, *(proof for proof in others if proof is not self.world.proof))

    def bound(self, proof: Proof) -> float:
        return upper_bound(self.tally.wrong[proof], self.tally.accepted[proof])

    def is_limit(self, proof: Proof) -> bool:
        """Whether it is known that the proof can be wrong in such a world; one page never is."""
        promises = self.world.promises and proof not in self.world.limits
        return not promises and proof is not Proof.SINGLE_PAGE

    @property
    def faults(self) -> list[str]:
        """Why the trial has failed in this world; empty where it has not."""
        tally, name = self.tally, self.world.name
        faults = [
            f"{name}: {tally.wrong[proof]} of {tally.accepted[proof]} snapshots by {proof} were"
            " never true"
            for proof in self.proofs
            if tally.wrong[proof] and not self.is_limit(proof)
        ]
        due = self.finished and self.world.promises
        if due and tally.accepted[self.world.proof] < self.asked:
            accepted = tally.accepted[self.world.proof]
            faults.append(f"{name}: {accepted} snapshots accepted, of {self.asked} asked for")
        if self.finished and self.world.evidence and not self.is_evidence:
            faults.append(
                f"{name} is no evidence: the naive test is wrong in only {tally.naive_wrong} of"
                f" {tally.naive_accepted} accepted walks"
            )
        return faults

    @property
    def is_evidence(self) -> bool:
        return self.tally.naive_wrong > 0 and self.tally.naive_share >= NAIVE_MUST_FAIL
