"""Hiro's ledger: a Stacks chain as far as the watched principals see it.

One rule makes the order of the real API what it is, and every proof over it possible: a token that
changes hands is written anew, with the new block and transaction, at the TOP of its new holder's
list. Nothing is ever inserted further down; only `replace` can (it stands for a reorganisation).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from pipelines.providers import c32
from pipelines.sandbox.contract import Ledger, Verbs, named
from pipelines.sandbox.providers.hiro import clarity
from pipelines.sandbox.providers.hiro.clarity import Value
from pipelines.sandbox.states import Aggregate, Listing, Row, State

FILTERED = "?asset_identifiers="

_DEPLOYER = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173"
_FIRST_HEIGHT = 150_000
_ONE_OF_A_KIND = (
    clarity.NONE,
    clarity.TRUE,
    clarity.FALSE,
    clarity.some(clarity.NONE),
    clarity.some(clarity.uint128(1)),
    clarity.ok(clarity.uint128(1)),
    clarity.err(clarity.ascii_string("e")),
    clarity.list_of(),
    clarity.list_of(clarity.uint128(1), clarity.uint128(2)),
    clarity.uint128(2**128 - 1),
    clarity.int128(-(2**127)),
    clarity.buffer(b""),
    clarity.ascii_string(""),
    clarity.utf8_string('q" b\\ nl\n \0 \U0010ffff'),
)


class HiroRow(NamedTuple):
    asset_identifier: str
    hex: str
    repr: str
    block_height: int
    tx_id: str


@dataclass(frozen=True)
class Tip:
    """The newest Stacks block: `index_hash` is what the API sends as its ETag."""

    height: int
    index_hash: str


class HiroPrincipal:
    """What one principal holds, oldest first (so that a new row is a cheap append)."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.rows: list[HiroRow] = []

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(reversed(self.rows)), None

    def take(self, index: int) -> HiroRow:
        """Remove and return the row at `index`, counted from the newest; IndexError beyond."""
        if not 0 <= index < len(self.rows):
            raise IndexError(f"{self.key} holds {len(self.rows)} tokens, none at {index}")
        return self.rows.pop(len(self.rows) - 1 - index)


class HiroChain(Ledger):
    """All principals of a world, and the blocks in which their tokens move."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._serial = 0
        self._elsewhere: list[HiroRow] = []  # tokens that left, and may come back
        self._principals: dict[str, HiroPrincipal] = {}
        self.tip = Tip(_FIRST_HEIGHT, transaction(rng))

    def add(self, rows: int) -> HiroPrincipal:
        self.next_block()
        holder = HiroPrincipal("hiro:" + stacks_address(self.rng))
        self._fill(holder, rows)
        self._principals[holder.key] = holder
        return holder

    def next_block(self) -> None:
        self.tip = Tip(self.tip.height + 1, transaction(self.rng))

    def mint(self, holder: HiroPrincipal, asset: str, value: Value, tx_id: str = "") -> None:
        tx_id = tx_id or transaction(self.rng)
        holder.rows.append(HiroRow(asset, value.hex, value.repr, self.tip.height, tx_id))

    def give(self, row: HiroRow, holder: HiroPrincipal, tx_id: str = "") -> None:
        """Put a token at the top of a list, as this block's."""
        tx_id = tx_id or transaction(self.rng)
        holder.rows.append(row._replace(block_height=self.tip.height, tx_id=tx_id))

    def leave(self, row: HiroRow) -> None:
        self._elsewhere.append(row)

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> HiroPrincipal:
        """Any rows at all, newest first, as of a new block."""
        if aggregate is not None:
            raise ValueError(f"{key}: the API reports nothing beside the tokens")
        given = [HiroRow(*row) for row in rows]
        if len({(row.asset_identifier, row.hex) for row in given}) != len(given):
            raise ValueError(f"{key}: one token stands twice")
        self.next_block()
        holder = self._principals.setdefault(key, HiroPrincipal(key))
        holder.rows = given[::-1]
        return holder

    def principal(self, name: str) -> HiroPrincipal:
        return self._principals[named("hiro", name)]

    def _fill(self, holder: HiroPrincipal, tokens: int) -> None:
        """A past: a few tokens a block and transaction, up to the present block."""
        if tokens >= 3 * len(_ONE_OF_A_KIND):
            for value in _ONE_OF_A_KIND:
                self.mint(holder, f"{_DEPLOYER}.misc::m-{len(self._principals)}", value)
        while len(holder.rows) < tokens:
            self.mint(holder, *self._new_token())
        present = self.tip.height
        height, tx_id = present - tokens // 3 - 1, transaction(self.rng)
        self.rng.shuffle(holder.rows)
        for position, row in enumerate(holder.rows):
            if self.rng.random() < 0.5:
                height = min(height + self.rng.randint(0, 1), present)
                tx_id = transaction(self.rng)
            holder.rows[position] = row._replace(block_height=height, tx_id=tx_id)

    def stir(self) -> Iterable[HiroPrincipal]:
        """One block with a few transactions."""
        self.next_block()
        everyone = list(self._principals.values())
        touched: dict[str, HiroPrincipal] = {}
        for holder in everyone:
            for _ in range(1 + len(holder.rows) // 400):
                other = self.rng.choice(everyone)
                self._transaction(holder, other)
                touched[holder.key], touched[other.key] = holder, other
        return touched.values()

    def _transaction(self, holder: HiroPrincipal, other: HiroPrincipal) -> None:
        rng = self.rng
        tx_id = transaction(rng)
        kind = rng.choices(("mint", "back", "out", "burn", "move"), weights=(3, 2, 3, 1, 3))[0]
        if kind == "back" and self._elsewhere:
            self.give(self._elsewhere.pop(rng.randrange(len(self._elsewhere))), holder, tx_id)
        elif kind in {"mint", "back"} or not holder.rows:
            for _ in range(rng.choice((1, 1, 2, 3))):
                self.mint(holder, *self._new_token(), tx_id)
        elif kind == "move":
            self.give(holder.take(rng.randrange(len(holder.rows))), other, tx_id)
        else:
            row = holder.take(rng.randrange(len(holder.rows)))
            if kind == "out":
                self.leave(row)

    def _new_token(self) -> tuple[str, Value]:
        """A token that nobody has, of one of the usual types."""
        self._serial += 1
        serial = self._serial
        contract = f"{_DEPLOYER}.c-{serial}"
        name, space = clarity.buffer(b"name%d" % serial), clarity.buffer(b"btc")
        choices = (
            ("SPQZF23W7SEYBFG5JQ496NMY0G7379SRYEDREMSV.Candy::candy", clarity.uint128(serial)),
            (f"{_DEPLOYER}.the-explorer-guild::The-Explorer-Guild", clarity.uint128(serial)),
            (
                "SP000000000000000000002Q6VF78.bns::names",
                clarity.tuple_of(name=name, namespace=space),
            ),
            (f"{_DEPLOYER}.ints::i", clarity.int128(-serial if serial % 2 else serial)),
            (f"{_DEPLOYER}.bufs::b", clarity.buffer(serial.to_bytes(serial % 20 + 4))),
            (f"{_DEPLOYER}.ascii::s", clarity.ascii_string(f'tok-"{serial}"\\')),
            (f"{_DEPLOYER}.utf8::u", clarity.utf8_string(f"ñandú 🦀 {serial}")),
            (f"{_DEPLOYER}.princ::p", clarity.principal(contract)),
            (f"{_DEPLOYER}.opt::o", clarity.some(clarity.uint128(serial))),
        )
        return self.rng.choices(choices, weights=(6, 6, 4, 1, 1, 1, 1, 1, 1))[0]


class HiroVerbs(Verbs):
    """What one can make happen on the chain, each in a block of its own."""

    @property
    def tip(self) -> Tip:
        return self.ledger(HiroChain).tip

    def add_hiro_principal(self, tokens: int) -> str:
        """A new principal with that many tokens; returns its key."""
        return self.add("hiro", tokens)

    def hiro_mint(
        self, principal: str, asset_identifier: str, value_hex: str, value_repr: str
    ) -> None:
        """A new token (or one that comes back) at the top."""
        with self.lock:
            chain = self.ledger(HiroChain)
            holder = chain.principal(principal)
            if any((asset_identifier, value_hex) == row[:2] for row in holder.rows):
                raise ValueError(f"{principal} already holds {asset_identifier} {value_hex}")
            chain.next_block()
            value = Value(bytes.fromhex(value_hex.removeprefix("0x")), value_repr)
            chain.mint(holder, asset_identifier, value)
            self.publish(holder)

    def hiro_transfer_out(self, principal: str, index: int) -> None:
        """The token at `index`, counted from the newest, leaves for somebody unknown."""
        with self.lock:
            chain = self.ledger(HiroChain)
            holder = chain.principal(principal)
            row = holder.take(index)
            chain.next_block()
            chain.leave(row)
            self.publish(holder)

    def hiro_transfer(self, sender: str, receiver: str, index: int) -> None:
        """The sender's token at `index` enters at the top of the receiver's list."""
        with self.lock:
            chain = self.ledger(HiroChain)
            giver, taker = chain.principal(sender), chain.principal(receiver)
            row = giver.take(index)
            chain.next_block()
            chain.give(row, taker)
            self.publish(giver, taker)


def split_filter(key: str) -> tuple[str, frozenset[str]]:
    """The key of the whole principal, and the asset identifiers that are asked for, if any are."""
    principal, _, assets = key.partition(FILTERED)
    return principal, frozenset(assets.split(",") if assets else ())


@lru_cache(maxsize=512)
def only_assets(state: State, assets: frozenset[str]) -> State:
    """The same moment, seen through a filter of asset identifiers."""
    kept = tuple(row for row in state.listing if row[0] in assets)
    return State(state.at, state.version, kept)


def stacks_address(rng: Random) -> str:
    version = c32.MAINNET_SINGLE_SIG if rng.random() < 0.9 else c32.MAINNET_MULTI_SIG
    return c32.encode(version, rng.randbytes(20))


def transaction(rng: Random) -> str:
    return "0x" + rng.randbytes(32).hex()
