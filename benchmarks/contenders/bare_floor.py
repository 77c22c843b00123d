"""The bare floor: pages into a table without keys by one COPY, and nothing else.

No proof, no hash, no retry, no history. What a snapshot costs above this is what it does more.
"""

from typing import LiteralString

import psycopg

from benchmarks.contenders.job import Job, contend
from benchmarks.contenders.pages import Holding, pages

COLUMNS: LiteralString = """
    asset_identifier text collate "C" not null,
    value_hex text collate "C" not null,
    value_repr text collate "C" not null,
    block_height bigint not null,
    tx_id text collate "C" not null
"""


def block(rows: list[Holding], before: str = "") -> str:
    """Rows as text for COPY. The API's values hold no control characters, but backslashes."""
    text = "".join(
        [
            f"{before}{row.asset_identifier}\t{row.value.hex}\t{row.value.repr}"
            f"\t{row.block_height}\t{row.tx_id}\n"
            for row in rows
        ]
    )
    return text.replace("\\", "\\\\") if "\\" in text else text


def run(job: Job) -> dict[str, float]:
    with psycopg.connect(job.database_url) as connection:
        connection.execute(f"create table holdings ({COLUMNS})")
        with connection.cursor().copy("copy holdings from stdin") as copy:
            for rows in pages(job):
                copy.write(block(rows))
    return {}


if __name__ == "__main__":
    contend(run)
