"""The merge floor: a second state into Holdfast's own table, by COPY to a temp table and by key.

What left is deleted, what is new inserted, what differs updated; no history, no proof, no counts.
The first state is the indexed floor's.
"""

import psycopg

from benchmarks.contenders import indexed_floor
from benchmarks.contenders.indexed_floor import TARGET_ID, Lines, copy_statement
from benchmarks.contenders.job import Job, contend
from benchmarks.contenders.pages import pages

STAGE = "create temporary table stage (like hiro_nft_holdings_current) on commit drop"
MERGE = (
    "analyze stage",
    """
    delete from hiro_nft_holdings_current
    where not exists (
        select from stage where stage.key_hash = hiro_nft_holdings_current.key_hash
    )
    """,
    """
    update hiro_nft_holdings_current
    set block_height = stage.block_height, tx_id = stage.tx_id
    from stage
    where stage.key_hash = hiro_nft_holdings_current.key_hash
        and (stage.block_height, stage.tx_id)
        is distinct from (hiro_nft_holdings_current.block_height, hiro_nft_holdings_current.tx_id)
    """,
    """
    insert into hiro_nft_holdings_current
    select *
    from stage
    where not exists (
        select
        from hiro_nft_holdings_current
        where hiro_nft_holdings_current.key_hash = stage.key_hash
    )
    """,
)


def run(job: Job) -> dict[str, float]:
    if not job.again:
        return indexed_floor.run(job)
    lines = Lines(TARGET_ID, job.rows)
    with psycopg.connect(job.database_url) as connection:
        connection.execute(STAGE)
        with connection.cursor().copy(copy_statement("stage")) as copy:
            for rows in pages(job):
                copy.write(lines.block(rows))
        for statement in MERGE:
            connection.execute(statement)
    return {}


if __name__ == "__main__":
    contend(run)
