"""Hiro's ledger: a Stacks chain as far as the watched principals see it, with its forks.

While no fork wins, one rule makes the order of v1 what it is: a token that changes hands is written
anew, with the new block and transaction, at the TOP of its new holder's list, and nothing is ever
inserted further down. When a fork wins, the ledger does what the API server's indexer does
(pg-write-store.ts, `restoreOrphanedChain` and `updateNftCustodyFromReOrg`): who holds what is not
rolled back for the blocks that lost; the events of the blocks that won are written over it, each
block's in its old place. So left-over rows stay, and may stand at the same place as a winner's.
"""

from bisect import bisect_right
from collections.abc import Iterable
from copy import copy
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from operator import itemgetter
from random import Random
from typing import Self

from pipelines.providers import c32
from pipelines.sandbox.answers import lot
from pipelines.sandbox.contract import Ledger, named
from pipelines.sandbox.providers.hiro.blocks import Block, Event, Place, Token
from pipelines.sandbox.providers.hiro.holdings import HiroPrincipal, HiroRow
from pipelines.sandbox.providers.hiro.tokens import ONE_OF_A_KIND, ordinary, special
from pipelines.sandbox.states import Aggregate, Listing, Row

FIRST_HEIGHT = 150_000
"""The height of a chain's first block. Holdings may be older; their blocks are not known."""


class Branch:
    """A fork on its way: the API shows nothing of it until it wins."""

    def __init__(self, chain: "HiroChain", base: Block) -> None:
        self._chain = chain
        self.tip = base

    def next_block(self) -> None:
        self.tip = self._chain.block_on(self.tip)

    def move(
        self, token: Token, sender: str | None, recipient: str | None, tx_id: str = ""
    ) -> None:
        """Record in the newest block that a token went from one principal to another; None is
        anybody who is not watched, and nobody where a token is minted or burnt."""
        self.tip.record(token, tx_id or transaction(self._chain.rng), sender, recipient)

    def again(self, tx_id: str) -> None:
        """Mine a transaction again that another fork has, with the same id."""
        for event in self._chain.events_of(tx_id):
            self.tip.record(event.token, tx_id, event.sender, event.recipient)


class HiroChain(Ledger):
    """All principals of a world, and the blocks in which their tokens move.

    `tip` is the newest block, `shown` the one that was the newest when states were published last:
    an API that reads a tag from it and then the rows never has rows that are older than the tag.
    """

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._serial = 0
        self._elsewhere: list[Token] = []  # tokens that left, and may come back
        self._principals: dict[str, HiroPrincipal] = {}
        self._holders: dict[tuple[str, str], HiroPrincipal] = {}  # by a token's first two fields
        self._places: dict[HiroRow, Place] = {}
        self._blocks: dict[str, Block] = {}
        self._marks: list[tuple[datetime, Block]] = []
        self.lost: list[str] = []  # the newest blocks of forks that lost, the last one last
        self.tip = self.shown = self.block_on(None)

    # --- what an API shows ------------------------------------------------------------------------

    def mark(self, at: datetime) -> None:
        if self.shown is not self.tip or not self._marks:
            self.shown = self.tip
            self._marks.append((at, self.tip))

    def as_of(self, at: datetime) -> Self:
        """The chain as it was shown then; what it holds is for the states of the world to say."""
        then = copy(self)
        number = bisect_right(self._marks, at, key=itemgetter(0))
        then.shown = self._marks[max(number - 1, 0)][1]
        return then

    def tag(self, principal: str) -> str | None:
        """The version of a principal's holdings by v3: its last canonical transaction, hashed.

        None for one without transactions. The middle part is empty as v3 leaves out the mempool,
        the last as no STX is locked here.
        """
        if principal not in self._principals:
            return None
        tx_id = self.shown.last_transaction(principal)
        return sha256(f"{tx_id}::".encode()).hexdigest() if tx_id else None

    def find(self, index_hash: str) -> Block | None:
        """The block with that hash, canonical or not, if the API knew it then."""
        block = self._blocks.get(index_hash)
        return block if block and block.height <= self.shown.height else None

    def in_page_order(self, listing: Listing, end: int) -> Listing:
        """A list as v1 sorts it for a page that ends at `end`: rows at the same place have no
        order, and the server keeps no more rows than up to the end of the page while it sorts."""
        ends = [0, *self._ends(listing), len(listing)]
        if len(ends) == len(listing) + 1:
            return listing
        rows: list[Row] = []
        for first, last in pairwise(ends):
            tied = listing[first:last]
            rows += sorted(tied, key=lambda row: lot(str(row), min(end, len(listing))))
        return tuple(rows)

    def _ends(self, listing: Listing) -> Iterable[int]:
        """Where the next row stands at another place."""
        if not self.lost:
            return range(1, len(listing))
        places = [self._places.get(HiroRow(*row)) for row in listing]
        return [
            number
            for number, (above, below) in enumerate(pairwise(places), start=1)
            if above is None or above != below
        ]

    # --- blocks and forks -------------------------------------------------------------------------

    def block_on(self, parent: Block | None) -> Block:
        height = parent.height + 1 if parent else FIRST_HEIGHT
        block = Block(height, transaction(self.rng), parent)
        self._blocks[block.index_hash] = block
        return block

    def next_block(self) -> None:
        self.tip = self.block_on(self.tip)

    def branch(self, depth: int) -> Branch:
        """A fork that begins below the newest `depth` blocks."""
        base = self.tip.at(self.tip.height - depth)
        if depth < 1 or base is None:
            raise ValueError(f"a fork of depth {depth} on {self.tip.height - FIRST_HEIGHT} blocks")
        return Branch(self, base)

    def base_of(self, block: Block) -> Block:
        """The newest canonical block on the way to that one."""
        while block.parent and not block.leads_to(self.tip):
            block = block.parent
        return block

    def branch_on(self, index_hash: str) -> Branch:
        """A fork that goes on where another one lost."""
        block = self._blocks[index_hash]
        if block.leads_to(self.tip):
            raise ValueError(f"block {index_hash} is part of the chain")
        return Branch(self, block)

    def events_of(self, tx_id: str) -> list[Event]:
        for block in reversed(self._blocks.values()):
            if events := [event for event in block.events if event.tx_id == tx_id]:
                return events
        raise KeyError(tx_id)

    def adopt(self, branch: Branch) -> Iterable[HiroPrincipal]:
        """Let a fork win: it gets empty blocks until it is the longest. Returns who is touched.

        The server restores the newest block first, whatever it holds by then. So where one fork
        moved a token twice, the older move is what stays.
        """
        while branch.tip.height <= self.tip.height:
            branch.next_block()
        base, won = self.base_of(branch.tip), [branch.tip]
        while (parent := won[-1].parent) and parent is not base:
            won.append(parent)
        if base is not self.tip:
            self.lost.append(self.tip.index_hash)
        newest, *restored = won
        self.tip = newest
        touched: dict[str, HiroPrincipal] = {}
        for block in (*restored, newest):
            for event in block.events:
                touched |= {holder.key: holder for holder in self._apply(event)}
        return touched.values()

    # --- tokens -----------------------------------------------------------------------------------

    def add(self, rows: int) -> HiroPrincipal:
        self.next_block()
        holder = HiroPrincipal("hiro:" + stacks_address(self.rng), self.tip.height)
        self._principals[holder.key] = holder
        self._fill(holder, rows)
        return holder

    def move(
        self,
        token: Token,
        sender: HiroPrincipal | None,
        recipient: HiroPrincipal | None,
        tx_id: str = "",
    ) -> None:
        """Let a token change hands in the newest block: it enters at the top of a list."""
        keys = [one.key if one else None for one in (sender, recipient)]
        event = self.tip.record(token, tx_id or transaction(self.rng), *keys)
        if sender:
            sender.drop(token)
        self._apply(event)

    def leave(self, token: Token, sender: HiroPrincipal, tx_id: str = "") -> None:
        """To somebody unknown, who may give it back."""
        self.move(token, sender, None, tx_id)
        self._elsewhere.append(token)

    def _apply(self, event: Event) -> list[HiroPrincipal]:
        """Write an event over what the token's last one left. Returns who is touched."""
        token, touched = event.token, []
        if holder := self._holders.pop(token[:2], None):
            holder.drop(token)
            touched.append(holder)
        if event.recipient:
            holder = self.principal(event.recipient)
            row = HiroRow(*token, event.place[0], event.tx_id)
            self._places[row] = event.place
            self._insert(holder, row)
            self._holders[token[:2]] = holder
            touched.append(holder)
        return touched

    def _insert(self, holder: HiroPrincipal, row: HiroRow) -> None:
        """At its place, which is the top for a row of the newest block."""
        place, rows = self._places[row], holder.rows
        index = len(rows)
        while index and self._places.get(rows[index - 1], (rows[index - 1][3], -1, -1)) > place:
            index -= 1
        rows.insert(index, row)

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> HiroPrincipal:
        """Any rows at all, newest first, in a new block.

        Where that is how a chain moves (others leave, and what enters does so at the top and in
        this block), the block holds these moves, and forks can take it out and bring it back. Else
        one transaction stands for whatever happened.
        """
        if aggregate is not None:
            raise ValueError(f"{key}: the API reports nothing beside the tokens")
        given = [HiroRow(*row) for row in rows][::-1]
        if len({row[:2] for row in given}) != len(given):
            raise ValueError(f"{key}: one token stands twice")
        self.next_block()
        holder = self._principals.setdefault(key, HiroPrincipal(key, self.tip.height))
        entered = self._entered(holder.rows, given)
        if entered is not None:
            staying = set(given)
            for row in holder.rows:
                if row not in staying:
                    self.tip.record(row.token, transaction(self.rng), key, None)
            for row in entered:
                self._places[row] = self.tip.record(row.token, row.tx_id, None, key).place
        elif given or holder.rows:
            self.tip.parties[key] = transaction(self.rng)
        self._show(holder, given)
        return holder

    def _entered(self, before: list[HiroRow], after: list[HiroRow]) -> list[HiroRow] | None:
        """The rows of this block on top of those that stayed; None where it was not as simple as
        that. Both are listed from the oldest to the newest."""
        known, staying = set(before), set(after)
        stayed = [row for row in before if row in staying]
        entered = after[len(stayed) :]
        of_this_block = all(row not in known and row[3] == self.tip.height for row in entered)
        return entered if after[: len(stayed)] == stayed and of_this_block else None

    def _show(self, holder: HiroPrincipal, rows: list[HiroRow]) -> None:
        for row in holder.rows:
            if self._holders.get(row[:2]) is holder:
                del self._holders[row[:2]]
        holder.rows = rows
        self._holders |= {row[:2]: holder for row in rows}

    def principal(self, name: str) -> HiroPrincipal:
        return self._principals[named("hiro", name)]

    def _fill(self, holder: HiroPrincipal, tokens: int) -> None:
        """A past: a token or a few for each block and transaction, up to the present block."""
        rng = self.rng
        held: list[Token] = []
        if tokens >= 3 * len(ONE_OF_A_KIND):
            held += special(len(self._principals))
        while len(held) < tokens:
            held.append(self._new_token())
        present = self.tip.height
        height, tx_id = present - tokens - 1, transaction(rng)
        rng.shuffle(held)
        rows = []
        for token in held:
            if rng.random() < 0.5:
                height = min(height + 1 + rng.randint(0, 1), present)
                tx_id = transaction(rng)
            rows.append(HiroRow(*token, height, tx_id))
        if rows:
            self.tip.parties[holder.key] = tx_id
        self._show(holder, rows)

    def stir(self) -> Iterable[HiroPrincipal]:
        """One block with a few transactions."""
        self.next_block()
        everyone = list(self._principals.values())
        touched: dict[str, HiroPrincipal] = {}
        for holder in everyone:
            for _ in range(1 + len(holder.rows) // 400):
                other = self.rng.choice(everyone)
                self._transaction(holder, other)
                touched[holder.key], touched[other.key] = holder, other
        return touched.values()

    def _transaction(self, holder: HiroPrincipal, other: HiroPrincipal) -> None:
        rng = self.rng
        tx_id = transaction(rng)
        kind = rng.choices(("mint", "back", "out", "burn", "move"), weights=(3, 2, 3, 1, 3))[0]
        if kind == "back" and self._elsewhere:
            token = self._elsewhere.pop(rng.randrange(len(self._elsewhere)))
            self.move(token, None, holder, tx_id)
        elif kind in {"mint", "back"} or not holder.rows:
            for _ in range(rng.choice((1, 1, 2, 3))):
                self.move(self._new_token(), None, holder, tx_id)
        else:
            token = holder.row(rng.randrange(len(holder.rows))).token
            if kind == "move":
                self.move(token, holder, other, tx_id)
            elif kind == "out":
                self.leave(token, holder, tx_id)
            else:
                self.move(token, holder, None, tx_id)

    def _new_token(self) -> Token:
        """A token that nobody has, of one of the usual types."""
        self._serial += 1
        return ordinary(self.rng, self._serial)


def stacks_address(rng: Random) -> str:
    version = c32.MAINNET_SINGLE_SIG if rng.random() < 0.9 else c32.MAINNET_MULTI_SIG
    return c32.encode(version, rng.randbytes(20))


def transaction(rng: Random) -> str:
    return "0x" + rng.randbytes(32).hex()
