"""Files of the marts and datasets: every digit, every name, every moment, read back."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from pipelines.analysis import relations
from pipelines.analysis.columns import Column, Kind
from pipelines.analysis.export import GROUP_ROWS, _csv_text, _Lines, write_csv, write_parquet
from pipelines.analysis.marts import reading
from pipelines.analysis.relations import Relation, Source
from pipelines.errors import ConfigurationError, WarehouseUnreachable
from tests.analysis.exported import ALL, as_parquet, asked, moments_for, silent, truth, values_for
from tests.analysis.small_world import FORMULA, LARGEST, NAMES, WALLET, SmallWorld


def as_csv(driver: psycopg.Connection, source: Source, **options: Any) -> list[list[str]]:
    file = io.BytesIO()
    rows = write_csv(driver, source, file, silent, **options)
    read = list(csv.reader(io.StringIO(file.getvalue().decode(), newline=""), strict=True))
    assert rows == len(read) - 1
    return read


def csv_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return as_json(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if hasattr(value, "total_seconds"):
        return format(Decimal(value.total_seconds()), ".6f")
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def as_json(texts: list[str | None]) -> str:
    return json.dumps(texts, separators=(",", ":"), ensure_ascii=False)


def plain(value: Decimal) -> str:
    """All digits, without zeros at the end of the fraction."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parquet_value(value: Any, column: Column) -> Any:
    if value is None:
        return None
    match column.kind:
        case Kind.RATIO:
            return float(value)
        case Kind.DURATION:
            return Decimal(str(value.total_seconds()))
        case Kind.EXACT:
            return plain(value)
        case Kind.TEXT:
            return str(value)
        case Kind.LIST:
            return as_json(value)
        case _:
            return value


@pytest.mark.parametrize("relation", ALL)
def test_what_is_read_back_is_what_the_warehouse_has(driver, told: SmallWorld, relation: Relation):
    moments, values = moments_for(relation, told), values_for(relation)
    source = relations.source(driver, relation, moments, given=values)
    rows = truth(driver, source)
    assert rows or relation.plain_name == "transfers_seen"
    header, *lines = as_csv(driver, source)
    assert header == [column.name for column in source.columns]
    assert sorted(lines) == sorted([csv_text(value) for value in row] for row in rows)
    table = as_parquet(driver, source, with_decimals=False)
    assert table.column_names == header
    expected = Counter(tuple(map(parquet_value, row, source.columns)) for row in rows)
    assert Counter(tuple(row.values()) for row in table.to_pylist()) == expected


def test_a_balance_of_78_digits_is_whole_in_both(driver, told: SmallWorld):
    as_of = relations.find("altura_item_holders", 1)
    source = relations.source(driver, as_of, [told.of_item[0].snapshot_at], told.item)
    rows = as_parquet(driver, source, with_decimals=False).to_pylist()
    [largest] = [row for row in rows if row["address"] == WALLET]
    assert largest["balance"] == str(LARGEST)
    header, *lines = as_csv(driver, source)
    [line] = [dict(zip(header, line, strict=True)) for line in lines if WALLET in line]
    assert line["balance"] == str(LARGEST)


def test_an_empty_set_is_a_file_with_its_columns(driver):
    before_all = [datetime(2020, 1, 1, tzinfo=UTC)]
    source = relations.source(driver, relations.find("holders", 1), before_all)
    assert as_csv(driver, source) == [[column.name for column in source.columns]]
    assert as_parquet(driver, source).num_rows == 0


def test_names_come_as_they_are_unless_a_spreadsheet_has_to_be_safe_of_them(driver):
    source = relations.source(driver, relations.find("altura_item_holders", 0))
    place = [column.name for column in source.columns].index("name")
    plain = {line[place] for line in as_csv(driver, source)}
    assert plain >= set(NAMES)
    safe = {line[place] for line in as_csv(driver, source, safe_for_spreadsheets=True)}
    assert {f"'{FORMULA}", "'@risk", "", "'quoted"} <= safe
    assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in safe)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (";=1+1", ";'=1+1"),
        ('a;"+2"', 'a;\'"+2"'),
        ("a\n  =3; -4", "a\n'  =3;' -4"),
        ("a\t@x;\uff1d1", "a\t'@x;'\uff1d1"),
        ("a; b;c, -d 1=1", "a; b;c, -d 1=1"),
    ],
)
def test_a_formula_where_a_spreadsheet_may_begin_a_cell_is_made_safe(driver, text, safe):
    column = Column("name", Kind.TEXT)
    made = sql.SQL("select {} from (select {}::text as name) q").format(
        _csv_text(column, safe=True), sql.Literal(text)
    )
    assert driver.execute(made).fetchone() == (safe,)


def test_null_is_empty_and_an_empty_text_is_quoted(driver):
    file = io.BytesIO()
    write_csv(driver, asked(driver, "select null::text as a, '' as b, 'c' as c"), file, silent)
    assert file.getvalue() == b'a,b,c\r\n,"",c\r\n'


def test_one_target_is_picked_by_views_and_functions_alike(driver, told: SmallWorld):
    for name, moments in (("holders", 0), ("holders", 1), ("hiro_nft_holdings", 1)):
        relation = relations.find(name, moments)
        source = relations.source(driver, relation, moments_for(relation, told), told.item)
        place = [column.name for column in source.columns].index("target")
        assert {row[place] for row in truth(driver, source)} <= {told.item}
    with pytest.raises(ConfigurationError, match="not by target: leave --target away"):
        relations.source(driver, relations.find("transfers_seen", 0), target=told.item)


def test_a_function_is_given_what_it_takes_by_name(driver, told: SmallWorld):
    history = relations.find("holder_history", 0, {"only_holder": WALLET})
    source = relations.source(driver, history, given={"only_holder": WALLET})
    assert [line[-8:-5] for line in as_csv(driver, source)[1:]] == [
        ["", str(LARGEST), str(LARGEST)],
        [str(LARGEST), str(LARGEST - 1), "-1"],
    ]
    asset = relations.source(driver, history, [], "catenis:none", {"only_holder": WALLET})
    assert as_csv(driver, asset)[1:] == []
    top = relations.find("top_holders", 0, {"how_many": 2})
    for target, expected in ((None, 6), (told.item, 2)):
        source = relations.source(driver, top, [], target, {"how_many": 2})
        assert len(as_csv(driver, source)[1:]) == expected


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("top_holders", {}, "^top_holders needs --limit NUMBER$"),
        ("holder_history", {}, "^holder_history needs --holder ADDRESS$"),
        ("holders", {"how_many": 1}, "^holders does not go with --limit; these do: top_holders$"),
        (
            "top_holders",
            {"how_many": 1, "only_holder": "0x"},
            "^top_holders does not go with --holder; these do: holder_history$",
        ),
    ],
)
def test_what_a_function_lacks_and_what_is_not_for_it_is_told(name, given, message):
    with pytest.raises(ConfigurationError, match=message):
        relations.find(name, 0, given)


def test_every_view_of_the_warehouse_can_be_named(driver):
    views = driver.execute(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'v' and n.nspname in ('mart', 'public')"
    )
    assert {name for (name,) in views} <= set(relations.names())
    functions = driver.execute(
        "select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname in ('mart', 'public') and p.proretset"
    )
    known = {one.plain_name for one in relations.relations() if one.arguments}
    assert {name for (name,) in functions} == known


def test_a_row_group_is_written_when_it_is_full(driver):
    rows = GROUP_ROWS + 10_000
    told: list[int] = []
    file = io.BytesIO()
    write_parquet(driver, asked(driver, f"select generate_series(1, {rows}) n"), file, told.append)
    groups = pq.ParquetFile(io.BytesIO(file.getvalue())).metadata
    assert (groups.num_rows, groups.num_row_groups) == (rows, 2)
    assert told == [groups.row_group(0).num_rows, rows]


class Fatal(io.BytesIO):
    """Where the server ends the connection as soon as something is written."""

    def __init__(self, told: SmallWorld, pid: int) -> None:
        super().__init__()
        self._told, self._pid, self._ended = told, pid, False

    def write(self, block: Any) -> int:
        if not self._ended and len(block) > 4:
            self._ended = True
            self._told.pipeline.sql("select pg_terminate_backend(:pid)", pid=self._pid)
        return super().write(block)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_server_that_goes_away_is_told_as_such(told: SmallWorld, write):
    rows = "select generate_series(1, 1000000000) n, repeat('x', 3000) as x"

    def export() -> None:
        with reading(told.pipeline.warehouse) as connection:
            driver = connection.connection.driver_connection
            write(driver, asked(driver, rows), Fatal(told, driver.info.backend_pid), silent)

    with pytest.raises(WarehouseUnreachable, match="Is it running"):
        export()


CELLS = st.text(st.sampled_from('a"\n\r,=é '), max_size=6)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.data())
def test_lines_end_as_the_rfc_has_it_wherever_blocks_do(rows, data):
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    whole = made.getvalue().encode()
    ends = data.draw(st.lists(st.integers(0, len(whole)), max_size=4).map(sorted))
    lines = _Lines()
    cuts = zip([0, *ends], [*ends, len(whole)], strict=True)
    ended = b"".join(lines.ended(whole[begin:end]) for begin, end in cuts)
    expected = io.StringIO(newline="")
    csv.writer(expected, quoting=csv.QUOTE_ALL).writerows(rows)
    assert ended.decode() == expected.getvalue()
    assert lines.count == len(rows)
