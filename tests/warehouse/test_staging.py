"""What is written to staging is what Postgres holds, however hostile its texts are."""

from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.errors import TornWalk
from pipelines.providers.altura import ALTURA
from pipelines.providers.catenis import CATENIS
from pipelines.providers.hiro import HIRO
from pipelines.providers.provider import Dataset, Row
from pipelines.warehouse import staging as module
from pipelines.warehouse.copy_text import CopyText
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.staging import Staging, same_rows
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


def stage(
    connection: sa.Connection, dataset: Dataset, *pages: list[Row], place: int = 0
) -> Staging:
    staging = Staging(connection, dataset, place)
    staging.clear()
    for page in pages:
        staging.write(page)
    staging.finish(sum(map(len, pages)))
    staging.close()
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
def test_any_row_is_stored_as_documented(connection: sa.Connection, rows: list[Row]) -> None:
    staging = stage(connection, CATENIS.dataset, rows)
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


def test_a_value_that_is_null_comes_back_as_null(connection: sa.Connection) -> None:
    staging = stage(connection, CATENIS.dataset, [device(None, "a"), device("\\N", "b")])
    assert {row.device_id: row.name for row in stored(connection, staging)} == {
        "a": None,
        "b": "\\N",
    }


def test_positions_count_the_rows_of_a_walk_through_all_pages(connection: sa.Connection) -> None:
    pages = [[token(0), token(1)], [], [token(2, value_repr="\t")], [token(3)]]
    staging = stage(connection, HIRO.dataset, *pages)
    assert [(row.position, row.token_id) for row in stored(connection, staging)] == [
        (number, number) for number in range(4)
    ]


def test_a_new_walk_begins_at_position_0_without_rows_of_the_last_one(
    connection: sa.Connection,
) -> None:
    staging = stage(connection, HIRO.dataset, [token(0), token(1)])
    staging.write([token(5)])
    staging.clear()
    staging.write([token(7)])
    staging.finish(1)
    assert [(row.position, row.token_id) for row in stored(connection, staging)] == [(0, 7)]


def test_rows_are_committed_as_they_come_and_no_transaction_stays_open(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    staging = Staging(connection, HIRO.dataset, 0)
    staging.clear()
    counts = []
    for number in range(20):
        staging.write([token(number)])
        staging.settle()
        assert not connection.in_transaction()
        counts.append(len(stored(connection, staging)))
    assert counts[0] == 0
    assert counts[-1] > 10
    assert all(number + 1 - count < 10 for number, count in enumerate(counts))
    staging.finish(20)
    staging.close()
    assert len(stored(connection, staging)) == 20


def test_what_a_block_came_to_is_told_at_the_next_one_and_not_when_all_is_given_up(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    staging = Staging(connection, HIRO.dataset, 0)
    staging.clear()
    staging.write([token(0, block_height=2**63)])
    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
        staging.write([token(1)])
    staging.clear()
    staging.write([token(0, block_height=2**63)])
    staging.close()
    assert not connection.in_transaction()


def test_a_key_that_stands_twice_is_a_torn_walk(connection: sa.Connection) -> None:
    with pytest.raises(TornWalk, match="1 of 3 rows were given twice"):
        stage(connection, HIRO.dataset, [token(0), token(1)], [token(0, tx_id="0x")])


def test_two_collects_are_the_same_in_whatever_order_their_rows_came(
    connection: sa.Connection,
) -> None:
    for dataset, rows in (
        (CATENIS.dataset, [device("a", "a"), device(None, "b")]),
        (HIRO.dataset, [token(0), token(1)]),
    ):
        first = stage(connection, dataset, rows)
        second = stage(connection, dataset, rows[1:], rows[:1], place=1)
        assert same_rows(connection, first, second)


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
def test_two_collects_that_differ_are_not_the_same(
    connection: sa.Connection, other: list[Row]
) -> None:
    first = stage(connection, CATENIS.dataset, [device("a", "a"), device("b", "b")])
    second = stage(connection, CATENIS.dataset, other, place=1)
    assert not same_rows(connection, first, second)
