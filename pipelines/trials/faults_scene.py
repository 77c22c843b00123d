"""The stage of one trial of a fault: a target of the sandbox's world, and what can happen to it."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from pipelines.sandbox import fakes
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.faults.schedule import Fault
from pipelines.sandbox.states import AlturaRow, CatenisRow, HiroRow, Row
from pipelines.sandbox.world import World

ROWS = 33
"""Of a target: three full pages and the beginning of a fourth, at the page size of the trials."""

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
        """Somebody new holds some; with Hiro a token at the top."""
        if self.provider == "altura":
            self.world.altura_set(self.key, fakes.wallet(self.chance), self.chance.randint(1, 9))
        elif self.provider == "catenis":
            amount = Decimal(self.chance.randint(1, 10**9)).scaleb(-7)
            self.world.catenis_set(self.key, fakes.device_id(self.chance), amount)
        else:
            number = self.chance.getrandbits(100)
            self.world.hiro_mint(self.key, "SP2X.mid::m", f"0x01{number:032x}", f"u{number}")

    def leave(self) -> None:
        """One of those that hold some has none any more."""
        state = self.world.state(self.key)
        place = self.chance.randrange(len(state.listing)) if state else 0
        row = state.listing[place] if state else None
        if isinstance(row, AlturaRow):
            self.world.altura_remove(self.key, row.address)
        elif isinstance(row, CatenisRow):
            self.world.catenis_remove(self.key, row.device_id)
        else:
            self.world.hiro_transfer_out(self.key, place)

    def swap(self) -> None:
        """One leaves, another enters: as many as before."""
        self.leave()
        self.enter()

    def rename(self, text: str) -> None:
        """Every fourth row bears that text, wherever a stranger can put one."""
        state = self.world.state(self.key)
        rows: list[Row] = list(state.listing) if state else []
        rows[::4] = [_named(row, text) for row in rows[::4]]
        self.world.set_rows(self.key, rows)

    def during(self, change: Callable[[], None]) -> Fault:
        """The true answer; but before it reaches anybody, the world has changed."""

        def fault(_: Exchange, answer: Answer) -> Answer:
            change()
            return answer

        return fault


def _named(row: Row, text: str) -> Row:
    if isinstance(row, AlturaRow):
        return row._replace(name=text, profile_pic=text, profile_pic_url=text)
    if isinstance(row, HiroRow):
        return row._replace(repr=text)
    return row._replace(name=text, prod_unique_id=text)
