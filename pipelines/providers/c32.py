"""Stacks addresses: base 32 with a checksum (c32check), and nothing more.

An address is "S", one character for the version, then hash and checksum in Crockford's alphabet,
which leaves out I, L, O and U. The checksum is what catches a mistyped principal before any
request is spent on it: the provider answers a valid but unknown principal with an empty list, so
a typing mistake that got through would look like somebody who holds nothing.
Written after c32check, the library of stacks.js. Only the canonical spelling is accepted: c32check
also reads lower case and O for 0, which the provider refuses.
"""

import hashlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAINNET_SINGLE_SIG = 22  # SP…
MAINNET_MULTI_SIG = 20  # SM…

_DIGITS = {character: value for value, character in enumerate(ALPHABET)}
_HASH_BYTES = 20
_CHECKSUM_BYTES = 4
_LONGEST = 2 + 39  # 24 bytes are at most 39 characters


def encode(version: int, hash160: bytes) -> str:
    """The address of a hash of 20 bytes, the leading S included.

    Raises ValueError for a version outside 0 to 31 or a hash of another length.
    """
    if not 0 <= version < len(ALPHABET):
        raise ValueError(f"address version {version} is outside 0 to 31")
    if len(hash160) != _HASH_BYTES:
        raise ValueError(f"an address holds a hash of 20 bytes, not {len(hash160)}")
    data = hash160 + _checksum(version, hash160)
    number = int.from_bytes(data)
    digits = []
    while number:
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    leading_zeros = len(data) - len(data.lstrip(b"\0"))
    return "S" + ALPHABET[version] + "0" * leading_zeros + "".join(reversed(digits))


def decode(address: str) -> tuple[int, bytes]:
    """Version and hash of an address; ValueError says what is wrong with it."""
    if not address.startswith("S") or not 3 <= len(address) <= _LONGEST:
        raise ValueError(
            f"{address!r} is not a Stacks address: it must start with S"
            f" and have at most {_LONGEST} characters, and has {len(address)}"
        )
    for character in address[1:]:
        if character not in _DIGITS:
            raise ValueError(
                f"{address!r} is not a Stacks address: {character!r} is not in its alphabet"
                " (capitals and digits without I, L, O and U)"
            )
    version = _DIGITS[address[1]]
    number = 0
    for character in address[2:]:
        number = number * len(ALPHABET) + _DIGITS[character]
    if number >> 8 * (_HASH_BYTES + _CHECKSUM_BYTES):
        raise ValueError(f"{address!r} is not a Stacks address: it holds more than 24 bytes")
    data = number.to_bytes(_HASH_BYTES + _CHECKSUM_BYTES)
    hash160 = data[:_HASH_BYTES]
    if data[_HASH_BYTES:] != _checksum(version, hash160):
        raise ValueError(f"{address!r} is mistyped: its checksum does not match")
    if encode(version, hash160) != address:
        raise ValueError(f"{address!r} is not a Stacks address: wrong number of leading zeros")
    return version, hash160


def _checksum(version: int, hash160: bytes) -> bytes:
    once = hashlib.sha256(bytes([version]) + hash160).digest()
    return hashlib.sha256(once).digest()[:_CHECKSUM_BYTES]
