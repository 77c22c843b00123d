"""The world behind the sandbox: three ledgers that change, and every state they ever showed.

The world is the referee in trials of proofs, so it must know the truth exactly: a change and the
time from which it holds are published under one lock, times strictly increase, and no state is
ever forgotten. What happens depends on the seed and the calls alone; only the times are real.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from threading import RLock
from typing import Any, Protocol, Unpack

from pipelines.sandbox import fakes
from pipelines.sandbox.altura_item import AlturaItem, Profile
from pipelines.sandbox.catenis_asset import CatenisAsset
from pipelines.sandbox.clarity import Value
from pipelines.sandbox.hiro_chain import HiroChain, HiroPrincipal
from pipelines.sandbox.states import (
    FILTERED,
    NOT_LISTED,
    Aggregate,
    AlturaRow,
    CatenisRow,
    HiroRow,
    Listing,
    State,
    Tip,
    between,
    hiro_filter,
    only_assets,
    without_repeats,
)

ISSUER = "dnN3Ea43bhMTHtTvpytS"
"""The device that issued every asset unless another is named: the one of the API's own examples."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class WorldSize:
    """How many rows each target begins with: the length of a tuple is the number of targets."""

    altura_items: tuple[int, ...] = (60, 1200)
    hiro_principals: tuple[int, ...] = (150, 2100)
    catenis_assets: tuple[int, ...] = (40, 1300)


DEFAULT_SIZE = WorldSize()
EMPTY = WorldSize((), (), ())


class Ledger(Protocol):
    """Something that changes: its views are what the world publishes, a target each."""

    def views(self) -> Iterator[tuple[str, Listing, Aggregate | None]]: ...


class World:
    """Thread-safe. Targets are named as everywhere in Holdfast:

    `altura:{address}/{tokenId}` and the same with `?include_listed=false`, `hiro:{principal}` and
    the same with `?asset_identifiers=a,b` (sorted), `catenis:{assetId}`. The verbs take a name with
    or without the provider, and raise KeyError for one that does not exist.
    """

    def __init__(self, seed: int = 1, size: WorldSize = DEFAULT_SIZE) -> None:
        self._lock = RLock()
        self._last = datetime.min.replace(tzinfo=UTC)
        self._history: dict[str, list[State]] = {}
        self._altura_rng = _stream(seed, "altura")
        self._hiro_rng = _stream(seed, "hiro")
        self._catenis_rng = _stream(seed, "catenis")
        self._items: dict[str, AlturaItem] = {}
        self._chain = HiroChain(self._hiro_rng)
        self._assets: dict[str, CatenisAsset] = {}
        for holders in size.altura_items:
            self.add_altura_item(holders)
        for tokens in size.hiro_principals:
            self.add_hiro_principal(tokens)
        for position, devices in enumerate(size.catenis_assets):
            key = self.add_catenis_asset(devices)
            if position % 2:
                self.catenis_set_migrated(key, Decimal("250.5"))

    # --- what is true -------------------------------------------------------------------------

    @property
    def tip(self) -> Tip:
        with self._lock:
            return self._chain.tip

    def targets(self, provider: str | None = None) -> tuple[str, ...]:
        """Every target in the order it was made; other options of the same one are left out."""
        with self._lock:
            keys = tuple(self._history)
        prefix = f"{provider}:" if provider else ""
        return tuple(k for k in keys if k.startswith(prefix) and not k.endswith(NOT_LISTED))

    def state(self, key: str) -> State | None:
        """The newest state, or None where the world has no such target."""
        key, assets = hiro_filter(key)
        with self._lock:
            history = self._history.get(key)
            newest = history[-1] if history else None
        return only_assets(newest, assets) if newest and assets else newest

    def states(self, key: str) -> list[State]:
        """Every state there ever was, oldest first."""
        key, assets = hiro_filter(key)
        with self._lock:
            history = list(self._history[key])
        return _seen_through(history, assets)

    def states_between(self, key: str, start: datetime, end: datetime) -> list[State]:
        """The state in force at `start`, and every later one that began up to `end`.

        Through a filter of asset identifiers, the first may have begun before its `at`.
        """
        key, assets = hiro_filter(key)
        with self._lock:
            history = between(self._history[key], start, end)
        return _seen_through(history, assets)

    def issuer(self, key: str) -> str | None:
        """The device that may list a Catenis asset's holders; None for an unknown asset."""
        with self._lock:
            asset = self._assets.get(_named("catenis", key))
            return asset.issuer if asset else None

    # --- what happens -------------------------------------------------------------------------

    def tick(self, steps: int = 1) -> None:
        """Let a few things happen to every target; one step is one instant and one block."""
        for _ in range(steps):
            with self._lock:
                for item in self._items.values():
                    item.stir(self._altura_rng)
                for asset in self._assets.values():
                    asset.stir(self._catenis_rng)
                touched = self._chain.stir()
                self._publish(*self._items.values(), *touched, *self._assets.values())

    def set_rows(
        self,
        key: str,
        rows: Iterable[tuple[Any, ...]],
        aggregate: Aggregate | None = None,
        *,
        keep_order: bool = False,
    ) -> None:
        """Make a target show exactly these rows (Hiro: newest first), as hostile as they may be.

        Makes the target where there is none. With `keep_order`, rows that stay keep their order
        where nothing promises one. Takes rows as plain tuples, in the order of AlturaRow, HiroRow
        or CatenisRow; raises ValueError where a row's key stands twice.
        """
        provider = key.partition(":")[0]
        with self._lock:
            if NOT_LISTED in key or FILTERED in key:
                raise ValueError(f"{key} is a view of another target: set the rows of that one")
            if provider == "altura":
                item = self._items.get(key) or AlturaItem(key)
                item.replace(AlturaRow(*row) for row in rows)
                self._items[key] = item
                self._publish(item, keep_order=keep_order)
            elif provider == "hiro":
                holder = self._chain.principals.get(key) or HiroPrincipal(key)
                self._chain.next_block()
                self._chain.replace(holder, (HiroRow(*row) for row in rows))
                self._chain.principals[key] = holder
                self._publish(holder)
            elif provider == "catenis":
                asset = self._assets.get(key) or CatenisAsset(key, ISSUER)
                asset.replace(CatenisRow(*row) for row in rows)
                asset.migrated = aggregate
                self._assets[key] = asset
                self._publish(asset, keep_order=keep_order)
            else:
                raise ValueError(f"{key!r} names none of the providers altura, hiro, catenis")

    def add_altura_item(self, holders: int) -> str:
        """A new item with that many holders; returns its key. Token ids count from 1."""
        with self._lock:
            collection = fakes.wallet(self._altura_rng)
            item = AlturaItem(f"altura:{collection}/{len(self._items) + 1}")
            item.fill(self._altura_rng, holders)
            self._items[item.key] = item
            self._publish(item)
            return item.key

    def altura_set(self, item: str, address: str, balance: int, **profile: Unpack[Profile]) -> None:
        """What a wallet holds, listed ones included; profile fields not given stay as they are."""
        with self._lock:
            ledger = self._items[_named("altura", item)]
            ledger.hold(address, balance, profile)
            self._publish(ledger)

    def altura_remove(self, item: str, address: str) -> None:
        self.altura_set(item, address, 0)

    def altura_list(self, item: str, address: str, amount: int) -> None:
        """How many of its tokens a wallet offers for sale from now on."""
        with self._lock:
            ledger = self._items[_named("altura", item)]
            ledger.offer(address, amount)
            self._publish(ledger)

    def add_hiro_principal(self, tokens: int) -> str:
        """A new principal with that many tokens; returns its key."""
        with self._lock:
            self._chain.next_block()
            holder = HiroPrincipal("hiro:" + fakes.stacks_address(self._hiro_rng))
            self._chain.fill(holder, tokens)
            self._chain.principals[holder.key] = holder
            self._publish(holder)
            return holder.key

    def hiro_mint(
        self, principal: str, asset_identifier: str, value_hex: str, value_repr: str
    ) -> None:
        """A new token (or one that comes back) at the top, in a block of its own."""
        with self._lock:
            holder = self._holder(principal)
            if any((asset_identifier, value_hex) == row[:2] for row in holder.rows):
                raise ValueError(f"{principal} already holds {asset_identifier} {value_hex}")
            self._chain.next_block()
            value = Value(bytes.fromhex(value_hex.removeprefix("0x")), value_repr)
            self._chain.mint(holder, asset_identifier, value)
            self._publish(holder)

    def hiro_transfer_out(self, principal: str, index: int) -> None:
        """The token at `index`, counted from the newest, leaves for somebody unknown."""
        with self._lock:
            holder = self._holder(principal)
            row = holder.take(index)
            self._chain.next_block()
            self._chain.leave(row)
            self._publish(holder)

    def hiro_transfer(self, sender: str, receiver: str, index: int) -> None:
        """The sender's token at `index` enters at the top of the receiver's list."""
        with self._lock:
            giver, taker = self._holder(sender), self._holder(receiver)
            row = giver.take(index)
            self._chain.next_block()
            self._chain.give(row, taker)
            self._publish(giver, taker)

    def add_catenis_asset(self, devices: int, issuer: str = ISSUER) -> str:
        """A new asset with that many holding devices; returns its key."""
        with self._lock:
            asset = CatenisAsset("catenis:" + fakes.asset_id(self._catenis_rng), issuer)
            asset.fill(self._catenis_rng, devices)
            self._assets[asset.key] = asset
            self._publish(asset)
            return asset.key

    def catenis_set(
        self,
        asset: str,
        device_id: str,
        total: Decimal | int,
        unconfirmed: Decimal | int = 0,
        *,
        name: str | None = None,
        prod_unique_id: str | None = None,
    ) -> None:
        """Everything about one device; a total of 0 stays in the list (see catenis_remove)."""
        row = CatenisRow(device_id, Decimal(total), Decimal(unconfirmed), name, prod_unique_id)
        with self._lock:
            ledger = self._assets[_named("catenis", asset)]
            ledger.rows[device_id] = row
            self._publish(ledger)

    def catenis_remove(self, asset: str, device_id: str) -> None:
        with self._lock:
            ledger = self._assets[_named("catenis", asset)]
            del ledger.rows[device_id]
            self._publish(ledger)

    def catenis_set_migrated(
        self, asset: str, total: Decimal | int, unconfirmed: Decimal | int = 0
    ) -> None:
        """What is reported as moved to another blockchain, in all."""
        with self._lock:
            ledger = self._assets[_named("catenis", asset)]
            ledger.migrated = Aggregate(Decimal(total), Decimal(unconfirmed))
            self._publish(ledger)

    def _holder(self, principal: str) -> HiroPrincipal:
        return self._chain.principals[_named("hiro", principal)]

    def _publish(self, *ledgers: Ledger, keep_order: bool = False) -> None:
        """Append a state to each target that looks different now, all with one time."""
        shown = [view for ledger in ledgers for view in ledger.views()]
        self._last = max(datetime.now(UTC), self._last + _TICK)
        for key, listing, aggregate in shown:
            history = self._history.setdefault(key, [])
            if history:
                before = history[-1]
                if before.listing == listing and before.aggregate == aggregate:
                    continue
            version = history[-1].version if history and keep_order else len(history)
            history.append(State(self._last, version, listing, aggregate))


def _stream(seed: int, provider: str) -> Random:
    """Random numbers of its own for each ledger: a verb on one does not change another's future."""
    return Random(f"{seed}/{provider}")  # noqa: S311 - a game, and it must be repeatable


def _named(provider: str, name: str) -> str:
    return name if name.startswith(f"{provider}:") else f"{provider}:{name}"


def _seen_through(history: list[State], assets: frozenset[str] | None) -> list[State]:
    if not assets:
        return history
    return without_repeats([only_assets(state, assets) for state in history])
