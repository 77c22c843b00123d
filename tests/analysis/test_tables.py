"""What a terminal shows of values that strangers chose, and of numbers."""

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from rich.console import Console

from pipelines.analysis.tables import abbreviated, cell, frame_table, printable


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (pd.NaT, ""),
        (1234567, "1,234,567"),
        (Decimal("1145.7500"), "1,145.75"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal(2**256 - 1), f"{2**256 - 1:,}"),
        (Decimal("5E+3"), "5,000"),
        (datetime(2026, 11, 20, 8, 5, 9, tzinfo=UTC), "11-20 08:05:09"),
        (timedelta(hours=1, minutes=2), "1:02:00"),
        ("0x8f96f6e85f715f799ce5ef13e322c882c59d99e6", "0x8f96f6e85f…9d99e6"),
    ],
)
def test_a_value_is_shown_exactly_and_in_one_line(value, shown):
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines", "two\\nlines"),
        ("back\x08space", "back\\x08space"),
        ("lone \ud800", "lone \\ud800"),
        ("right\u202eleft", "right\\u202eleft"),
        ("Zoë 🦊", "Zoë 🦊"),
    ],
)
def test_control_characters_are_made_visible(name, shown):
    assert printable(name) == shown


def test_markup_in_a_name_is_plain_text():
    screen = io.StringIO()
    frame = pd.DataFrame([["[bold red]name[/]"]], columns=["name"])
    Console(file=screen, width=60, force_terminal=False).print(frame_table(frame, "Names"))
    assert "[bold red]name[/]" in screen.getvalue()


def test_a_number_is_never_cut_however_narrow_the_terminal():
    screen = io.StringIO()
    frame = pd.DataFrame([["x" * 30, Decimal("70292.6143817")]], columns=["what", "amount"])
    Console(file=screen, width=32).print(frame_table(frame, "Amounts"))
    assert "70,292.6143817" in screen.getvalue()


def test_short_words_are_not_abbreviated():
    assert abbreviated("dnN3Ea43bhMTHtTvpytS") == "dnN3Ea43bhMTHtTvpytS"
