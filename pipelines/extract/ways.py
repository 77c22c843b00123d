"""Which of a provider's APIs a run asks: the first one, until it is gone and its successor answers.

One answer of 410 is not enough: it may be about one principal, or a server on its way down. The
successor has to answer for the same target; then it is taken by the whole run.
"""

import logging
import threading

from pipelines.providers.provider import Provider, ProviderSettings, Target
from pipelines.providers.way import AUTO, Way

logger = logging.getLogger(__name__)


class Ways:
    """The API in use. Safe to share between threads. `in_use`: the one that earlier runs found."""

    def __init__(
        self, provider: Provider, settings: ProviderSettings, in_use: str | None = None
    ) -> None:
        self.wanted = provider.api_wanted(settings)
        self._provider = provider
        self._lock = threading.Lock()
        chosen = in_use if self.wanted == AUTO else self.wanted
        self._current = self._named(chosen) or provider.ways[0]

    def of(self, target: Target) -> "Ways":
        """Those that a target may be read by, where it was said of it which one."""
        way = self._named(target.api_wanted)
        return self if way is None else _Only(self._provider, way)

    @property
    def current(self) -> Way:
        return self._current

    @property
    def is_automatic(self) -> bool:
        """Whether a target may be read by another API than the current one."""
        return self.wanted == AUTO and self._provider.successor is not None

    def after(self, way: Way) -> Way | None:
        """The API to try in place of one that failed; None where there is none, or it is not to be
        taken."""
        successor = self._provider.successor
        return successor if self.is_automatic and way is not successor else None

    def before(self, way: Way) -> Way | None:
        """The first API, where `way` is its successor and it may be taken."""
        first = self._provider.ways[0]
        return first if self.is_automatic and way.api != first.api else None

    def named(self, api: str | None) -> Way | None:
        """The API of that name, where a target may be read by it."""
        return self._named(api) if self.is_automatic else None

    def _named(self, api: str | None) -> Way | None:
        return next((way for way in self._provider.ways if way.api == api), None)

    def switch(self, way: Way, why: str) -> None:
        """Take another API for the rest of the run."""
        with self._lock:
            if self._current.api == way.api:
                return
            was, self._current = self._current, way
        logger.warning(
            "%s: %s is asked in place of %s from now on: %s",
            self._provider.name,
            way.api,
            was.api,
            why,
        )


class _Only(Ways):
    """One API, and no other."""

    def __init__(self, provider: Provider, way: Way) -> None:
        self.wanted = way.api
        self._provider = provider
        self._lock = threading.Lock()
        self._current = way
