"""The usual test, for comparison: one walk forward, accepted when rows = total.

Where no total is told, the walk is accepted when it came to the end and no key stood twice. It is
what the proofs are measured against, so it uses nothing of the code that it is compared with but
the request and the reading of a page.
"""

from dataclasses import dataclass

from pipelines.extract.fetch import Fetch
from pipelines.providers.pages import Extra, Row, Start
from pipelines.providers.provider import Dataset

MOST_PAGES = 100


@dataclass(frozen=True)
class NaiveSnapshot:
    rows: tuple[Row, ...]
    extra: Extra | None
    began: float
    ended: float


def walk_naively(
    fetch: Fetch[Start], beginning: Start, dataset: Dataset, page_size: int
) -> NaiveSnapshot | None:
    """All pages in order, from the beginning on; None where the test does not accept them."""
    rows: list[Row] = []
    first = fetched = fetch(beginning, page_size)
    for _ in range(1, MOST_PAGES):
        rows += fetched.page.rows
        if fetched.page.next is None or not fetched.page.rows:
            break
        fetched = fetch(fetched.page.next, page_size)
    places = [dataset.column_names.index(name) for name in dataset.key]
    distinct = len({tuple(row[place] for place in places) for row in rows})
    total = fetched.page.total
    if distinct != (len(rows) if total is None else total):
        return None
    extra = fetched.page.extra
    return NaiveSnapshot(tuple(rows), extra, first.asked_at, fetched.answered_at)
