"""What one can make happen on Hiro's chain by name, forks included."""

from collections.abc import Callable

from pipelines.sandbox.contract import Verbs
from pipelines.sandbox.providers.hiro.blocks import Block, Token
from pipelines.sandbox.providers.hiro.chain import Branch, HiroChain


class HiroVerbs(Verbs):
    """What one can make happen on the chain, each in a block of its own."""

    @property
    def tip(self) -> Block:
        return self.ledger(HiroChain).shown

    def add_hiro_principal(self, tokens: int) -> str:
        """A new principal with that many tokens; returns its key."""
        return self.add("hiro", tokens)

    def hiro_mint(
        self, principal: str, asset_identifier: str, value_hex: str, value_repr: str
    ) -> None:
        """A new token (or one that comes back) at the top."""
        with self.lock:
            chain = self.ledger(HiroChain)
            holder, token = (
                chain.principal(principal),
                Token(asset_identifier, value_hex, value_repr),
            )
            if holder.holds(token):
                raise ValueError(f"{principal} already holds {asset_identifier} {value_hex}")
            chain.next_block()
            chain.move(token, None, holder)
            self.publish(holder)

    def hiro_transfer_out(self, principal: str, index: int) -> None:
        """The token at `index`, counted from the newest, leaves for somebody unknown."""
        with self.lock:
            chain = self.ledger(HiroChain)
            holder = chain.principal(principal)
            token = holder.row(index).token
            chain.next_block()
            chain.leave(token, holder)
            self.publish(holder)

    def hiro_transfer(self, sender: str, receiver: str, index: int) -> None:
        """The sender's token at `index` enters at the top of the receiver's list."""
        with self.lock:
            chain = self.ledger(HiroChain)
            giver, taker = chain.principal(sender), chain.principal(receiver)
            token = giver.row(index).token
            chain.next_block()
            chain.move(token, giver, taker)
            self.publish(giver, taker)

    def hiro_blocks(self, count: int = 1) -> None:
        """Blocks in which nothing happens to anybody who is watched."""
        with self.lock:
            for _ in range(count):
                self.ledger(HiroChain).next_block()
            self.publish()

    def hiro_fork(self, depth: int, build: Callable[[Branch], None] | None = None) -> str:
        """Orphan the newest `depth` blocks; returns the hash of the one that was the newest.

        The fork that wins begins with the block that `build` is called with, and gets empty blocks
        until it is longer by one. What the orphaned blocks moved stays moved, unless the fork moves
        the same tokens.
        """
        with self.lock:
            branch = self.ledger(HiroChain).branch(depth)
            branch.next_block()
            if build:
                build(branch)
            return self._adopt(branch)

    def hiro_return(self, index_hash: str) -> str:
        """Let the fork that ends with that orphaned block win again, with empty blocks on top: its
        rows stand where they stood. Returns the hash of the block that was the newest."""
        with self.lock:
            return self._adopt(self.ledger(HiroChain).branch_on(index_hash))

    def _adopt(self, branch: Branch) -> str:
        chain = self.ledger(HiroChain)
        lost = chain.tip.index_hash
        self.publish(*chain.adopt(branch))
        return lost
