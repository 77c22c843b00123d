"""What can happen to a chain while the holdings of one of its principals are read: forks.

For trials: each takes the world, the principal's key and chance, and is one instant to an API. The
set that is left is whatever the indexer makes of it; no fork goes back to before the principal was
there.
"""

from random import Random

from pipelines.sandbox.providers.hiro.chain import Branch, HiroChain
from pipelines.sandbox.providers.hiro.tokens import candy
from pipelines.sandbox.providers.hiro.verbs import HiroVerbs

DEEPEST = 8


def fork(world: HiroVerbs, key: str, rng: Random) -> None:
    """One to eight blocks are orphaned. The fork that wins has about half of their transactions,
    some of them in other blocks, and moves of its own."""
    with world.lock:
        chain = world.ledger(HiroChain)
        depth = _depth(chain, key, rng.randint(1, DEEPEST))
        transactions = [
            tx_id
            for above in range(depth - 1, -1, -1)
            if (block := chain.tip.at(chain.tip.height - above))
            for tx_id in dict.fromkeys(event.tx_id for event in block.events)
        ]

        def build(branch: Branch) -> None:
            for tx_id in transactions:
                if rng.random() < 0.5:
                    branch.again(tx_id)
                if rng.random() < 0.5:
                    branch.next_block()
            _moves(chain, key, branch, rng)

        world.hiro_fork(depth, build)


def _depth(chain: HiroChain, key: str, wanted: int) -> int:
    """As deep as wanted, and not down to the block in which the principal came into the world."""
    if chain.tip.height == chain.principal(key).since:
        chain.next_block()
    return min(wanted, chain.tip.height - chain.principal(key).since)


def _moves(chain: HiroChain, key: str, branch: Branch, rng: Random) -> None:
    for _ in range(rng.choice((0, 1, 1, 2))):
        held = chain.principal(key).rows
        if held and rng.random() < 0.5:
            branch.move(rng.choice(held).token, key, None)
        else:
            branch.move(candy(rng), None, key)


def orphan(world: HiroVerbs, key: str, rng: Random) -> None:
    """One to three blocks are orphaned, and nothing of them comes again."""
    with world.lock:
        world.hiro_fork(_depth(world.ledger(HiroChain), key, rng.randint(1, 3)))


def come_back(world: HiroVerbs, key: str, rng: Random) -> None:
    """One of the last forks that lost wins again; where none did, a fork first."""
    with world.lock:
        chain = world.ledger(HiroChain)
        since = chain.principal(key).since
        lost = [
            name
            for name in chain.lost[-4:]
            if (block := chain.find(name))
            and not block.leads_to(chain.tip)
            and chain.base_of(block).height >= since
        ]
        if lost:
            world.hiro_return(rng.choice(lost))
        else:
            fork(world, key, rng)


def swap_above(world: HiroVerbs, key: str, rng: Random) -> None:
    """A token leaves and another comes in blocks that are orphaned before anybody has seen them:
    two rows are others, and the tip and the tag are what they were, apart from new blocks."""
    with world.lock:
        chain = world.ledger(HiroChain)
        holder = chain.principal(key)
        if holder.rows:
            chain.next_block()
            chain.move(rng.choice(holder.rows).token, holder, None)
        chain.next_block()
        chain.move(candy(rng), None, holder)
        world.publish(holder)
        world.hiro_fork(2 if len(holder.rows) > 1 else 1)


def same_tag(world: HiroVerbs, key: str, rng: Random) -> None:
    """The principal's last transaction is mined again in a fork, after a move that was not there
    before: another set, the same tag. Where that transaction is too far down, any fork."""
    with world.lock:
        chain = world.ledger(HiroChain)
        holder, last = chain.principal(key), chain.tip.last_transaction(key)
        block = chain.tip
        while block.parent and key not in block.parties:
            block = block.parent
        depth = chain.tip.height - block.height + 1
        is_event = any(event.tx_id == last for event in block.events)
        if not (last and is_event and holder.rows and depth <= DEEPEST) or (
            block.height <= holder.since
        ):
            fork(world, key, rng)
            return

        def build(branch: Branch) -> None:
            branch.move(rng.choice(holder.rows).token, key, None)
            branch.again(last)

        world.hiro_fork(depth, build)


def tie(world: HiroVerbs, key: str, rng: Random) -> None:
    """Two forks of several blocks, and each gave the principal a token in every block, at the same
    place as the other: both are left."""
    with world.lock:
        blocks = rng.randint(3, DEEPEST)

        def build(branch: Branch) -> None:
            for _ in range(blocks):
                branch.move(candy(rng), None, key)
                branch.next_block()

        world.hiro_blocks(blocks)
        world.hiro_fork(blocks, build)
        world.hiro_fork(blocks + 1, build)


UPHEAVALS = {
    "fork": fork,
    "orphan": orphan,
    "return": come_back,
    "swap above": swap_above,
    "same tag": same_tag,
    "tie": tie,
}
