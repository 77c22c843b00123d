"""What is written to staging is what Postgres holds, however hostile its texts are."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.schema import DropTable

from pipelines.errors import SessionNotKept, TornWalk
from pipelines.providers.altura import ALTURA
from pipelines.providers.catenis import CATENIS
from pipelines.providers.hiro import HIRO
from pipelines.providers.pages import Row
from pipelines.providers.provider import Dataset
from pipelines.warehouse.copy_text import CopyText
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.session import TABLE_PREFIX
from pipelines.warehouse.staging import BLOCK_BYTES, Staging, StagingArea
from pipelines.warehouse.text import LONGEST_ATTRIBUTE, cut, escape, key_hash

TX_ID = "0x" + "7e" * 32
LITERALS = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"})


def token(number: int, **changed: object) -> Row:
    """A row of hiro_nft_holdings."""
    row = {
        "asset_identifier": "SP2X.mid::m",
        "value_hex": f"0x01{number:032x}",
        "value_repr": f"u{number}",
        "value_type": "uint",
        "token_id": number,
        "block_height": 7,
        "tx_id": TX_ID,
    } | changed
    return tuple(row.values())  # type: ignore[arg-type]


def device(name: str | None, key: str = "d", total: Decimal | int = 1) -> Row:
    """A row of catenis_asset_holders."""
    return (key, total, Decimal("1E-7"), name, None)


@pytest.fixture
def connection(database_url: str) -> Iterator[sa.Connection]:
    with Warehouse(database_url) as warehouse, warehouse.connect() as connection:
        yield connection


Area = Callable[..., StagingArea]


@pytest.fixture
def area(connection: sa.Connection) -> Iterator[Area]:
    """Makes staging areas on the connection, and closes them."""
    with ExitStack() as stack:

        def make(dataset: Dataset, block_bytes: int = BLOCK_BYTES) -> StagingArea:
            made = StagingArea(connection, dataset, block_bytes=block_bytes)
            stack.callback(made.close)
            return made

        yield make


def collect(staging: Staging, *pages: list[Row]) -> Staging:
    staging.clear()
    for page in pages:
        staging.write(page)
    staging.finish(sum(map(len, pages)))
    return staging


def stored(connection: sa.Connection, staging: Staging) -> list[sa.Row]:
    with connection.begin():
        return list(connection.execute(sa.select(staging.table)).all())


def as_documented(dataset: Dataset, row: Row) -> tuple[object, ...]:
    """The hash of the key, and the values as the warehouse keeps them."""
    escaped = [escape(value) if isinstance(value, str) else value for value in row]
    named = dict(zip(dataset.column_names, escaped, strict=True))
    key = key_hash(tuple(str(named[name]) for name in dataset.key))
    values = (
        cut(value) if isinstance(value, str) and name not in dataset.key else value
        for name, value in named.items()
    )
    return (key, *values)


PIECES = ["\t", "\n", "\r", "\\", "\\N", "\\.", "\0", "\ud83d", "\\u0000", "é🦀", "x" * 5000, ""]
TEXTS = st.lists(
    st.sampled_from(PIECES) | st.text(st.characters(exclude_categories=[])), max_size=4
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    rows=st.lists(
        st.tuples(
            TEXTS,
            st.integers(0, 2**256) | st.decimals(0, 10**20, places=9),
            st.just(0),
            st.none() | TEXTS,
            st.none() | TEXTS,
        ),
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_any_row_is_stored_as_documented(
    connection: sa.Connection, area: Area, rows: list[Row]
) -> None:
    staging = collect(area(CATENIS.dataset).collects[0], rows)
    expected = [as_documented(CATENIS.dataset, row) for row in rows]
    assert sorted(map(tuple, stored(connection, staging))) == sorted(expected)
    assert staging.cut_attributes == sum(
        isinstance(text, str) and len(escape(text)) > LONGEST_ATTRIBUTE
        for row in rows
        for text in row[3:]
    )


@given(rows=st.lists(st.tuples(TEXTS, st.integers(0, 9), *[st.none() | TEXTS] * 3), min_size=1))
@example(rows=[("\\", 1, None, "a", "b")])
@example(rows=[("a", 1, "\\N", None, "b")])
@example(rows=[("a", 1, "x\ty", None, "b"), ("b", 1, None, None, None)])
@example(rows=[("a", 1, "x\\y", "\\u{e9}", "\\"), ("b", 1, None, "x\ny", None)])
def test_a_page_reads_as_if_each_of_its_cells_had_been_written_alone(rows: list[Row]) -> None:
    text, cut_attributes = CopyText(ALTURA.dataset).of(rows, 0)
    lines = [line_by_itself(row) for row in rows]
    assert text == "".join(line for line, _ in lines).encode()
    assert cut_attributes == sum(count for _, count in lines)


def line_by_itself(row: Row) -> tuple[str, int]:
    """A line of COPY's text format as its documentation describes it, and the attributes cut."""
    address, *others = (escape(cell) if isinstance(cell, str) else cell for cell in row)
    kept = [cut(cell) if isinstance(cell, str) else cell for cell in others]
    cells = [key_hash((str(address),)).hex, address, *kept]
    told = ["\\N" if cell is None else str(cell).translate(LITERALS) for cell in cells]
    shortened = sum(before is not after for before, after in zip(others, kept, strict=True))
    return "\t".join(told) + "\n", shortened


def test_a_value_that_is_null_comes_back_as_null(connection: sa.Connection, area: Area) -> None:
    [staging, _] = area(CATENIS.dataset).collects
    collect(staging, [device(None, "a"), device("\\N", "b")])
    assert {row.device_id: row.name for row in stored(connection, staging)} == {
        "a": None,
        "b": "\\N",
    }


def test_positions_count_the_rows_of_a_walk_through_all_pages(
    connection: sa.Connection, area: Area
) -> None:
    pages = [[token(0), token(1)], [], [token(2, value_repr="\t")], [token(3)]]
    staging = collect(area(HIRO.dataset).collects[0], *pages)
    assert [(row.position, row.token_id) for row in stored(connection, staging)] == [
        (number, number) for number in range(4)
    ]


def test_a_new_walk_begins_at_position_0_without_rows_of_the_last_one(
    connection: sa.Connection, area: Area
) -> None:
    staging = collect(area(HIRO.dataset).collects[0], [token(0), token(1)])
    staging.write([token(5)])
    staging.clear()
    staging.write([token(7)])
    staging.finish(1)
    assert [(row.position, row.token_id) for row in stored(connection, staging)] == [(0, 7)]


def test_rows_are_committed_as_they_come_and_no_transaction_stays_open(
    connection: sa.Connection, area: Area
) -> None:
    own = area(HIRO.dataset, block_bytes=1000)
    [staging, _] = own.collects
    staging.clear()
    counts = []
    for number in range(20):
        staging.write([token(number)])
        own.settle()
        assert not connection.in_transaction()
        counts.append(len(stored(connection, staging)))
    assert counts[0] == 0
    assert counts[-1] > 10
    assert all(number + 1 - count < 10 for number, count in enumerate(counts))
    staging.finish(20)
    assert len(stored(connection, staging)) == 20


def test_what_a_block_came_to_is_told_at_the_next_one_and_not_when_all_is_given_up(
    connection: sa.Connection, area: Area
) -> None:
    own = area(HIRO.dataset, block_bytes=1)
    [staging, _] = own.collects
    staging.clear()
    staging.write([token(0, block_height=2**63)])
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        staging.write([token(1)])
    staging.clear()
    staging.write([token(0, block_height=2**63)])
    own.close()
    assert not connection.in_transaction()


def test_a_collect_begins_while_a_block_of_the_other_one_is_being_copied(
    connection: sa.Connection, area: Area
) -> None:
    """A torn walk leaves a block under way; both collects of a target share a connection."""
    first, second = area(HIRO.dataset).collects
    page = [token(number) for number in range(20_000)]
    for one, other in ((first, second), (second, first)) * 3:
        one.clear()
        one.write(page)
        collect(other, page[:3])
        assert len(stored(connection, other)) == 3


def test_no_table_is_left_when_a_target_is_done(connection: sa.Connection, area: Area) -> None:
    own = area(HIRO.dataset)
    for staging in own.collects * 2:
        collect(staging, [token(1)])
    tables = sa.text("select count(*) from pg_class where relname like :like")
    with connection.begin():
        assert connection.scalar(tables, {"like": f"{TABLE_PREFIX}%"}) == 2
    own.close()
    with connection.begin():
        assert connection.scalar(tables, {"like": f"{TABLE_PREFIX}%"}) == 0


@pytest.mark.parametrize("step", ["clear", "write", "finish", "same"])
def test_every_step_notices_a_session_that_is_not_the_walks_own(
    connection: sa.Connection, area: Area, step: str
) -> None:
    own = area(HIRO.dataset, block_bytes=1)
    first, second = (collect(staging, [token(1)]) for staging in own.collects)
    with connection.begin():
        connection.execute(sa.text("select set_config('holdfast.session', 'of another', false)"))

    def write() -> None:
        first.write([token(2)])
        own.settle()

    steps = {"clear": second.clear, "write": write, "finish": lambda: first.finish(1)}
    with pytest.raises(SessionNotKept, match="pooler"):
        (steps | {"same": own.same})[step]()
    assert not connection.in_transaction()


def test_a_pooler_that_fakes_the_mark_is_noticed_by_the_table_that_is_not_there(
    connection: sa.Connection, area: Area
) -> None:
    [staging, _] = area(HIRO.dataset).collects
    collect(staging, [token(1)])
    with connection.begin():
        connection.execute(DropTable(staging.table))
    with pytest.raises(SessionNotKept, match="pooler"):
        staging.finish(1)


def test_a_key_that_stands_twice_is_a_torn_walk(area: Area) -> None:
    [staging, _] = area(HIRO.dataset).collects
    with pytest.raises(TornWalk, match="1 of 3 rows were given twice"):
        collect(staging, [token(0), token(1)], [token(0, tx_id="0x")])


def test_two_collects_are_the_same_in_whatever_order_their_rows_came(area: Area) -> None:
    for dataset, rows in (
        (CATENIS.dataset, [device("a", "a"), device(None, "b")]),
        (HIRO.dataset, [token(0), token(1)]),
    ):
        own = area(dataset)
        collect(own.collects[0], rows)
        collect(own.collects[1], rows[1:], rows[:1])
        assert own.same()


@pytest.mark.parametrize(
    "other",
    [
        [device("a", "a")],
        [device("a", "a"), device("b", "c")],
        [device("a", "a"), device(None, "b")],
        [device("a", "a"), device("b", "b", Decimal("1.5"))],
    ],
    ids=["fewer", "another key", "another name", "another amount"],
)
def test_two_collects_that_differ_are_not_the_same(area: Area, other: list[Row]) -> None:
    own = area(CATENIS.dataset)
    collect(own.collects[0], [device("a", "a"), device("b", "b")])
    collect(own.collects[1], other)
    assert not own.same()
