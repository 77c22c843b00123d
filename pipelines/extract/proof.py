"""Judges whether pages are one state of the provider.

`chained` (providers whose new rows enter at the top only). Let x be the last row of one page, which
the next page shows as well, at any place. Below x nothing is ever inserted, rows can only leave; so
when both answers count the same number of rows below x, they are the same rows, whenever and in
whatever order the two pages were read, and whichever replica answered. From the last page upwards,
the union of all pages is the state that page 0 saw. A chain reorganisation is the exception: where
a fork that lost wins again, its rows stand in their old places again. They are those of its blocks,
so nothing enters below rows that are older than the block where the forks part. Each page tells the
tip of the chain; after the walk all of these have to be part of the chain that leads to the newest
block: then no fork parted below any of them, and what entered did so above. Else the walk is torn.

`chained_to_last` (the same providers): let x be a row of the last published snapshot that stands
there still, and nothing but rows that were read stand above it. As many rows below it as there were
when that was published: they are the same rows, by the rule above. Fewer: some of them have left;
each that a page showed to be missing between two that were its neighbours has left and can't come
back in its place. Rows of one block may be tied, and then stand in another order on each page: one
is missing only where the page has all of its block (without that rule 8 of 650 snapshots were wrong
in a world of left-over rows, with it none of 400). When, after the last of those pages, the top is
read and shows just as many fewer below x as were seen to be missing, these are all that are: the
numbers have to sum up for the whole set. The first case is a link like any other,
and holds for replicas that lag, too; the second one needs that the last answer shows no older state
than those before it. Both need that no fork parted below the rows that were published: the newest
block after that walk, its tip, has to be part of the chain still, and the lowest row that a page
shows has to be of a block no higher (a left-over of an orphaned block may be higher, and rows may
enter below it). A fork that lived wholly above the tip does no harm: what it left behind stands
above. Only targets that rest on an orphaned tip are read whole; for the others nothing has changed
that their own tip would not show. A tip once seen orphaned carries nothing any more, even where it
returns: the fork in between may have moved rows, which nothing takes back. What stays open is a
fork that parts below the tip and is gone again before anybody looks. A whole walk now and then is
the safety net (see Listing in to_last).

`one_version` (any order): all pages carry the first one's tag of the whole set, the set still has
that tag after the last page (304), keys are distinct and as many as the first page counted, where
it did. A tag is made before the rows: without the last question the last page may be newer than its
tag (measured: 32 of 3,608 walks of v1 wrong; with it none of 3,281, and of v3's 3,239 none). By
positions with ties no page may end between two rows of a block. A tag comes back after a fork, so
the tip of the beginning has to be part of the chain at the end.

`same_version` (any order): the set has the tag still that it had when it was published. That alone
says nothing: a fork that lived wholly above the tip gives a principal one token, takes another, and
loses; both stay so, under the old tag of the old tip. So nobody may have seen a fork since: the tip
is part of the chain, and so is every tip that any target of any run was read at since then, for
which each run asks for the last one of the run before. What stays open is such a fork that came and
went between two looks; one in HIRO_FULL_WALK_EVERY snapshots reads everything. v1's first page
shows what such a fork left behind, which is why v1 is asked as long as it answers.

`single_page` (any order): one response held the whole set. An answer that is short and agrees with
itself (a cut list beside the count of what was cut) reads the same, so it is believed only where
the last snapshot had the same shape: one page, of which it lost a tenth at most. Everything else,
and each first snapshot, has to be confirmed by a second reading.

`double_collect` (any order): two whole walks, the second begun after the first ended, gave the same
n rows (Afek et al., Atomic Snapshots of Shared Memory, JACM 1993), and the first page of the second
showed that the set had n rows. A row that both walks saw was there when that page was answered,
unless it left and came back exactly; and n rows that are there are all of n. Without the size on
that page it is no proof: both walks may miss the same row. It can't see a state that came back
exactly, nor replicas and caches that answer with the past. By positions the second walk goes from
the end to the beginning and with another page size, so that what repeats its answers can't agree
with itself.
By cursors it can only go the same way again, and another page size is all that makes its
requests others. That is weaker: a cache that looks at the cursor alone, or a server that keeps a
list for each reader, answers both walks alike; and a set that flips between two states in step with
the walks shows both of them the same mixture, which the other direction would have shown otherwise.
The size stays what decides: rows that move ahead of both walks (as in a list by balance) are missed
by both, and then the first page counts more. So each page has to tell a total: without one, by
cursors, nothing shows the size of the set before its end.

What each proof needs of a provider is `Proof.stands_on`: a provider that does not offer it can't
list the proof.

Rows = total alone is no proof: against a real server it let 191 of 2,907 torn walks through.
Whatever is said here is put to trial by `python -m pipelines.trials`.
"""

from dataclasses import dataclass

from pipelines.errors import OutOfOrder, TornWalk
from pipelines.providers.pages import Extra, Page, Start
from pipelines.providers.proofs import Proof


@dataclass(frozen=True)
class Collect:
    """What one whole walk saw, beside its rows. Times are monotonic seconds.

    `began` and `ended` enclose the whole walk. `began` and `first_answered_at` enclose the page
    that was read first, which showed that the set had `first_size` rows (None: it did not tell);
    `top_asked_at` and `top_answered_at` the first page of the set, which counted `top_total` rows.
    `tips` are the blocks that its pages told as the chain's newest, each once, in that order.
    `version` is the tag that all of them had, and that the set still had after the last one.
    """

    rows: int
    pages: int
    page_size: int
    began: float
    ended: float
    first_answered_at: float
    first_size: int | None
    top_asked_at: float
    top_answered_at: float
    top_total: int | None
    first_tip: str | None
    last_tip: str | None
    extra: Extra | None
    by_cursor: bool = False
    tips: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Claim:
    """A proof, and the bounds (monotonic seconds) of the moment whose state the rows are."""

    proof: Proof
    at: float
    until: float


def link(upper: Page[int], lower: Page[int]) -> int | None:
    """None when `lower` continues `upper`; else the position to ask for `lower` at again.

    It continues it where it shows the last row of `upper`, with as many rows below, and at least
    one of those. Raises TornWalk when another row stands in that one's place.
    """
    if upper.total is None or lower.total is None or not upper.rows or not lower.rows:
        raise TornWalk(f"an empty page at {lower.start}, before the end")
    if not lower.last and len(lower.rows) < lower.limit:
        raise TornWalk(short_page(lower))
    doubled = doubled_rows(upper, lower)
    stands_at = lower.start + doubled - 1
    if stands_at < 0:
        raise TornWalk(f"the total went from {upper.total} to {lower.total}")
    if not 0 < doubled < max(2, len(lower.rows)):
        return stands_at
    if lower.rows[doubled - 1] != upper.rows[-1]:
        raise OutOfOrder(f"the row at {stands_at} is not the one that the page above ended with")
    return None


def doubled_rows(upper: Page[int], lower: Page[int]) -> int:
    """How many rows of `lower` are above or at the place where `upper` ended, as their totals say;
    of two pages that are linked, the rows to leave out."""
    shared_at = upper.start + len(upper.rows) - 1
    return shared_at + (lower.total or 0) - (upper.total or 0) - lower.start + 1


def short_page(page: Page[Start]) -> str:
    """What is wrong with a page that is not full, although more rows should follow."""
    return f"{len(page.rows)} rows at {page.where} before the end, where {page.limit} fit a page"


LOST_ON_ONE_PAGE = 0.1
"""The share of its rows that a set of one page may lose and still be believed at once."""


def one_page_is_enough(rows: int, last_rows: int, last_page_size: int) -> bool:
    """Whether one response is believed to be the whole set, after a snapshot of `last_rows` that
    was read in pages of `last_page_size`."""
    return last_rows <= last_page_size and rows >= (1 - LOST_ON_ONE_PAGE) * last_rows


def claim_one_page(collect: Collect) -> Claim:
    """One response held the whole set."""
    return Claim(Proof.SINGLE_PAGE, collect.top_asked_at, collect.top_answered_at)


def claim_chained(collect: Collect) -> Claim:
    """Every page was linked. Raises TornWalk unless there are as many rows as page 0 counted."""
    if collect.rows != collect.top_total:
        raise TornWalk(f"{collect.rows} rows, page 0 counted {collect.top_total}")
    return Claim(Proof.CHAINED, collect.top_asked_at, collect.top_answered_at)


def claim_chained_to_last(collect: Collect) -> Claim:
    """All that is missing of the last published snapshot is known, by the page at position 0 and
    those linked to it."""
    return Claim(Proof.CHAINED_TO_LAST, collect.top_asked_at, collect.top_answered_at)


def claim_one_version(collect: Collect) -> Claim:
    """All pages were of one version. Raises TornWalk unless there are as many rows as the first one
    counted, where it did."""
    if collect.top_total not in (None, collect.rows):
        raise TornWalk(f"{collect.rows} rows, the first page counted {collect.top_total}")
    return Claim(Proof.ONE_VERSION, collect.top_asked_at, collect.top_answered_at)


def claim_same_version(collect: Collect) -> Claim:
    """The set has the version still that it had when it was published."""
    return Claim(Proof.SAME_VERSION, collect.top_asked_at, collect.top_answered_at)


def claim_same_twice(first: Collect, second: Collect) -> Claim:
    """Two collects gave the same rows; they were the state when the second one's first page was.

    Raises TornWalk where what they tell beside the rows differs.
    """
    if first.extra != second.extra:
        raise TornWalk("what is told beside the rows changed between two collects")
    if second.by_cursor and first.page_size == second.page_size:
        raise TornWalk(
            f"two collects by cursors had pages of {first.page_size} rows: another page size is all"
            " that tells the second one's requests from the first one's"
        )
    return claim_same_as_published(second)


def claim_same_as_published(collect: Collect) -> Claim:
    """The same, with the last published snapshot as the first collect.

    Raises TornWalk where the first page did not show that the set has as many rows.
    """
    if collect.first_size != collect.rows:
        raise TornWalk(f"{collect.rows} rows, the first page showed a set of {collect.first_size}")
    return Claim(Proof.DOUBLE_COLLECT, collect.began, collect.first_answered_at)
