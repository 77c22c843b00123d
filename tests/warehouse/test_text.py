"""Any text can be kept: what Postgres can't hold comes back from its escape."""

import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.warehouse.text import LONGEST_ATTRIBUTE, cut, escape, key_hash, key_hashes, unescape

PIECES = ["\\", "\\\\", "\\u", "\\u0000", "\\u005c", "\\ud83d", "\\uD83D", "u005c", "\0", "\ud83d"]
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
LOOKALIKES = st.lists(st.sampled_from(PIECES) | ANY_TEXT, max_size=8).map("".join)
TEXTS = ANY_TEXT | LOOKALIKES


@given(TEXTS)
def test_every_text_comes_back_from_its_escape(text: str) -> None:
    assert unescape(escape(text)) == text


@given(first=LOOKALIKES, second=LOOKALIKES)
def test_two_texts_never_share_an_escape(first: str, second: str) -> None:
    assert (escape(first) == escape(second)) == (first == second)


@given(TEXTS)
def test_an_escaped_text_is_utf8_without_nul(text: str) -> None:
    assert b"\0" not in escape(text).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["", "The Altura OG ", "ñandú 🦀", "C:\\users", "\\u0041", "\\uD83D", "\t\n\x01\x7f"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\0b", "a\\u0000b"),
        ("\ud83d", "\\ud83d"),
        ("\udfff!", "\\udfff!"),
        ("\\u0000", "\\u005cu0000"),
        ("\\u005c", "\\u005cu005c"),
        ("\\\\ud83d", "\\\\u005cud83d"),
    ],
)
def test_an_escape_is_written_as_documented(text: str, escaped: str) -> None:
    assert escape(text) == escaped


@pytest.mark.parametrize("length", [0, LONGEST_ATTRIBUTE])
def test_an_attribute_up_to_the_limit_is_not_cut(length: int) -> None:
    assert cut("é" * length) == "é" * length


def test_a_cut_attribute_keeps_its_beginning_and_the_hash_of_all() -> None:
    text = "é" * (LONGEST_ATTRIBUTE + 1)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert cut(text) == "é" * LONGEST_ATTRIBUTE + "… sha256:" + digest


def test_two_attributes_that_differ_after_the_cut_stay_apart() -> None:
    beginning = "x" * LONGEST_ATTRIBUTE
    assert cut(beginning + "a") != cut(beginning + "b")


@given(TEXTS)
def test_an_escaped_attribute_can_always_be_cut(text: str) -> None:
    assert len(cut(escape(text * 200))) <= LONGEST_ATTRIBUTE + len("… sha256:") + 64


def test_key_parts_keep_their_borders() -> None:
    assert key_hash(("ab", "c")) != key_hash(("a", "bc"))


@given(first=st.lists(st.text(), max_size=3), second=st.lists(st.text(), max_size=3))
def test_two_keys_never_share_a_hash(first: list[str], second: list[str]) -> None:
    assert (key_hash(tuple(first)) == key_hash(tuple(second))) == (first == second)


@pytest.mark.parametrize(
    ("parts", "computed"),
    [
        # printf '\x00\x00\x00\x02ab\x00\x00\x00\x01c' | sha256sum
        (("ab", "c"), "f2939f903016e5bb29b1e4a61cdbd376"),
        # printf '\x00\x00\x00\x02\xc3\xa9' | sha256sum
        (("é",), "d1e9fa6240157ad2f9401c2bd40da330"),
        # printf '' | sha256sum
        ((), "e3b0c44298fc1c149afbf4c8996fb924"),
    ],
)
def test_a_hash_is_what_sha256sum_says(parts: tuple[str, ...], computed: str) -> None:
    assert key_hash(parts) == UUID(computed)


@given(keys=st.lists(st.tuples(st.text(), st.text(), st.sampled_from("ab")), min_size=1))
def test_many_hashes_at_once_are_those_of_each_key(keys: list[tuple[str, ...]]) -> None:
    digits = [key_hash(key).hex for key in keys]
    assert key_hashes(list(zip(*keys, strict=True))) == digits


def test_many_hashes_of_a_key_of_one_part_are_those_of_each() -> None:
    assert key_hashes([["é", "", "x" * 9000]]) == [
        key_hash((p,)).hex for p in ("é", "", "x" * 9000)
    ]
