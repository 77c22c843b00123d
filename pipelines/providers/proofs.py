"""The proofs that a walk's rows can have, and what each needs of a provider."""

from collections.abc import Mapping
from enum import StrEnum

from pipelines.providers.pages import Ground


class Proof(StrEnum):
    """Why a walk's rows are one true state of the provider (extract/proof.py has the reasons)."""

    SINGLE_PAGE = "single_page"
    CHAINED = "chained"
    CHAINED_TO_LAST = "chained_to_last"
    ONE_VERSION = "one_version"
    SAME_VERSION = "same_version"
    DOUBLE_COLLECT = "double_collect"

    @property
    def rests_on_last(self) -> bool:
        """Whether it proves what it does by the snapshot before it, and not by a whole walk."""
        return self in (Proof.CHAINED_TO_LAST, Proof.SAME_VERSION)

    @property
    def stands_on(self) -> frozenset[Ground]:
        """What a provider has to offer for it."""
        return _STANDS_ON[self]


_LINKS = frozenset({Ground.POSITIONS, Ground.ENTRY_AT_TOP, Ground.TOTAL})
_STANDS_ON: Mapping[Proof, frozenset[Ground]] = {
    Proof.SINGLE_PAGE: frozenset(),
    Proof.CHAINED: _LINKS,
    Proof.CHAINED_TO_LAST: _LINKS | {Ground.STEADY_ORDER},
    Proof.ONE_VERSION: frozenset({Ground.TAG}),
    Proof.SAME_VERSION: frozenset({Ground.TAG}),
    Proof.DOUBLE_COLLECT: frozenset({Ground.SIZE}),
}
