import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.providers import c32

REAL = (
    "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7",
    "SP000000000000000000002Q6VF78",
    "SP3FBR2AGK5H9QBDH3EEN6DF8EK8JY7RX8QJ5SVTE",
    "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV",
)


@pytest.mark.parametrize("address", REAL)
def test_a_real_address_is_read_and_written_back(address: str) -> None:
    assert c32.encode(*c32.decode(address)) == address


def test_the_burn_address_holds_nothing_but_zeros() -> None:
    assert c32.decode(REAL[1]) == (c32.MAINNET_SINGLE_SIG, bytes(20))


@given(version=st.integers(0, 31), hash160=st.binary(min_size=20, max_size=20))
def test_every_hash_comes_back_from_its_address(version: int, hash160: bytes) -> None:
    assert c32.decode(c32.encode(version, hash160)) == (version, hash160)


@given(hash160=st.binary(min_size=20, max_size=20), data=st.data())
def test_one_wrong_character_is_noticed(hash160: bytes, data: st.DataObject) -> None:
    address = c32.encode(c32.MAINNET_MULTI_SIG, hash160)
    position = data.draw(st.integers(1, len(address) - 1))
    other = data.draw(st.sampled_from(c32.ALPHABET.replace(address[position], "")))
    with pytest.raises(ValueError, match=r"Stacks address|checksum"):
        c32.decode(address[:position] + other + address[position + 1 :])


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ8", "checksum"),
        ("ST2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKQVX8X0G", "checksum"),
        ("SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJO", "'O' is not in its alphabet"),
        ("sp2j6zy48gv1ez5v2v5rb9mp66sw86pykknrv9ej7", "must start with S"),
        ("SP02J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7", "at most 41 characters, and has 42"),
        ("SP00000000000000000002Q6VF78", "leading zeros"),
        ("SPZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", "more than 24 bytes"),
        ("SP", "at most 41 characters, and has 2"),
        ("", "at most 41 characters, and has 0"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(address: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        c32.decode(address)


def test_a_hash_of_another_length_has_no_address() -> None:
    with pytest.raises(ValueError, match="20 bytes, not 19"):
        c32.encode(22, bytes(19))


def test_a_version_beyond_the_alphabet_has_no_address() -> None:
    with pytest.raises(ValueError, match="version 32"):
        c32.encode(32, bytes(20))
