"""Snapshots of a chain that forks: nothing rests on a block that is not part of it any more."""

from dataclasses import replace

import pytest

from pipelines.sandbox.providers.hiro.api import Version
from pipelines.sandbox.providers.hiro.blocks import Token
from pipelines.sandbox.world import World
from pipelines.snapshots import Taken, take_snapshots
from pipelines.warehouse.registry import Run

COLUMNS = "asset_identifier, value_hex, value_repr, block_height, tx_id"
PAGE = 10
BLOCK_SECONDS = 5


@pytest.fixture
def holder(world: World) -> str:
    """A principal with 60 tokens, seven pages of ten that share a row."""
    return world.add_hiro_principal(60)


def take(pipeline, key, **settings):
    return pipeline.take(key, page_size=PAGE, **settings)


def current(pipeline):
    rows = pipeline.sql(f"select {COLUMNS} from hiro_nft_holdings_current")
    return frozenset(tuple(row) for row in rows)


def mint(world, holder, numbers):
    for number in numbers:
        world.hiro_mint(holder, "SP2X.new::n", f"0x01{number:032x}", f"u{number}")


def asked(sandbox, path):
    return [line for line in sandbox.log if path in line.target]


def test_a_row_that_returns_far_down_while_another_leaves_is_seen(pipeline, sandbox, world, holder):
    """The same total and the same first page as before: the page alone shows no difference, and
    every snapshot after it was wrong by two rows until the next whole walk."""
    mint(world, holder, [1])
    returning = world.state(holder).listing[0]
    mint(world, holder, range(2, 22))
    won = world.tip.index_hash
    token = Token(*returning[:3])
    world.hiro_fork(21, lambda fork: fork.move(token, holder, None))
    first = take(pipeline, holder)
    top = world.state(holder).listing[:PAGE]
    assert (first.rows, returning in world.state(holder).listing) == (80, False)

    world.hiro_return(won)
    world.hiro_transfer_out(holder, 70)
    assert (len(world.state(holder).listing), world.state(holder).listing[:PAGE]) == (80, top)
    second = take(pipeline, holder)
    assert (second.proof, second.entered, second.exited) == ("chained", 1, 1)
    assert current(pipeline) == world.state(holder).rows


def test_a_target_rests_again_on_the_whole_walk_that_followed_a_fork(pipeline, world, holder):
    take(pipeline, holder)
    world.hiro_blocks(3)
    world.hiro_fork(4)
    assert [take(pipeline, holder).proof for _ in range(3)] == [
        "chained",
        "chained_to_last",
        "chained_to_last",
    ]


def test_a_fork_above_the_block_that_was_read_costs_nothing(pipeline, world, holder):
    take(pipeline, holder)
    world.hiro_blocks(3)
    world.hiro_fork(3)
    second = take(pipeline, holder)
    assert (second.proof, second.requests) == ("chained_to_last", 1)


def test_a_block_that_was_orphaned_and_returned_carries_nothing(pipeline, sandbox, world, holder):
    """Between the two the set may have lived elsewhere, which custody keeps."""
    take(pipeline, holder)
    world.hiro_blocks(2)
    lost = world.hiro_fork(3)
    sandbox.before_response = hang_up_on_pages
    with pytest.raises(Exception, match="the connection to"):
        take(pipeline, holder, max_tries=1)
    sandbox.before_response = None
    world.hiro_return(lost)
    [(orphaned,)] = pipeline.sql("select count(orphaned_at) from chain_tip")
    assert orphaned == 1
    assert take(pipeline, holder).proof == "chained"


def hang_up_on_pages(exchange):
    """All but the first page, which is enough for a target to seem unchanged."""
    if "offset" in exchange.query and exchange.query["offset"] != ["0"]:
        raise ConnectionError


def test_a_fork_while_a_target_is_read_makes_the_walk_torn(pipeline, sandbox, world, holder):
    """Where it orphans a block that a page was read at, and whatever the pages show."""
    world.hiro_blocks(3)
    answered = []

    def fork(exchange, answer):
        answered.append(exchange)
        if len(answered) == 4:
            world.hiro_fork(2)

    sandbox.after_response = fork
    found = take(pipeline, holder)
    assert (found.proof, found.walks) == ("chained", 2)


def test_blocks_that_are_added_while_a_target_is_read_do_no_harm(pipeline, sandbox, world, holder):
    sandbox.after_response = lambda *_: world.hiro_blocks(9)
    found = take(pipeline, holder)
    assert (found.proof, found.walks) == ("chained", 1)
    assert found.chain_tip is not None


def test_a_server_without_the_list_of_blocks_is_read_whole_each_time(
    pipeline, sandbox, world, holder, caplog
):
    sandbox.apis["hiro"] = replace(sandbox.apis["hiro"], version=Version(blocks=False))
    other = world.add_hiro_principal(30)
    targets = [pipeline.target(key) for key in (holder, other)]
    for number in range(2):
        caplog.clear()
        client = pipeline.client("hiro", page_size=PAGE)
        taken = list(take_snapshots(targets, client, pipeline.warehouse, Run(f"run {number}")))
        assert {one.snapshot.proof for one in taken} == {"chained"}
        assert caplog.text.count("does not tell which blocks") == 1


@pytest.mark.parametrize("requests_per_minute", [25, 500])
def test_targets_that_have_not_changed_share_their_looks_at_the_chain(
    pipeline, sandbox, world, requests_per_minute
):
    """A block every five seconds, by the time that a provider's limit makes of requests."""
    keys = [world.add_hiro_principal(PAGE + 2) for _ in range(100)]
    pace = BLOCK_SECONDS * requests_per_minute / 60
    sandbox.after_response = lambda exchange, _: (
        world.hiro_blocks() if exchange.number % pace < 1 else None
    )
    targets = [pipeline.target(key) for key in keys]
    client = pipeline.client("hiro", page_size=PAGE)
    before = 0
    for number in range(3):
        before = sandbox.requests["hiro"]
        taken = list(take_snapshots(targets, client, pipeline.warehouse, Run(f"run {number}")))
        assert all(isinstance(one, Taken) for one in taken)
    assert {one.snapshot.proof for one in taken} == {"chained_to_last"}
    assert sandbox.requests["hiro"] - before <= 105
