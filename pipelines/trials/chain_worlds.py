"""Worlds whose rows come from a chain that forks.

Blocks that are orphaned leave what they moved, and forks that return insert rows further down: what
the proofs by order stand on does not hold. They rest on the chain's own word about its blocks.
"""

from collections.abc import Callable
from typing import Any

from pipelines.providers.proofs import Proof
from pipelines.trials.kinds import (
    BALANCED,
    FORKS,
    HONEST,
    LONG,
    SELDOM_BEHIND,
    STICKY,
    SWAPS,
    WITH_BURSTS,
    WITH_FORKS,
    TrialWorld,
    Worlds,
)

UNSEEN = frozenset({Proof.SAME_VERSION})
"""Where blocks come and go while nobody looks, no tag and no tip tells: a block that changed the
set was above all that was seen, and was orphaned. What it moved stays, under the old tag."""


def chained_under_forks(provider: str) -> Worlds:
    """Blocks that are orphaned leave what they moved, and forks that return insert rows further
    down."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"proof": Proof.CHAINED, "chances": (0.03, 0.1), "late_rows": True, **how}
        return TrialWorld(f"{provider}-{name}", provider, about, attacks=True, limits=UNSEEN, **how)

    yield world("forks", "one to eight blocks are orphaned, and some return", changes=WITH_FORKS)
    yield world("forks-parallel", "the same, four pages at once", changes=WITH_FORKS, workers=4)
    yield world(
        "forks-replicas",
        "the same, and servers in turn, every tenth two states behind",
        changes=WITH_FORKS,
        chances=(0.005, 0.02),
        replicas=SELDOM_BEHIND,
        promises=False,
    )


def to_last_under_forks(provider: str) -> Worlds:
    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"rows": (60, 150), "chances": (0.01, 0.04), "late_rows": True, **how}
        name = f"{provider}-since-{name}"
        proof = Proof.CHAINED_TO_LAST
        return TrialWorld(name, provider, about, proof=proof, attacks=True, limits=UNSEEN, **how)

    yield world("forks", "one to eight blocks are orphaned, and some return", changes=WITH_FORKS)
    yield world(
        "forks-between",
        "the same, but while nobody looks: before every other snapshot",
        between=FORKS,
    )
    yield world(
        "tied",
        "left-over rows at the same place as others, which pages show in another order",
        rows=(30, 60),
        begins=("tie", "tie", "tie"),
        api="v1",
    )
    yield world(
        "swaps-above",
        "before every other snapshot a token left and another came, in blocks above all that was"
        " seen, which are orphaned",
        between={"swap above": 1},
    )
    yield world(
        "forks-replicas",
        "forks, and servers in turn, every tenth two states behind",
        changes=WITH_FORKS,
        chances=(0.005, 0.02),
        replicas=SELDOM_BEHIND,
        rows=(40, 80),
        promises=False,
        evidence=False,
    )


def of_one_version(provider: str, api: str) -> Worlds:
    """Pages by cursors, under a tag of the whole set: new rows enter anywhere."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {
            "proof": Proof.ONE_VERSION,
            "rows": (24, 48),
            "changes": SWAPS,
            "chances": (0.04, 0.12),
            "late_rows": True,
            "attacks": True,
            "api": api,
            "limits": UNSEEN if Proof.SAME_VERSION is not how.get("proof") else frozenset(),
            **how,
        }
        return TrialWorld(f"{provider}-{api}-{name}", provider, about, **how)

    yield world("mixed", "mostly one in and one out together; rows enter anywhere")
    yield world(
        "balanced", "one in and one out, together or in turn: totals come back", changes=BALANCED
    )
    yield world(
        "bursts", "five to twelve changes together", changes=WITH_BURSTS, chances=(0.01, 0.04)
    )
    yield world("tiny", "sets of a page to three", rows=(3, 10), page_size=3, chances=(0.1, 0.2))
    yield world(
        "long", "many pages", **{**LONG, "workers": 1, "changes": SWAPS}, chances=(0.01, 0.02)
    )
    yield world("honest-cache", "a cache per URL that tells an answer's age", cache=HONEST)
    yield world(
        "forks",
        "one to eight blocks are orphaned, and some return",
        changes={**SWAPS, **FORKS},
    )
    yield world(
        "forks-between",
        "the same, but while nobody looks: before every other snapshot",
        between=FORKS,
    )
    yield from _limits_of_one_version(world)
    yield from _unchanged(world)


def _unchanged(world: Callable[..., TrialWorld]) -> Worlds:
    """A set that has the tag still that it had: nothing but forks happens to it."""
    still = {"proof": Proof.SAME_VERSION, "chances": (0.002, 0.01), "evidence": False}
    yield world("still", "little happens, so that most looks find the same tag", **still)
    yield world(
        "still-forking",
        "little happens but forks, at any time: blocks that nobody saw come and go",
        **still | {"chances": (0.01, 0.03)},
        changes={**SWAPS, **FORKS},
        promises=False,
    )
    yield world(
        "still-forks",
        "little happens but forks, before every other snapshot",
        **still,
        between=FORKS,
    )
    yield world(
        "still-swaps-above",
        "before every other snapshot a token left and another came, in blocks above all that was"
        " seen, which are orphaned: another set, the old tag, the old tip",
        **still,
        between={"swap above": 1},
        promises=False,
    )


def _limits_of_one_version(world: Callable[..., TrialWorld]) -> Worlds:
    yield world(
        "swaps-above",
        "while it is read, a token leaves and another comes in blocks above all that was seen,"
        " which are orphaned at once: other rows, the same tag",
        changes={**SWAPS, "swap above": 3},
        promises=False,
    )
    yield world(
        "forks-replicas",
        "forks, and servers in turn, every tenth two states behind",
        changes=WITH_FORKS,
        chances=(0.005, 0.02),
        rows=(3, 10),
        replicas=SELDOM_BEHIND,
        promises=False,
        evidence=False,
    )
    yield world(
        "replicas",
        "servers in turn, every tenth two states behind",
        replicas=SELDOM_BEHIND,
        chances=(0.005, 0.02),
        rows=(3, 10),
        promises=False,
        evidence=False,
    )
    yield world("sticky-cache", "a cache per URL that does not tell", cache=STICKY, promises=False)


def tied(provider: str) -> Worlds:
    """Rows that the order of the first API has ties between."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"proof": Proof.ONE_VERSION, "rows": (3, 9), "begins": ("tie", "tie"), **how}
        how = {"chances": (0.005, 0.02), "late_rows": True, "attacks": True, **how}
        how |= {"limits": UNSEEN}
        return TrialWorld(f"{provider}-{name}", provider, about, **how)

    yield world("tied", "left-over rows at the same place as others, by the first API", api="v1")
    yield world("tied-auto", "the same, by whichever API can prove them")
    yield world("tied-forks", "the same, while blocks are orphaned", api="v1", changes=WITH_FORKS)
