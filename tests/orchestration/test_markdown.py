"""Nobody's text is markup."""

import re

import pytest

from pipelines.orchestration.markdown import LONGEST_CELL, literal, table

UNESCAPED = re.compile(r"(?<!\\)(?:\\\\)*([`*_{}\[\]<>|~$&#!])")
HOSTILE = [
    "a | b",
    "a \\| b",
    "a \\",
    "<script>alert(1)</script>",
    "![x](https://evil.example/pixel.png)",
    "**bold** _under_ ~~gone~~ `code`",
    "&lt;b&gt; &#60;",
    "$\\frac{1}{2}$",
    "one\ntwo\r\nthree\u2028four\u202efive\x00",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_character_is_left_that_begins_markup(text):
    assert not UNESCAPED.search(literal(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_row_stays_one_line_of_as_many_cells_as_there_are_columns(text):
    lines = table(["label", "partition"], [[text, text]]).splitlines()
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])) == 3


def test_plain_text_is_left_as_it_is():
    assert literal("Season pass (unlisted), 3.5: ok?") == "Season pass (unlisted), 3.5: ok?"


def test_numbers_are_grouped():
    assert literal(1234567) == "1,234,567"


def test_a_cell_is_cut():
    assert literal("x" * 1_000) == "x" * LONGEST_CELL + "…"
