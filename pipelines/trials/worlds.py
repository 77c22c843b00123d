"""The worlds of the trials: fixed sizes, fixed kinds of change, one name each (see kinds.py).

Each provider gets those of the proofs that its snapshots rest on.
"""

from typing import Any

from pipelines.providers import PROVIDERS
from pipelines.providers.proofs import Proof
from pipelines.sandbox.providers import SANDBOXES
from pipelines.trials.chain_worlds import (
    chained_under_forks,
    of_one_version,
    tied,
    to_last_under_forks,
)
from pipelines.trials.kinds import (
    ARRIVALS,
    BALANCED,
    HONEST,
    LEAVING,
    LONG,
    MIXED,
    PARALLEL,
    SELDOM_BEHIND,
    STICKY,
    TINY,
    TRADE,
    WITH_BURSTS,
    TrialWorld,
    Worlds,
)


def _chained(provider: str) -> Worlds:
    """New rows enter at the top only, and pages overlap by a row."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"proof": Proof.CHAINED, "chances": (0.05, 0.15), **how}
        return TrialWorld(f"{provider}-{name}", provider, about, **how)

    yield world("mixed", "transfers in and out, mints and burns anywhere; pages in order")
    yield world("parallel", "the same, four pages at once", workers=4)
    yield world(
        "balanced", "one in and one out, at once or in turn: totals come back", changes=BALANCED
    )
    yield world(
        "borders",
        "rows leave at the borders of pages; four pages at once",
        workers=4,
        at_borders=True,
        changes=LEAVING,
    )
    yield world(
        "bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.03, 0.08)
    )
    yield world(
        "busy",
        "new rows at the top at most requests",
        changes=ARRIVALS,
        chances=(0.2, 0.5),
        grows=True,
    )
    yield world(
        "flips", "the same tokens leave and come back, again and again", changes={"flip": 1}
    )
    yield world("tiny", "sets of about a page", **TINY)
    yield world("long", "more pages than are read ahead", **LONG, chances=(0.02, 0.04))
    yield world(
        "replicas",
        "servers in turn, up to four states behind; four pages at once",
        replicas=(0, 2, 4),
        workers=4,
    )
    yield world("sticky-cache", "a cache per URL that does not tell", cache=STICKY)
    yield world("honest-cache", "a cache per URL that tells an answer's age", cache=HONEST)
    if "fork" in SANDBOXES[provider].upheavals:
        yield from chained_under_forks(provider)


def _chained_to_last(provider: str) -> Worlds:
    """Longer lists, most of which stays as it is from one snapshot to the next."""

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"rows": (60, 150), "chances": (0.02, 0.06), **how}
        name = f"{provider}-since-{name}"
        return TrialWorld(name, provider, about, proof=Proof.CHAINED_TO_LAST, **how)

    yield world(
        "mixed", "what changed since the last snapshot; transfers, mints and burns anywhere"
    )
    yield world("parallel", "the same, four pages at once", workers=4)
    yield world(
        "balanced",
        "one in and one out, at once or in turn: totals come back",
        changes=BALANCED,
        workers=4,
    )
    yield world(
        "borders",
        "rows leave at the borders of pages",
        at_borders=True,
        workers=4,
        changes=LEAVING,
    )
    yield world(
        "bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.005, 0.02)
    )
    yield world(
        "flips", "the same tokens leave and come back, again and again", changes={"flip": 1}
    )
    yield world("sticky-cache", "a cache per URL that does not tell", cache=STICKY)
    yield world(
        "replicas",
        "servers in turn, every tenth two states behind",
        replicas=SELDOM_BEHIND,
        rows=(40, 80),
        chances=(0.005, 0.02),
        promises=False,
        evidence=False,
    )
    if "fork" in SANDBOXES[provider].upheavals:
        yield from to_last_under_forks(provider)


def _double_collect(provider: str) -> Worlds:
    """Nothing promises an order: the same set has to be read twice."""
    mixed = {**MIXED, "aggregate": 1} if SANDBOXES[provider].has_aggregate else MIXED

    def world(name: str, about: str, **how: Any) -> TrialWorld:
        how = {"proof": Proof.DOUBLE_COLLECT, **how}
        return TrialWorld(f"{provider}-{name}", provider, about, **how)

    yield world(
        "mixed", "holders enter, leave and change, and so do amounts of nobody's", changes=mixed
    )
    yield world(
        "mixed-parallel",
        "the same on pages half as large, four of them at once",
        changes=mixed,
        **PARALLEL,
    )
    yield world(
        "balanced", "one in and one out, at once or in turn: totals come back", changes=BALANCED
    )
    yield world("borders", "changes at the borders of pages", at_borders=True)
    yield world(
        "borders-parallel",
        "the same on pages half as large, four of them at once",
        at_borders=True,
        **PARALLEL,
    )
    yield world(
        "bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.01, 0.05)
    )
    yield world(
        "busy",
        "a larger set under constant trade",
        changes=TRADE,
        chances=(0.06, 0.1),
        rows=(18, 30),
    )
    yield world("tiny", "sets of about a page", **TINY)
    yield world("long", "more pages than are read ahead", **LONG, chances=(0.01, 0.015))
    yield world("honest-cache", "a cache per URL that tells an answer's age", cache=HONEST)
    yield world("sticky-cache", "a cache per URL that does not tell", cache=STICKY, promises=False)
    yield world(
        "replicas",
        "five servers in turn, two of them one and two states behind",
        replicas=(0, 0, 1, 0, 2),
        promises=False,
    )
    yield world(
        "flips",
        "the set goes back and forth between two states",
        changes={"flip": 1},
        promises=False,
    )


def worlds_of(provider: str) -> Worlds:
    """Those of the proofs that whole walks of the provider rest on, and walks since the last."""
    proofs = PROVIDERS[provider].proofs
    yield from _chained(provider) if Proof.CHAINED in proofs else _double_collect(provider)
    if Proof.CHAINED_TO_LAST in proofs:
        yield from _chained_to_last(provider)
    if Proof.ONE_VERSION in proofs:
        yield from tied(provider)
    successor = PROVIDERS[provider].successor
    if successor and Proof.ONE_VERSION in successor.proofs:
        yield from of_one_version(provider, successor.api)


WORLDS: tuple[TrialWorld, ...] = tuple(
    world for provider in SANDBOXES for world in worlds_of(provider)
)

BY_NAME = {world.name: world for world in WORLDS}
