"""Pages fetched ahead of their turn by several threads, and given out in order.

A page waits here from its answer to its turn, and no page is asked for before there is room for it:
memory holds a window of pages, however large the set. Each page that is asked for costs a request
of the budget, wanted or not, so it is the walks that say how far ahead is worth it. An error comes
up at its page's turn, not before: an earlier page may show that the walk ends above it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, wait
from itertools import count, islice
from typing import Generic, TypeVar

from pipelines.errors import Cancelled

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """The pages that one walk has asked for and not yet taken.

    `fetch(start, limit, on_try)` has to call `on_try` before each request that it sends, and to end
    where that raises. Whoever makes a ReadAhead has to `stop` it.
    """

    def __init__(
        self, fetch: Callable[[int, int, Callable[[], None]], T], limit: int, executor: Executor
    ) -> None:
        self._fetch = fetch
        self._limit = limit
        self._executor = executor
        self._pending: deque[Future[T]] = deque()
        self._stopped = threading.Event()

    def __len__(self) -> int:
        return len(self._pending)

    def ask(self, start: int) -> None:
        """Have the page at `start` fetched; its turn is after all that were asked for before."""
        self._pending.append(
            self._executor.submit(self._fetch, start, self._limit, self._refuse_when_stopped)
        )

    def take(self) -> T:
        """The page whose turn it is, once it came. Raises what its fetch raised."""
        return self._pending.popleft().result()

    def in_order(self, starts: Iterator[int], room: Callable[[int], int]) -> Iterator[T]:
        """The pages at `starts`, of which `room(n)` at most are here while the n-th is awaited."""
        for number in count(1):
            for start in islice(starts, max(0, room(number) - len(self._pending))):
                self.ask(start)
            if not self._pending:
                return
            yield self.take()

    def stop(self) -> list[Future[T]]:
        """Send no further request; returns what the pages not taken have come to, in order.

        Waits for requests that are under way, so that none outlives its walk and each is counted.
        Fetches that wait for the budget or for another try end with Cancelled, unsent; those that
        had not begun are left out.
        """
        self._stopped.set()
        begun = [future for future in self._pending if not future.cancel()]
        self._pending.clear()
        wait(begun)
        return begun

    def _refuse_when_stopped(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("the walk ended before this page was needed")
