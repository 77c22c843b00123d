r"""Rows as the text that `COPY … FROM STDIN` reads, each with its key's hash.

A line for each row, cells between tabs, `\N` for null. A page is put together by joins over whole
columns. A column is looked at as one text: only where that holds what means something to COPY
beside backslashes, or what Postgres can't hold, is each of its cells looked at, which takes ten
times as long.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pipelines.providers.pages import Row
from pipelines.providers.provider import Dataset
from pipelines.warehouse.text import LONGEST_ATTRIBUTE, cut, escape, key_hashes, may_look_escaped

_NULL = r"\N"
_BREAKING = "\t\r\0"
_AS_LITERALS = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"})


class _Column(NamedTuple):
    """A column: what is stored, how COPY reads it, and how many of its cells were cut."""

    stored: Sequence[Any]
    cells: Sequence[str]
    cut: int


class CopyText:
    """Rows of a dataset in the order of a staging table's columns."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._are_text = [column.type == "text" for column in dataset.columns]
        self._key_places = [dataset.column_names.index(name) for name in dataset.key]

    def of(self, rows: Sequence[Row], position: int) -> tuple[bytes, int]:
        """The text of one page, whose first row is the walk's row number `position`, and how many
        attributes were cut."""
        if not rows:
            return b"", 0
        columns = self._columns(rows)
        cells = [column.cells for column in columns]
        lines = map("\t".join, zip(*self._leading(columns, position), *cells, strict=True))
        return "\n".join([*lines, ""]).encode(), sum(column.cut for column in columns)

    def stored(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """What Postgres holds of each row once it is copied, after its key's hash (as hexadecimal
        digits)."""
        if not rows:
            return []
        columns = self._columns(rows)
        values = [column.stored for column in columns]
        return list(zip(self._hashes(columns), *values, strict=True))

    def _columns(self, rows: Sequence[Row]) -> list[_Column]:
        return [
            _texts(column, may_be_cut=place not in self._key_places)
            if self._are_text[place]
            else _numbers(column)
            for place, column in enumerate(zip(*rows, strict=True))
        ]

    def _hashes(self, columns: Sequence[_Column]) -> list[str]:
        return key_hashes([list(map(str, columns[place].stored)) for place in self._key_places])

    def _leading(self, columns: Sequence[_Column], position: int) -> list[list[str]]:
        """The columns before the dataset's own."""
        hashes = self._hashes(columns)
        if not self._dataset.ordered:
            return [hashes]
        return [hashes, [str(place) for place in range(position, position + len(hashes))]]


def _numbers(column: Sequence[Any]) -> _Column:
    return _Column(column, [_NULL if value is None else str(value) for value in column], 0)


def _texts(column: Sequence[Any], *, may_be_cut: bool) -> _Column:
    known = column if None not in column else [text for text in column if text is not None]
    fits = not may_be_cut or max(map(len, known), default=0) <= LONGEST_ATTRIBUTE
    lines = "\n".join(known)
    if fits and _are_held(lines, len(known)):
        read = lines.replace("\\", r"\\").split("\n") if "\\" in lines else known
        return _Column(column, read if known is column else _between_nulls(read, column), 0)
    escaped = [text if text is None or text.isalnum() else escape(text) for text in column]
    stored = escaped if fits else [None if text is None else cut(text) for text in escaped]
    cells = [
        _NULL if text is None else text if text.isalnum() else text.translate(_AS_LITERALS)
        for text in stored
    ]
    shortened = sum(kept is not text for kept, text in zip(stored, escaped, strict=True))
    return _Column(stored, cells, shortened)


def _are_held(lines: str, count: int) -> bool:
    """Whether Postgres can hold each of `count` lines as it is, and COPY reads it where backslashes
    are doubled. False where in doubt."""
    if any(breaking in lines for breaking in _BREAKING) or lines.count("\n") >= max(count, 1):
        return False
    try:
        lines.encode()
    except UnicodeEncodeError:
        return False
    return not may_look_escaped(lines)


def _between_nulls(read: Iterable[str], column: Sequence[str | None]) -> list[str]:
    following = iter(read)
    return [_NULL if text is None else next(following) for text in column]
