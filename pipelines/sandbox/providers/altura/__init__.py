"""Altura's stand-in."""

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.contract import Asked, Json, ProviderSandbox, Shape, Shown, amount
from pipelines.sandbox.providers.altura import api
from pipelines.sandbox.providers.altura.item import (
    NOT_LISTED,
    AlturaItems,
    AlturaRow,
    AlturaVerbs,
    person,
    wallet,
)
from pipelines.sandbox.states import State

__all__ = ["AlturaSandbox", "AlturaVerbs"]


@dataclass(frozen=True)
class AlturaSandbox(ProviderSandbox):
    """`max_per_page` is a cap that shortens pages in silence."""

    name: ClassVar[str] = "altura"
    columns: ClassVar[tuple[str, ...]] = AlturaRow._fields
    sizes: ClassVar[tuple[int, ...]] = (60, 1200)
    shape: ClassVar[Shape] = Shape(
        rows=("holders",), end=("count",), amount=("balance",), key=("address",)
    )

    max_per_page: int | None = None

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        return api.answer(exchange, world, self.max_per_page)

    def target(self, key: str) -> Json:
        subject, not_listed, _ = key.removeprefix("altura:").partition(NOT_LISTED)
        address, _, token_id = subject.partition("/")
        fields: Json = {"address": address, "token_id": int(token_id)}
        return fields | ({"include_listed": False} if not_listed else {})

    def ledger(self, rng: Random) -> AlturaItems:
        return AlturaItems(rng)

    def in_order(self, state: State) -> tuple[AlturaRow, ...]:
        return api.ordered(state)

    def new_key(self, rng: Random) -> str:
        return f"altura:{wallet(rng)}/{rng.randrange(1000)}"

    def new_row(self, rng: Random, world: Shown) -> AlturaRow:  # noqa: ARG002 - a ProviderSandbox
        return AlturaRow(wallet(rng), amount(rng), person(rng), None, None)

    def again(self, row: AlturaRow, rng: Random, world: Shown) -> AlturaRow:  # noqa: ARG002
        return row._replace(balance=amount(rng))

    def bearing(self, row: AlturaRow, text: str) -> AlturaRow:
        return row._replace(name=text, profile_pic=text, profile_pic_url=text)

    def asked(self, exchange: Exchange) -> Asked:
        query = exchange.query
        limit = int(query.get("perPage", [str(api.DEFAULT_PER_PAGE)])[-1])
        return Asked((int(query.get("page", ["1"])[-1]) - 1) * limit, limit)

    def invented(self, place: int) -> Json:
        return {"address": f"0x{place:040x}", "balance": 1}
