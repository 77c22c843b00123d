"""Writes a view or a function's rows as CSV or Parquet, in the memory of one block of rows.

Both come by COPY: Postgres plans for the last row instead of the first as it does for a cursor, and
nothing waits between two fetches with a transaction open.

CSV is made by Postgres itself. Parquet has types, which never depend on the rows: files of several
days are read together, and a program that finds decimal(38, 0) in one and decimal(38, 7) in another
rounds without a word. A quantity is therefore text, with all digits that it has, and beside it a
decimal whose digits `columns` gives.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import psycopg
from psycopg import sql

from pipelines.analysis.columns import MOST_DIGITS, Column, Kind, refuse_same_names
from pipelines.analysis.relations import Source
from pipelines.errors import FileNotWritten

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
FORMULA_INSIDE = '([;\t\r\n])(?=[\\s"]*[=+@\uff1d\uff0b\uff20\uff0d-])'
"""Where a cell with a formula would begin for a program that separates by another character than
the comma, as spreadsheets do where a comma stands before the decimals. Quotes don't keep it
together: they count only where they begin what that program takes for a cell."""

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
    empty text is "". With `safe_for_spreadsheets`, what looks like a formula, at the beginning or
    where a spreadsheet may begin a cell, has a ' before it; without, text is what it is.
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


def write_parquet(
    driver: psycopg.Connection,
    source: Source,
    sink: BinaryIO,
    heartbeat: Heartbeat,
    *,
    with_decimals: bool = True,
) -> int:
    """Write the rows as Parquet; returns how many.

    A quantity is text without trailing zeros and, behind it, `NAME_decimal`; `with_decimals` false
    leaves those away. Times are timestamp[us, UTC], durations decimal seconds, counts int64; shares
    and other quotients are doubles.

    Raises FileNotWritten for a row whose decimal would not be exactly what it has: a null in its
    place would make every sum too small. After that or any other error, what is in the sink is no
    Parquet file.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - see above

    packing = _Packing(source, with_decimals=with_decimals)
    query = _select(source, [_parquet_value(column) for column in source.columns])
    rows = 0
    with (
        driver.cursor() as cursor,
        pq.ParquetWriter(gate := _Gate(sink), packing.schema, compression="zstd") as writer,
        gate.shut_by_errors(),
    ):
        cursor.execute(query + sql.SQL(" limit 0"))
        types = [column.type_code for column in cursor.description or ()]
        with cursor.copy(sql.SQL("copy ({}) to stdout").format(query)) as copy:
            copy.set_types(types)
            for group in _groups(copy.rows(), packing):
                writer.write_table(group)
                rows += group.num_rows
                heartbeat(rows)
    return rows


def _select(source: Source, expressions: Sequence[sql.Composable]) -> sql.Composed:
    named = (
        sql.SQL("{} as {}").format(expression, sql.Identifier(column.name))
        for expression, column in zip(expressions, source.columns, strict=True)
    )
    return sql.SQL("select {} from {}").format(sql.SQL(", ").join(named), source.rows)


def _value(column: Column) -> sql.Composable:
    """The column; of a duration its seconds and of a list its JSON, which every program can
    read."""
    value = sql.Identifier("q", column.name)
    if column.kind is Kind.LIST:
        return sql.SQL("to_json({})::text").format(value)
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
        case Kind.TEXT | Kind.LIST if safe:
            return sql.SQL(
                "case when {0}::text ~ {1} then '''' else '' end"
                " || regexp_replace({0}::text, {2}, {3}, 'g')"
            ).format(value, *map(sql.Literal, (FORMULA, FORMULA_INSIDE, "\\1'")))
        case _:
            return value


def _parquet_value(column: Column) -> sql.Composable:
    value = _value(column)
    if column.kind is Kind.EXACT:
        return sql.SQL("trim_scale({})::text").format(value)
    cast = {Kind.RATIO: "::float8", Kind.TEXT: "::text", Kind.WHOLE: "::bigint"}
    return value + sql.SQL(cast.get(column.kind, ""))


class _Gate:
    """Passes a file on to its sink, and nothing more after an error.

    Arrow's writer ends the file whatever happens, with the rows that it has: on stdout, that would
    be a whole file of fewer rows than there are.
    """

    closed = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._is_shut = False

    def write(self, block: bytes) -> int:
        return len(block) if self._is_shut else self._sink.write(block)

    def flush(self) -> None:
        self._sink.flush()

    @contextmanager
    def shut_by_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._is_shut = True
            raise


class _Packing:
    """Makes the columns of a file of the rows that Postgres sends."""

    def __init__(self, source: Source, *, with_decimals: bool) -> None:
        import pyarrow as pa  # noqa: PLC0415 - see above

        self._source = source
        self._with_decimals = with_decimals
        fields: list[pa.Field] = []
        for column in source.columns:
            fields.append(pa.field(column.name, _arrow_type(column)))
            if self._has_decimal(column):
                fields.append(pa.field(f"{column.name}_decimal", _decimal(column)))
        self.schema = pa.schema(fields)
        refuse_same_names(self.schema.names)

    def packed(self, rows: Sequence[tuple[object, ...]]) -> "pa.RecordBatch":
        """The rows by column. Raises FileNotWritten where a decimal can't hold one of them."""
        import pyarrow as pa  # noqa: PLC0415 - see above

        arrays = []
        for column, values in zip(self._source.columns, zip(*rows, strict=True), strict=True):
            array = pa.array(values, _arrow_type(column))
            arrays.append(array)
            if self._has_decimal(column):
                arrays.append(self._decimals(column, array, rows))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _has_decimal(self, column: Column) -> bool:
        return self._with_decimals and column.kind is Kind.EXACT

    def _decimals(
        self, column: Column, texts: "pa.Array", rows: Sequence[tuple[object, ...]]
    ) -> "pa.Array":
        """Checked before they are cast: Arrow makes a wrong number of one of 39 digits."""
        import pyarrow.compute as pc  # noqa: PLC0415 - see above

        behind = rf"(\.[0-9]{{1,{column.scale}}})?" if column.scale else ""
        fitting = rf"^-?[0-9]{{1,{MOST_DIGITS - column.scale}}}{behind}$"
        misfit = pc.index(pc.match_substring_regex(texts, fitting), False).as_py()
        if misfit >= 0:
            raise self._not_held(column, texts[misfit].as_py(), rows[misfit])
        return texts.cast(_decimal(column))

    def _not_held(self, column: Column, text: str, row: tuple[object, ...]) -> FileNotWritten:
        whole, _, fraction = text.lstrip("-").partition(".")
        named = {one.name: value for one, value in zip(self._source.columns, row, strict=True)}
        target = named.get("label") or named.get("target")
        return FileNotWritten(
            f"{self._source.relation.name}: {column.name}_decimal has room for"
            f" {MOST_DIGITS - column.scale} digits before the point and {column.scale} behind it;"
            f" a value{f' of {target!r}' if target else ''} has {len(whole)} and {len(fraction)}."
            f" Leave the decimals out with --without-decimals: {column.name} itself is text and has"
            " every digit"
        )


def _decimal(column: Column) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415 - see above

    return pa.decimal128(MOST_DIGITS, column.scale)


def _arrow_type(column: Column) -> "pa.DataType":
    import pyarrow as pa  # noqa: PLC0415 - see above

    return {
        Kind.WHOLE: pa.int64(),
        Kind.EXACT: pa.string(),
        Kind.RATIO: pa.float64(),
        Kind.MOMENT: pa.timestamp("us", tz="UTC"),
        Kind.DAY: pa.date32(),
        Kind.DURATION: _decimal(column),
        Kind.TRUTH: pa.bool_(),
        Kind.TEXT: pa.string(),
        Kind.LIST: pa.string(),
    }[column.kind]


def _groups(rows: Iterator[tuple[object, ...]], packing: _Packing) -> Iterator["pa.Table"]:
    """The rows as tables of the size of a row group; what waits for the others is packed."""
    import pyarrow as pa  # noqa: PLC0415 - see above

    waiting: list[pa.RecordBatch] = []
    while block := list(islice(rows, BLOCK_ROWS)):
        waiting.append(packing.packed(block))
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
