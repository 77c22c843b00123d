r"""Rows as the text that `COPY … FROM STDIN` reads, each with its key's hash.

A line for each row, cells between tabs, `\N` for null. A page is put together by joins over whole
columns. A column is looked at as one text: only where that holds what means something to COPY, or
what Postgres can't hold, is each of its cells looked at, which takes ten times as long.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.providers.provider import Dataset, Row
from pipelines.warehouse.text import LONGEST_ATTRIBUTE, cut, escape, key_hashes

_NULL = r"\N"
_MEANINGFUL = "\t\n\r\\\0"
_AS_LITERALS = str.maketrans({"\t": r"\t", "\n": r"\n", "\r": r"\r", "\\": r"\\"})


class _Texts(NamedTuple):
    """A text column: what is stored, how COPY reads it, and how many of its cells were cut."""

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
        columns = list(zip(*rows, strict=True))
        texts = {
            place: _texts(columns[place], may_be_cut=place not in self._key_places)
            for place, is_text in enumerate(self._are_text)
            if is_text
        }
        cells = [
            texts[place].cells
            if place in texts
            else [_NULL if value is None else str(value) for value in column]
            for place, column in enumerate(columns)
        ]
        keys = [
            texts[place].stored if place in texts else list(map(str, columns[place]))
            for place in self._key_places
        ]
        lines = map("\t".join, zip(*self._leading(keys, position), *cells, strict=True))
        text = "\n".join([*lines, ""]).encode()
        return text, sum(column.cut for column in texts.values())

    def _leading(self, keys: Sequence[Sequence[str]], position: int) -> list[list[str]]:
        """The columns before the dataset's own."""
        hashes = key_hashes(keys)
        if not self._dataset.ordered:
            return [hashes]
        return [hashes, [str(place) for place in range(position, position + len(hashes))]]


def _texts(column: Sequence[Any], *, may_be_cut: bool) -> _Texts:
    known = column if None not in column else [text for text in column if text is not None]
    fits = not may_be_cut or max(map(len, known), default=0) <= LONGEST_ATTRIBUTE
    if fits and _stand_for_themselves("".join(known)):
        cells = column if known is column else [_NULL if text is None else text for text in column]
        return _Texts(column, cells, 0)
    escaped = [text if text is None or text.isalnum() else escape(text) for text in column]
    stored = escaped if fits else [None if text is None else cut(text) for text in escaped]
    cells = [
        _NULL if text is None else text if text.isalnum() else text.translate(_AS_LITERALS)
        for text in stored
    ]
    shortened = sum(kept is not text for kept, text in zip(stored, escaped, strict=True))
    return _Texts(stored, cells, shortened)


def _stand_for_themselves(text: str) -> bool:
    if any(meaningful in text for meaningful in _MEANINGFUL):
        return False
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
