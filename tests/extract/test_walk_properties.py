"""Trials: walks through sets that change at random moments between the answers, and the truth."""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from pipelines.errors import TornWalk
from pipelines.extract.fetch import Fetched, fetcher_of
from pipelines.extract.http import Client
from pipelines.extract.walk import backward, chained, forward
from pipelines.providers.pages import Row
from pipelines.providers.provider import Target
from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

Connect = Callable[..., Client]
TargetOf = Callable[[str], Target]
AsInWorld = Callable[[Row], tuple[object, ...]]

WALKS = 160
CANDY = "SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy"


class Churn:
    """Changes one principal's tokens after some of the answers that it gives.

    Tokens are minted, leave, and come back from `other`, always at the top; a walk is calm or
    busy, and its changes lie anywhere, at the top or at the end of the list.
    """

    def __init__(self, world: World, key: str, other: str, rng: Random) -> None:
        self.changes = 0
        self._world, self._key, self._other, self._rng = world, key, other, rng
        self._chance = rng.choice((0.0, 0.1, 0.3, 0.7))
        self._span = rng.choice((0.2, 1.0))
        self._mints = rng.choice((0.3, 0.6, 1.0))
        self._lock = threading.Lock()

    def after_response(self, exchange: Exchange, _: Answer) -> None:
        if self._key.removeprefix("hiro:") not in exchange.target:
            return  # a page that the walk before this one had fetched ahead
        with self._lock:
            while self._rng.random() < self._chance:
                self._change()
                self.changes += 1

    def _change(self) -> None:
        rng, world = self._rng, self._world
        held, away = (len(self._listing(key)) for key in (self._key, self._other))
        if rng.random() < self._mints or not held:
            if away and rng.random() < 0.5:
                world.hiro_transfer(self._other, self._key, rng.randrange(away))
            else:
                serial = rng.getrandbits(100)
                world.hiro_mint(self._key, CANDY, f"0x01{serial:032x}", f"u{serial}")
            return
        place = rng.randrange(max(1, int(held * self._span)))
        if rng.random() < 0.5:
            world.hiro_transfer(self._key, self._other, place)
        else:
            world.hiro_transfer_out(self._key, place)

    def _listing(self, key: str) -> tuple[object, ...]:
        state = self._world.state(key)
        return state.listing if state else ()


@pytest.mark.parametrize("window", [1, 4])
def test_a_chained_walk_is_torn_or_the_state_that_page_0_saw(
    world: World,
    sandbox: Sandbox,
    connect: Connect,
    target_of: TargetOf,
    as_in_world: AsInWorld,
    window: int,
) -> None:
    client = connect("hiro", sandbox.url("hiro"), concurrency=4)
    other = world.add_hiro_principal(0)
    outcomes: Counter[str] = Counter()
    for seed in range(WALKS):
        rng = Random(f"{window}/{seed}")
        key = world.add_hiro_principal(rng.randint(0, 60))
        limit = rng.choice((2, 3, 5, 10, 20))
        seen_by_page_0 = world.state(key)
        assert seen_by_page_0 is not None
        churn = Churn(world, key, other, rng)
        sandbox.after_response = churn.after_response
        rows: list[Row] = []
        try:
            for fetched in chained(fetcher_of(client, target_of(key)), limit, client.ahead, window):
                rows.extend(fetched.page.rows)
        except TornWalk:
            outcomes["torn"] += 1
            continue
        found = [as_in_world(row) for row in rows]
        assert found == list(seen_by_page_0.listing), f"walk {seed}"
        moved = len(world.states(key)) > 1 and len(found) > limit
        outcomes["proven in motion" if moved else "proven at rest"] += 1
    assert min(outcomes[name] for name in ("torn", "proven in motion", "proven at rest")) > 15


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("provider", ["altura", "catenis"])
def test_two_collects_that_agree_are_a_state_that_held_between_them(
    world: World,
    sandbox: Sandbox,
    connect: Connect,
    target_of: TargetOf,
    as_in_world: AsInWorld,
    provider: str,
    window: int,
) -> None:
    client = connect(provider, sandbox.url(provider), concurrency=4)
    add = {"altura": world.add_altura_item, "catenis": world.add_catenis_asset}[provider]
    outcomes: Counter[str] = Counter()
    for seed in range(60):
        rng = Random(f"{provider}/{window}/{seed}")
        key = add(rng.randint(15, 40))
        chance = rng.choice((0.02, 0.1))

        def stir(
            exchange: Exchange, answer: Answer, rng: Random = rng, chance: float = chance
        ) -> None:
            if rng.random() < chance:
                world.tick()

        sandbox.after_response = stir
        fetch = fetcher_of(client, target_of(key))

        def rows_of(fetched: list[Fetched[int]]) -> list[Row]:
            return [as_in_world(row) for each in fetched for row in each.page.rows]

        try:
            there = rows_of(list(forward(fetch, 10, client.ahead, window)))
            between = len(world.states(key)) - 1
            back = rows_of(list(backward(fetch, 7, len(there), client.ahead, window)))
        except TornWalk:
            outcomes["torn"] += 1
            continue
        if len(set(there)) != len(there) or set(there) != set(back):
            outcomes["unlike"] += 1
            continue
        assert set(there) == world.states(key)[between].rows, f"walk {seed}"
        outcomes["proven"] += 1
    assert outcomes["proven"] > 10
    assert outcomes["torn"] + outcomes["unlike"] > 10
