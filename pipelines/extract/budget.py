"""The request budget of one provider: when the next request may go out.

Requests go out evenly, from the first one on. There is no burst after a pause: a server counts the
requests of any 60 seconds, and a saved-up burst beside a minute's requests is more than it allows.
It counts them as they arrive, some late and some early, so a little less than the limit is used.

A budget is kept in a ledger. The usual one is a row of the warehouse, which all processes with the
same key share (warehouse/request_budget.py). Where there is no warehouse, a process has its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pipelines.errors import ProviderDown, ProviderError

USED = 0.97
"""The part of the limit that is used."""

LEASE_SECONDS = 0.25
"""What a ledger grants at one time lasts so long: with a high limit, several requests."""

LONGEST_WAIT = 300.0
"""Seconds: a server that wants us back later than this is left to the next tick."""

STALE_SECONDS = 1.0
"""Requests that were granted and have not gone out so long after their time are dropped."""


@dataclass(frozen=True)
class Granted:
    """`count` requests may go out, the first in `wait` seconds, the others `every` so many after
    it. `is_probe`: it is the one that finds out whether the provider answers again."""

    wait: float
    count: int
    every: float
    is_probe: bool = False


@dataclass(frozen=True)
class NotYet:
    """Ask again in `wait` seconds."""

    wait: float


@dataclass(frozen=True)
class Down:
    """The provider has not answered since a time, and will not be asked until another."""

    since: datetime
    until: datetime
    error: str

    def __str__(self) -> str:
        return (
            f"no answer since {self.since:%Y-%m-%d %H:%M:%S} UTC ({self.error}): not asked again"
            f" before {self.until:%H:%M:%S}"
        )


class Ledger(Protocol):
    """Where a budget is kept.

    `failed` notes a failure that may pass, and gives whether nothing may go out now, whatever was
    granted before; `is_closed` gives that, too. `answered` notes an answer.
    """

    def reserve(self) -> Granted | NotYet | Down: ...
    def is_closed(self) -> bool: ...
    def close_for(self, seconds: float) -> None: ...
    def failed(self, error: ProviderError, *, was_probe: bool) -> bool: ...
    def answered(self) -> None: ...


class OwnLedger:
    """The budget of this process alone. It does what the server asks for, and no more: a run that
    has a warehouse has a breaker, too."""

    def __init__(
        self, requests_per_minute: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = 60 / (USED * requests_per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._next = self._closed_until = clock()

    def reserve(self) -> Granted:
        with self._lock:
            now = self._clock()
            place = max(now, self._next, self._closed_until)
            count = max(1, int(LEASE_SECONDS / self._every))
            self._next = place + count * self._every
            return Granted(place - now, count, self._every)

    def is_closed(self) -> bool:
        with self._lock:
            return self._clock() < self._closed_until

    def close_for(self, seconds: float) -> None:
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def failed(self, error: ProviderError, *, was_probe: bool) -> bool:  # noqa: ARG002
        if error.retry_after is not None and error.retry_after <= LONGEST_WAIT:
            self.close_for(error.retry_after)
        return self.is_closed()

    def answered(self) -> None:
        pass


@dataclass
class _Lease:
    """What is left of a grant; `at` is the monotonic time of the next request."""

    at: float
    left: int
    every: float


class RequestBudget:
    """`spend()` returns when the next request may go out. One thread at a time may spend."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._lease = _Lease(0.0, 0, 0.0)
        self._closed_until = clock()

    def spend(self) -> bool:
        """Take one request from the budget, waiting for it where needed; True where it is a probe.

        Where the budget was closed in the meantime, what was waited for is given up. Raises
        ProviderDown where the provider has not answered for long.
        """
        while not self._take_leased():
            answer = self._ledger.reserve()
            if isinstance(answer, Down):
                raise ProviderDown(str(answer))
            if isinstance(answer, NotYet):
                self._sleep(answer.wait)
            elif answer.is_probe:
                self._sleep(answer.wait)
                return True
            else:
                self._lease = _Lease(self._clock() + answer.wait, answer.count, answer.every)
        return False

    def _take_leased(self) -> bool:
        """Whether a request goes out that was granted before; its time is waited for."""
        lease, now = self._lease, self._clock()
        if not lease.left or lease.at < now - STALE_SECONDS:
            return False
        wait = max(0.0, lease.at - now)
        lease.at += lease.every
        lease.left -= 1
        self._sleep(wait)
        if wait > LEASE_SECONDS and self._ledger.is_closed():
            self._drop()
        return self._lease is lease

    def close_for(self, seconds: float) -> bool:
        """Let no request out for `seconds` from now; whether it was open, as far as is known."""
        self._drop()
        self._ledger.close_for(seconds)
        now = self._clock()
        was_open = self._closed_until <= now
        self._closed_until = max(self._closed_until, now + seconds)
        return was_open

    def failed(self, error: ProviderError, *, was_probe: bool) -> None:
        """A request failed in a way that may pass."""
        if self._ledger.failed(error, was_probe=was_probe):
            self._drop()

    def answered(self) -> None:
        """A request was answered, well or not."""
        self._ledger.answered()

    def _drop(self) -> None:
        """What was granted before is given up by whoever waits for it."""
        self._lease = _Lease(0.0, 0, 0.0)
