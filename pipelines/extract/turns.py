"""Turns of many threads at one thing, fair between those for whom they wait.

A target of thousands of pages always has a page to ask for. Were all that wait one queue, each
small target beside it would wait behind a window of the large one's pages, time and again.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """One thread at a time. Of the names that are waited for, each gets one turn after the other;
    threads of one name in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: OrderedDict[str, deque[threading.Event]] = OrderedDict()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """A turn for `name`, waited for."""
        self._begin(name)
        try:
            yield
        finally:
            self._pass_on()

    def _begin(self, name: str) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.setdefault(name, deque()).append(mine)
        mine.wait()

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._taken = False
                return
            name, events = self._waiting.popitem(last=False)
            events.popleft().set()
            if events:
                self._waiting[name] = events  # to the end of the line
