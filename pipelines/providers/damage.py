"""Answers that are damaged, to try a provider with: changed JSON, changed bytes, freaks.

A provider reads a body for what it means or refuses it. What strangers send is not what anybody
would think of, so the ways of going wrong stand here once, for all providers (conformance.py).
"""

import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

GONE = object()
"""In place of a value: the value and its key are left out."""


def encode(value: object) -> str:
    """JSON, with Decimals as they are spelled; ASCII alone."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(key)}:{encode(of)}' for key, of in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(encode, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def strictly(body: bytes) -> Any:
    """A body by the letter of RFC 8259. Raises ValueError, as json does, for any other: for what is
    not UTF-8, for NaN, for a key that stands twice."""
    return json.loads(
        body.decode(),
        parse_float=Decimal,
        parse_constant=_no_constant,
        object_pairs_hook=_once,
    )


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value of a document is: the keys and positions that lead to it."""
    yield above
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*above, key))


def changed(value: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of a document, with `change` applied to the value at `place`."""
    if not place:
        new = change(value)
        return None if new is GONE else new
    key, *rest = place
    inner = change(value[key]) if not rest else changed(value[key], tuple(rest), change)
    keys = value if isinstance(value, dict) else range(len(value))
    kept = {at: inner if at == key else value[at] for at in keys if at != key or inner is not GONE}
    return kept if isinstance(value, dict) else list(kept.values())


def replaced(document: Any, place: tuple[Any, ...], new: object) -> Any:
    """A copy of a document, with `new` in place of a value."""
    return changed(document, place, lambda _: new)


def field_of(place: tuple[Any, ...]) -> str:
    """The field that a value is, whichever element of a list it stands in: `holders[].name`."""
    parts = ("[]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def fields(document: Any) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """Each field of a document once: its name, where it first stands, and its value there."""
    seen = set()
    for place in places(document):
        name = field_of(place)
        if place and not isinstance(place[-1], int) and name not in seen:
            seen.add(name)
            yield name, place, value_at(document, place)


def value_at(document: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def of_another_type(value: Any) -> list[Any]:
    """Values that can't stand where this one does, whatever a field is generous about."""
    if isinstance(value, dict):
        return [[], "text", 7, True]
    if isinstance(value, list):
        return [{}, "text", 7, True]
    if isinstance(value, bool):
        return [{}, [], "true", 7]
    return [{}, [], True]


def mutations(bodies: tuple[bytes, ...], count: int, seed: int) -> Iterator[bytes]:
    """Bodies with one to four things done to their bytes: flipped, cut, put in, doubled, …."""
    chance = random.Random(seed)  # noqa: S311 - damage must be repeatable
    for _ in range(count):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 4)):
            chance.choice(_MUTATORS)(chance, body, chance.choice(bodies))
        yield bytes(body)


_TOKENS = (
    *(bytes([byte]) for byte in b'{}[]",:\\0-+.eE\x00\x1f\x7f\xff'),
    b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e9", b"00", b"\\ud800", b"\\u0000", b"\\",
    b"\xef\xbb\xbf", b"\xc0\x80", b"9" * 400, b"0." + b"0" * 60 + b"1", b"1e-999",
)  # fmt: skip


def _span(chance: random.Random, body: bytes | bytearray) -> slice:
    start = chance.randint(0, len(body))
    return slice(start, start + chance.choice([1, 2, 8, 40, 400]))


def _flip(chance: random.Random, body: bytearray, _: bytes) -> None:
    if body:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _cut(chance: random.Random, body: bytearray, _: bytes) -> None:
    del body[_span(chance, body)]


def _end(chance: random.Random, body: bytearray, _: bytes) -> None:
    del body[chance.randint(0, len(body)) :]


def _insert(chance: random.Random, body: bytearray, _: bytes) -> None:
    at = chance.randint(0, len(body))
    body[at:at] = chance.choice(_TOKENS)


def _member(chance: random.Random, body: bytearray, other: bytes) -> None:
    """A key of another place, with another value."""
    end = other.find(b'":', chance.randint(0, len(other)))
    key = other[other.rfind(b'"', 0, end) : end] if end > 0 else b'"x'
    at = chance.randint(0, len(body))
    body[at:at] = key + b'":' + chance.choice([b"[],", b"0,", b"true,", b"null,"])


def _double(chance: random.Random, body: bytearray, _: bytes) -> None:
    span = _span(chance, body)
    body[span] = body[span] * 2


def _splice(chance: random.Random, body: bytearray, other: bytes) -> None:
    body[_span(chance, body)] = other[_span(chance, other)]


def _digit(chance: random.Random, body: bytearray, _: bytes) -> None:
    digits = [at for at, byte in enumerate(body[:4000]) if byte in b"0123456789"]
    if digits:
        body[chance.choice(digits)] = chance.choice(b"0123456789.-eE")


_MUTATORS = (_flip, _cut, _end, _insert, _member, _double, _splice, _digit)


STRANGE = (
    b"", b"null", b"[]", b"{}", b'"text"', b"0", b"true", b"\xff\xfe\x00",
    b"<!DOCTYPE html><html><title>Attention Required!</title></html>",
    b'{"error":"no such thing"}', b'{"status":"error","message":"Internal server error"}',
    b'{"statusCode":400,"error":"Bad Request","message":"limit must be <= 200"}',
    b'{"message":5}', b'{"message":"\\u001b[31mred\\n\\u202e"}',
)  # fmt: skip
"""What servers and those before them send in place of an answer."""
DEEP = 200_000
LONG_TEXT = 1_000_000
FREAKS = {
    "arrays in arrays": b"[" * DEEP,
    "arrays in arrays, closed": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP,
    "arrays in a field nobody reads": b'{"x":%b%b,' % (b"[" * DEEP, b"]" * DEEP),
    "arrays and a lone surrogate": b'{"x":"\\ud800","y":%b%b,' % (b"[" * DEEP, b"]" * DEEP),
    "objects and a lone surrogate": b'{"x":"\\ud800","y":%b1,' % (b'{"a":' * DEEP),
    "a long text": b'"%b"' % (b"x" * LONG_TEXT),
    "a long key": b'{"%b":1}' % (b"x" * LONG_TEXT),
    "a long key twice": b'{"%b":1,"%b":1}' % (b"x" * LONG_TEXT, b"x" * LONG_TEXT),
    "a number of many digits": b"1" * LONG_TEXT,
    "a fraction of many digits": b"0." + b"1" * LONG_TEXT,
    "a huge exponent": b"1e999999999999999999999",
    "many lone surrogates": b'"%b"' % (b"\\ud800" * 100_000),
    "spaces": b" " * LONG_TEXT,
}  # fmt: skip
"""Whole bodies that no provider accepts."""
VALUES = {
    "a text of a million letters": b'"%b"' % (b"x" * LONG_TEXT),
    "a text of escapes": b'"%b"' % (b"\\u0000" * 100_000),
    "a text of lone surrogates": b'"%b"' % (b"\\udfff" * 100_000),
    "digits in quotes": b'"%b"' % (b"9" * LONG_TEXT),
    "an integer of 4,000 digits": b"9" * 4000,
    "a negative integer of 4,000 digits": b"-" + b"9" * 4000,
    "an integer of a million digits": b"9" * LONG_TEXT,
    "a fraction of a million digits": b"0." + b"3" * LONG_TEXT,
    "a million digits and a fraction": b"3" * LONG_TEXT + b".5",
    "a huge exponent": b"1e999999999",
    "a tiny exponent": b"1e-999999999",
    "an exponent beyond Decimal's": b"1e99999999999999999999",
    "zero with a huge exponent": b"0e999999999",
    "minus zero": b"-0",
    "minus zero with decimals": b"-0.00",
    "nesting": b"[" * DEEP + b"]" * DEEP,
    "hex of a deep value": b'"0x%b03"' % (b"0a" * 100_000),
    "hex of a list that says it has four billion elements": b'"0x0bffffffff03"',
    "hex of many empty lists": b'"0x0b0000c350%b"' % (b"0b00000000" * 50_000),
}
"""Values, as they stand in a body, to be refused in few words or read for what they are."""
