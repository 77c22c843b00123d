"""How a provider's pages are asked for, and what one shows.

Two kinds of API are known. One has positions: any page can be asked for, in any order and several
together. The other has cursors: each page names the one after it, and nothing else can be asked
for. Which kind a provider is decides how its set can be walked and which proofs can hold, so it is
a type (`Positions`, `Cursors`), and the walks take the one that they need.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

Value = str | int | Decimal | None
Row = tuple[Value, ...]
"""One row of a dataset, in the order of `Dataset.columns`."""
Extra = tuple[Value, ...]
"""What a provider tells beside its rows, in the order of `Provider.extra_columns`."""

Start = TypeVar("Start", bound=int | str)
"""Where a page begins: a position or a cursor."""
BEGINNING = ""
"""In place of a cursor: the first page, which no page has named."""


@dataclass(frozen=True)
class PageRequest:
    """A GET: a path that begins with a slash, the query in the order it is sent, and headers beside
    those that every request has. `If-None-Match` makes it conditional."""

    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        """Path and query as they are sent, byte for byte."""
        if not self.query:
            return self.path
        return f"{self.path}?{urlencode(self.query, quote_via=quote, safe='')}"

    @property
    def is_conditional(self) -> bool:
        """Whether 304 is an answer to it (RFC 9110, 15.4.5)."""
        conditions = ("if-none-match", "if-modified-since")
        return any(name.lower() in conditions for name, _ in self.headers)


@dataclass(frozen=True)
class Answer:
    """A 200, or a 304 to a conditional request, which has no body. Header names are in lower
    case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Page(Generic[Start]):
    """One answer: the rows from `start` on, `limit` of them at most.

    `next` is where the next page begins by the provider's own rule, None where this page says that
    it is the last. `total` is the size of the whole set, None where it is not told. `tag` names the
    version of the whole set, the same on each of its pages as long as nothing changes. `extra` is
    what belongs to one provider alone: proofs compare it, and look no further.
    """

    start: Start
    limit: int
    rows: tuple[Row, ...]
    next: Start | None
    total: int | None = None
    tag: str | None = None
    extra: Extra | None = None

    @property
    def is_first(self) -> bool:
        """Whether it begins at position 0, or without a cursor."""
        return not self.start

    @property
    def last(self) -> bool:
        return self.next is None

    @property
    def size(self) -> int | None:
        """The size of the set as this page shows it, by its total or by being the last one."""
        if self.total is not None or not self.last:
            return self.total
        if self.is_first:
            return len(self.rows)
        return self.start + len(self.rows) if isinstance(self.start, int) and self.rows else None

    @property
    def where(self) -> str:
        return described(self.start)


def described(start: int | str) -> str:
    """Where a page begins, for messages: cursors are a server's text."""
    if isinstance(start, int):
        return str(start)
    return f"the cursor {start[:80]!a}" if start else "the beginning"


class Ground(StrEnum):
    """What a proof stands on, in the words of the message about one that is missing."""

    POSITIONS = "positions"
    ENTRY_AT_TOP = "new rows entering at the top alone"
    STEADY_ORDER = "rows that stay keeping their order"
    TOTAL = "a total on each page"
    TAG = "a tag of the whole set on each page"
    SIZE = "the first page of a walk showing the size of the set"


@dataclass(frozen=True, kw_only=True)
class Addressing(Generic[Start]):
    """How pages are asked for and read.

    `page_request(target, start, limit)` and `read_page(target, start, limit, answer)` are each
    other's counterpart. `read_page` raises MalformedAnswer for an answer that is not as documented
    and TornWalk for one that contradicts the walk. `tells_total`: each page has the size of the
    set. `tags_set`: each page has a tag that names the version of the whole set, and a request that
    is conditional on that tag answers 304 as long as it is the same. `caps_pages_silently`: the
    server may give fewer rows than `limit` and not say so.
    """

    page_request: Callable[[Any, Start, int], PageRequest]
    read_page: Callable[[Any, Start, int, Answer], Page[Start]]
    tells_total: bool
    tags_set: bool = False
    caps_pages_silently: bool = False

    @property
    def grounds(self) -> frozenset[Ground]:
        """What proofs can stand on. Where a total is told, any page shows the size of the set."""
        told = {Ground.TOTAL, Ground.SIZE} if self.tells_total else set()
        return frozenset(told | ({Ground.TAG} if self.tags_set else set()))


@dataclass(frozen=True, kw_only=True)
class Positions(Addressing[int]):
    """Rows have positions from 0: a page can be asked for wherever it begins. `enters_at_top`: new
    rows enter above all others, and nothing is ever inserted further down."""

    enters_at_top: bool = False

    @property
    def grounds(self) -> frozenset[Ground]:
        """A walk that begins with the last page knows the size by where that page ends."""
        own = {Ground.POSITIONS, Ground.SIZE}
        return super().grounds | own | ({Ground.ENTRY_AT_TOP} if self.enters_at_top else set())


@dataclass(frozen=True, kw_only=True)
class Cursors(Addressing[str]):
    """Each page names the next one; the first is asked for with `BEGINNING`, as it has no cursor.

    A cursor is the server's text and means nothing to us: `page_request` puts it into the query,
    which encodes it. Every page but the last is full; where `read_page` leaves rows out, it has to
    judge that by itself (`fills_pages` is False).
    """

    fills_pages: bool = True
