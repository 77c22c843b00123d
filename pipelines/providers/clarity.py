"""Clarity values in their serialised form, as Hiro gives them in `value.hex`.

The value of a non-fungible token can be of any Clarity type and is chosen by strangers, so the
whole value is checked, with bounds on its depth and without recursion. The form is that of SIP-005:
a type byte, then its content; lengths and counts are unsigned 32-bit, big-endian.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.errors import MalformedAnswer
from pipelines.providers.provider import shorten

MAX_DEPTH = 64
"""Clarity allows a depth of 32; twice that leaves room for a change of the language."""

_INT, _UINT, _BUFFER, _TRUE, _FALSE, _STANDARD, _CONTRACT = range(0x07)
_OK, _ERR, _NONE, _SOME, _LIST, _TUPLE, _ASCII, _UTF8 = range(0x07, 0x0F)

_NAMES = {
    _INT: "int",
    _UINT: "uint",
    _BUFFER: "buffer",
    _TRUE: "bool",
    _FALSE: "bool",
    _STANDARD: "principal",
    _CONTRACT: "contract_principal",
    _OK: "ok",
    _ERR: "err",
    _NONE: "none",
    _SOME: "some",
    _LIST: "list",
    _TUPLE: "tuple",
    _ASCII: "string_ascii",
    _UTF8: "string_utf8",
}
_UINT_TYPE = 1 << 128
"""What the type byte adds to a uint that is read as one number."""

_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
"""One spelling only, since the text is the token's key: two spellings would be two tokens."""

_DIGITS = b"0123456789abcdef"
_UINT_START = f"0x{_UINT:02x}"
_UINT_LENGTH = len(_UINT_START) + 32

_INTEGER_BYTES = 16
_PRINCIPAL_BYTES = 21


class ClarityValue(NamedTuple):
    """`type` is the outermost type; `integer` is set where the value is an int or a uint."""

    type: str
    integer: int | None


def parse(value_hex: str) -> ClarityValue:
    """Check a whole value given as `0x…` and tell its type.

    Raises MalformedAnswer saying at which byte the value is not Clarity.
    """
    if not _HEX.fullmatch(value_hex):
        raise MalformedAnswer(
            "a Clarity value is 0x and pairs of lower-case hexadecimal digits,"
            f" not {shorten(value_hex, 40)!r}"
        )
    data = bytes.fromhex(value_hex[2:])
    reader = _Reader(data)
    _skip_value(reader)
    if reader.position != len(data):
        raise MalformedAnswer(
            f"a Clarity value of {len(data)} bytes ends at byte {reader.position}"
        )
    kind = data[0]
    if kind in (_INT, _UINT):
        return ClarityValue(_NAMES[kind], int.from_bytes(data[1:], signed=kind == _INT))
    return ClarityValue(_NAMES[kind], None)


def are_hexadecimal(texts: Sequence[str]) -> bool:
    """Whether each text has lower-case hexadecimal digits and one x, wherever that stands.

    One look at all texts at once, at a tenth of the cost of an expression for each. False where in
    doubt.
    """
    joined = ",".join(texts)
    if not joined.isascii():
        return False
    return joined.encode().translate(None, _DIGITS) == b",".join([b"x"] * len(texts))


def plain_uint(value_hex: str) -> int | None:
    """The integer of a uint, for a text that `are_hexadecimal` holds of; None for `parse` to tell.

    Most tokens are uints. The x that begins such a text is its only one: digits follow to the end.
    """
    if len(value_hex) == _UINT_LENGTH and value_hex.startswith(_UINT_START):
        return int(value_hex, 16) - _UINT_TYPE  # a quarter of the time that the digits alone take
    return None


class _Reader:
    """A position in the bytes that can only move forward within them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise MalformedAnswer(
                f"a Clarity value needs {count} bytes at byte {self.position},"
                f" it has {len(self.data) - self.position}"
            )
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def length(self) -> int:
        return int.from_bytes(self.take(4))


def _skip_value(reader: _Reader) -> None:
    """Walk over one value. `open_values` holds, for each container, the elements still to come."""
    open_values: list[list[int]] = [[1, 0]]
    while open_values:
        remaining, is_tuple = open_values[-1]
        if remaining == 0:
            open_values.pop()
            continue
        open_values[-1][0] -= 1
        if is_tuple:
            _take_name(reader)
        inner = _skip_head(reader)
        if inner is not None:
            if len(open_values) > MAX_DEPTH:
                raise MalformedAnswer(f"a Clarity value is nested deeper than {MAX_DEPTH}")
            open_values.append(inner)


def _skip_head(reader: _Reader) -> list[int] | None:
    """Take what belongs to one value alone; return [elements, is_tuple] where others follow."""
    at = reader.position
    kind = reader.take(1)[0]
    if kind in (_INT, _UINT):
        reader.take(_INTEGER_BYTES)
    elif kind in (_BUFFER, _ASCII):
        reader.take(reader.length())
    elif kind == _UTF8:
        _take_utf8(reader)
    elif kind == _STANDARD:
        reader.take(_PRINCIPAL_BYTES)
    elif kind == _CONTRACT:
        reader.take(_PRINCIPAL_BYTES)
        _take_name(reader)
    elif kind in (_OK, _ERR, _SOME):
        return [1, 0]
    elif kind == _LIST:
        return [reader.length(), 0]
    elif kind == _TUPLE:
        return [reader.length(), 1]
    elif kind not in (_TRUE, _FALSE, _NONE):
        raise MalformedAnswer(f"0x{kind:02x} at byte {at} is not a Clarity type")
    return None


def _take_name(reader: _Reader) -> None:
    reader.take(reader.take(1)[0])


def _take_utf8(reader: _Reader) -> None:
    at = reader.position
    try:
        reader.take(reader.length()).decode()
    except UnicodeDecodeError as error:
        raise MalformedAnswer(f"the utf8 string at byte {at} is not UTF-8: {error}") from None
