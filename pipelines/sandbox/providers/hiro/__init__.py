"""Hiro's stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import ClassVar

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import Asked, Json, Lens, ProviderSandbox, Shape, Shown, Upheaval
from pipelines.sandbox.providers.hiro import api, block_routes, v3
from pipelines.sandbox.providers.hiro.api import NEWEST_RECORDED, Version
from pipelines.sandbox.providers.hiro.chain import HiroChain, stacks_address, transaction
from pipelines.sandbox.providers.hiro.holdings import HiroRow, only_assets, split_filter
from pipelines.sandbox.providers.hiro.requests import TOO_LONG
from pipelines.sandbox.providers.hiro.tokens import candy
from pipelines.sandbox.providers.hiro.upheavals import UPHEAVALS
from pipelines.sandbox.providers.hiro.verbs import HiroVerbs
from pipelines.sandbox.states import Listing, State

__all__ = ["HiroSandbox", "HiroVerbs", "Version"]


@dataclass(frozen=True)
class HiroSandbox(ProviderSandbox):
    """New tokens enter at the top, so a token that changes or comes back is a new holding.

    `version` is the server's: which of its routes there are.
    """

    name: ClassVar[str] = "hiro"
    columns: ClassVar[tuple[str, ...]] = (
        "asset_identifier", "value_hex", "value_repr", "block_height", "tx_id",
    )  # fmt: skip
    sizes: ClassVar[tuple[int, ...]] = (150, 2100)
    shape: ClassVar[Shape] = Shape(
        rows=("results",), end=("total",), amount=("block_height",), key=("value", "hex")
    )

    upheavals: ClassVar[Mapping[str, Upheaval]] = UPHEAVALS

    version: Version = NEWEST_RECORDED

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        return api.answer(exchange, world, self.version)

    def too_long(self) -> Answer:
        return TOO_LONG

    def target(self, key: str) -> Json:
        principal, assets = split_filter(key.removeprefix("hiro:"))
        fields: Json = {"principal": principal}
        return fields | ({"asset_identifiers": sorted(assets)} if assets else {})

    def ledger(self, rng: Random) -> HiroChain:
        return HiroChain(rng)

    def lens(self, key: str) -> tuple[str, Lens | None]:
        principal, assets = split_filter(key)
        return principal, partial(only_assets, assets=assets) if assets else None

    def in_order(self, state: State) -> Listing:
        return state.listing

    def new_key(self, rng: Random) -> str:
        return f"hiro:{stacks_address(rng)}"

    def new_row(self, rng: Random, world: Shown) -> HiroRow:
        return self.again(HiroRow(*candy(rng), 0, ""), rng, world)

    def again(self, row: HiroRow, rng: Random, world: Shown) -> HiroRow:
        height = world.ledger(HiroChain).tip.height + 1
        return row._replace(block_height=height, tx_id=transaction(rng))

    def bearing(self, row: HiroRow, text: str) -> HiroRow:
        return row._replace(repr=text)

    def has_rows(self, exchange: Exchange) -> bool:
        """Not where it asks for blocks."""
        return not exchange.path.startswith(block_routes.BLOCKS)

    def route(self, exchange: Exchange) -> "HiroSandbox":
        return _V3Sandbox(self.version) if v3.BALANCES.fullmatch(exchange.path) else self

    def asked(self, exchange: Exchange) -> Asked:
        query = exchange.query
        return Asked(int(query.get("offset", ["0"])[-1]), int(query["limit"][-1]))

    def invented(self, place: int) -> Json:
        return {
            "asset_identifier": "SP1.a::a",
            "value": {"hex": f"0x01{place:032x}", "repr": f"u{place}"},
            "block_height": 1,
            "tx_id": f"0x{place:064x}",
        }


FAR = 10**9


class _V3Sandbox(HiroSandbox):
    """v3's bodies: a row has no number, so that its value stands where others have an amount. Where
    a page with a cursor begins is not told: it counts as far down."""

    shape: ClassVar[Shape] = Shape(
        rows=("results",),
        end=("total",),
        amount=("value", "repr"),
        key=("value", "hex"),
        following=("cursor", "next"),
    )

    def asked(self, exchange: Exchange) -> Asked:
        query = exchange.query
        return Asked(FAR if "cursor" in query else 0, int(query["limit"][-1]))
