"""Full snapshots: every state appended whole, with its time, to a table without any index.

The simplest history there is, and what Holdfast's is weighed against in bytes.
"""

from datetime import UTC, datetime

import psycopg

from benchmarks.contenders.bare_floor import COLUMNS, block
from benchmarks.contenders.job import Job, contend
from benchmarks.contenders.pages import pages

TABLE = f"create table if not exists holdings (snapshot_at timestamptz not null, {COLUMNS})"


def run(job: Job) -> dict[str, float]:
    moment = datetime.now(UTC).isoformat()
    with psycopg.connect(job.database_url) as connection:
        connection.execute(TABLE)
        with connection.cursor().copy("copy holdings from stdin") as copy:
            for rows in pages(job):
                copy.write(block(rows, f"{moment}\t"))
    return {}


if __name__ == "__main__":
    contend(run)
