"""A Stacks chain as far as the watched principals see it: blocks, and tokens that change hands.

One rule makes the order of the real API what it is, and every proof over it possible: a token that
changes hands is written anew, with the new block and transaction, at the TOP of its new holder's
list. Nothing is ever inserted further down; only `replace` can (it stands for a reorganisation).
"""

from collections.abc import Iterable, Iterator
from random import Random

from pipelines.sandbox import clarity, fakes
from pipelines.sandbox.clarity import Value
from pipelines.sandbox.states import HiroRow, Listing, Tip

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


class HiroChain:
    """A ledger without a clock: the world decides when a block is published."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._serial = 0
        self._elsewhere: list[HiroRow] = []  # tokens that left, and may come back
        self.principals: dict[str, HiroPrincipal] = {}
        self.tip = Tip(_FIRST_HEIGHT, fakes.transaction(rng))

    def next_block(self) -> None:
        self.tip = Tip(self.tip.height + 1, fakes.transaction(self._rng))

    def mint(self, holder: HiroPrincipal, asset: str, value: Value, tx_id: str = "") -> None:
        tx_id = tx_id or fakes.transaction(self._rng)
        holder.rows.append(HiroRow(asset, value.hex, value.repr, self.tip.height, tx_id))

    def give(self, row: HiroRow, holder: HiroPrincipal, tx_id: str = "") -> None:
        """Put a token at the top of a list, as this block's."""
        tx_id = tx_id or fakes.transaction(self._rng)
        holder.rows.append(row._replace(block_height=self.tip.height, tx_id=tx_id))

    def leave(self, row: HiroRow) -> None:
        self._elsewhere.append(row)

    def replace(self, holder: HiroPrincipal, rows: Iterable[HiroRow]) -> None:
        """Any rows at all, newest first; ValueError where one token stands twice."""
        given = list(rows)
        if len({(row.asset_identifier, row.hex) for row in given}) != len(given):
            raise ValueError(f"{holder.key}: one token stands twice")
        holder.rows = given[::-1]

    def fill(self, holder: HiroPrincipal, tokens: int) -> None:
        """A past: a few tokens a block and transaction, up to the present block."""
        if tokens >= 3 * len(_ONE_OF_A_KIND):
            for value in _ONE_OF_A_KIND:
                self.mint(holder, f"{_DEPLOYER}.misc::m-{len(self.principals)}", value)
        while len(holder.rows) < tokens:
            self.mint(holder, *self._new_token())
        present = self.tip.height
        height, tx_id = present - tokens // 3 - 1, fakes.transaction(self._rng)
        self._rng.shuffle(holder.rows)
        for position, row in enumerate(holder.rows):
            if self._rng.random() < 0.5:
                height = min(height + self._rng.randint(0, 1), present)
                tx_id = fakes.transaction(self._rng)
            holder.rows[position] = row._replace(block_height=height, tx_id=tx_id)

    def stir(self) -> list[HiroPrincipal]:
        """One block with a few transactions; returns the principals it touched."""
        self.next_block()
        if not self.principals:
            return []
        everyone = list(self.principals.values())
        touched = {}
        for holder in everyone:
            for _ in range(1 + len(holder.rows) // 400):
                other = self._rng.choice(everyone)
                self._transaction(holder, other)
                touched[holder.key], touched[other.key] = holder, other
        return list(touched.values())

    def _transaction(self, holder: HiroPrincipal, other: HiroPrincipal) -> None:
        rng = self._rng
        tx_id = fakes.transaction(rng)
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
        return self._rng.choices(choices, weights=(6, 6, 4, 1, 1, 1, 1, 1, 1))[0]
