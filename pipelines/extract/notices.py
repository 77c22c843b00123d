"""What a provider says about the end of what is asked for, in the headers of its answers.

`Deprecation` (RFC 9745) and `Sunset` (RFC 8594) carry dates, `Warning` a sentence (RFC 9111 has
dropped it, Hiro's v1 sends it). They come with answers that are otherwise as always, so that nobody
would see them before the day on which those answers stop.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.providers.provider import printable
from pipelines.redaction import redacted

HEADERS = ("warning", "deprecation", "sunset")
MOST = 20
"""Notices that are kept of one run: a server may put the time of day into each of them."""
LONGEST = 300


@dataclass(frozen=True)
class Notice:
    """A header's name in lower case, and its text as it can be printed anywhere."""

    header: str
    text: str


class Notices:
    """The different notices of one run. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[Notice, None] = {}

    def hear(self, headers: Mapping[str, str]) -> None:
        """Note what an answer's headers (names in lower case) say."""
        for name in HEADERS:
            if text := headers.get(name, "").strip():
                notice = Notice(name, printable(redacted(text), LONGEST))
                with self._lock:
                    if len(self._heard) < MOST:
                        self._heard[notice] = None

    @property
    def heard(self) -> list[Notice]:
        with self._lock:
            return list(self._heard)
