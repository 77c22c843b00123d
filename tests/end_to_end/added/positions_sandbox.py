"""The stand-in of positions_provider.py: its file in pipelines/sandbox/providers, whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, NamedTuple

from pipelines.sandbox.answers import Answer, Exchange, compact, lot
from pipelines.sandbox.contract import (
    Asked,
    Json,
    Ledger,
    ProviderSandbox,
    Shape,
    Shown,
    amount,
    named,
)
from pipelines.sandbox.states import Aggregate, Listing, Row, State


class Holder(NamedTuple):
    address: str
    amount: int


class Token:
    def __init__(self, key: str, rows: list[Holder]) -> None:
        self.key = key
        self.rows = rows

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(self.rows), None


class Tokens(Ledger):
    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._tokens: dict[str, Token] = {}

    def add(self, rows: int) -> Token:
        made = [Holder(self.rng.randbytes(8).hex(), self.rng.randint(1, 9)) for _ in range(rows)]
        return self.replace(named("fourth", f"t{len(self._tokens)}"), made, None)

    def stir(self) -> Iterable[Token]:
        for token in self._tokens.values():
            token.rows.append(Holder(self.rng.randbytes(8).hex(), 1))
        return self._tokens.values()

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> Token:
        token = Token(key, [Holder(*row) for row in rows])
        if aggregate is not None or len({row.address for row in token.rows}) < len(token.rows):
            raise ValueError(f"{key}: an address has several rows, or units belong to nobody")
        self._tokens[key] = token
        return token


@dataclass(frozen=True)
class FourthSandbox(ProviderSandbox):
    name: ClassVar[str] = "fourth"
    columns: ClassVar[tuple[str, ...]] = Holder._fields
    sizes: ClassVar[tuple[int, ...]] = (25,)
    shape: ClassVar[Shape] = Shape(
        rows=("holders",), end=("total",), amount=("amount",), key=("address",)
    )

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        state = world.state(f"fourth:{exchange.path.removeprefix('/holders/')}")
        start, limit = self.asked(exchange)
        rows = self.in_order(state) if state else ()
        holders = [row._asdict() for row in rows[start : start + limit]]
        return Answer(200, {}, compact({"holders": holders, "total": len(rows)}).encode())

    def target(self, key: str) -> Json:
        return {"token": key.removeprefix("fourth:")}

    def ledger(self, rng: Random) -> Tokens:
        return Tokens(rng)

    def in_order(self, state: State) -> tuple[Holder, ...]:
        return tuple(sorted(state.listing, key=lambda row: lot(row.address, state.version)))

    def new_key(self, rng: Random) -> str:
        return f"fourth:{rng.randbytes(4).hex()}"

    def new_row(self, rng: Random, world: Shown) -> Holder:  # noqa: ARG002
        return Holder(rng.randbytes(8).hex(), amount(rng))

    def again(self, row: Holder, rng: Random, world: Shown) -> Holder:  # noqa: ARG002
        return row._replace(amount=amount(rng))

    def bearing(self, row: Holder, text: str) -> Holder:
        return row._replace(address=text)

    def asked(self, exchange: Exchange) -> Asked:
        return Asked(int(exchange.query["skip"][-1]), int(exchange.query["limit"][-1]))

    def invented(self, place: int) -> Json:
        return {"address": f"{place:016x}", "amount": 1}
