"""What a server wrote gets into messages, and no further: a terminal obeys none of it."""

import json
from collections.abc import Callable

import pytest

from pipelines.providers import PROVIDERS
from pipelines.providers.provider import printable

HOSTILE = "\x1b[31mred\n\r\0 \u202egnp.exe\u2066 \ud83d <b>'"


def test_what_can_be_read_stays() -> None:
    assert printable("ñandú 🦀 'quoted'") == "ñandú 🦀 'quoted'"


def test_what_a_terminal_would_obey_is_shown_as_an_escape() -> None:
    assert printable("\x1b[31m\n\u202e\0\ud83d") == r"\x1b[31m\n\u202e\x00\ud83d"


def test_it_is_shortened() -> None:
    assert printable("x" * 1000) == "x" * 120 + "…"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: json.dumps({"status": "error", "message": text, "error": text}).encode(),
        lambda text: text.encode("utf-8", "surrogatepass"),
    ],
    ids=["an error object", "anything"],
)
def test_a_refusal_quotes_the_server_without_its_control_characters(
    provider: str, wrap: Callable[[str], bytes]
) -> None:
    error = PROVIDERS[provider].explain(403, {}, wrap(HOSTILE))
    assert str(error).isprintable()
    assert "red" in str(error)
