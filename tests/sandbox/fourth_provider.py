"""A fourth provider in one module: what a stand-in needs, and not a line more.

GET /holders/NAME?skip=&limit= answers {"holders": [{"address", "amount"}, …], "total"}, unordered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, NamedTuple

import msgspec
from pydantic import Field

from pipelines.providers.altura import ALTURA
from pipelines.providers.pages import Answer as Given
from pipelines.providers.pages import Page, PageRequest, Positions
from pipelines.providers.provider import Column, Dataset, Proof, Subject, Target
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


class FourthRow(NamedTuple):
    address: str
    amount: int


class FourthToken:
    def __init__(self, key: str, rows: Iterable[FourthRow] = ()) -> None:
        self.key = key
        self.rows = list(rows)

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(self.rows), None


class FourthTokens(Ledger):
    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._tokens: dict[str, FourthToken] = {}

    def add(self, rows: int) -> FourthToken:
        made = [FourthRow(self.rng.randbytes(8).hex(), self.rng.randint(1, 9)) for _ in range(rows)]
        return self.replace(named("fourth", f"t{len(self._tokens)}"), made, None)

    def stir(self) -> Iterable[FourthToken]:
        for token in self._tokens.values():
            token.rows.append(FourthRow(self.rng.randbytes(8).hex(), 1))
        return self._tokens.values()

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> FourthToken:
        assert aggregate is None
        self._tokens[key] = FourthToken(key, (FourthRow(*row) for row in rows))
        return self._tokens[key]


@dataclass(frozen=True)
class FourthSandbox(ProviderSandbox):
    name: ClassVar[str] = "fourth"
    columns: ClassVar[tuple[str, ...]] = FourthRow._fields
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

    def ledger(self, rng: Random) -> FourthTokens:
        return FourthTokens(rng)

    def in_order(self, state: State) -> tuple[FourthRow, ...]:
        return tuple(sorted(state.listing, key=lambda row: lot(row.address, state.version)))

    def new_key(self, rng: Random) -> str:
        return f"fourth:{rng.randbytes(4).hex()}"

    def new_row(self, rng: Random, world: Shown) -> FourthRow:  # noqa: ARG002
        return FourthRow(rng.randbytes(8).hex(), amount(rng))

    def again(self, row: FourthRow, rng: Random, world: Shown) -> FourthRow:  # noqa: ARG002
        return row._replace(amount=amount(rng))

    def bearing(self, row: FourthRow, text: str) -> FourthRow:
        return row._replace(address=text)

    def asked(self, exchange: Exchange) -> Asked:
        return Asked(int(exchange.query["skip"][-1]), int(exchange.query["limit"][-1]))

    def invented(self, place: int) -> Json:
        return {"address": f"{place:016x}", "amount": 1}


class FourthTarget(Target):
    provider: ClassVar[str] = "fourth"
    token: str = Field(description="a name")

    @property
    def subject(self) -> str:
        return self.token


class _Holder(msgspec.Struct):
    address: str
    amount: int


class _Body(msgspec.Struct):
    holders: list[_Holder]
    total: int


def page_request(target: FourthTarget, start: int, limit: int) -> PageRequest:
    query = (("skip", str(start)), ("limit", str(limit)))
    return PageRequest(f"/holders/{target.token}", query)


def read_page(target: FourthTarget, start: int, limit: int, answer: Given) -> Page[int]:
    read = msgspec.json.decode(answer.body, type=_Body)
    rows = tuple((holder.address, holder.amount) for holder in read.holders)
    following = start + len(rows)
    return Page(start, limit, rows, following if following < read.total else None, read.total)


FOURTH = replace(
    ALTURA,
    name="fourth",
    dataset=Dataset(
        name="fourth_holders",
        title="Fourth",
        description="",
        words=ALTURA.dataset.words,
        asset=Subject(1),
        holder="address",
        amount="amount",
        columns=(Column("address", "text", ""), Column("amount", "numeric", "")),
        key=("address",),
    ),
    target_type=FourthTarget,
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    addressing=Positions(page_request=page_request, read_page=read_page, tells_total=True),
)
