"""Pages between two looks at the tag of their set: the walk of `one_version` (see proof.py).

The pages come by cursors, or by positions where the order of the rows is not to be relied on. Rows
of one block may be tied there, and pages that end elsewhere show them in another order; so that no
page ends between two of them, the next one begins where the last block of the page began.
"""

from collections.abc import Callable, Generator

from pipelines.errors import TornWalk
from pipelines.extract.fetch import Fetch, Fetched, refuse_cached, refuse_short
from pipelines.providers.pages import Page, Row, Start


def one_version(
    pages: Generator[Fetched[Start], None, None],
    is_unchanged: Callable[[str], bool],
) -> Generator[Fetched[Start], None, None]:
    """The pages, as long as each has the tag of the first one. After the last one `is_unchanged` is
    asked whether the set still has that tag.

    Raises TornWalk where it has not. A set without a tag is given as it comes, and asked nothing.
    """
    first: Page[Start] | None = None
    try:
        for fetched in pages:
            refuse_cached(fetched)
            first = first or fetched.page
            if fetched.page.tag != first.tag:
                raise TornWalk(f"the set changed before its page at {fetched.page.where} was read")
            yield fetched
        if first and first.tag and not is_unchanged(first.tag):
            raise TornWalk("the set changed while its last page was read")
    finally:
        pages.close()


def by_blocks(
    fetch: Fetch[int], limit: int, height_of: Callable[[Row], object]
) -> Generator[Fetched[int], None, None]:
    """Pages by positions of which none ends between two rows of one block, one after the other.

    A block with more rows than fit a page is cut: nothing else is possible. Raises TornWalk for a
    page that is short before the end.
    """
    start: int | None = 0
    while start is not None:
        fetched = fetch(start, limit)
        page = fetched.page
        refuse_short(page)
        start = page.next
        if not page.last:
            height = height_of(page.rows[-1])
            whole = next(at for at, row in enumerate(page.rows) if height_of(row) == height)
            if whole:
                start = page.start + whole
                fetched = fetched.with_rows(page.rows[:whole])
        yield fetched
