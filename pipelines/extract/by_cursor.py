"""A target's pages, each asked for by the cursor that the one before it told.

There is one way through them and no reading ahead: only a page that has come says what to ask for
next. A cursor is a lower bound to most servers: where the row that it names has left, the page
begins with the next one, and nothing shows it. So the pages are those of different moments, as by
positions, and the proof has to find out (extract/proof.py says what cursors leave it to stand on).
"""

from collections.abc import Generator

from pipelines.errors import TornWalk
from pipelines.extract.fetch import Fetch, Fetched, refuse_cached, refuse_short
from pipelines.providers.pages import BEGINNING, described


def by_cursor(
    fetch: Fetch[str], limit: int, *, may_be_capped: bool = False, fills_pages: bool = True
) -> Generator[Fetched[str], None, None]:
    """Pages of `limit` rows from the first to the one that names no next.

    Raises TornWalk for a page that is short before the end, whose total is not the first one's, or
    that names a cursor which was followed already (the walk would never end otherwise); PageCapped
    where `may_be_capped` and the first page is short. `fills_pages`: see Cursors.
    """
    cursor: str | None = BEGINNING
    followed: set[int] = set()  # hashes: a server's cursors may be long
    first: Fetched[str] | None = None
    while cursor is not None:
        followed.add(hash(cursor))
        fetched = fetch(cursor, limit)
        page = fetched.page
        first = first or fetched
        refuse_cached(fetched)
        if page.total != first.page.total:
            raise TornWalk(f"the total went from {first.page.total} to {page.total}")
        if fills_pages:
            refuse_short(page, may_be_capped=may_be_capped)
        cursor = page.next
        if cursor is not None and hash(cursor) in followed:
            raise TornWalk(
                f"the page at {page.where} leads back to {described(cursor)}: without an end"
            )
        yield fetched
