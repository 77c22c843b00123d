"""The worlds of the trials: fixed sizes, fixed kinds of change, one name each.

Sets are small and pages tiny, so that a walk takes milliseconds and has as many seams as a walk
over thousands of rows. `promises` says whether the proof claims to be right in such a world;
where it does not, the share of wrong snapshots is a limit that is reported. `evidence` says whether
the naive test has to fall for the world.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Proof
from pipelines.sandbox.providers import SANDBOXES

MIXED = {"in": 3, "out": 3, "swap": 2, "value": 2}
BALANCED = {"swap": 1, "turn": 3}
LEAVING = {"in": 1, "out": 2, "swap": 2}
ARRIVALS = {"in": 5, "out": 3, "swap": 1}
WITH_BURSTS = {"burst": 1}
WITH_FORKS = {**MIXED, "fork": 4, "return": 3, "orphan": 2}
FORKS = {"fork": 4, "return": 3, "orphan": 2}
TRADE = {"value": 3, "swap": 2}


@dataclass(frozen=True)
class Cache:
    """A cache per URL that keeps an answer for `keep` requests, and has it with chance `hits`.

    An honest one tells an answer's age.
    """

    keep: int
    hits: float
    honest: bool


@dataclass(frozen=True, eq=False)
class TrialWorld:
    """How a set lives while it is read, and what stands between it and the reader.

    The set keeps between `rows[0]` and `rows[1]` rows, or begins so and `grows`. Before and after
    each answer, something of `changes` (weights) happens with a chance that a stretch of walks
    draws from `chances`; where nothing promises an order, the rows that stay keep theirs with the
    chance `keeps_order`. `replicas` answer in turn, each so many states behind.
    A `slow` one takes many requests for each walk, so it is given fewer; one that `attacks` the
    proof is given more. What `begins` names happens to the set before anybody looks, and something
    of `between` before every other snapshot. `late_rows`: something may happen after the tag of an
    answer was computed, and before its rows are read. `settings` are the client's, and `hidden` the
    columns that the API does not show then.
    """

    name: str
    provider: str
    about: str
    proof: Proof
    rows: tuple[int, int] = (9, 18)
    grows: bool = False
    page_size: int = 6
    workers: int = 1
    chances: tuple[float, ...] = (0.03, 0.08)
    changes: Mapping[str, int] = field(default_factory=lambda: MIXED)
    keeps_order: float = 0.9
    at_borders: bool = False
    replicas: tuple[int, ...] = ()
    cache: Cache | None = None
    promises: bool = True
    evidence: bool = True
    slow: bool = False
    attacks: bool = False
    begins: tuple[str, ...] = ()
    between: Mapping[str, int] = field(default_factory=dict)
    late_rows: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


_TINY = {"rows": (3, 10), "page_size": 6, "proof": Proof.SINGLE_PAGE, "chances": (0.1, 0.3)}
_LONG = {"page_size": 3, "rows": (100, 120), "workers": 4, "changes": BALANCED, "slow": True}
_PARALLEL = {"page_size": 3, "workers": 4}
_STICKY = Cache(keep=40, hits=0.7, honest=False)
_HONEST = Cache(keep=20, hits=0.1, honest=True)
_LAGGING = (0, 0, 1, 0, 2)

Worlds = Iterator[TrialWorld]


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
    yield world("tiny", "sets of about a page", **_TINY)
    yield world("long", "more pages than are read ahead", **_LONG, chances=(0.02, 0.04))
    yield world(
        "replicas",
        "servers in turn, up to four states behind; four pages at once",
        replicas=(0, 2, 4),
        workers=4,
    )
    yield world("sticky-cache", "a cache per URL that does not tell", cache=_STICKY)
    yield world("honest-cache", "a cache per URL that tells an answer's age", cache=_HONEST)
    if "fork" in SANDBOXES[provider].upheavals:
        yield from _chained_under_forks(provider)


def _chained_under_forks(provider: str) -> Worlds:
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
    yield world("sticky-cache", "a cache per URL that does not tell", cache=_STICKY)
    yield world(
        "replicas",
        "servers in turn, up to four states behind",
        replicas=(0, 2, 4),
        rows=(40, 80),
        chances=(0.005, 0.02),
        promises=False,
        evidence=False,
    )
    if "fork" in SANDBOXES[provider].upheavals:
        yield from _to_last_under_forks(provider)


def _to_last_under_forks(provider: str) -> Worlds:
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
        **_PARALLEL,
    )
    yield world(
        "balanced", "one in and one out, at once or in turn: totals come back", changes=BALANCED
    )
    yield world("borders", "changes at the borders of pages", at_borders=True)
    yield world(
        "borders-parallel",
        "the same on pages half as large, four of them at once",
        at_borders=True,
        **_PARALLEL,
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
    yield world("tiny", "sets of about a page", **_TINY)
    yield world("long", "more pages than are read ahead", **_LONG, chances=(0.01, 0.015))
    yield world("honest-cache", "a cache per URL that tells an answer's age", cache=_HONEST)
    yield world("sticky-cache", "a cache per URL that does not tell", cache=_STICKY, promises=False)
    yield world(
        "replicas",
        "five servers in turn, two of them one and two states behind",
        replicas=_LAGGING,
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


WORLDS: tuple[TrialWorld, ...] = tuple(
    world for provider in SANDBOXES for world in worlds_of(provider)
)

BY_NAME = {world.name: world for world in WORLDS}
