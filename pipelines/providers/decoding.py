"""JSON bodies straight into typed structs, strictly: what could be read in two ways is refused."""

import json
import re
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from pipelines.errors import BrokenAnswer, MalformedAnswer
from pipelines.providers.provider import excerpt, printable

Body = TypeVar("Body")
OptionalText = str | msgspec.UnsetType | None
"""A text that may be null, or missing."""

MOST_VALUES = 1_000_000
"""In one body: the largest pages that are known have a thousand rows of ten."""

_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes, shape: type[Body]) -> Body:
    """Decode a JSON body straight into `shape`.

    msgspec refuses lone surrogates, which people do put into their names: a body that may hold
    one takes the slower way through the standard library, which keeps them.

    A number in a field of type `object` is an int or a Decimal, never a float. A field that may be
    missing defaults to `msgspec.UNSET`: it is what `_is_read_back` can tell from a null.

    Raises BrokenAnswer where it is no JSON, and MalformedAnswer with the JSON path for everything
    that does not fit, and for a key that stands twice in one object: every parser would silently
    choose one of its values.
    """
    _refuse_crowd(body)
    try:
        decoded = _decoder(shape).decode(body)
        if not _is_read_back(decoded, body):
            _refuse_twins_anywhere(body)
        return decoded  # noqa: TRY300 - what an else could raise belongs to the same errors
    except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError) as error:
        if not isinstance(error, msgspec.ValidationError) and _LONE_SURROGATE.search(body):
            return _decode_with_surrogates(body, shape)
        raise _undocumented(error, body) from None


def _refuse_crowd(body: bytes) -> None:
    """Refuse a body of more values than any page has, before they are made: an empty list, two
    bytes in JSON, takes thirty times as many in memory. Commas within a text are none of them."""
    found = _separators(body) if len(body) > MOST_VALUES else 0
    if found > MOST_VALUES:
        found -= sum(_separators(text[0]) for text in _TEXT.finditer(body))
    if found > MOST_VALUES:
        raise MalformedAnswer(f"the body holds {found:,} values, more than any page has")


def _separators(body: bytes) -> int:
    """What stands between values or begins a list or an object of them."""
    return sum(map(body.count, (b",", b"[", b"{")))


def given(text: OptionalText) -> str | None:
    """A text where there is one."""
    return None if text is msgspec.UNSET else text


def _decoder(shape: type[Body]) -> msgspec.json.Decoder[Body]:
    """Made once for each shape, which takes as long as reading a small page."""
    known = _DECODERS.get(shape)
    if known is None:
        known = _DECODERS[shape] = msgspec.json.Decoder(shape, float_hook=Decimal)
    return known


def _is_read_back(decoded: object, body: bytes) -> bool:
    """Whether `decoded`, written as JSON again, is `body` byte for byte.

    Then no key stands twice in it: structs and dicts are written with each key once. It holds for
    what servers write without spaces and in the order of our fields, as Hiro's does, and costs a
    tenth of reading the body a second time, which is the way for all others.
    """
    return _ENCODER.encode(decoded) == body


def _refuse_twins_anywhere(body: bytes) -> None:
    json.loads(body.decode(), object_pairs_hook=_refuse_twins, parse_int=len, parse_float=len)


def _decode_with_surrogates(body: bytes, shape: type[Body]) -> Body:
    try:
        loose = json.loads(
            body.decode(),  # the bytes themselves would be read with surrogates in them
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_once,
        )
        return msgspec.convert(loose, type=shape)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _undocumented(error, body) from None


def _undocumented(error: Exception, body: bytes) -> MalformedAnswer:
    is_range = isinstance(error, ArithmeticError)
    reason = "a number is out of range" if is_range else printable(str(error), 300)
    kind = BrokenAnswer if _is_no_json(error) else MalformedAnswer
    return kind(
        f"the body is not what the documentation describes: {reason}; it begins {excerpt(body)}"
    )


def _is_no_json(error: Exception) -> bool:
    if isinstance(error, msgspec.ValidationError):
        return False
    return isinstance(error, msgspec.DecodeError | json.JSONDecodeError | UnicodeDecodeError)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    _refuse_twins(pairs)
    return dict(pairs)


def _refuse_twins(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"the key '{printable(name)}' stands twice in one object")
        seen.add(name)


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)
