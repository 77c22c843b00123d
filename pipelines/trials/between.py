"""What stands between a set and its reader: replicas that lag, and a cache per URL.

Both may show what was true a moment ago. How far back they reached is noted, since a judge must
not call a snapshot wrong for being as old as the world is built to make it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import Lock

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import L
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.states import State
from pipelines.sandbox.world import World
from pipelines.trials.living import LivingSet
from pipelines.trials.worlds import TrialWorld


class Replica:
    """A world as a server shows it that is `behind` by so many states of each target."""

    def __init__(self, source: World, behind: int) -> None:
        self._source = source
        self._behind = behind

    def state(self, key: str) -> State | None:
        states = self._source.states(key)
        return states[max(0, len(states) - 1 - self._behind)]

    def ledger(self, kind: type[L]) -> L:
        return self._source.ledger(kind)


@dataclass(frozen=True)
class _Kept:
    answer: Answer
    number: int
    at: datetime


class Between:
    """The sandbox's hooks for one set: it changes at requests, and answers come as `kind` says."""

    def __init__(self, sandbox: Sandbox, kind: TrialWorld, living: LivingSet, rng: Random) -> None:
        self.oldest: datetime | None = None
        self._sandbox = sandbox
        self._kind = kind
        self._living = living
        self._rng = rng
        self._lock = Lock()
        self._replicas = [Replica(sandbox.world, behind) for behind in kind.replicas]
        self._cache: dict[str, _Kept] = {}
        self._subject = living.key.partition(":")[2]

    def before_response(self, exchange: Exchange) -> Answer | None:
        with self._lock:
            if self._subject not in exchange.target:
                return None  # a page of an earlier set that was still under way
            self._living.maybe_change()
            if self._kind.cache:
                return self._from_cache(exchange)
            return self._from_replica(exchange) if self._replicas else None

    def after_response(self, exchange: Exchange, answer: Answer) -> None:  # noqa: ARG002
        with self._lock:
            if self._subject in exchange.target:
                self._living.maybe_change()

    def _from_replica(self, exchange: Exchange) -> Answer:
        replica = self._replicas[exchange.number % len(self._replicas)]
        state = replica.state(self._living.key)
        if state is not None:
            self._note(state.at)
        return self._sandbox.answer(exchange, replica)

    def _from_cache(self, exchange: Exchange) -> Answer | None:
        cache = self._kind.cache
        kept = self._cache.get(exchange.target)
        if cache and kept and exchange.number - kept.number <= cache.keep:
            if self._rng.random() < cache.hits:
                self._note(kept.at)
                age = {"age": str(exchange.number - kept.number)} if cache.honest else {}
                return Answer(200, {**kept.answer.headers, **age}, kept.answer.body)
            return None
        answer = self._sandbox.answer(exchange, self._sandbox.world)
        if answer.status == 200:
            self._cache[exchange.target] = _Kept(answer, exchange.number, datetime.now(UTC))
        return answer

    def _note(self, at: datetime) -> None:
        self.oldest = min(at, self.oldest or at)
