"""Types of Parquet files: the same whatever the rows are, so that files of several days can be read
together, as DuckDB, Polars and pandas do; and no decimal that is not exactly the row's."""

import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from pipelines.analysis import relations
from pipelines.analysis.columns import Kind
from pipelines.analysis.export import write_parquet
from pipelines.analysis.marts import reading
from pipelines.analysis.relations import Source
from pipelines.errors import ConfigurationError, FileNotWritten
from tests.analysis.exported import ALL, as_parquet, asked, moments_for, silent, truth, values_for
from tests.analysis.small_world import ITEM_LABEL, LARGEST, SmallWorld
from tests.conftest import Pipeline

LONG = 1_234_567_890_123_456_789_012_345_678_901
"""Of 31 digits, as many as fit before the point."""
WHOLE, FRACTION, SMALLEST = Decimal(19287226), Decimal("19287230.7755440"), Decimal("0.0000001")

Rows = list[tuple[str, Decimal | None]]
Reader = Callable[[Path, list[str]], list[tuple[object, ...]]]


def in_duckdb(folder: Path, columns: list[str]) -> list[tuple[object, ...]]:
    with duckdb.connect() as database:
        files = database.read_parquet(f"{folder}/*.parquet")
        return files.select(*columns).fetchall()


def in_polars(folder: Path, columns: list[str]) -> list[tuple[object, ...]]:
    return pl.read_parquet(f"{folder}/*.parquet").select(columns).rows()


def in_pandas(folder: Path, columns: list[str]) -> list[tuple[object, ...]]:
    frame = pd.read_parquet(folder)[columns]
    return list(frame.itertuples(index=False, name=None))


READERS = [in_duckdb, in_polars, in_pandas]


@pytest.fixture
def days(pipeline: Pipeline) -> Callable[..., list[Rows]]:
    """days(folder, largest, …) writes mart.holders_as_of of a day when all quantities are whole and
    of one when they are not, a file each, and returns what the warehouse has of each."""

    def write(folder: Path, largest: int, **options: bool) -> list[Rows]:
        world, asset = pipeline.world, pipeline.world.add_catenis_asset(0)
        item = world.add_altura_item(0)
        world.altura_set(item, "0x" + "a1" * 20, largest)
        told: list[Rows] = []
        for number, total in enumerate([{"d1": WHOLE}, {"d1": FRACTION, "d2": SMALLEST}], 1):
            for device, amount in total.items():
                world.catenis_set(asset, device.ljust(20, "X"), amount)
            last = [pipeline.take(key) for key in (item, asset)][-1]
            with reading(pipeline.warehouse) as connection:
                driver = connection.connection.driver_connection
                as_of = relations.find("holders", 1)
                source = relations.source(driver, as_of, [last.snapshot_at])
                with (folder / f"{number}.parquet").open("xb") as file:
                    write_parquet(driver, source, file, silent, **options)
                names = [column.name for column in source.columns]
                holder, quantity = names.index("holder"), names.index("quantity")
                told.append([(row[holder], row[quantity]) for row in truth(driver, source)])
        return told

    return write


def test_two_days_are_read_together_to_the_last_digit(days, tmp_path):
    first, second = days(tmp_path, LONG)
    assert {quantity for _, quantity in first} == {LONG, WHOLE}
    assert {quantity for _, quantity in second} == {LONG, FRACTION, SMALLEST}
    schemas = [pq.read_schema(tmp_path / f"{day}.parquet") for day in (1, 2)]
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert schemas[0].field("quantity").type == pa.string()
    assert schemas[0].field("quantity_decimal").type == pa.decimal128(38, 7)
    for reader in READERS:
        rows = reader(tmp_path, ["holder", "quantity", "quantity_decimal"])
        assert {type(text) for _, text, _ in rows} == {str}, reader
        assert {type(number) for *_, number in rows} == {Decimal}, reader
        assert sorted((holder, Decimal(text)) for holder, text, _ in rows) == sorted(first + second)
        assert sorted((holder, number) for holder, _, number in rows) == sorted(first + second)


def test_sums_over_two_days_are_exact(days, tmp_path):
    days(tmp_path, LONG)
    expected = Decimal(f"{2 * LONG + 38574456}.7755441")
    with duckdb.connect() as database:
        files = database.read_parquet(f"{tmp_path}/*.parquet")
        [(added, type_)] = files.aggregate(
            "sum(quantity_decimal), any_value(typeof(quantity_decimal))"
        ).fetchall()
    assert (added, type_) == (expected, "DECIMAL(38,7)")
    frame = pl.read_parquet(f"{tmp_path}/*.parquet")
    assert frame["quantity_decimal"].sum() == expected


def test_two_days_of_78_digits_are_read_together_as_text(days, tmp_path):
    first, second = days(tmp_path, LARGEST, with_decimals=False)
    assert LARGEST in {quantity for _, quantity in first}
    schemas = [pq.read_schema(tmp_path / f"{day}.parquet") for day in (1, 2)]
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert "quantity_decimal" not in schemas[0].names
    for reader in READERS:
        rows = reader(tmp_path, ["holder", "quantity"])
        assert sorted((holder, Decimal(text)) for holder, text in rows) == sorted(first + second)


def without(source: Source, condition: str) -> Source:
    """The source without the rows of which the condition is true."""
    rows = sql.SQL("(select * from {} where not ({})) q").format(source.rows, sql.SQL(condition))
    return Source(source.relation, source.columns, rows)


@pytest.mark.parametrize("relation", ALL)
def test_types_are_those_of_the_relation_whatever_its_rows(driver, told: SmallWorld, relation):
    moments, values = moments_for(relation, told), values_for(relation)
    source = relations.source(driver, relation, moments, given=values)
    empty = as_parquet(driver, without(source, "true"))
    for column in source.columns:
        if column.kind is Kind.EXACT:
            assert empty.schema.field(column.name).type == pa.string()
            place = empty.schema.get_field_index(column.name)
            behind = empty.schema.field(place + 1)
            assert (behind.name, behind.type) == (
                f"{column.name}_decimal",
                pa.decimal128(38, column.scale),
            )
    if "target" in {column.name for column in source.columns}:
        full = as_parquet(driver, without(source, "target like 'altura:%'"))
        assert full.schema.equals(empty.schema, check_metadata=True)
        for row in full.to_pylist():
            for name in (one for one in row if one.endswith("_decimal")):
                text = row[name.removesuffix("_decimal")]
                assert row[name] == (None if text is None else Decimal(text))


@pytest.mark.parametrize(
    ("name", "moments", "types"),
    [
        ("holders", 0, {"quantity_decimal": (38, 7), "share": "double", "rank": "int64"}),
        ("changes", 0, {"quantity_before_decimal": (38, 7), "delta_decimal": (38, 7)}),
        ("snapshots", 0, {"since_previous": (38, 6), "seconds_decimal": (38, 6)}),
        ("altura_item_holders", 0, {"balance": "string", "balance_decimal": (38, 0)}),
        ("hiro_nft_holdings", 0, {"token_id": "string", "token_id_decimal": (38, 0)}),
        ("catenis_asset_holders", 0, {"total_decimal": (38, 7), "unconfirmed": "string"}),
        ("supply_and_holders_daily", 0, {"supply_decimal": (38, 7), "day": "date32[day]"}),
    ],
)
def test_types_of_what_people_ask_for_most(driver, name, moments, types):
    source = relations.source(driver, relations.find(name, moments))
    schema = as_parquet(driver, without(source, "true")).schema
    assert {one: str(schema.field(one).type) for one in types} == {
        one: type_ if isinstance(type_, str) else f"decimal128({type_[0]}, {type_[1]})"
        for one, type_ in types.items()
    }


NINES = "9" * 31


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("quantity", [NINES, f"-{NINES}.9999999", "0", "-0.0000001", "12.500000000", None]),
        ("balance_after", ["9" * 38, "-" + "9" * 38, "1.000", None]),
        ("quantity", [None, None]),
        ("quantity", []),
    ],
)
def test_what_fits_is_exact_and_null_only_where_the_source_is(driver, name, values):
    table = as_parquet(driver, numbers(driver, name, values))
    expected = [None if value is None else Decimal(value) for value in values]
    assert table.column(f"{name}_decimal").to_pylist() == expected
    texts = table.column(name).to_pylist()
    assert [None if text is None else Decimal(text) for text in texts] == expected
    assert not any(text.endswith("0") for text in texts if text and "." in text)


@pytest.mark.parametrize(
    ("name", "value", "room", "size"),
    [
        ("quantity", "1" + 31 * "0", (31, 7), (32, 0)),
        ("quantity", "-1" + 31 * "0", (31, 7), (32, 0)),
        ("quantity", "9" * 39, (31, 7), (39, 0)),
        ("quantity", str(LARGEST), (31, 7), (78, 0)),
        ("quantity", "0.00000001", (31, 7), (1, 8)),
        ("quantity", f"{NINES}.00000001", (31, 7), (31, 8)),
        ("balance", "9" * 39, (38, 0), (39, 0)),
        ("balance", str(2**128), (38, 0), (39, 0)),
        ("balance", "0.5", (38, 0), (1, 1)),
    ],
)
def test_what_does_not_fit_is_refused_with_its_size_and_what_to_do(driver, name, value, room, size):
    source = numbers(driver, name, [*["1"] * 3000, None, value])
    file = io.BytesIO()
    with pytest.raises(FileNotWritten) as refused:
        write_parquet(driver, source, file, silent)
    assert str(refused.value) == (
        f"anything: {name}_decimal has room for {room[0]} digits before the point and {room[1]}"
        f" behind it; a value has {size[0]} and {size[1]}. Leave the decimals out with"
        f" --without-decimals: {name} itself is text and has every digit"
    )
    driver.rollback()
    table = as_parquet(driver, source, with_decimals=False)
    assert table.column_names == [name]
    assert table.column(name).to_pylist()[-2:] == [None, value]


def numbers(driver: psycopg.Connection, name: str, values: list[str | None]) -> Source:
    query = sql.SQL("select n as {} from unnest({}::numeric[]) with ordinality u (n, i) order by i")
    return asked(driver, query.format(sql.Identifier(name), values).as_string(driver))


def test_a_refusal_names_the_target_by_its_label(driver, told: SmallWorld):
    source = relations.source(driver, relations.find("holders", 0))
    with pytest.raises(FileNotWritten, match=rf"^mart\.holders_now: .* of '{ITEM_LABEL}' has 78 "):
        as_parquet(driver, source)


def test_a_file_that_is_not_whole_is_no_parquet_file(driver, told: SmallWorld):
    """On stdout it can't be taken back, and would be read as one of fewer rows."""
    rows = [str(number) for number in range(140_000)]
    source = numbers(driver, "quantity", [*rows, str(LARGEST)])
    file = io.BytesIO()
    with pytest.raises(FileNotWritten):
        write_parquet(driver, source, file, silent)
    assert len(file.getvalue()) > 100_000
    with pytest.raises(pa.ArrowInvalid, match="not a parquet file"):
        pq.read_table(io.BytesIO(file.getvalue()))


def test_a_decimal_that_has_the_name_of_another_column_is_refused(driver):
    with pytest.raises(ConfigurationError, match=re.escape("same name: quantity_decimal (2)")):
        as_parquet(driver, asked(driver, "select 1.5 as quantity, 2 as quantity_decimal"))
