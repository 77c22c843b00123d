"""The stage of one trial of a fault: a target of the sandbox's world, and what can happen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pipelines.providers import PROVIDERS
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.faults.schedule import Fault
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.states import Row
from pipelines.sandbox.world import World
from pipelines.warehouse.staging import BLOCK_BYTES


@dataclass(frozen=True)
class SetSize:
    """How large a set is beside the sizes that the code decides by: a page, what is read ahead of
    its turn, and a block of rows that is copied while the next pages are read."""

    rows: int
    page_size: int
    block_bytes: int

    @property
    def settings(self) -> dict[str, int]:
        """A client's, with room for ten times as many rows."""
        return {"page_size": self.page_size, "max_rows": 10 * self.rows}


SMALL = SetSize(33, page_size=10, block_bytes=1024)
"""Three full pages and the beginning of a fourth; each is a block, so whatever happens to a page
happens while the one before it is copied."""

MANY_PAGES = SetSize(200, page_size=5, block_bytes=1024)
"""More pages than are read ahead."""

OVER_A_BLOCK = SetSize(15_000, page_size=200, block_bytes=BLOCK_BYTES)
"""More than one block as real snapshots copy them, also of rows as short as 75 bytes."""

HOSTILE = {
    "ansi": "\x1b[31mred\x1b]0;title\x07",
    "html": "<script>alert('x')</script>&amp;",
    "quotes": "'; drop table snapshot; -- \" \\ \\N \t \r\n %s {} :name",
    "NUL": "before\0after \\u0000",
    "lone surrogate": "\ud83d and \udc00",
    "right to left": "\u202egnp.exe\u2066 \u05d0",
    "100 kB": "ñ🦀" * 17_000,
}
"""Texts that strangers may choose, by what is wrong with them."""


@dataclass(frozen=True)
class Scene:
    """A provider's world, and the one target of it that is watched."""

    provider: str
    world: World
    key: str
    chance: Random

    def enter(self) -> None:
        """Somebody new holds some, at the top where the newest come first."""
        with self.world.lock:
            self._show(self._with_another(self._rows()))

    def leave(self) -> None:
        """One of those that hold some has none any more."""
        with self.world.lock:
            rows = self._rows()
            del rows[self.chance.randrange(len(rows))]
            self._show(rows)

    def swap(self) -> None:
        """The oldest leaves and another enters: as many as before, each in another place where the
        newest come first."""
        with self.world.lock:
            rows = self._rows()
            del rows[-1 if self._newest_first else 0]
            self._show(self._with_another(rows))

    def rename(self, text: str) -> None:
        """Every fourth row bears that text, wherever a stranger can put one."""
        rows = self._rows()
        rows[::4] = [SANDBOXES[self.provider].bearing(row, text) for row in rows[::4]]
        self._show(rows)

    def during(self, change: Callable[[], None]) -> Fault:
        """The true answer; but before it reaches anybody, the world has changed."""

        def fault(_: Exchange, answer: Answer) -> Answer:
            change()
            return answer

        return fault

    @property
    def _newest_first(self) -> bool:
        return PROVIDERS[self.provider].dataset.ordered

    def _with_another(self, rows: list[Row]) -> list[Row]:
        row = SANDBOXES[self.provider].new_row(self.chance, self.world)
        return [row, *rows] if self._newest_first else [*rows, row]

    def _rows(self) -> list[Row]:
        state = self.world.state(self.key)
        return list(state.listing) if state else []

    def _show(self, rows: list[Row]) -> None:
        state = self.world.state(self.key)
        self.world.set_rows(self.key, rows, state.aggregate if state else None)
