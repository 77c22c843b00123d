"""Which blocks are still part of a provider's chain: asked for many together, and once a run.

A look asks for the newest canonical blocks, 30 in one answer, and so answers for all tips at those
heights; a tip that the list does not reach is looked up alone. The newest blocks of a run's looks
are on one line as long as each look finds the one before it: all of them are canonical while the
newest is, whoever asks, and whenever (a block's ancestors never change). The warehouse keeps that
line's name with each tip, so that a thousand targets of an earlier run cost one look-up.

A tip that is neither listed nor found is orphaned, or a server was asked that lags behind and has
not heard of it yet: nothing rests on it in either case. Once it was seen so, it stays so, even
where that fork wins again later: between the two the set may have lived elsewhere.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.errors import RequestRefused
from pipelines.extract.http import Client, Received
from pipelines.providers.chain import Block, Chain
from pipelines.providers.pages import PageRequest

logger = logging.getLogger(__name__)

MOST_PAGES = 100
"""Pages of the list that one look reads at most: some hours of blocks."""

LOOKS = 3
"""Looks and look-ups in a row that may be answered by a server which lags behind the pages."""

_MISSING = (404, 410)


@dataclass(frozen=True)
class Tip:
    """A canonical block, the newest when a walk had ended. All tips of a `line` are ancestors of
    its newest."""

    block: Block
    line: str


@dataclass(frozen=True)
class Base:
    """The tip that a published snapshot was read at. `newest` is the hash of the newest one known
    of its line; `is_orphaned` says that it was seen to be no longer part of the chain, `forked`
    that any block was seen so since then."""

    block: Block
    newest: str
    is_orphaned: bool = False
    forked: bool = False


class Tips:
    """What a run knows of the chain. Safe to share between threads.

    `ends` are the last tips of earlier runs that none has asked for since; those that are found to
    be part of the chain still go to `followed`. `requests` counts what it cost; `is_told` says
    whether the server tells at all; `orphaned` are the blocks that were found to be no longer part
    of the chain.
    """

    def __init__(
        self,
        chain: Chain,
        get: Callable[[PageRequest, Callable[[], None]], Received],
        ends: Sequence[str] = (),
    ) -> None:
        self.requests = 0
        self.is_told = True
        self.orphaned: set[str] = set()
        self.followed: set[str] = set()
        self._ends = tuple(ends)
        self._chain = chain
        self._get = get
        self._lock = threading.RLock()
        self._canonical: dict[str, Block] = {}
        self._listed: dict[int, str] = {}  # the newest blocks, by their heights
        self._tip: Tip | None = None
        self._looked_at = float("-inf")

    def tip_of(self, tag: str | None) -> str | None:
        """The newest block that a page's tag tells."""
        return self._chain.tip_of(tag)

    def standing(self, after: float, seen: Sequence[str], base: Base | None = None) -> Tip | None:
        """The newest block, asked for after a moment (monotonic seconds), where `base` and all the
        tips that were `seen` by then, the first one first, are that block or its ancestors.

        None where one of them is not, or where the server does not tell. Raises ProviderError.
        """
        with self._lock:
            for _ in range(LOOKS):
                if not self.look(after, seen):
                    return None
                if not all(self._is_canonical(tip) for tip in seen):
                    return None
                if self._tip and all(
                    self._canonical[tip].height <= self._tip.block.height for tip in seen
                ):
                    return self._tip if base is None or self._carries(base) else None
                self._looked_at = float("-inf")  # that list was older than the pages
            return None

    def opened(self) -> str | None:
        """The hash of the newest block, as the last look of this run saw it; the first one's where
        there was none yet. None where the server does not tell. Raises ProviderError."""
        with self._lock:
            if self._tip is None:
                self.look(0.0, ())
            return self._tip.block.hash if self._tip else None

    def look(self, after: float, seen: Sequence[str]) -> bool:
        """Read the newest blocks, as far as `seen` ones are among them, unless that was done after
        that moment. False where the server does not tell. Raises ProviderError."""
        with self._lock:
            return self.is_told and (self._looked_at >= after or self._look(seen))

    def _carries(self, base: Base) -> bool:
        """Whether the chain leads through it: it does where it leads through a later one of its
        line."""
        if base.is_orphaned or base.block.hash in self.orphaned:
            return False
        if self._listed.get(base.block.height, base.block.hash) != base.block.hash:
            self._lose(base.block.hash)
            return False
        if self._is_canonical(base.newest):
            self._canonical[base.block.hash] = base.block
        return self._is_canonical(base.block.hash)

    def _is_canonical(self, block_hash: str) -> bool:
        """As of the last look, or of now where that did not reach so far."""
        if block_hash in self._canonical:
            return True
        if block_hash in self.orphaned:
            return False
        for _ in range(LOOKS):
            block = self._look_up(block_hash)
            if block and self._listed.get(block.height, block_hash) == block_hash:
                self._canonical[block_hash] = block
                return True
        self._lose(block_hash)
        return False

    def _look_up(self, block_hash: str) -> Block | None:
        """A block by its hash; None where the server does not know it as part of the chain."""
        try:
            return self._chain.read_block(self._ask(self._chain.block_request(block_hash)))
        except RequestRefused as refused:
            if refused.status not in _MISSING:
                raise
            return None

    def _lose(self, block_hash: str) -> None:
        logger.warning("block %s is not part of the chain any more", block_hash)
        self.orphaned.add(block_hash)

    def _look(self, seen: Sequence[str]) -> bool:
        listed = self._list(seen)
        if not listed:
            return False
        known, last = self._canonical, self._tip
        self._canonical = {block.hash: block for block in listed}
        self._listed = {block.height: block.hash for block in listed}
        line = uuid.uuid4().hex
        if last and self._is_canonical(last.block.hash):
            line = last.line
            below = {h: block for h, block in known.items() if block.height <= last.block.height}
            self._canonical |= below
        self._tip = Tip(listed[0], line)
        self.followed |= {end for end in self._ends if self._is_canonical(end)}
        self._ends = ()
        return True

    def _list(self, seen: Sequence[str]) -> list[Block]:
        """The newest blocks; none where the server does not tell."""
        try:
            first = self._ask(self._chain.list_request(None))
        except RequestRefused as refused:
            if refused.status not in _MISSING:
                raise
            self.is_told = False
            logger.warning(
                "this server does not tell which blocks are part of the chain, so every snapshot"
                " reads all pages: %s",
                refused,
            )
            return []
        self._looked_at = first.asked_at
        page = self._chain.read_list(first)
        blocks = list(page.blocks)
        wanted = {tip for tip in seen if tip not in self._canonical}
        wanted -= {block.hash for block in blocks}
        floor = self._floor(seen) if wanted else 0
        for _ in range(1, MOST_PAGES):
            if not wanted or floor is None or page.older is None or blocks[-1].height <= floor:
                break
            try:
                page = self._chain.read_list(self._ask(self._chain.list_request(page.older)))
            except RequestRefused as refused:
                if refused.status not in _MISSING:
                    raise
                break  # that block was orphaned since: what is still wanted is looked up
            blocks += page.blocks
            wanted -= {block.hash for block in page.blocks}
        return blocks

    def _floor(self, seen: Sequence[str]) -> int | None:
        """The height below which no tip is that is still wanted: the last look's, or that of the
        first one seen. None where that one is orphaned."""
        if self._tip:
            return self._tip.block.height
        return self._canonical[seen[0]].height if self._is_canonical(seen[0]) else None

    def _ask(self, request: PageRequest) -> Received:
        def count() -> None:
            self.requests += 1

        return self._get(request, count)


def tips_of(client: Client, ends: Sequence[str] = ()) -> Tips | None:
    """What a run knows of the provider's chain; None where its rows come from none. `ends`: see
    Tips."""
    chain = client.provider.chain
    return Tips(chain, client.get, ends) if chain else None
