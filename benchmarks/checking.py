"""Whether what a contender loaded is what the server showed: a wrong result is a failed benchmark.

The sum of the rows' hashes does not depend on their order, and one row that is lost, doubled or
changed in any column changes it.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from benchmarks.contestants import Contestant
from benchmarks.rows import CHECKSUM_DIGITS
from benchmarks.worlds import Truth

CHECKSUM: LiteralString = """
    with held (asset_identifier, value_hex, value_repr, block_height, tx_id) as ({current})
    select
        count(*),
        coalesce(sum(('x' || lpad(left(md5(concat_ws(
            '|', asset_identifier, value_hex, value_repr, block_height, tx_id
        )), {digits}), 16, '0'))::bit(64)::bigint), 0)
    from held
"""


class WrongResult(Exception):
    """A contender's table does not hold what the server showed."""


def check(database_url: str, contestant: Contestant, truth: Truth) -> None:
    """Raises WrongResult."""
    statement = sql.SQL(CHECKSUM).format(
        current=sql.SQL(contestant.current), digits=CHECKSUM_DIGITS
    )
    with psycopg.connect(database_url) as connection:
        rows, checksum = connection.execute(statement).fetchone() or (0, 0)
        ended = truth.left
        if contestant.ended:
            ended = (connection.execute(contestant.ended).fetchone() or (0,))[0]
    if (rows, checksum) != (truth.rows, truth.checksum):
        raise WrongResult(
            f"{contestant.name} loaded {rows:,} rows with the checksum {checksum}; the server"
            f" showed {truth.rows:,} with {truth.checksum}"
        )
    if ended != truth.left:
        raise WrongResult(
            f"{contestant.name} keeps {ended:,} rows that ended, of {truth.left:,} that did"
        )
