"""The tips of a provider's chain that snapshots saw: kept, asked for, and forgotten.

No depth counts as settled: an old tip costs no request more than a new one, since the newest of its
line answers for it. What is older than `KEPT` is deleted, and a target whose last snapshot rests on
it is read whole: forgetting costs a walk, and never the truth.
"""

from collections.abc import Collection
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pipelines.extract.tips import Base, Tip
from pipelines.providers.chain import Block
from pipelines.warehouse.schema import chain_tip
from pipelines.warehouse.schema import target as target_table

KEPT = timedelta(days=30)


def base_of(connection: sa.Connection, target_id: int, tip: str | None) -> Base | None:
    """What is known of the block that a snapshot was read at; None where nothing can rest on it."""
    if tip is None:
        return None
    kept = chain_tip.alias("kept")
    newest = (
        sa.select(chain_tip.c.hash)
        .where(chain_tip.c.line == kept.c.line, chain_tip.c.provider == kept.c.provider)
        .order_by(chain_tip.c.height.desc())
        .limit(1)
    )
    other = chain_tip.alias("other")
    forked = sa.exists().where(
        other.c.provider == kept.c.provider, other.c.orphaned_at > kept.c.seen_at
    )
    found = connection.execute(
        sa.select(kept, newest.scalar_subquery().label("newest"), forked.label("forked")).where(
            kept.c.provider == _provider_of(target_id),
            kept.c.hash == tip,
            kept.c.height.is_not(None),
            kept.c.seen_at > sa.func.clock_timestamp() - KEPT,
        )
    ).one_or_none()
    if found is None:
        return None
    block = Block(found.hash, found.height)
    orphaned = found.orphaned_at is not None
    return Base(block, found.newest, is_orphaned=orphaned, forked=found.forked)


def keep_tip(connection: sa.Connection, target_id: int, tip: Tip) -> None:
    """Remember the block that a snapshot was read at; one that is known stays as it is."""
    values = {"hash": tip.block.hash, "height": tip.block.height, "line": tip.line}
    provider = _provider_of(target_id)
    connection.execute(
        insert(chain_tip).values(provider=provider, **values).on_conflict_do_nothing()
    )


def ends_of_runs(connection: sa.Connection, provider: str) -> list[str]:
    """The newest tip of each line that no later run has asked for."""
    ranked = (
        sa.select(
            chain_tip.c.hash,
            sa.func.row_number()
            .over(partition_by=chain_tip.c.line, order_by=chain_tip.c.height.desc())
            .label("from_the_end"),
        )
        .where(
            chain_tip.c.provider == provider,
            chain_tip.c.followed_at.is_(None),
            chain_tip.c.orphaned_at.is_(None),
        )
        .subquery()
    )
    open_ends = sa.select(ranked.c.hash).where(ranked.c.from_the_end == 1)
    return list(connection.scalars(open_ends))


def keep_followed(connection: sa.Connection, provider: str, hashes: Collection[str]) -> None:
    """A later run has asked for these, and so for all below them on their lines."""
    end = chain_tip.alias("end")
    connection.execute(
        chain_tip.update()
        .where(
            chain_tip.c.provider == provider,
            chain_tip.c.followed_at.is_(None),
            end.c.provider == provider,
            end.c.hash.in_(hashes),
            chain_tip.c.line == end.c.line,
            chain_tip.c.height <= end.c.height,
        )
        .values(followed_at=sa.func.clock_timestamp())
    )


def keep_orphaned(connection: sa.Connection, provider: str, hashes: Collection[str]) -> None:
    """Nothing shall rest on these blocks any more, even where they return; of one that was not kept
    before only this is known."""
    now = sa.func.clock_timestamp()
    for block_hash in sorted(hashes):
        values = {"provider": provider, "hash": block_hash, "line": block_hash}
        connection.execute(
            insert(chain_tip)
            .values(**values, orphaned_at=now)
            .on_conflict_do_update(
                index_elements=[chain_tip.c.provider, chain_tip.c.hash],
                set_={"orphaned_at": sa.func.coalesce(chain_tip.c.orphaned_at, now)},
            )
        )


def forget_old(connection: sa.Connection) -> None:
    """Delete the tips that nothing rests on any more, by their age."""
    old = chain_tip.c.seen_at < sa.func.clock_timestamp() - KEPT
    connection.execute(chain_tip.delete().where(old))


def _provider_of(target_id: int) -> sa.ScalarSelect[str]:
    known = sa.select(target_table.c.provider).where(target_table.c.target_id == target_id)
    return known.scalar_subquery()
