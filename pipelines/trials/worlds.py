"""The worlds of the trials: fixed sizes, fixed kinds of change, one name each.

Sets are small and pages tiny, so that a walk takes milliseconds and has as many seams as a walk
over thousands of rows. `promises` says whether the proof claims to be right in such a world;
where it does not, the share of wrong snapshots is a limit that is reported. `evidence` says whether
the naive test has to fall for the world.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.providers.provider import Proof

MIXED = {"in": 3, "out": 3, "swap": 2, "value": 2}
BALANCED = {"swap": 1, "turn": 3}
ARRIVALS = {"in": 5, "out": 3, "swap": 1}
WITH_BURSTS = {"burst": 1}
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
    """

    name: str
    provider: str
    proof: Proof
    about: str
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


def _hiro(name: str, about: str, **how: object) -> TrialWorld:
    how.setdefault("chances", (0.05, 0.15))
    return _world("hiro", Proof.CHAINED, name, about, how)


def _since(name: str, about: str, **how: object) -> TrialWorld:
    """Longer lists, most of which stays as it is from one snapshot to the next."""
    how = {"rows": (60, 150), "chances": (0.02, 0.06), **how}
    return _world("hiro", Proof.CHAINED_TO_LAST, f"since-{name}", about, how)


def _altura(name: str, about: str, **how: object) -> TrialWorld:
    return _world("altura", Proof.DOUBLE_COLLECT, name, about, how)


def _catenis(name: str, about: str, **how: object) -> TrialWorld:
    return _world("catenis", Proof.DOUBLE_COLLECT, name, about, how)


def _world(
    provider: str, proof: Proof, name: str, about: str, how: Mapping[str, object]
) -> TrialWorld:
    return TrialWorld(**{"name": f"{provider}-{name}", "provider": provider, "proof": proof,
                         "about": about, **how})  # type: ignore[arg-type]  # fmt: skip


_TINY = {"rows": (3, 10), "page_size": 6, "proof": Proof.SINGLE_PAGE, "chances": (0.1, 0.3)}
_PARALLEL = {"page_size": 3, "workers": 4}
_STICKY = Cache(keep=40, hits=0.7, honest=False)
_HONEST = Cache(keep=20, hits=0.1, honest=True)
_LAGGING = (0, 0, 1, 0, 2)

WORLDS: tuple[TrialWorld, ...] = (
    _hiro("mixed", "transfers in and out, mints and burns anywhere; pages in order"),
    _hiro("parallel", "the same, four pages at once", workers=4),
    _hiro("balanced", "one in and one out, at once or in turn: totals come back", changes=BALANCED),
    _hiro("borders", "rows leave at the borders of pages; four pages at once", workers=4,
          at_borders=True, changes={"in": 1, "out": 2, "swap": 2}),
    _hiro("bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.03, 0.08)),
    _hiro("busy", "new rows at the top at most requests", changes=ARRIVALS, chances=(0.2, 0.5),
          grows=True),
    _hiro("flips", "the same tokens leave and come back, again and again", changes={"flip": 1}),
    _hiro("tiny", "sets of about a page", **_TINY),
    _hiro("replicas", "servers in turn, up to four states behind; four pages at once",
          replicas=(0, 2, 4), workers=4),
    _hiro("sticky-cache", "a cache per URL that does not tell", cache=_STICKY),
    _hiro("honest-cache", "a cache per URL that tells an answer's age", cache=_HONEST),
    _hiro("reorgs", "half of all changes orphan one to three blocks: what they moved is back in its"
          " old place", changes={**MIXED, "reorg": 10}, promises=False),
    _since("mixed", "what changed since the last snapshot; transfers, mints and burns anywhere"),
    _since("parallel", "the same, four pages at once", workers=4),
    _since("balanced", "one in and one out, at once or in turn: totals come back",
           changes=BALANCED, workers=4),
    _since("borders", "rows leave at the borders of pages", at_borders=True, workers=4,
           changes={"in": 1, "out": 2, "swap": 2}),
    _since("bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.005, 0.02)),
    _since("flips", "the same tokens leave and come back, again and again", changes={"flip": 1}),
    _since("sticky-cache", "a cache per URL that does not tell", cache=_STICKY),
    _since("replicas", "servers in turn, up to four states behind", replicas=(0, 2, 4),
           rows=(40, 80), chances=(0.005, 0.02), promises=False, evidence=False),
    _since("reorgs", "half of all changes orphan one to three blocks", promises=False,
           changes={**MIXED, "reorg": 10}),
    _altura("mixed", "transfers, mints, burns, changed balances"),
    _altura("mixed-parallel", "the same on pages half as large, four of them at once",
            **_PARALLEL),
    _altura("balanced", "one in and one out, at once or in turn: totals come back",
            changes=BALANCED),
    _altura("borders", "changes at the borders of pages", at_borders=True),
    _altura("borders-parallel", "the same on pages half as large, four of them at once",
            at_borders=True, **_PARALLEL),
    _altura("bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.01, 0.05)),
    _altura("busy", "a larger item under constant trade", changes=TRADE, chances=(0.06, 0.1),
            rows=(18, 30)),
    _altura("tiny", "sets of about a page", **_TINY),
    _altura("honest-cache", "a cache per URL that tells an answer's age", cache=_HONEST),
    _altura("sticky-cache", "a cache per URL that does not tell", cache=_STICKY, promises=False),
    _altura("replicas", "five servers in turn, two of them one and two states behind",
            replicas=_LAGGING, promises=False),
    _altura("flips", "the set goes back and forth between two states", changes={"flip": 1},
            promises=False),
    _catenis("mixed", "transfers, issues, what migrated and what is unconfirmed",
             changes={**MIXED, "aggregate": 1}),
    _catenis("mixed-parallel", "the same on pages half as large, four of them at once",
             changes={**MIXED, "aggregate": 1}, **_PARALLEL),
    _catenis("balanced", "one in and one out, at once or in turn", changes=BALANCED),
    _catenis("borders", "changes at the borders of pages", at_borders=True),
    _catenis("borders-parallel", "the same on pages half as large, four of them at once",
             at_borders=True, **_PARALLEL),
    _catenis("bursts", "five to twelve changes at once", changes=WITH_BURSTS, chances=(0.01, 0.05)),
    _catenis("tiny", "sets of about a page", **_TINY),
    _catenis("honest-cache", "a cache per URL that tells an answer's age", cache=_HONEST),
    _catenis("sticky-cache", "a cache per URL that does not tell", cache=_STICKY, promises=False),
    _catenis("replicas", "five servers in turn, two of them one and two states behind",
             replicas=_LAGGING, promises=False),
    _catenis("flips", "the set goes back and forth between two states", changes={"flip": 1},
             promises=False),
)  # fmt: skip

BY_NAME = {world.name: world for world in WORLDS}
