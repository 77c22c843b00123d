"""The values and their printed forms are those that a real API server sent."""

import pytest

from pipelines.sandbox.providers.hiro import clarity
from pipelines.sandbox.providers.hiro.clarity import Value

RECORDED = [
    (clarity.NONE, "0x09", "none"),
    (clarity.TRUE, "0x03", "true"),
    (clarity.FALSE, "0x04", "false"),
    (clarity.int128(-5), "0x00fffffffffffffffffffffffffffffffb", "-5"),
    (clarity.uint128(377), "0x0100000000000000000000000000000179", "u377"),
    (
        clarity.uint128(2**128 - 1),
        "0x01ffffffffffffffffffffffffffffffff",
        "u340282366920938463463374607431768211455",
    ),
    (clarity.buffer(b""), "0x0200000000", "0x"),
    (clarity.buffer(b"\x0a" * 10), "0x020000000a0a0a0a0a0a0a0a0a0a0a", "0x0a0a0a0a0a0a0a0a0a0a"),
    (clarity.ascii_string('tok-"7"\\'), "0x0d00000008746f6b2d2237225c", r'"tok-\"7\"\\"'),
    (
        clarity.ascii_string('quote" back\\ nl\n tab\t \x7f'),
        "0x0d0000001771756f746522206261636b5c206e6c0a2074616209207f",
        r'"quote\" back\\ nl\n tab\t \x7f"',
    ),
    (
        clarity.utf8_string("ñandú 🦀 33"),
        "0x0e0000000fc3b1616e64c3ba20f09fa680203333",
        r'u"\u{c3b1}and\u{c3ba} \u{f09fa680} 33"',
    ),
    (
        clarity.utf8_string('q" b\\ nl\n \0 \U0010ffff'),
        "0x0e00000010712220625c206e6c0a200020f48fbfbf",
        r'u"q\" b\\ nl\n \x00 \u{f48fbfbf}"',
    ),
    (
        clarity.principal("SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7.c-2"),
        "0x0616a46ff88886c2ef9762d970b4d2c63678835bd39d03632d32",
        "'SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7.c-2",
    ),
    (clarity.some(clarity.NONE), "0x0a09", "(some none)"),
    (clarity.ok(clarity.uint128(1)), "0x070100000000000000000000000000000001", "(ok u1)"),
    (clarity.err(clarity.ascii_string("e")), "0x080d0000000165", '(err "e")'),
    (clarity.list_of(), "0x0b00000000", "(list)"),
    (
        clarity.list_of(clarity.uint128(1), clarity.uint128(2)),
        "0x0b0000000201000000000000000000000000000000010100000000000000000000000000000002",
        "(list u1 u2)",
    ),
    (
        clarity.tuple_of(
            namespace=clarity.buffer(b"btc"),
            name=clarity.buffer(b"name110"),
        ),
        "0x0c00000002046e616d6502000000076e616d65313130096e616d6573706163650200000003627463",
        "(tuple (name 0x6e616d65313130) (namespace 0x627463))",
    ),
]


@pytest.mark.parametrize(("value", "hex_", "printed"), RECORDED, ids=lambda part: str(part)[:24])
def test_a_value_is_what_the_real_server_sent(value: Value, hex_: str, printed: str) -> None:
    assert (value.hex, value.repr) == (hex_, printed)
