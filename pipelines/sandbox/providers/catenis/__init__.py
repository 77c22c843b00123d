"""Catenis' stand-in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import ClassVar

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import Asked, Json, ProviderSandbox, Shape, Shown, amount
from pipelines.sandbox.providers.catenis import api
from pipelines.sandbox.providers.catenis.asset import (
    ISSUER,
    ZERO,
    CatenisAssets,
    CatenisRow,
    CatenisVerbs,
    asset_id,
    device_id,
)
from pipelines.sandbox.states import State

__all__ = ["ISSUER", "ISSUER_SECRET", "CatenisSandbox", "CatenisVerbs"]

ISSUER_SECRET = bytes(range(64)).hex()
"""The secret that goes with ISSUER."""


@dataclass(frozen=True)
class CatenisSandbox(ProviderSandbox):
    """`credentials` are the secrets of devices; the first is whom `settings` speaks for."""

    name: ClassVar[str] = "catenis"
    columns: ClassVar[tuple[str, ...]] = CatenisRow._fields
    sizes: ClassVar[tuple[int, ...]] = (40, 1300)
    shape: ClassVar[Shape] = Shape(
        rows=("data", "assetHolders"),
        end=("data", "hasMore"),
        amount=("balance", "total"),
        key=("holder", "deviceId"),
        counts=False,
    )
    has_aggregate: ClassVar[bool] = True

    credentials: Mapping[str, str] = field(default_factory=lambda: {ISSUER: ISSUER_SECRET})

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        return api.answer(exchange, world, self.credentials)

    def settings(self) -> dict[str, str]:
        device, secret = next(iter(self.credentials.items()))
        return {"device_id": device, "api_secret": secret}

    def target(self, key: str) -> Json:
        return {"asset_id": key.removeprefix("catenis:")}

    def ledger(self, rng: Random) -> CatenisAssets:
        return CatenisAssets(rng)

    def in_order(self, state: State) -> tuple[CatenisRow, ...]:
        return api.ordered(state)

    def new_key(self, rng: Random) -> str:
        return f"catenis:{asset_id(rng)}"

    def new_row(self, rng: Random, world: Shown) -> CatenisRow:  # noqa: ARG002 - a ProviderSandbox
        return CatenisRow(device_id(rng), Decimal(amount(rng)), ZERO, None, None)

    def again(self, row: CatenisRow, rng: Random, world: Shown) -> CatenisRow:  # noqa: ARG002
        return row._replace(total=Decimal(amount(rng)), unconfirmed=ZERO)

    def bearing(self, row: CatenisRow, text: str) -> CatenisRow:
        return row._replace(name=text, prod_unique_id=text)

    def asked(self, exchange: Exchange) -> Asked:
        query = exchange.query
        return Asked(int(query.get("skip", ["0"])[-1]), int(query["limit"][-1]))

    def invented(self, place: int) -> Json:
        balance = {"total": 1, "unconfirmed": 0}
        return {"holder": {"deviceId": f"d{place:019}"}, "balance": balance}

    def error_body(self, text: str) -> bytes:
        return api.error_body(text)
