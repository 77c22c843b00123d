"""How the blocks of a chain are asked for, where a provider's rows come from one that can fork.

A block is canonical while the chain that counts leads through it, and orphaned once another one
does. What a snapshot read at a block is still the state that later ones follow from as long as that
block is canonical: each block has one line of ancestors, and no fork can change it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.providers.pages import Answer, PageRequest


@dataclass(frozen=True)
class Block:
    """A block of the chain; no other one has its hash."""

    hash: str
    height: int


@dataclass(frozen=True)
class Blocks:
    """Canonical blocks without a gap, the newest first. `older` is the cursor of those below them,
    None at the beginning of the chain."""

    blocks: tuple[Block, ...]
    older: str | None


@dataclass(frozen=True)
class Chain:
    """Pure functions, as for pages.

    `tip_of(tag)` is the hash of the newest block that a page's tag tells, None where it tells none.
    `list_request(cursor)` asks for canonical blocks, from the newest or from a cursor on: 404 for a
    cursor that is orphaned. `block_request(hash)` asks for one: 404 unless it is canonical.
    Both `read_…` raise MalformedAnswer.
    """

    tip_of: Callable[[str | None], str | None]
    list_request: Callable[[str | None], PageRequest]
    read_list: Callable[[Answer], Blocks]
    block_request: Callable[[str], PageRequest]
    read_block: Callable[[Answer], Block]
