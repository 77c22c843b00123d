"""Worlds whose rows come from a chain that forks.

Blocks that are orphaned leave what they moved, and forks that return insert rows further down: what
the proofs by order stand on does not hold. They rest on the chain's own word about its blocks.
"""

from typing import Any

from pipelines.providers.proofs import Proof
from pipelines.trials.kinds import FORKS, WITH_FORKS, TrialWorld, Worlds


def chained_under_forks(provider: str) -> Worlds:
    """Blocks that are orphaned leave what they moved, and forks that return insert rows further
    down."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"proof": Proof.CHAINED, "chances": (0.03, 0.1), "late_rows": True, **how}
        return TrialWorld(f"{provider}-{name}", provider, about, attacks=True, **how)

    yield world("forks", "one to eight blocks are orphaned, and some return", changes=WITH_FORKS)
    yield world("forks-parallel", "the same, four pages at once", changes=WITH_FORKS, workers=4)
    yield world(
        "forks-replicas",
        "the same, and servers in turn that are up to four states behind",
        changes=WITH_FORKS,
        replicas=(0, 2, 4),
        promises=False,
    )


def to_last_under_forks(provider: str) -> Worlds:
    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"rows": (60, 150), "chances": (0.01, 0.04), "late_rows": True, **how}
        name = f"{provider}-since-{name}"
        proof = Proof.CHAINED_TO_LAST
        return TrialWorld(name, provider, about, proof=proof, attacks=True, **how)

    yield world("forks", "one to eight blocks are orphaned, and some return", changes=WITH_FORKS)
    yield world(
        "forks-between",
        "the same, but while nobody looks: before every other snapshot",
        between=FORKS,
    )
    yield world(
        "swaps-above",
        "before every other snapshot a token left and another came, in blocks above all that was"
        " seen, which are orphaned",
        between={"swap above": 1},
    )
    yield world(
        "forks-replicas",
        "forks, and servers in turn that are up to four states behind",
        changes=WITH_FORKS,
        replicas=(0, 2, 4),
        rows=(40, 80),
        promises=False,
        evidence=False,
    )
