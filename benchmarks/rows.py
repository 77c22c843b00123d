"""Rows of Hiro's shape as the bytes an API would send, made from two numbers each.

A row is a token and the moment at which it was received; both decide every column, so any process
can say what the truth is without having seen the rows. Nineteen of twenty tokens are uints, as on
the chain; the others go through the other Clarity types.
"""

import hashlib
from dataclasses import dataclass

from pipelines.sandbox.providers.hiro import clarity

CONTRACTS = tuple(
    f"SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.{name}"
    for name in ("punks::punk", "the-explorer-guild::The-Explorer-Guild", "names::name", "bells::b")
)
FIRST_BLOCK = 30_000
ROWS_A_BLOCK = 8
CHECKSUM_DIGITS = 15
"""Hexadecimal digits of a row's MD5 that are added up: 60 bits, which fit a bigint."""


@dataclass(frozen=True)
class Holding:
    """One row as its columns."""

    asset_identifier: str
    value_hex: str
    value_repr: str
    block_height: int
    tx_id: str

    @property
    def fragment(self) -> bytes:
        """The row as the API sends it, compact JSON."""
        shown = self.value_repr.replace("\\", "\\\\").replace('"', '\\"')
        return (
            f'{{"asset_identifier":"{self.asset_identifier}","value":{{"hex":"{self.value_hex}",'
            f'"repr":"{shown}"}},"block_height":{self.block_height},"tx_id":"{self.tx_id}"}}'
        ).encode()

    @property
    def checksum(self) -> int:
        """The row's part of a table's checksum; `checking.CHECKSUM` is the same in SQL."""
        text = (
            f"{self.asset_identifier}|{self.value_hex}|{self.value_repr}"
            f"|{self.block_height}|{self.tx_id}"
        )
        digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return int(digest[:CHECKSUM_DIGITS], 16)


def holding(token: int, moment: int) -> Holding:
    """The row of a token that was received at a moment; later moments are nearer the top."""
    if token % 20 == 19:
        value = _uncommon(token)
        value_hex, value_repr = value.hex, value.repr
    else:
        value_hex, value_repr = f"0x01{token:032x}", f"u{token}"
    return Holding(
        asset_identifier=CONTRACTS[token % len(CONTRACTS)],
        value_hex=value_hex,
        value_repr=value_repr,
        block_height=FIRST_BLOCK + moment // ROWS_A_BLOCK,
        tx_id="0x" + hashlib.sha256(moment.to_bytes(8)).hexdigest(),
    )


def _uncommon(token: int) -> clarity.Value:
    kinds = (
        lambda: clarity.buffer(hashlib.sha256(token.to_bytes(8)).digest()),
        lambda: clarity.ascii_string(f'the "{token}"'),
        lambda: clarity.tuple_of(name=clarity.buffer(b"%d" % token), namespace=clarity.NONE),
        lambda: clarity.utf8_string(f"№ {token}"),
        lambda: clarity.some(clarity.int128(-token)),
    )
    return kinds[token // 20 % len(kinds)]()
