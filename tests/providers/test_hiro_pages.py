"""A page of holdings that is checked as a whole is read like one whose rows are checked alone."""

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.errors import MalformedAnswer
from pipelines.providers import clarity, hiro_v1
from pipelines.providers.hiro import HiroPrincipal
from pipelines.providers.hiro_v1 import _ClarityValue, _Holding
from pipelines.providers.pages import Row
from tests.providers.fuzzing import thoroughly

PRINCIPAL = "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"
ASSETS = tuple(f"{PRINCIPAL}.{name}" for name in ("a::a", "b::b"))
ALL = HiroPrincipal(principal=PRINCIPAL)
SOME = HiroPrincipal(principal=PRINCIPAL, asset_identifiers=ASSETS[:1])

UINT = "0x01" + "00" * 15 + "2a"
TX_ID = "0x" + "7e" * 32


def usually(*plain: str, odd: Sequence[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([*plain] * 20 + [*odd]) | st.text("0x19afAF,_+ \u0663", max_size=70)


HOLDING = st.builds(
    _Holding,
    asset_identifier=st.sampled_from([ASSETS[0]] * 20 + [ASSETS[1], "a:a", ""]),
    value=st.builds(
        _ClarityValue,
        hex=usually(
            UINT,
            "0x00" + "ff" * 16,
            "0x09",
            odd=[UINT.upper(), UINT[2:], "0x" + UINT, "x" + UINT[1:], UINT[:-1], "0x01" + "x" * 32],
        ),
        repr=st.just("?"),
    ),
    block_height=st.sampled_from([0, 1, hiro_v1.MAX_BIGINT] * 10 + [-1, hiro_v1.MAX_BIGINT + 1]),
    tx_id=usually(
        TX_ID, odd=[TX_ID[:-1], TX_ID + "7", TX_ID.replace("x", "X"), "x0" + TX_ID[2:], "0x" * 33]
    ),
)


def alone(target: HiroPrincipal, holdings: list[_Holding]) -> list[Row]:
    return [hiro_v1._row(target, index, holding) for index, holding in enumerate(holdings)]


def outcome(read: object, target: HiroPrincipal, holdings: list[_Holding]) -> object:
    assert callable(read)
    try:
        return read(target, holdings)
    except MalformedAnswer as error:
        return str(error)


def with_tx_ids(*tx_ids: str) -> list[_Holding]:
    value = _ClarityValue(hex=UINT, repr="u42")
    return [_Holding(ASSETS[0], value, 1, tx_id) for tx_id in tx_ids]


@thoroughly
@given(target=st.sampled_from([ALL, SOME]), holdings=st.lists(HOLDING, max_size=4))
@example(target=ALL, holdings=with_tx_ids(TX_ID[:-1], TX_ID + "7"))
@example(target=ALL, holdings=with_tx_ids("0x" * 33, "00" * 33))
@example(target=ALL, holdings=with_tx_ids(TX_ID, ""))
@example(target=ALL, holdings=with_tx_ids(TX_ID[:-1] + "\u0663"))
def test_a_page_has_the_rows_or_the_first_mistake_of_its_holdings(
    target: HiroPrincipal, holdings: list[_Holding]
) -> None:
    assert outcome(hiro_v1._rows, target, holdings) == outcome(alone, target, holdings)


@given(texts=st.lists(usually(UINT, odd=[UINT.replace("2a", "2A"), "0x01,", UINT + "x"])))
def test_what_is_taken_for_a_uint_at_a_glance_is_one(texts: list[str]) -> None:
    if clarity.are_hexadecimal(texts):
        for text in texts:
            if (integer := clarity.plain_uint(text)) is not None:
                assert clarity.parse(text) == ("uint", integer)


@pytest.mark.parametrize("text", ["0x0", "0x" + "0f" * 100, "0x01"])
def test_lower_case_digits_behind_0x_are_seen_as_such(text: str) -> None:
    assert clarity.are_hexadecimal([text] * 3)
