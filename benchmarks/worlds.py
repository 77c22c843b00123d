"""The worlds that the benchmark's server shows, each a fixed list of rows, newest first.

A world is named by what it is, so that a request can name it and no state is shared:
`n200000` is 200,000 rows; `n200000x2000` the same after 2,000 changes: half of them rows that left
from anywhere, half rows that came at the top, every tenth of those a token that had left (it came
back by another transaction). `n200000x2000r7` is that done seven times over. `m1000x30` is a
thousand principals of 30 rows.
"""

import re
from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.rows import holding
from pipelines.providers import c32

PRINCIPAL = c32.encode(c32.MAINNET_SINGLE_SIG, (1).to_bytes(20))
"""The one principal of a world that has one."""
RETURNS = 10
"""One of so many entries is a token that comes back."""
HALF = 32
"""Bits of a token and of a moment in one number."""

_NAME = re.compile(r"n(\d+)(?:x(\d+)(?:r(\d+))?)?")
_MANY = re.compile(r"m(\d+)x(\d+)")


@dataclass(frozen=True)
class Truth:
    """What a table has to hold after loading a world: rows and the sum of their checksums."""

    rows: int
    checksum: int
    left: int
    """Rows of the state before that are no more: what a history has to hold."""


@dataclass(frozen=True)
class World:
    """`lists` holds each principal's rows as JSON, newest first."""

    name: str
    lists: Mapping[str, Sequence[bytes]]
    truth: Truth

    def page(self, principal: str, offset: int, limit: int) -> tuple[bytes, bytes]:
        """A page's body as its head and its rows; the end of it is b"]}"."""
        rows = self.lists.get(principal, ())
        shown = rows[offset : offset + limit]
        total = len(rows) if shown else 0  # as Hiro: the count is a column of the rows
        head = b'{"limit":%d,"offset":%d,"total":%d,"results":[' % (limit, offset, total)
        return head, b",".join(shown)


class Worlds:
    """Makes worlds and keeps them. Rows are shared between worlds: one more costs its pointers."""

    def __init__(self) -> None:
        self._fragments: list[bytes] = []
        self._checksums = array("Q")
        self._known: dict[str, World] = {}

    def __getitem__(self, name: str) -> World:
        """Raises ValueError for a name that says nothing."""
        if name not in self._known:
            self._known[name] = self._make(name)
        return self._known[name]

    def forget(self) -> None:
        self._known.clear()

    def _make(self, name: str) -> World:
        if found := _MANY.fullmatch(name):
            return self._many(name, int(found[1]), int(found[2]))
        if found := _NAME.fullmatch(name):
            return self._one(name, int(found[1]), int(found[2] or 0), int(found[3] or 1))
        raise ValueError(f"{name!r} names no world")

    def _grow(self, rows: int) -> None:
        for number in range(len(self._fragments), rows):
            row = holding(number, number)
            self._fragments.append(row.fragment)
            self._checksums.append(row.checksum)

    def _many(self, name: str, principals: int, rows: int) -> World:
        self._grow(principals * rows)
        lists = {
            principal: self._fragments[place * rows : (place + 1) * rows][::-1]
            for place, principal in enumerate(many_principals(principals))
        }
        checksum = sum(self._checksums[: principals * rows])
        return World(name, lists, Truth(principals * rows, checksum, 0))

    def _one(self, name: str, rows: int, changes: int, rounds: int) -> World:
        self._grow(rows)
        state = _State(rows)
        for _ in range(rounds if changes else 0):
            state.change(changes)
        fragments = [
            self._fragments[token] if token == moment and token < rows else _fragment(token, moment)
            for token, moment in map(_halves, reversed(state.rows))
        ]
        checksum = sum(
            self._checksums[token] if token == moment and token < rows else _sum(token, moment)
            for token, moment in map(_halves, state.rows)
        )
        return World(name, {PRINCIPAL: fragments}, Truth(len(fragments), checksum, state.left))


class _State:
    """Which rows there are, oldest first, each as `token << 32 | moment`: 8 bytes a row."""

    def __init__(self, rows: int) -> None:
        self.rows = array("Q", (number << HALF | number for number in range(rows)))
        self.left = 0
        self._moment = rows
        self._absent: deque[int] = deque()
        self._rng = Random(rows)  # noqa: S311 - no secret

    def change(self, changes: int) -> None:
        gone = set(self._rng.sample(range(len(self.rows)), changes // 2))
        self._absent.extend(self.rows[place] >> HALF for place in sorted(gone))
        self.left += len(gone)
        self.rows = array("Q", (row for place, row in enumerate(self.rows) if place not in gone))
        for entry in range(changes - len(gone)):
            returns = self._absent and entry % RETURNS == 0
            token = self._absent.popleft() if returns else self._moment
            self.rows.append(token << HALF | self._moment)
            self._moment += 1


def _halves(row: int) -> tuple[int, int]:
    return row >> HALF, row & (1 << HALF) - 1


def _fragment(token: int, moment: int) -> bytes:
    return holding(token, moment).fragment


def _sum(token: int, moment: int) -> int:
    return holding(token, moment).checksum


def many_principals(number: int) -> list[str]:
    """The principals of a world that has that many."""
    return [c32.encode(c32.MAINNET_SINGLE_SIG, (place + 2).to_bytes(20)) for place in range(number)]
