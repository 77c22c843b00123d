"""Values are written out by hand here; what the real server sent is read in test_hiro.py."""

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import MalformedAnswer
from pipelines.providers import c32
from pipelines.providers.clarity import MAX_DEPTH, ClarityValue, parse
from pipelines.sandbox.providers.hiro import clarity as built

ONE = "01" + "00" * 15 + "01"
PRINCIPAL = "16" + "ab" * 20

BY_HAND = [
    ("00" + "00" * 15 + "05", "int", 5),
    ("00" + "ff" * 15 + "fb", "int", -5),
    ("0080" + "00" * 15, "int", -(2**127)),
    (ONE, "uint", 1),
    ("01" + "ff" * 16, "uint", 2**128 - 1),
    ("0200000000", "buffer", None),
    ("0200000002beef", "buffer", None),
    ("03", "bool", None),
    ("04", "bool", None),
    ("05" + PRINCIPAL, "principal", None),
    ("06" + PRINCIPAL + "03" + b"c-2".hex(), "contract_principal", None),
    ("0703", "ok", None),
    ("0804", "err", None),
    ("09", "none", None),
    ("0a" + ONE, "some", None),
    ("0b00000000", "list", None),
    ("0b00000002" + ONE + ONE, "list", None),
    ("0c00000000", "tuple", None),
    ("0c00000002" + "0161" + "03" + "0162" + ONE, "tuple", None),
    ("0d00000003" + b"abc".hex(), "string_ascii", None),
    ("0e00000000", "string_utf8", None),
    ("0e00000006" + "ñ🦀".encode().hex(), "string_utf8", None),
    # containers in containers: a tuple of a list of somes, then an ok of an err of a tuple
    ("0c00000001" + "0161" + "0b00000002" + "0a09" + "0a03", "tuple", None),
    ("0708" + "0c00000001" + "0161" + "0d0000000178", "ok", None),
]


@pytest.mark.parametrize(("data", "kind", "integer"), BY_HAND)
def test_a_value_is_read(data: str, kind: str, integer: int | None) -> None:
    assert parse("0x" + data) == ClarityValue(kind, integer)


@pytest.mark.parametrize("data", [data for data, *_ in BY_HAND])
def test_a_value_cut_off_at_any_byte_is_refused(data: str) -> None:
    for end in range(0, len(data), 2):
        with pytest.raises(MalformedAnswer, match="needs"):
            parse("0x" + data[:end])


@pytest.mark.parametrize("data", [data for data, *_ in BY_HAND])
def test_a_byte_too_many_is_refused(data: str) -> None:
    with pytest.raises(MalformedAnswer, match=f"ends at byte {len(data) // 2}"):
        parse("0x" + data + "09")


@pytest.mark.parametrize("kind", [0x0F, 0x10, 0x7F, 0xFF])
def test_a_byte_that_is_no_type_is_refused_with_its_place(kind: int) -> None:
    with pytest.raises(MalformedAnswer, match=f"0x{kind:02x} at byte 1 is not a Clarity type"):
        parse(f"0x0a{kind:02x}")


@pytest.mark.parametrize("text", ["", "09", "0X09", "0x9", "0xzz", "0x09 ", "0x0a 09", "0x0A09"])
def test_another_spelling_than_lower_case_hexadecimal_is_refused(text: str) -> None:
    with pytest.raises(MalformedAnswer, match="pairs of lower-case hexadecimal digits"):
        parse(text)


@pytest.mark.parametrize("text", ["c3", "ff", "eda080"], ids=["cut off", "no byte", "surrogate"])
def test_a_utf8_string_has_to_be_utf8(text: str) -> None:
    with pytest.raises(MalformedAnswer, match="utf8 string at byte 1 is not UTF-8"):
        parse(f"0x0e{len(text) // 2:08x}{text}")


NESTINGS = pytest.mark.parametrize(
    "opening", ["0a", "07", "08", "0b00000001", "0c00000001" + "0161"]
)


@NESTINGS
def test_as_deep_as_the_limit_is_read(opening: str) -> None:
    parse("0x" + opening * MAX_DEPTH + "09")


@NESTINGS
def test_deeper_than_the_limit_is_refused(opening: str) -> None:
    with pytest.raises(MalformedAnswer, match="nested deeper than 64"):
        parse("0x" + opening * (MAX_DEPTH + 1) + "09")


def test_a_value_nested_a_million_times_is_refused_as_soon_as_it_is_too_deep() -> None:
    with pytest.raises(MalformedAnswer, match="nested deeper"):
        parse("0x" + "0a" * 1_000_000 + "09")


def test_many_elements_are_not_depth() -> None:
    assert parse("0x0b000003e8" + "0a09" * 1000).type == "list"


@pytest.mark.parametrize("kind", ["02", "0b", "0c", "0d", "0e"])
def test_a_giant_length_is_refused_without_taking_memory(kind: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match="needs"):
            parse(f"0x{kind}ffffffff")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@given(st.binary(max_size=200))
def test_random_bytes_are_a_value_or_a_malformed_answer(data: bytes) -> None:
    with suppress(MalformedAnswer):
        assert isinstance(parse("0x" + data.hex()), ClarityValue)


LETTERS = "abcdefghijklmnopqrstuvwxyz"
ADDRESSES = st.binary(min_size=20, max_size=20).map(
    lambda hash160: c32.encode(c32.MAINNET_SINGLE_SIG, hash160)
)
NAMES = st.text(LETTERS, min_size=1, max_size=8)
LEAVES = st.one_of(
    st.integers(-(2**127), 2**127 - 1).map(built.int128),
    st.integers(0, 2**128 - 1).map(built.uint128),
    st.binary(max_size=20).map(built.buffer),
    st.sampled_from([built.NONE, built.TRUE, built.FALSE]),
    st.text(LETTERS).map(built.ascii_string),
    st.text().map(built.utf8_string),
    ADDRESSES.map(built.principal),
    st.tuples(ADDRESSES, NAMES).map(lambda parts: built.principal(".".join(parts))),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(built.some),
        inner.map(built.ok),
        inner.map(built.err),
        st.lists(inner, max_size=4).map(lambda values: built.list_of(*values)),
        st.dictionaries(NAMES, inner, max_size=4).map(lambda members: built.tuple_of(**members)),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_every_value_that_can_be_built_is_read(value: built.Value) -> None:
    assert isinstance(parse(value.hex), ClarityValue)


@given(st.integers(-(2**127), 2**127 - 1))
def test_every_int_comes_back(number: int) -> None:
    assert parse(built.int128(number).hex) == ClarityValue("int", number)


@given(st.integers(0, 2**128 - 1))
def test_every_uint_comes_back(number: int) -> None:
    assert parse(built.uint128(number).hex) == ClarityValue("uint", number)
