"""The promise, as a property: what the warehouse gives back for a snapshot was true.

Random worlds move at random requests while their targets are read, again and again. For each
published snapshot, the rows that `<dataset>_snapshots` rebuilds have to equal a state that the
sandbox was in between `snapshot_at` and `snapshot_until`.
"""

import random

import pytest

from pipelines.errors import HeldBack, TornWalk
from pipelines.sandbox.world import World
from pipelines.warehouse.text import escape

COLUMNS = {
    "altura": ("altura_item_holders", "address, balance, name, profile_pic, profile_pic_url"),
    "hiro": (
        "hiro_nft_holdings",
        "asset_identifier, value_hex, value_repr, block_height, tx_id",
    ),
    "catenis": ("catenis_asset_holders", "device_id, total, unconfirmed"),
}
PAGES = {"altura": 7, "hiro": 9, "catenis": 8}
ROUNDS = 6


def as_stored(provider, rows):
    """A true state as the warehouse keeps it. Catenis names outlive their being shown, so they
    are not part of the comparison."""
    width = 3 if provider == "catenis" else None
    return frozenset(
        tuple(escape(value) if isinstance(value, str) else value for value in row[:width])
        for row in rows
    )


def snapshots_that_were_never_true(pipeline, world):
    wrong = []
    for provider, (dataset, columns) in COLUMNS.items():
        published = pipeline.sql(
            "select s.snapshot_id, t.name, s.snapshot_at, s.snapshot_until, s.proof"
            " from snapshot s join target t using (target_id) where t.provider = :provider",
            provider=provider,
        )
        for snapshot_id, name, at, until, proof in published:
            rebuilt = pipeline.sql(
                f"select {columns} from {dataset}_snapshots where snapshot_id = :id",
                id=snapshot_id,
            )
            true = [as_stored(provider, s.rows) for s in world.states_between(name, at, until)]
            if frozenset(tuple(row) for row in rebuilt) not in true:
                wrong.append((name, snapshot_id, proof))
    return wrong


@pytest.mark.parametrize("seed", range(6))
def test_every_published_snapshot_is_a_state_that_was_true(pipeline, sandbox, world, seed):
    chance = random.Random(seed)
    keys = [
        world.add_altura_item(chance.randint(0, 40)),
        world.add_hiro_principal(chance.randint(0, 60)),
        world.add_hiro_principal(chance.randint(20, 60)),
        world.add_catenis_asset(chance.randint(0, 40)),
    ]
    churn = chance.choice([0.02, 0.1, 0.3])

    def move(exchange, answer):
        if chance.random() < churn:
            world.tick(chance.randint(1, 3))

    sandbox.after_response = move
    published = 0
    for _ in range(ROUNDS):
        for key in keys:
            provider = key.partition(":")[0]
            try:
                pipeline.take(key, page_size=PAGES[provider], max_walks=8)
                published += 1
            except (TornWalk, HeldBack):
                continue
        world.tick(chance.randint(0, 3))
    assert published, "a world in which nothing can be published shows nothing"
    assert snapshots_that_were_never_true(pipeline, world) == []


def test_the_comparison_finds_a_snapshot_that_was_never_true(pipeline, world: World):
    key = world.add_altura_item(12)
    pipeline.take(key)
    pipeline.sql("update altura_item_holders_current set balance = balance + 1 where true")
    assert snapshots_that_were_never_true(pipeline, world) == [(key, 1, "double_collect")]
