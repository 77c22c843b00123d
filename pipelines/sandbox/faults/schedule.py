"""Which requests a fault strikes. Chance comes from a seed, so that a trial can be repeated."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.providers import SANDBOXES

Fault = Callable[[Exchange, Answer], Answer]
"""(request, the API's answer) → the answer that is sent. Called by the thread of the request."""


@dataclass(frozen=True)
class When:
    """All conditions together: of the requests for rows, its number (from 1 since the fault was
    set) is `first` or later, it asks for rows from `start` or further down, chance (`share`) wills
    it, and the fault struck fewer than `times` times (None: no bound)."""

    first: int = 1
    start: int = 0
    times: int | None = None
    share: float = 1.0


ALWAYS = When()
ONCE = When(times=1)


@dataclass
class _Set:
    fault: Fault
    when: When
    requests: int = 0
    strikes: int = 0


class Faults:
    """The faults of one sandbox, one a provider at most: its `fault` hook. Thread-safe."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = Random(seed)  # noqa: S311 - a trial that can be repeated, no secret
        self._lock = threading.Lock()
        self._set: dict[str, _Set] = {}

    def set(self, provider: str, fault: Fault, when: When = ALWAYS) -> None:
        """Let `fault` strike that provider's requests from now on, in place of the one before."""
        with self._lock:
            self._set[provider] = _Set(fault, when)

    def clear(self, provider: str) -> None:
        with self._lock:
            self._set.pop(provider, None)

    @property
    def strikes(self) -> Counter[str]:
        """How often the fault that is set has struck, by provider."""
        with self._lock:
            return Counter({provider: one.strikes for provider, one in self._set.items()})

    def __call__(self, exchange: Exchange, answer: Answer) -> Answer:
        with self._lock:
            one = self._set.get(exchange.provider)
            has_rows = SANDBOXES[exchange.provider].has_rows(exchange)
            if one is None or not has_rows or not self._strikes_now(one, exchange):
                return answer
            one.strikes += 1
        return one.fault(exchange, answer)

    def _strikes_now(self, one: _Set, exchange: Exchange) -> bool:
        one.requests += 1
        when = one.when
        return (
            one.requests >= when.first
            and (when.start == 0 or _start(exchange) >= when.start)
            and (when.times is None or one.strikes < when.times)
            and (when.share >= 1 or self._chance.random() < when.share)
        )


def _start(exchange: Exchange) -> int:
    """The position of the first row that is asked for."""
    return SANDBOXES[exchange.provider].route(exchange).asked(exchange).start
