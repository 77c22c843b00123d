"""What stands between a set and its reader: replicas that lag, and a cache per URL.

Both may show what was true a moment ago. How far back they reached is noted, since a judge must
not call a snapshot wrong for being as old as the world is built to make it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import Lock

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import L
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.states import State
from pipelines.sandbox.world import World
from pipelines.trials.kinds import TrialWorld
from pipelines.trials.living import LivingSet


class Replica:
    """A world as a server shows it that is `behind` by so many states of one target."""

    def __init__(self, source: World, key: str, behind: int) -> None:
        states = source.states(key)
        self.at = states[max(0, len(states) - 1 - behind)].at
        self._source = source

    def state(self, key: str) -> State | None:
        found = self._source.states_between(key, self.at, self.at)
        return found[0] if found else None

    def ledger(self, kind: type[L]) -> L:
        return self._source.ledger(kind).as_of(self.at)


class Late:
    """A world that may change when rows are asked for: after the tag of an answer was computed."""

    def __init__(self, source: World | Replica, change: Callable[[], None]) -> None:
        self._source = source
        self._change = change

    def state(self, key: str) -> State | None:
        self._change()
        return self._source.state(key)

    def ledger(self, kind: type[L]) -> L:
        return self._source.ledger(kind)


@dataclass(frozen=True)
class _Kept:
    answer: Answer
    number: int
    at: datetime


class Between:
    """The sandbox's hooks for one set: it changes at requests, and answers come as `kind` says.

    A request that names the set before, which was still under way, is let alone; any other is about
    this one, whether it names it or asks for something that all sets have in common.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        kind: TrialWorld,
        living: LivingSet,
        rng: Random,
        before: "Between | None" = None,
    ) -> None:
        self.oldest: datetime | None = None
        self.mistake: Exception | None = None
        self._sandbox = sandbox
        self._kind = kind
        self._living = living
        self._rng = rng
        self._lock = Lock()
        self._cache: dict[str, _Kept] = {}
        self.subject = living.key.partition(":")[2]
        self._earlier = before.subject if before else None
        self._number = 0

    def before_response(self, exchange: Exchange) -> Answer | None:
        with self._lock, self._noting_mistakes():
            if self._is_earlier(exchange):
                return None
            self._number += 1
            self._living.maybe_change()
            if self._kind.cache:
                return self._from_cache(exchange)
            return self._answer(exchange)

    def after_response(self, exchange: Exchange, answer: Answer) -> None:  # noqa: ARG002
        with self._lock, self._noting_mistakes():
            if not self._is_earlier(exchange):
                self._living.maybe_change()

    @contextmanager
    def _noting_mistakes(self) -> Iterator[None]:
        """Else one of ours would look like a server that hangs up, and be tried again."""
        try:
            yield
        except Exception as mistake:
            self.mistake = mistake
            raise

    def _is_earlier(self, exchange: Exchange) -> bool:
        return self._earlier is not None and self._earlier in exchange.target

    def _answer(self, exchange: Exchange) -> Answer:
        world, replicas = self._sandbox.world, self._kind.replicas
        shown: World | Replica = world
        if replicas:
            behind = replicas[self._number % len(replicas)]
            shown = Replica(world, self._living.key, behind)
            self._note(shown.at)
        late = self._kind.late_rows and not replicas
        return self._sandbox.answer(
            exchange, Late(shown, self._living.maybe_change) if late else shown
        )

    def _from_cache(self, exchange: Exchange) -> Answer:
        cache = self._kind.cache
        kept = self._cache.get(exchange.target)
        if cache and kept and self._number - kept.number <= cache.keep:
            if self._rng.random() < cache.hits:
                self._note(kept.at)
                age = {"age": str(self._number - kept.number)} if cache.honest else {}
                return Answer(200, {**kept.answer.headers, **age}, kept.answer.body)
            return self._answer(exchange)
        answer = self._answer(exchange)
        if answer.status == 200:
            self._cache[exchange.target] = _Kept(answer, self._number, datetime.now(UTC))
        return answer

    def _note(self, at: datetime) -> None:
        self.oldest = min(at, self.oldest or at)
