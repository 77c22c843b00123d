r"""Rows as the text that `COPY … FROM STDIN` reads, each with its key's hash.

A line for each row, cells between tabs, `\N` for null. A page is put together by joins over whole
columns and then looked at as a whole: where the bytes that mean something to COPY, or that Postgres
can't hold, are just as many as tabs, line ends and nulls were written, no cell has one. That takes
a seventh of the time of looking at each cell, which is the way for a page on which one has.
"""

from collections.abc import Sequence
from typing import cast

from pipelines.providers.provider import Dataset, Row, Value
from pipelines.warehouse.text import LONGEST_ATTRIBUTE, cut, escape, key_hashes

_NULL = r"\N"
_MEANINGFUL = b"\t\n\r\\\0"
_AS_LITERALS = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"})


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
        at_once = self._at_once(rows, position)
        return (at_once, 0) if at_once is not None else self._cell_by_cell(rows, position)

    def _at_once(self, rows: Sequence[Row], position: int) -> bytes | None:
        """The text, where all cells stand for themselves and none is to be cut; else None."""
        columns = list(zip(*rows, strict=True))
        nulls = [column.count(None) for column in columns]
        cells = list(map(_cells, columns, nulls, self._are_text))
        try:
            leading = self._leading([cells[place] for place in self._key_places], position)
            lines = list(map("\t".join, zip(*leading, *cells, strict=True)))
            lines.append("")
            text = "\n".join(lines).encode()
        except UnicodeEncodeError:  # a lone surrogate
            return None
        written = (len(leading) + len(columns)) * len(rows) + sum(nulls)
        if len(text) - len(text.translate(None, _MEANINGFUL)) != written:
            return None
        return text if max(map(len, lines)) <= LONGEST_ATTRIBUTE else None

    def _cell_by_cell(self, rows: Sequence[Row], position: int) -> tuple[bytes, int]:
        escaped = [
            [escape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
        ]
        keys = [[str(row[place]) for row in escaped] for place in self._key_places]
        leading = zip(*self._leading(keys, position), strict=True)
        lines = []
        cut_attributes = 0
        for before, row in zip(leading, escaped, strict=True):
            stored = [*row]
            for place, cell in enumerate(row):
                if isinstance(cell, str) and place not in self._key_places:
                    stored[place] = cut(cell)
                    cut_attributes += stored[place] is not cell
            lines.append("\t".join([*before, *map(_literal, stored)]))
        return "\n".join([*lines, ""]).encode(), cut_attributes

    def _leading(self, keys: Sequence[Sequence[str]], position: int) -> list[list[str]]:
        """The columns before the dataset's own; a key's texts are escaped where they have to be."""
        hashes = key_hashes(keys)
        if not self._dataset.ordered:
            return [hashes]
        return [hashes, [str(place) for place in range(position, position + len(hashes))]]


def _cells(column: Sequence[Value], nulls: int, is_text: bool) -> Sequence[str]:
    """A column's cells as they are."""
    if nulls:
        return [_NULL if value is None else str(value) for value in column]
    return cast("Sequence[str]", column) if is_text else list(map(str, column))


def _literal(value: Value) -> str:
    return _NULL if value is None else str(value).translate(_AS_LITERALS)
