"""The indexed floor: pages by one COPY straight into Holdfast's own table, keys and indexes kept.

The columns are those that Holdfast fills, the key's hash among them, so that what is measured
beside the bare floor is the price of that table. Still no proof, no staging, no history, no retry.
"""

from datetime import UTC, datetime
from hashlib import sha256

import psycopg
from psycopg import sql

from benchmarks.contenders.job import Job, contend
from benchmarks.contenders.pages import Holding, pages

TABLE = "hiro_nft_holdings_current"
TARGET_ID = 1
COLUMNS = (
    *("key_hash", "asset_identifier", "value_hex", "value_repr", "value_type", "token_id"),
    *("block_height", "tx_id", "target_id", "held_since", "valid_from", "place"),
)
TYPES = (
    *("int", "uint", "buffer", "bool", "bool", "principal", "contract_principal"),
    *("ok", "err", "none", "some", "list", "tuple", "string_ascii", "string_utf8"),
)
"""Clarity's types by their first byte."""
NULL = ""


class Lines:
    """Rows as text for COPY, with what Holdfast derives from them."""

    def __init__(self, target_id: int, rows: int) -> None:
        moment = datetime.now(UTC).isoformat()
        self._tail = f"\t{target_id}\t{moment}\t{moment}\t"
        self._place = rows
        self._prefixes: dict[str, bytes] = {}

    def block(self, rows: list[Holding]) -> str:
        text = "".join(map(self._line, rows))
        return text.replace("\\", "\\\\") if "\\" in text else text

    def _line(self, row: Holding) -> str:
        identifier, value = row.asset_identifier, row.value.hex
        prefix = self._prefixes.get(identifier)
        if prefix is None:
            prefix = len(identifier).to_bytes(4) + identifier.encode()
            self._prefixes[identifier] = prefix
        key = sha256(prefix + len(value).to_bytes(4) + value.encode()).hexdigest()[:32]
        kind = value[2:4]
        number: int | str = NULL
        if kind == "01":
            number = int(value[4:], 16)
        elif kind == "00":
            number = int.from_bytes(bytes.fromhex(value[4:]), signed=True)
        place = self._place
        self._place = place - 1
        return (
            f"{key}\t{identifier}\t{value}\t{row.value.repr}\t{TYPES[int(kind, 16)]}\t{number}"
            f"\t{row.block_height}\t{row.tx_id}{self._tail}{place}\n"
        )


def copy_statement(table: str) -> sql.Composed:
    return sql.SQL("copy {} ({}) from stdin with (null '')").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    )


def run(job: Job) -> dict[str, float]:
    lines = Lines(TARGET_ID, job.rows)
    with (
        psycopg.connect(job.database_url) as connection,
        connection.cursor().copy(copy_statement(TABLE)) as copy,
    ):
        for rows in pages(job):
            copy.write(lines.block(rows))
    return {}


if __name__ == "__main__":
    contend(run)
