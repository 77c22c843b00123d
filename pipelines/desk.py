"""Where the walks of a target are kept and compared, and what becomes of them (see walks.py).

The desk of a run is Postgres (snapshots.py); the one of a trial of proofs is this process's memory,
so that what is put to trial is the code of the walks and no copy of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.extract.fetch import Fetched
from pipelines.extract.proof import Claim, Collect
from pipelines.extract.tips import Base, Tip
from pipelines.extract.to_last import Difference, Listing
from pipelines.providers.pages import Extra, Row
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import Target
from pipelines.warehouse.postgres import DatabaseClock


@dataclass(frozen=True)
class Progress:
    """How far a target is: rows read of `total` (None: not told), in which walk."""

    target: Target
    walk: int
    pages: int
    rows: int
    total: int | None

    def __str__(self) -> str:
        of_total = f" of {self.total:,}" if self.total is not None else ""
        return (
            f"{self.target.name}: walk {self.walk}, page {self.pages}, {self.rows:,}{of_total} rows"
        )


OnProgress = Callable[[Progress], None]


class Stage(Protocol):
    """Where one walk's rows wait: cleared, then written page by page, then finished.

    `finish` gets the number of rows that were written and raises TornWalk where a key stands twice.
    """

    cut_attributes: int

    def clear(self) -> None: ...
    def write(self, rows: Iterable[Row]) -> None: ...
    def finish(self, rows: int) -> None: ...


@dataclass(frozen=True)
class PublishedCollect:
    """What is known of the last published walk beside its rows. `base`: the tip of the chain that
    it was read at, where that was kept and may be rested on; `api`: which of the provider's it was
    read by; `tag`: the version that the set had, by its last page.
    """

    rows: int
    page_size: int
    extra: Extra | None
    base: Base | None = None
    api: str | None = None
    tag: str | None = None

    def still(self, fetched: Fetched[Any], *, by_cursor: bool) -> Collect:
        """What an answer that the set has its tag still says of it: all is as it was."""
        return Collect(
            rows=self.rows,
            pages=1,
            page_size=self.page_size,
            began=fetched.asked_at,
            ended=fetched.answered_at,
            first_answered_at=fetched.answered_at,
            first_size=self.rows,
            top_asked_at=fetched.asked_at,
            top_answered_at=fetched.answered_at,
            top_total=self.rows,
            first_tip=self.tag,
            last_tip=self.tag,
            extra=self.extra,
            by_cursor=by_cursor,
            version=self.tag,
        )


class Desk(Protocol):
    """Where a target's walks are kept and compared.

    `same` tells whether both stages hold the same rows, in whatever order; `same_as_published`,
    whether one holds exactly what is `published`; `clock` reads the clock that snapshots go by.
    `listing` is what is published in the provider's order, where that is known and a walk may rest
    on it.
    """

    @property
    def stagings(self) -> Sequence[Stage]: ...
    @property
    def published(self) -> PublishedCollect | None: ...
    @property
    def listing(self) -> Listing | None: ...
    def same(self) -> bool: ...
    def same_as_published(self, place: int) -> bool: ...
    def clock(self, before: DatabaseClock | None = None) -> DatabaseClock: ...


@dataclass(frozen=True)
class Proven:
    """A collect with its claim; its rows are in the desk's stage number `place`.

    `began` is when the first request went out on which the claim rests; `rests_on_published` tells
    whether it rests on the published snapshot, too. With a `difference` the stage holds what
    entered since that one, and not the whole set. `tip` is the block that a later walk may rest on,
    `api` the one that was asked; `ordered` says that its rows stand in the provider's order.
    """

    claim: Claim
    collect: Collect
    place: int
    began: float
    rests_on_published: bool = False
    difference: Difference | None = None
    tip: Tip | None = None
    api: str | None = None
    ordered: bool = True

    @property
    def removed(self) -> Sequence[tuple[int, int]] | None:
        """Where published rows have left, as pairs of places; None for a whole set."""
        if self.claim.proof is Proof.SAME_VERSION:
            return ()
        return self.difference.removed if self.difference else None

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing entered and nothing left since what was published."""
        entered = self.difference.entered if self.difference else 0
        return self.removed is not None and not self.removed and not entered
