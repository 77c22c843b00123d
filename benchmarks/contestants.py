"""Who takes part: which module, which Python, where its rows end up.

`current` selects the five columns of every row that holds after a load, whatever the contender's
table looks like; `ended`, where there is a history, counts the rows that held before and no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

from benchmarks.folders import OWN_PYTHON, PEERS_PYTHON

DLT_WORKERS = 5
"""Resources that dlt extracts at once unless it is told otherwise."""


@dataclass(frozen=True)
class Contestant:
    """`connections` are what it is fastest with where nothing has to be waited for; `most` is what
    it can use at all, `most_of_many` for many targets. `published` asks a database what it says of
    its last snapshot itself."""

    name: str
    title: str
    python: Path
    current: LiteralString
    module: str = ""
    migrated: bool = False
    ended: LiteralString | None = None
    published: LiteralString | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    connections: int = 4
    most: int = 16
    most_of_many: int = 16

    @property
    def program(self) -> str:
        return f"benchmarks.contenders.{self.module or self.name}"


_PLAIN: LiteralString = """
    select asset_identifier, value_hex, value_repr, block_height, tx_id from holdings
"""
_OWN: LiteralString = """
    select asset_identifier, value_hex, value_repr, block_height, tx_id
    from hiro_nft_holdings_current
"""
_NATURAL: LiteralString = """
    select asset_identifier, value__hex, value__repr, block_height, tx_id from natural_dlt.holdings
"""
_EXPERT: LiteralString = """
    select asset_identifier, value__hex, value__repr, block_height, tx_id from expert.holdings
"""

_APPENDED: LiteralString = """
    select asset_identifier, value_hex, value_repr, block_height, tx_id
    from holdings
    where snapshot_at = (select max(snapshot_at) from holdings)
"""
_NATURAL_NOW: LiteralString = _NATURAL + " where _dlt_valid_to is null"
_NATURAL_ENDED: LiteralString = """
    select count(*) from natural_dlt.holdings where _dlt_valid_to is not null
"""
_OWN_ENDED: LiteralString = "select count(*) from hiro_nft_holdings_history"
_OWN_PUBLISHED: LiteralString = """
    select proof, requests, pages, seconds::float from snapshot order by snapshot_id desc limit 1
"""

_ALL = (
    Contestant(
        name="bare_floor",
        title="bare floor (no keys, checks, history)",
        python=OWN_PYTHON,
        current=_PLAIN,
    ),
    Contestant(
        name="indexed_floor",
        title="indexed floor (into Holdfast's table)",
        python=OWN_PYTHON,
        migrated=True,
        current=_OWN,
    ),
    Contestant(
        name="merge_floor",
        title="merge floor (into Holdfast's table)",
        python=OWN_PYTHON,
        migrated=True,
        current=_OWN,
    ),
    Contestant(
        name="append_floor",
        title="full rows appended, no index",
        python=OWN_PYTHON,
        current=_APPENDED,
    ),
    Contestant(
        name="holdfast",
        title="Holdfast (proof, history)",
        python=OWN_PYTHON,
        migrated=True,
        current=_OWN,
        ended=_OWN_ENDED,
        published=_OWN_PUBLISHED,
    ),
    Contestant(
        name="holdfast_full_walk",
        module="holdfast",
        title="Holdfast, every page each time",
        python=OWN_PYTHON,
        migrated=True,
        current=_OWN,
        ended=_OWN_ENDED,
        published=_OWN_PUBLISHED,
        options={"HIRO_FULL_WALK_EVERY": "1"},
    ),
    Contestant(
        name="expert_dlt",
        title="dlt by an expert (Arrow, ADBC, replace)",
        python=PEERS_PYTHON,
        current=_EXPERT,
    ),
    Contestant(
        name="natural_dlt",
        title="dlt as documented (rest_api, replace)",
        python=PEERS_PYTHON,
        current=_NATURAL,
        connections=1,
        most=1,
        most_of_many=DLT_WORKERS,
    ),
    Contestant(
        name="natural_dlt_scd2",
        title="dlt as documented (rest_api, scd2)",
        python=PEERS_PYTHON,
        current=_NATURAL_NOW,
        ended=_NATURAL_ENDED,
        connections=1,
        most=1,
        most_of_many=DLT_WORKERS,
    ),
    Contestant(
        name="natural_dlt_scd2_memory",
        module="natural_dlt_scd2",
        title="dlt as documented (scd2, work_mem 256MB)",
        python=PEERS_PYTHON,
        current=_NATURAL_NOW,
        ended=_NATURAL_ENDED,
        options={"work_mem": "256MB"},
        connections=1,
        most=1,
        most_of_many=DLT_WORKERS,
    ),
)
CONTESTANTS = {contestant.name: contestant for contestant in _ALL}
