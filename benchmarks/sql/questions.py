"""What is asked of a world, beside what, and how long it may take.

A question stands beside the plainest statements that do comparable work: the table that it is about
read as a whole, or the same answer by joining two whole states. `truth` are two statements that
must give the same rows: what the marts say, and what the snapshots counted or another way gives.
"""

from dataclasses import dataclass, field
from typing import Literal, LiteralString

MOMENTS = ("oldest", "middle", "newest")


@dataclass(frozen=True)
class Target:
    """What a question is held to: `most` times the first of its baselines, `faster` than it by so
    many times, or so many `milliseconds`. None of them: it is measured, and nothing is promised."""

    most: float | None = None
    faster: float | None = None
    milliseconds: float | None = None

    def __str__(self) -> str:
        if self.most:
            return f"at most {self.most:g} times"
        if self.faster:
            return f"{self.faster:g} times faster"
        return f"under {self.milliseconds:g} ms" if self.milliseconds else ""

    def met(self, asked: float, baseline: float | None) -> bool | None:
        """Both in seconds."""
        if self.milliseconds:
            return asked * 1000 < self.milliseconds
        if baseline is None or not (self.most or self.faster):
            return None
        ratio = asked / baseline
        return ratio <= self.most if self.most else 1 / ratio >= (self.faster or 0)


@dataclass(frozen=True)
class Question:
    """One line of the table. Parameters of the statements: `parameters` in `ask.py`; `holder` and
    `key_hash` are those of the holder named."""

    title: str
    asked: LiteralString
    baselines: dict[str, LiteralString] = field(default_factory=dict)
    target: Target = Target()
    truth: tuple[LiteralString, LiteralString] | None = None
    holder: Literal["largest", "busiest"] = "largest"


COUNT_TABLE = {
    "count over the table": """
        select count(*) from altura_item_holders_current where target_id = %(target_id)s
    """
}
SUM_NOW = {
    "holders_now": """
        select count(*), sum(quantity) from mart.holders_now where target = %(target)s
    """,
    "the table": """
        select count(*), sum(balance)
        from altura_item_holders_current
        where target_id = %(target_id)s
    """,
}
LAST_ROWS = "select rows from snapshot order by snapshot_at desc limit 1"
SNAPSHOTS = {
    "the table": """
        select snapshot_at, rows, amount_sum
        from snapshot
        where target_id = %(target_id)s
        order by snapshot_at
    """
}


def questions() -> list[Question]:
    """All of them, in the order of the table."""
    return [*_now(), *_as_of(), *_changes(), *_holder(), *_series(), *_ages(), _transfers()]


def _now() -> list[Question]:
    count = "select count(*) from mart.holders_now where target = %(target)s"
    rows = "select rows from mart.targets where target = %(target)s"
    top = "select * from mart.top_holders(100, %(target)s)"
    largest = """
        select address, balance, held_since
        from altura_item_holders_current
        where target_id = %(target_id)s
        order by balance desc
        limit 100
    """
    return [
        Question("holders now: count", count, COUNT_TABLE, Target(most=1.5), (count, LAST_ROWS)),
        Question(
            "holders now: targets.rows", rows, COUNT_TABLE, Target(most=1.5), (rows, LAST_ROWS)
        ),
        Question(
            "holders now: the top 100",
            top,
            {"the index": largest},
            Target(milliseconds=2),
            (
                "select holder, quantity, held_since from mart.top_holders(100) order by 2, 1",
                """
                select address, balance, held_since
                from altura_item_holders_current
                order by balance desc, address
                limit 100
                """,
            ),
        ),
    ]


def _as_of() -> list[Question]:
    counted: dict[str, LiteralString] = {
        "oldest": "select rows, quantity from mart.targets_as_of(%(oldest)s, %(target)s)",
        "middle": "select rows, quantity from mart.targets_as_of(%(middle)s, %(target)s)",
        "newest": "select rows, quantity from mart.targets_as_of(%(newest)s, %(target)s)",
    }
    mart: dict[str, LiteralString] = {
        "oldest": "select count(*), sum(quantity) from mart.holders_as_of(%(oldest)s, %(target)s)",
        "middle": "select count(*), sum(quantity) from mart.holders_as_of(%(middle)s, %(target)s)",
        "newest": "select count(*), sum(quantity) from mart.holders_as_of(%(newest)s, %(target)s)",
    }
    dataset: dict[str, LiteralString] = {
        "oldest": "select count(*), sum(balance) from altura_item_holders_as_of(%(oldest)s)",
        "middle": "select count(*), sum(balance) from altura_item_holders_as_of(%(middle)s)",
        "newest": "select count(*), sum(balance) from altura_item_holders_as_of(%(newest)s)",
    }
    truth: dict[str, LiteralString] = {
        "oldest": "select rows, amount_sum from snapshot where snapshot_at = %(oldest)s",
        "middle": "select rows, amount_sum from snapshot where snapshot_at = %(middle)s",
        "newest": "select rows, amount_sum from snapshot where snapshot_at = %(newest)s",
    }
    return [
        Question(
            f"as of the {moment}: {name}",
            statements[moment],
            SUM_NOW,
            Target(most=2),
            (statements[moment], truth[moment]),
        )
        for name, statements in (
            ("targets_as_of.rows, quantity", counted),
            ("mart.holders_as_of", mart),
            ("altura_item_holders_as_of", dataset),
        )
        for moment in MOMENTS
    ]


def _changes() -> list[Question]:
    between: LiteralString = """
        select kind, count(*), sum(delta)
        from mart.changes_between(%(before)s, %(middle)s, %(target)s)
        group by kind
        order by kind
    """
    one: LiteralString = """
        select kind, count(*), sum(delta)
        from mart.changes
        where snapshot_id = %(snapshot_id)s
        group by kind
        order by kind
    """
    joined: LiteralString = """
        select
            case
                when o.key_hash is null then 'entered'
                when n.key_hash is null then 'exited'
                when n.balance > o.balance then 'increased'
                else 'decreased'
            end as kind,
            count(*),
            sum(coalesce(n.balance, 0) - coalesce(o.balance, 0))
        from altura_item_holders_as_of(%(before)s) o
        full join altura_item_holders_as_of(%(middle)s) n using (target_id, key_hash)
        where n.balance is distinct from o.balance
        group by kind
        order by kind
    """
    return [
        Question(title, asked, {"two states joined": joined}, Target(faster=30), (asked, joined))
        for title, asked in (
            ("changes between two neighbours", between),
            ("changes of one snapshot", one),
        )
    ]


def _holder() -> list[Question]:
    asked: LiteralString = "select * from mart.holder_history(%(holder)s)"
    versions: dict[str, LiteralString] = {
        "the versions by their key": """
            select balance, held_since, valid_from, null as valid_to
            from altura_item_holders_current
            where target_id = %(target_id)s and key_hash = %(key_hash)s
            union all
            select balance, held_since, valid_from, valid_to
            from altura_item_holders_history
            where target_id = %(target_id)s and key_hash = %(key_hash)s
            order by valid_from
        """
    }
    truth: tuple[LiteralString, LiteralString] = (
        """
        select quantity_after, held_since
        from mart.holder_history(%(holder)s)
        where kind <> 'exited'
        """,
        "select balance, held_since from altura_item_holders where key_hash = %(key_hash)s",
    )
    limit = Target(milliseconds=2)
    return [
        Question("history of the largest holder", asked, versions, limit, truth),
        Question("history of who changed most", asked, versions, truth=truth, holder="busiest"),
    ]


def _series() -> list[Question]:
    supply: LiteralString = """
        select snapshot_at, holders, supply
        from mart.supply_and_holders
        where target = %(target)s
        order by snapshot_at
    """
    daily: LiteralString = """
        select day, holders, supply, entered, exited
        from mart.supply_and_holders_daily
        where target = %(target)s
        order by day
    """
    concentration: LiteralString = """
        select snapshot_at, top_10_share, gini, nakamoto
        from mart.concentration
        where target = %(target)s
        order by snapshot_at
    """
    return [
        Question("supply and holders", supply, SNAPSHOTS, truth=(supply, SNAPSHOTS["the table"])),
        Question(
            "supply and holders by day",
            daily,
            SNAPSHOTS,
            truth=(
                "select day, holders, snapshots from mart.supply_and_holders_daily order by day",
                """
                select
                    (snapshot_at at time zone 'UTC')::date,
                    (array_agg(rows order by snapshot_at desc))[1],
                    count(*)
                from snapshot
                group by 1
                order by 1
                """,
            ),
        ),
        Question("concentration", concentration, SNAPSHOTS),
    ]


def _ages() -> list[Question]:
    every: dict[str, LiteralString] = {
        "count over all versions": "select count(*) from altura_item_holders"
    }
    return [
        Question(
            "cohorts",
            "select * from mart.cohorts where target = %(target)s",
            every,
            truth=(
                "select sum(entered) from mart.cohorts where days = 1",
                "select sum(entered + reacquired) from snapshot",
            ),
        ),
        Question(
            "holding age",
            "select * from mart.holding_age where target = %(target)s",
            SUM_NOW,
            truth=(
                "select sum(positions), sum(quantity) from mart.holding_age",
                "select rows, amount_sum from snapshot order by snapshot_at desc limit 1",
            ),
        ),
    ]


def _transfers() -> Question:
    """Each comes from one who lost just that and goes to one who gained it."""
    asked: LiteralString = """
        select from_holder, to_holder, quantity, happened_after, happened_until
        from mart.transfers_seen
        where happened_after >= %(day_before)s
    """
    changes: LiteralString = """
        select holder, delta from mart.changes where changed_after >= %(day_before)s
    """
    return Question("transfers seen in the last day", asked, {"changes of that day": changes})
