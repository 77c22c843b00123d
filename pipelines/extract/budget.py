"""The request budget of one provider, shared by all threads of a process.

Requests are spread evenly over the minute, with a small burst after a pause. A server that says
when to come back moves the whole budget, so that the other threads wait as well.
"""

import threading
import time
from collections.abc import Callable

BURST_SHARE = 10
"""The part of a minute's requests (1/10) that may go out at once after a pause."""


class RequestBudget:
    """`spend()` returns when the next request may go out."""

    def __init__(
        self,
        requests_per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 60 / requests_per_minute
        self._burst = max(1, requests_per_minute // BURST_SHARE) * self._interval
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = clock()
        self._closed_until = clock()

    def spend(self) -> None:
        """Take one request from the budget, waiting for it where needed.

        Where the budget was closed in the meantime, the place that was waited for is given up.
        """
        while True:
            with self._lock:
                now = self._clock()
                earliest = now - self._burst + self._interval
                place = self._next = max(self._next, earliest, self._closed_until)
                self._next += self._interval
            if place > now:
                self._sleep(place - now)
            with self._lock:
                if place >= self._closed_until:
                    return

    def close_for(self, seconds: float) -> bool:
        """Let no request out for `seconds` from now; whether one could have gone out before."""
        with self._lock:
            now = self._clock()
            was_open = self._closed_until <= now
            self._closed_until = max(self._closed_until, now + seconds)
            return was_open
