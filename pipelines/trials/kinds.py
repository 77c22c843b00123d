"""What kinds of worlds there are: how a set lives while it is read, and what is in between.

Sets are small and pages tiny, so that a walk takes milliseconds and has as many seams as a walk
over thousands of rows. `promises` says whether the proof claims to be right in such a world;
where it does not, the share of wrong snapshots is a limit that is reported. `evidence` says whether
the naive test has to fall for the world.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.providers.proofs import Proof

MIXED = {"in": 3, "out": 3, "swap": 2, "value": 2}
BALANCED = {"swap": 1, "turn": 3}
SWAPS = {"in": 1, "out": 1, "swap": 6}
LEAVING = {"in": 1, "out": 2, "swap": 2}
ARRIVALS = {"in": 5, "out": 3, "swap": 1}
WITH_BURSTS = {"burst": 1}
FORKS = {"fork": 4, "return": 3, "orphan": 2, "same tag": 2}
WITH_FORKS = {**MIXED, **FORKS}
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
    answer was computed, and before its rows are read. `api` is the one of the provider's that is
    asked; "": the one that the settings choose by themselves. `limits` are proofs that promise
    nothing here, beside the one on trial that does.
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
    api: str = ""
    limits: frozenset[Proof] = frozenset()


SELDOM_BEHIND = (0,) * 9 + (2,)
"""Of servers of which more lag, hardly two ever agree on a tip or a tag: nothing is accepted."""
STICKY = Cache(keep=40, hits=0.7, honest=False)
HONEST = Cache(keep=20, hits=0.1, honest=True)
TINY = {"rows": (3, 10), "page_size": 6, "proof": Proof.SINGLE_PAGE, "chances": (0.1, 0.3)}
LONG = {"page_size": 3, "rows": (100, 120), "workers": 4, "changes": BALANCED, "slow": True}
PARALLEL = {"page_size": 3, "workers": 4}

Worlds = Iterator[TrialWorld]
