"""The stand-in of cursors_provider.py: its file in pipelines/sandbox/providers, whole.

A cursor has two parts: how many deeds stood above it, which only the faults look at, and the id
from which the page begins.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, NamedTuple

from pipelines.sandbox.answers import Answer, Exchange, compact
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


class Deed(NamedTuple):
    deed_id: str
    shares: int


class Vault:
    def __init__(self, key: str, deeds: dict[str, int]) -> None:
        self.key = key
        self.deeds = deeds

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(Deed(*deed) for deed in sorted(self.deeds.items())), None


class Vaults(Ledger):
    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._vaults: dict[str, Vault] = {}

    def add(self, rows: int) -> Vault:
        made = [(self.rng.randbytes(8).hex(), self.rng.randint(1, 9)) for _ in range(rows)]
        return self.replace(named("made_up", f"v{len(self._vaults)}"), made, None)

    def stir(self) -> Iterable[Vault]:
        for vault in self._vaults.values():
            vault.deeds[self.rng.randbytes(8).hex()] = 1
        return self._vaults.values()

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> Vault:
        given = list(rows)
        deeds = dict(given)
        if aggregate is not None or len(deeds) < len(given):
            raise ValueError(f"{key}: a deed has several rows, or shares belong to no deed")
        self._vaults[key] = Vault(key, deeds)
        return self._vaults[key]


@dataclass(frozen=True)
class VaultSandbox(ProviderSandbox):
    name: ClassVar[str] = "made_up"
    columns: ClassVar[tuple[str, ...]] = Deed._fields
    sizes: ClassVar[tuple[int, ...]] = (25,)
    shape: ClassVar[Shape] = Shape(rows=("deeds",), end=("total",), amount=("shares",), key=("id",))

    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        vault = exchange.path.removeprefix("/v1/vaults/").removesuffix("/deeds")
        state = world.state(f"made_up:{vault}")
        if state is None:
            return Answer(404, {}, self.error_body("no such vault"))
        start, limit = self.asked(exchange)
        begin = _cursor(exchange).partition(".")[2]
        deeds = self.in_order(state)
        follow = [deed for deed in deeds if deed.deed_id >= begin]
        body = {
            "total": len(deeds),
            "next": f"{start + limit}.{follow[limit].deed_id}" if len(follow) > limit else None,
            "deeds": [{"id": deed.deed_id, "shares": deed.shares} for deed in follow[:limit]],
        }
        return Answer(200, {"etag": f'"{state.at.isoformat()}"'}, compact(body).encode())

    def target(self, key: str) -> Json:
        return {"vault": key.removeprefix("made_up:")}

    def ledger(self, rng: Random) -> Vaults:
        return Vaults(rng)

    def in_order(self, state: State) -> tuple[Deed, ...]:
        return state.listing

    def new_key(self, rng: Random) -> str:
        return f"made_up:{rng.randbytes(4).hex()}"

    def new_row(self, rng: Random, world: Shown) -> Deed:  # noqa: ARG002
        return Deed(rng.randbytes(8).hex(), amount(rng))

    def again(self, row: Deed, rng: Random, world: Shown) -> Deed:  # noqa: ARG002
        return row._replace(shares=amount(rng))

    def bearing(self, row: Deed, text: str) -> Deed:
        return row._replace(deed_id=text)

    def asked(self, exchange: Exchange) -> Asked:
        above = _cursor(exchange).partition(".")[0]
        return Asked(int(above or 0), int(exchange.query["limit"][-1]))

    def invented(self, place: int) -> Json:
        return {"id": f"{place:016x}", "shares": 1}


def _cursor(exchange: Exchange) -> str:
    return exchange.query.get("cursor", [""])[-1]
