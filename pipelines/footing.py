"""What the walks of one target stand on in the chain: the block that they rest on, and those that
their pages were read at. extract/proof.py says why each has to be part of the chain."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter

from pipelines.desk import Proven
from pipelines.errors import ProviderError, TornWalk
from pipelines.extract.proof import Collect
from pipelines.extract.tips import Base, Tip, Tips
from pipelines.providers.pages import Row
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import Dataset

logger = logging.getLogger(__name__)

REORGANISED = "the chain was reorganised: a block that rows were read at is not part of it any more"


@contextmanager
def asking(target: str) -> Iterator[None]:
    """Errors of what is asked about the chain say so, and for which target."""
    try:
        yield
    except ProviderError as error:
        raise error.located(f"{target}, blocks of the chain") from None


class Footing:
    """`tips`: what the run knows of the chain, None where the provider has none. `base`: the block
    that the last published snapshot was read at, where that may be rested on. `target`: its name,
    for messages."""

    def __init__(self, tips: Tips | None, base: Base | None, dataset: Dataset, target: str) -> None:
        self._tips = tips
        self._target = target
        self._base = base
        height = dataset.height
        self._height = dataset.column_names.index(height) if height else None
        self._seen: dict[str, None] = {}

    @property
    def seen(self) -> tuple[str, ...]:
        """The blocks that the pages since `begin` told as the chain's newest, each once."""
        return tuple(self._seen)

    def begin(self, *, asks: bool) -> None:
        """A walk begins. With `asks`, the chain's newest block is asked for, as pages don't tell
        it: once a run, for all targets. Raises ProviderError."""
        self._seen.clear()
        with asking(self._target):
            if self._tips and asks and (opened := self._tips.opened()):
                self._seen[opened] = None

    def note(self, tag: str | None) -> None:
        """A page told the newest block, or nothing about it."""
        if self._tips and (tip := self._tips.tip_of(tag)):
            self._seen[tip] = None

    def may_rest(self) -> bool:
        """Whether it is not known already that `confirmed` will refuse it."""
        if self._tips is None:
            return True
        base = self._base
        known = base is None or base.is_orphaned or base.block.hash in self._tips.orphaned
        return self._tips.is_told and not known

    def confirmed(self, rests: Proven) -> Proven | None:
        """A walk that rests on the published snapshot, where the chain leads through the block that
        it was read at and through all that this walk saw; None where a whole walk has to tell."""
        if self._tips is None:
            return rests
        with asking(self._target):
            tip = self._tips.standing(rests.collect.ended, rests.collect.tips, self._base)
        if tip is None or (rests.claim.proof is Proof.SAME_VERSION and self._forked()):
            return None
        return replace(rests, tip=tip)

    def _forked(self) -> bool:
        """Whether any block is known to have been orphaned since the published snapshot."""
        return bool(self._tips and self._tips.orphaned) or bool(self._base and self._base.forked)

    def closing(self, collect: Collect) -> Tip | None:
        """The chain's newest block after a walk whose tips are all its ancestors; None where the
        server does not tell. Raises TornWalk where one of them is not."""
        if self._tips is None:
            return None
        with asking(self._target):
            tip = self._tips.standing(collect.ended, collect.tips)
        if tip is None and self._tips.is_told:
            raise TornWalk(REORGANISED)
        return tip

    def is_settled(self, row: Row) -> bool:
        """Whether a row came before the tip that the published ones were read at."""
        if self._base is None or self._height is None:
            return True
        height = row[self._height]
        return isinstance(height, int) and height <= self._base.block.height

    @property
    def block_of(self) -> Callable[[Row], object] | None:
        """The block that a row came from, by its height; None where rows come from none."""
        return itemgetter(self._height) if self._height is not None else None
