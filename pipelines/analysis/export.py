"""Writes a view or a function's rows as CSV or Parquet, in the memory of one block of rows.

Both come by COPY: Postgres plans for the last row instead of the first as it does for a cursor, and
nothing waits between two fetches with a transaction open.

CSV is made by Postgres itself. Parquet has types, and decimals of a fixed number of digits: how
many are needed is asked first, in the same transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import psycopg
from psycopg import sql

from pipelines.analysis.columns import Column, Kind
from pipelines.analysis.relations import Source

if TYPE_CHECKING:
    import pyarrow as pa  # takes 0.2 s, which no other command need wait for

Heartbeat = Callable[[int], None]
"""Told how many rows are written so far."""

BLOCK_BYTES = 1 << 18
BLOCK_ROWS = 2_000
GROUP_ROWS = 131_072
"""Rows of a Parquet row group: what DuckDB and Spark read as one piece of work."""
GROUP_BYTES = 64 << 20
"""Where rows are wide, a group ends sooner."""

FORMULA = "^[=+@\t\r\n\uff1d\uff0b\uff20\uff0d-]"
"""Beginnings of text that a spreadsheet takes for a formula (OWASP, CSV Injection)."""

MOST_DIGITS = 38
"""Of a decimal in Parquet that Spark, DuckDB and BigQuery read as one."""

_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def write_csv(
    driver: psycopg.Connection,
    source: Source,
    sink: BinaryIO,
    heartbeat: Heartbeat,
    *,
    safe_for_spreadsheets: bool = False,
) -> int:
    """Write the rows as RFC 4180 has it, in UTF-8 with a header; returns how many.

    Numbers have all their digits, times are ISO 8601 in UTC, durations seconds. NULL is empty, an
    empty text is "". With `safe_for_spreadsheets`, text that looks like a formula has a ' before
    it; without, text is what it is.
    """
    texts = [_csv_text(column, safe=safe_for_spreadsheets) for column in source.columns]
    statement = sql.SQL("copy ({}) to stdout (format csv, header, encoding 'UTF8')").format(
        _select(source, texts)
    )
    lines = _Lines()
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for block in _blocks(copy):
            sink.write(lines.ended(block))
            heartbeat(lines.count - 1)
    return lines.count - 1


@dataclass(frozen=True)
class Digits:
    """How a numeric column is stored, and the digits that its values need on each side."""

    column: Column
    whole: int
    fraction: int

    @property
    def fit_a_decimal(self) -> bool:
        """Whether the decimal that every program reads holds them. Arrow has one of 76 digits, too,
        which DuckDB 2.0 reads as a double, without a word."""
        return self.whole + self.fraction <= MOST_DIGITS

    def __str__(self) -> str:
        needed = f"{self.column.name} needs {self.whole + self.fraction} digits"
        if self.fit_a_decimal:
            return f"{needed}: decimal({MOST_DIGITS}, {self.fraction})"
        return f"{needed}: text, as the decimals that every program reads end at {MOST_DIGITS}"


def write_parquet(
    driver: psycopg.Connection, source: Source, sink: BinaryIO, heartbeat: Heartbeat
) -> tuple[int, list[Digits]]:
    """Write the rows as Parquet; returns how many, and how the numeric columns are stored.

    Times are timestamp[us, UTC], durations decimal seconds, counts int64; shares and other
    quotients are doubles.
    """
    import pyarrow as pa  # noqa: PLC0415 - see above
    import pyarrow.parquet as pq  # noqa: PLC0415

    digits = _digits(driver, source)
    stored = {one.column.name: one for one in digits}
    schema = pa.schema([(c.name, _arrow_type(c, stored.get(c.name))) for c in source.columns])
    values = [_parquet_value(column, stored.get(column.name)) for column in source.columns]
    query = _select(source, values)
    rows = 0
    with (
        driver.cursor() as cursor,
        pq.ParquetWriter(sink, schema, compression="zstd") as writer,
    ):
        cursor.execute(query + sql.SQL(" limit 0"))
        types = [column.type_code for column in cursor.description or ()]
        with cursor.copy(sql.SQL("copy ({}) to stdout").format(query)) as copy:
            copy.set_types(types)
            for group in _groups(copy.rows(), schema):
                writer.write_table(group)
                rows += group.num_rows
                heartbeat(rows)
    return rows, digits


def _select(source: Source, expressions: Sequence[sql.Composable]) -> sql.Composed:
    named = (
        sql.SQL("{} as {}").format(expression, sql.Identifier(column.name))
        for expression, column in zip(expressions, source.columns, strict=True)
    )
    return sql.SQL("select {} from {}").format(sql.SQL(", ").join(named), source.rows)


def _value(column: Column) -> sql.Composable:
    """The column; of a duration its seconds, which every program can read."""
    value = sql.Identifier("q", column.name)
    if column.kind is Kind.DURATION:
        return sql.SQL("extract(epoch from {})").format(value)
    return value


def _csv_text(column: Column, *, safe: bool) -> sql.Composable:
    value = _value(column)
    match column.kind:
        case Kind.MOMENT:
            return sql.SQL("to_char({} at time zone 'UTC', {})").format(value, sql.Literal(_ISO))
        case Kind.TRUTH:
            return sql.SQL("{}::text").format(value)
        case Kind.TEXT if safe:
            return sql.SQL("case when {0}::text ~ {1} then '''' else '' end || {0}::text").format(
                value, sql.Literal(FORMULA)
            )
        case _:
            return value


def _parquet_value(column: Column, digits: Digits | None) -> sql.Composable:
    value = _value(column)
    if digits:
        text = sql.SQL("" if digits.fit_a_decimal else "::text")
        return sql.SQL("trim_scale({}){}").format(value, text)
    cast = {Kind.RATIO: "::float8", Kind.TEXT: "::text", Kind.WHOLE: "::bigint"}
    return value + sql.SQL(cast.get(column.kind, ""))


def _digits(driver: psycopg.Connection, source: Source) -> list[Digits]:
    numerics = [one for one in source.columns if one.kind in {Kind.EXACT, Kind.DURATION}]
    if not numerics:
        return []
    asked = [
        sql.SQL("max(abs(trunc({0}))), max(min_scale({0}))").format(_value(column))
        for column in numerics
    ]
    statement = sql.SQL("select {} from {}").format(sql.SQL(", ").join(asked), source.rows)
    [found] = driver.execute(statement).fetchall()
    return [
        Digits(column, largest.adjusted() + 1 if largest else 0, scale or 0)
        for column, largest, scale in zip(numerics, found[::2], found[1::2], strict=True)
    ]


def _arrow_type(column: Column, digits: Digits | None) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415 - see above

    if digits:
        if not digits.fit_a_decimal:
            return pa.string()
        return pa.decimal128(MOST_DIGITS, digits.fraction)
    return {
        Kind.WHOLE: pa.int64(),
        Kind.RATIO: pa.float64(),
        Kind.MOMENT: pa.timestamp("us", tz="UTC"),
        Kind.DAY: pa.date32(),
        Kind.TRUTH: pa.bool_(),
        Kind.TEXT: pa.string(),
    }[column.kind]


def _groups(rows: Iterator[tuple[object, ...]], schema: "pa.Schema") -> Iterator["pa.Table"]:
    """The rows as tables of the size of a row group; what waits for the others is packed."""
    import pyarrow as pa  # noqa: PLC0415 - see above

    waiting: list[pa.RecordBatch] = []
    while block := list(islice(rows, BLOCK_ROWS)):
        columns = zip(*block, strict=True)
        arrays = [pa.array(v, field.type) for v, field in zip(columns, schema, strict=True)]
        waiting.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        enough = sum(one.num_rows for one in waiting) >= GROUP_ROWS
        if enough or sum(one.nbytes for one in waiting) >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _blocks(copy: psycopg.Copy) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for data in copy:
        gathered.append(bytes(data))
        size += len(data)
        if size >= BLOCK_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


class _Lines:
    """Ends lines with CRLF as RFC 4180 has it, and counts them; a line feed within quotes is data.

    Postgres ends them with a line feed. A block may end anywhere.
    """

    def __init__(self) -> None:
        self.count = 0
        self._quoted = False

    def ended(self, block: bytes) -> bytes:
        parts = block.split(b'"')
        for place in range(self._quoted, len(parts), 2):
            self.count += parts[place].count(b"\n")
            parts[place] = parts[place].replace(b"\n", b"\r\n")
        self._quoted ^= len(parts) % 2 == 0
        return b'"'.join(parts)
