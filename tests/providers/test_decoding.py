"""A body is read once where that shows that no key stands twice, and twice otherwise: what is
accepted, and what it means, is the same either way."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET

from pipelines.errors import MalformedAnswer
from pipelines.providers import decoding
from pipelines.providers.damage import strictly
from pipelines.providers.decoding import OptionalText, decode
from pipelines.providers.decoding import given as given_text
from pipelines.providers.hiro_v1 import _Holdings
from tests.providers.fuzzing import thoroughly

Read = Callable[[str], tuple[int, dict[str, str], bytes]]


class Inner(msgspec.Struct, frozen=True):
    hex: str
    note: OptionalText = UNSET


class Outer(msgspec.Struct, frozen=True):
    limit: int
    inner: Inner
    results: list[Inner]
    free: object


def read_back(body: bytes, shape: type[Any] = Outer) -> bool:
    return decoding._is_read_back(decoding._decoder(shape).decode(body), body)


# --- bodies as text, since duplicates and spelling are what matters ------------------------------

TEXTS = st.sampled_from(['":', '\\":', '\\\\":', '":"', " ", "\n", "hex", "é🦀", "\x01", "/"])
TEXT = st.lists(TEXTS | st.text(st.characters(exclude_categories=["Cs"])), max_size=3).map("".join)
SPACE = st.sampled_from([""] * 12 + [" ", "\n", "\t\r "])


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """A string's JSON: mostly as most servers write it, at times with escapes that need not be."""
    ways = [
        msgspec.json.encode(text).decode(),
        msgspec.json.encode(text).decode(),
        json.dumps(text),
        '"' + "".join(f"\\u{ord(letter):04x}" for letter in text if letter < "\U00010000") + '"',
    ]
    return draw(st.sampled_from(ways[:3] if any(letter > "\uffff" for letter in text) else ways))


@st.composite
def object_of(draw: st.DrawFn, **members: st.SearchStrategy[str]) -> str:
    """An object with these members in this order, and at times with another one, an unknown one or
    one of them twice, somewhere."""
    pairs = [(name, draw(value)) for name, value in members.items()]
    for _ in range(draw(st.sampled_from([0] * 6 + [1, 2]))):
        name = draw(st.sampled_from([*members, *members, "unknown", 'a":b', ""]))
        known = members.get(name)
        extra = draw(ANYTHING if known is None else known)
        pairs.insert(draw(st.integers(0, len(pairs))), (name, extra))
    if draw(st.sampled_from([False] * 6 + [True])):
        pairs = draw(st.permutations(pairs))
    written = [
        f"{draw(SPACE)}{draw(spelled(name))}{draw(SPACE)}:{draw(SPACE)}{value}"
        for name, value in pairs
    ]
    return "{" + ",".join(written) + draw(SPACE) + "}"


NUMBERS = ["0", "7", "-0", "1.0", "1.50", "1e-7", "1E+2", str(2**63), str(-(2**70)), "9" * 300]
ANYTHING = st.recursive(
    TEXT.flatmap(spelled) | st.sampled_from([*NUMBERS, "null", "true"]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda of: f"[{','.join(of)}]")
        | object_of(a=inner, b=inner)
    ),
    max_leaves=4,
)
INNER = object_of(hex=TEXT.flatmap(spelled)) | object_of(
    hex=TEXT.flatmap(spelled), note=TEXT.flatmap(spelled) | st.just("null")
)
OUTER = object_of(
    limit=st.sampled_from(["0", "7", "-1", str(2**64), str(10**30)]),
    inner=INNER,
    results=st.lists(INNER, max_size=3).map(lambda of: f"[{','.join(of)}]"),
    free=ANYTHING,
)


@thoroughly
@given(text=OUTER)
@example('{"limit":1,"inner":{"hex":"\\u0022:"},"inner":{"hex":""},"results":[],"free":1}')
@example('{"limit":1,"limit":1,"inner":{"hex":"\\":"},"results":[],"free":1}')
@example('{"limit":1,"inner":{"hex":"","h\\u0065x":""},"results":[],"free":1}')
@example('{"limit":1,"inner":{"hex":""},"results":[],"free":{"a":1,"a":1}}')
@example('{"limit":1,"inner":{"hex":""},"results":[],"free":[{"a":{"b":[],"b":[]}}]}')
@example('{"limit" :1,"limit":1,"inner":{"hex":""},"results":[],"free":1}')
@example('{"limit":1,"inner":{"hex":""},"results":[],"free":1,"unknown":{"a":1,"a":2}}')
def test_a_body_is_refused_exactly_when_a_key_stands_twice(text: str) -> None:
    body = text.encode()
    try:
        meant = strictly(body)
    except ValueError:
        with pytest.raises(MalformedAnswer, match="stands twice"):
            decode(body, Outer)
        return
    decoded = decode(body, Outer)
    assert (decoded.limit, decoded.free) == (meant["limit"], meant["free"])
    assert decoded.inner.hex == meant["inner"]["hex"]
    assert [given_text(inner.note) for inner in decoded.results] == [
        inner.get("note") for inner in meant["results"]
    ]


CROWDS = {
    "lists": b"[" + b"[]," * 2_000_000 + b"[]]",
    "objects": b"[" + b"{}," * 2_000_000 + b"{}]",
    "lists in lists": b"[" * 2_000_000 + b"]" * 2_000_000,
    "texts": b"[" + b'"ab",' * 2_000_000 + b'""]',
    "texts that look like the end of one": b"[" + b'"\\\\",' * 2_000_000 + b'""]',
}


@pytest.mark.parametrize("field", ["free", "unknown"])
@pytest.mark.parametrize("crowd", CROWDS.values(), ids=CROWDS)
def test_a_crowd_of_values_is_refused_before_they_are_made(crowd: bytes, field: str) -> None:
    body = b'{"limit":1,"inner":{"hex":""},"results":[],"free":1,"unknown":1}'
    body = body.replace(b'"%b":1' % field.encode(), b'"%b":%b' % (field.encode(), crowd))
    tracemalloc.start()
    with pytest.raises(MalformedAnswer, match="values, more than any page has"):
        decode(body, Outer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(body)


def test_commas_and_brackets_within_a_text_are_no_values() -> None:
    body = b'{"limit":1,"inner":{"hex":"%b"},"results":[],"free":1}' % (b',[{\\"' * 2_000_000)
    assert len(decode(body, Outer).inner.hex) == 4 * 2_000_000


# --- which bodies are read once -------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 600, 1200])
def test_what_hiros_server_sent_is_read_once(recorded: Read, start: int) -> None:
    assert read_back(recorded(f"hiro/pages/page-limit200-offset{start:04}.http")[2], _Holdings)


@pytest.mark.parametrize(
    ("inner", "free"),
    [
        ('{"hex":"é🦀 \\" \\\\ \\n /"}', "1.50"),
        ('{"hex":"","note":null}', "null"),
        ('{"hex":""}', str(2**70)),
        ('{"hex":"","note":"\\":"}', '{"a":[1,{"b":""}]}'),
    ],
)
def test_a_body_as_servers_write_it_is_read_once(inner: str, free: str) -> None:
    body = f'{{"limit":1,"inner":{inner},"results":[{inner}],"free":{free}}}'
    assert read_back(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        '{"limit": 1,"inner":{"hex":""},"results":[],"free":1}',
        '{"inner":{"hex":""},"limit":1,"results":[],"free":1}',
        '{"limit":1,"inner":{"hex":"\\u0061"},"results":[],"free":1}',
        '{"limit":1,"inner":{"hex":""},"results":[],"free":1,"unknown":1}',
        '{"limit":1,"inner":{"hex":""},"results":[],"free":1e0}',
    ],
    ids=["space", "order", "escape", "unknown", "exponent"],
)
def test_any_other_body_is_read_twice_and_accepted(body: str) -> None:
    assert not read_back(body.encode())
    assert decode(body.encode(), Outer).free == 1
