"""Blocks of a Stacks chain, each with the token events in it, and the forks that they make.

A block knows its parent, so the newest block alone says what is canonical: itself and all that
lead to it. Nothing is ever taken out of a block or changed in it; a block that lost stays, and may
become part of the chain again.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from pipelines.sandbox.providers.hiro.clarity import Value

Place = tuple[int, int, int]
"""Where v1 lists a token: height, transaction and event. The microblock between the first two is
left out: none has been mined for years."""


class Token(NamedTuple):
    asset_identifier: str
    hex: str
    repr: str

    @classmethod
    def of(cls, asset_identifier: str, value: Value) -> Self:
        return cls(asset_identifier, value.hex, value.repr)


class Event(NamedTuple):
    """A token that changed hands. `recipient` is the key of a principal, None for anybody else."""

    token: Token
    tx_id: str
    place: Place
    sender: str | None
    recipient: str | None


@dataclass(eq=False)
class Block:
    """`parties` has the last transaction in this block of each principal that had one."""

    height: int
    index_hash: str
    parent: "Block | None"
    events: list[Event] = field(default_factory=list)
    parties: dict[str, str] = field(default_factory=dict)

    @property
    def transactions(self) -> list[str]:
        """Their ids, in their order."""
        ids = dict.fromkeys(event.tx_id for event in self.events)
        return list(ids | dict.fromkeys(self.parties.values()))

    def record(self, token: Token, tx_id: str, sender: str | None, recipient: str | None) -> Event:
        """Append an event: to the last transaction where that has this id, else to a new one."""
        place = (self.height, 0, 0)
        if self.events:
            last = self.events[-1]
            same = last.tx_id == tx_id
            place = (self.height, last.place[1] + (not same), last.place[2] + 1 if same else 0)
        event = Event(token, tx_id, place, sender, recipient)
        self.events.append(event)
        for party in (sender, recipient):
            if party:
                self.parties[party] = tx_id
        return event

    def at(self, height: int) -> "Block | None":
        """The block at that height on the way to this one; None above it and before the first."""
        if height > self.height:
            return None
        block: Block | None = self
        while block and block.height > height:
            block = block.parent
        return block

    def leads_to(self, tip: "Block") -> bool:
        """Whether it is canonical while `tip` is the newest block."""
        return tip.at(self.height) is self

    def last_transaction(self, party: str) -> str | None:
        """The newest canonical one of a principal while this is the newest block."""
        block: Block | None = self
        while block and party not in block.parties:
            block = block.parent
        return block.parties[party] if block else None
