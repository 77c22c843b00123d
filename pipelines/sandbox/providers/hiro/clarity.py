"""Clarity values as the Stacks API shows them: the serialised bytes and the printed form.

The printed form follows the API server to the letter, its oddity for utf8 strings included: it
prints the bytes of a character that is not ASCII, not its code point. Two different values can
therefore print alike, which is why a token's key is its hex.
"""

from dataclasses import dataclass

from pipelines.providers import c32


@dataclass(frozen=True)
class Value:
    data: bytes
    repr: str

    @property
    def hex(self) -> str:
        return "0x" + self.data.hex()


NONE = Value(b"\x09", "none")
TRUE = Value(b"\x03", "true")
FALSE = Value(b"\x04", "false")


def int128(number: int) -> Value:
    return Value(b"\x00" + number.to_bytes(16, signed=True), str(number))


def uint128(number: int) -> Value:
    return Value(b"\x01" + number.to_bytes(16), f"u{number}")


def buffer(data: bytes) -> Value:
    return Value(b"\x02" + _counted(data), "0x" + data.hex())


def ascii_string(text: str) -> Value:
    data = text.encode("ascii")
    return Value(b"\x0d" + _counted(data), f'"{_printed(data)}"')


def utf8_string(text: str) -> Value:
    printed = "".join(
        _printed(character.encode())
        if character.isascii()
        else f"\\u{{{character.encode().hex()}}}"
        for character in text
    )
    return Value(b"\x0e" + _counted(text.encode()), f'u"{printed}"')


def principal(address: str) -> Value:
    """A standard principal, or a contract's: ADDRESS.contract-name."""
    standard, is_contract, contract = address.partition(".")
    version, hash160 = c32.decode(standard)
    data = bytes([version]) + hash160
    if is_contract:
        return Value(b"\x06" + data + bytes([len(contract)]) + contract.encode(), f"'{address}")
    return Value(b"\x05" + data, f"'{address}")


def some(value: Value) -> Value:
    return Value(b"\x0a" + value.data, f"(some {value.repr})")


def ok(value: Value) -> Value:
    return Value(b"\x07" + value.data, f"(ok {value.repr})")


def err(value: Value) -> Value:
    return Value(b"\x08" + value.data, f"(err {value.repr})")


def list_of(*values: Value) -> Value:
    data = len(values).to_bytes(4) + b"".join(value.data for value in values)
    return Value(b"\x0b" + data, "(" + " ".join(["list", *(value.repr for value in values)]) + ")")


def tuple_of(**members: Value) -> Value:
    """Members stand in the order of their names, whatever order they are given in."""
    data = len(members).to_bytes(4)
    printed = []
    for name, value in sorted(members.items()):
        data += bytes([len(name)]) + name.encode() + value.data
        printed.append(f"({name} {value.repr})")
    return Value(b"\x0c" + data, "(" + " ".join(["tuple", *printed]) + ")")


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _printed(data: bytes) -> str:
    escapes = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"}
    return "".join(
        escapes.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data
    )
