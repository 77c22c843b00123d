"""Altura's ledger: who holds how many of an item, how many of those are listed, and how it lives.

A listed amount has left its owner on the chain: the marketplace contract holds it. The API's
includeListed decides which of the two one sees, so one item is two targets, each with a history
of its own. A listing changes only the second.
"""

from collections.abc import Callable, Iterable, Iterator
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple, TypedDict, Unpack

from pipelines.sandbox.contract import Ledger, Verbs, named
from pipelines.sandbox.states import Aggregate, Listing, Row

NOT_LISTED = "?include_listed=false"
MARKETPLACE = "0x" + "5a1e" * 10
UINT256_MAX = 2**256 - 1

_FIRST = (
    "The Altura OG ", "@pujken", "Zoë", "李雷", "Мария", "señor_ñandú", "0xDad", "🦀 crab",
    "O'Neil", 'the "real" one', "back\\slash", "moon\tboy", "علي", "grace.eth", "Kōan", "nobody",
)  # fmt: skip
"""As unkind as people are: a space at the end (as in Altura's own documentation), several scripts,
emoji, quotes that want escaping."""


class AlturaRow(NamedTuple):
    address: str
    balance: int
    name: str | None
    profile_pic: str | None
    profile_pic_url: str | None


class Profile(TypedDict, total=False):
    name: str | None
    profile_pic: str | None
    profile_pic_url: str | None


class AlturaItem:
    """One item: what each wallet holds, and how much of that is listed for sale."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.rows: dict[str, AlturaRow] = {}
        self.listed: dict[str, int] = {}

    def views(self) -> Iterator[tuple[str, Listing, None]]:
        yield self.key, tuple(self.rows.values()), None
        yield self.key + NOT_LISTED, tuple(self._on_chain()), None

    def _on_chain(self) -> Iterator[AlturaRow]:
        for address, row in self.rows.items():
            listed = self.listed.get(address, 0)
            if listed < row.balance:
                yield row._replace(balance=row.balance - listed) if listed else row
        if self.listed:
            yield AlturaRow(MARKETPLACE, sum(self.listed.values()), None, None, None)

    def hold(self, address: str, balance: int, profile: Profile) -> None:
        """What a wallet holds, listed ones included; 0 removes it. Profile fields not given stay.

        Raises ValueError for a balance that no contract can hold.
        """
        if not 0 <= balance <= UINT256_MAX:
            raise ValueError(f"a balance is a uint256, not {balance}")
        if address == MARKETPLACE:
            raise ValueError("the marketplace holds what is listed and nothing else")
        if balance == 0:
            self.remove(address)
            return
        row = self.rows.get(address) or AlturaRow(address, balance, None, None, None)
        self.rows[address] = row._replace(balance=balance, **profile)
        if address in self.listed:
            self.offer(address, min(self.listed[address], balance))

    def remove(self, address: str) -> None:
        self.rows.pop(address, None)
        self.listed.pop(address, None)

    def offer(self, address: str, amount: int) -> None:
        """How many of a wallet's tokens are for sale from now on; 0 takes them back."""
        held = self.rows[address].balance
        if not 0 <= amount <= held:
            raise ValueError(f"{address} cannot list {amount} of {held}")
        self.listed.pop(address, None)
        if amount:
            self.listed[address] = amount

    def replace(self, rows: Iterable[AlturaRow]) -> None:
        """Any rows at all, hostile ones too; ValueError where one address stands twice."""
        given = list(rows)
        by_address = {row.address: row for row in given}
        if len(by_address) != len(given):
            raise ValueError(f"{self.key}: one address has several rows")
        self.rows, self.listed = by_address, {}

    def fill(self, rng: Random, holders: int) -> None:
        """Most hold a few (so that ties abound), and one in 150 more than a double can count."""
        while len(self.rows) < holders:
            address = wallet(rng)
            whale = len(self.rows) % 150 == 7
            balance = rng.getrandbits(100) if whale else rng.choice((1, 1, 1, 2, 2, 3, 5, 40))
            self.hold(address, balance + 1, _profile(rng, address))
            if rng.random() < 0.05:
                self.offer(address, rng.randint(1, balance + 1))

    def stir(self, rng: Random) -> None:
        """Let a few things happen, more on a larger item."""
        for _ in range(2 + len(self.rows) // 200):
            move: Callable[[Random], None] = rng.choices(
                (self._transfer, self._mint, self._burn, self._offer_some, self._rename),
                weights=(8, 3, 2, 4, 2),
            )[0]
            (move if self.rows else self._mint)(rng)

    def _transfer(self, rng: Random) -> None:
        sender = _any(rng, self.rows)
        spare = self.rows[sender].balance - self.listed.get(sender, 0)
        if not spare:
            return
        amount = spare if rng.random() < 0.4 else rng.randint(1, spare)
        self._receive(rng, amount)
        self.hold(sender, self.rows[sender].balance - amount, {})

    def _mint(self, rng: Random) -> None:
        self._receive(rng, rng.randint(1, 3))

    def _receive(self, rng: Random, amount: int) -> None:
        if self.rows and rng.random() < 0.5:
            address = _any(rng, self.rows)
            self.hold(address, min(self.rows[address].balance + amount, UINT256_MAX), {})
        else:
            address = wallet(rng)
            self.hold(address, amount, _profile(rng, address))

    def _burn(self, rng: Random) -> None:
        address = _any(rng, self.rows)
        if address not in self.listed:
            self.hold(address, self.rows[address].balance - 1, {})

    def _offer_some(self, rng: Random) -> None:
        address = _any(rng, self.rows)
        listed = address in self.listed
        self.offer(address, 0 if listed else rng.randint(1, self.rows[address].balance))

    def _rename(self, rng: Random) -> None:
        address = _any(rng, self.rows)
        self.hold(address, self.rows[address].balance, _profile(rng, address))


class AlturaItems(Ledger):
    """All items of a world. Token ids count from 1."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._items: dict[str, AlturaItem] = {}

    def add(self, rows: int) -> AlturaItem:
        collection = wallet(self.rng)
        item = AlturaItem(f"altura:{collection}/{len(self._items) + 1}")
        item.fill(self.rng, rows)
        self._items[item.key] = item
        return item

    def stir(self) -> Iterable[AlturaItem]:
        for item in self._items.values():
            item.stir(self.rng)
        return self._items.values()

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> AlturaItem:
        if aggregate is not None:
            raise ValueError(f"{key}: Altura reports nothing beside the holders")
        item = self._items.get(key) or AlturaItem(key)
        item.replace(AlturaRow(*row) for row in rows)
        self._items[key] = item
        return item

    def item(self, name: str) -> AlturaItem:
        return self._items[named("altura", name)]


class AlturaVerbs(Verbs):
    """What one can make happen to an item."""

    def add_altura_item(self, holders: int) -> str:
        """A new item with that many holders; returns its key."""
        return self.add("altura", holders)

    def altura_set(self, item: str, address: str, balance: int, **profile: Unpack[Profile]) -> None:
        """What a wallet holds, listed ones included; profile fields not given stay as they are."""
        with self.lock:
            held = self.ledger(AlturaItems).item(item)
            held.hold(address, balance, profile)
            self.publish(held)

    def altura_remove(self, item: str, address: str) -> None:
        self.altura_set(item, address, 0)

    def altura_list(self, item: str, address: str, amount: int) -> None:
        """How many of its tokens a wallet offers for sale from now on."""
        with self.lock:
            held = self.ledger(AlturaItems).item(item)
            held.offer(address, amount)
            self.publish(held)


def wallet(rng: Random) -> str:
    return "0x" + rng.randbytes(20).hex()


def person(rng: Random) -> str | None:
    """A display name; one in three has none, and some share one."""
    if rng.random() < 1 / 3:
        return None
    name = rng.choice(_FIRST)
    return name if rng.random() < 0.2 else f"{name}{rng.randrange(1000)}"


def _picture(rng: Random) -> str | None:
    if rng.random() < 0.5:
        return None
    return "https://ipfs.io/ipfs/Qm" + "".join(
        rng.choices(digits + ascii_uppercase + ascii_lowercase, k=44)
    )


def _picture_url(rng: Random, address: str) -> str | None:
    if rng.random() < 0.5:
        return None
    return f"https://pictures.example/{address}_{rng.randbytes(8).hex()}.png"


def _any(rng: Random, rows: dict[str, AlturaRow]) -> str:
    return rng.choice(tuple(rows))


def _profile(rng: Random, address: str) -> Profile:
    return {
        "name": person(rng),
        "profile_pic": _picture(rng),
        "profile_pic_url": _picture_url(rng, address),
    }
