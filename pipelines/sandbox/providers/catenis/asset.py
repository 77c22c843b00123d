"""Catenis' ledger: which devices hold how much of an asset, what is unconfirmed, what migrated.

Amounts have up to seven decimals and are Decimals throughout. `total` includes `unconfirmed`, as
in the API: a transfer is unconfirmed at its receiver first and confirms at a later step. What was
moved to another blockchain is one aggregate without a holder.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from random import Random
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple

from pipelines.sandbox.contract import Ledger, Verbs, named
from pipelines.sandbox.states import Aggregate, Listing, Row

ISSUER = "dnN3Ea43bhMTHtTvpytS"
"""The device that issued every asset unless another is named: the one of the API's own examples."""

_ALPHANUMERIC = digits + ascii_uppercase + ascii_lowercase
_PLACES = ("dock", "gate", "warehouse", "pump", "kiosk", "truck", "scale", "crane")
ZERO = Decimal(0)
_UNIT = Decimal("1e-7")


class CatenisRow(NamedTuple):
    device_id: str
    total: Decimal
    unconfirmed: Decimal
    name: str | None
    prod_unique_id: str | None


class CatenisAsset:
    """One asset: what each device holds of it, and what has migrated in all."""

    def __init__(self, key: str, issuer: str) -> None:
        self.key = key
        self.issuer = issuer
        self.rows: dict[str, CatenisRow] = {}
        self.migrated: Aggregate | None = None

    def views(self) -> Iterator[tuple[str, Listing, Aggregate | None]]:
        yield self.key, tuple(self.rows.values()), self.migrated

    def replace(self, rows: Iterable[CatenisRow]) -> None:
        """Any rows at all, hostile ones too; ValueError where one device stands twice."""
        given = list(rows)
        by_device = {row.device_id: row for row in given}
        if len(by_device) != len(given):
            raise ValueError(f"{self.key}: one device has several rows")
        self.rows = by_device

    def fill(self, rng: Random, devices: int) -> None:
        while len(self.rows) < devices:
            device = device_id(rng)
            total = _amount(rng)
            unconfirmed = total if rng.random() < 0.03 else ZERO
            self.rows[device] = _device(rng, device, total, unconfirmed)

    def stir(self, rng: Random) -> None:
        """Confirm some of what waits, then let a few things happen, more on a larger asset."""
        for row in tuple(self.rows.values()):
            if row.unconfirmed and rng.random() < 0.3:
                self.rows[row.device_id] = row._replace(unconfirmed=ZERO)
        for _ in range(2 + len(self.rows) // 200):
            move: Callable[[Random], None] = rng.choices(
                (self._transfer, self._issue, self._migrate, self._rename), weights=(8, 2, 2, 2)
            )[0]
            (move if self.rows else self._issue)(rng)

    def _transfer(self, rng: Random) -> None:
        self._receive(rng, self._spend(rng))

    def _issue(self, rng: Random) -> None:
        self._receive(rng, _amount(rng))

    def _migrate(self, rng: Random) -> None:
        """Only where something has migrated before: other assets keep having no aggregate."""
        if self.migrated is None:
            return
        amount = self._spend(rng)
        waits = amount if rng.random() < 0.3 else ZERO
        self.migrated = Aggregate(self.migrated.total + amount, waits)

    def _rename(self, rng: Random) -> None:
        row = rng.choice(tuple(self.rows.values()))
        self.rows[row.device_id] = _device(rng, row.device_id, row.total, row.unconfirmed)

    def _spend(self, rng: Random) -> Decimal:
        """Take all or a part of what a device holds confirmed; without a rest it leaves."""
        row = rng.choice(tuple(self.rows.values()))
        spare = row.total - row.unconfirmed
        whole = rng.random() < 0.4 or spare.adjusted() > 15  # beyond, tenths would be rounded
        amount = spare if whole else (spare * rng.randint(1, 9) / 10).quantize(_UNIT)
        if row.total == amount:
            del self.rows[row.device_id]
        else:
            self.rows[row.device_id] = row._replace(total=row.total - amount)
        return amount

    def _receive(self, rng: Random, amount: Decimal) -> None:
        if not amount:
            return
        if self.rows and rng.random() < 0.5:
            row = rng.choice(tuple(self.rows.values()))
        else:
            row = _device(rng, device_id(rng), ZERO, ZERO)
        self.rows[row.device_id] = row._replace(
            total=row.total + amount, unconfirmed=row.unconfirmed + amount
        )


class CatenisAssets(Ledger):
    """All assets of a world."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._assets: dict[str, CatenisAsset] = {}

    def begin(self, sizes: Iterable[int]) -> Iterator[CatenisAsset]:
        """Of every second asset something migrates soon after it was made."""
        for position, devices in enumerate(sizes):
            asset = self.add(devices)
            yield asset
            if position % 2:
                asset.migrated = Aggregate(Decimal("250.5"), ZERO)
                yield asset

    def add(self, rows: int, issuer: str = ISSUER) -> CatenisAsset:
        asset = CatenisAsset("catenis:" + asset_id(self.rng), issuer)
        asset.fill(self.rng, rows)
        self._assets[asset.key] = asset
        return asset

    def stir(self) -> Iterable[CatenisAsset]:
        for asset in self._assets.values():
            asset.stir(self.rng)
        return self._assets.values()

    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> CatenisAsset:
        asset = self._assets.get(key) or CatenisAsset(key, ISSUER)
        asset.replace(CatenisRow(*row) for row in rows)
        asset.migrated = aggregate
        self._assets[key] = asset
        return asset

    def asset(self, name: str) -> CatenisAsset:
        return self._assets[named("catenis", name)]


class CatenisVerbs(Verbs):
    """What one can make happen to an asset."""

    def add_catenis_asset(self, devices: int, issuer: str = ISSUER) -> str:
        """A new asset with that many holding devices; returns its key."""
        with self.lock:
            asset = self.ledger(CatenisAssets).add(devices, issuer)
            self.publish(asset)
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
        with self.lock:
            held = self.ledger(CatenisAssets).asset(asset)
            held.rows[device_id] = row
            self.publish(held)

    def catenis_remove(self, asset: str, device_id: str) -> None:
        with self.lock:
            held = self.ledger(CatenisAssets).asset(asset)
            del held.rows[device_id]
            self.publish(held)

    def catenis_set_migrated(
        self, asset: str, total: Decimal | int, unconfirmed: Decimal | int = 0
    ) -> None:
        """What is reported as moved to another blockchain, in all."""
        with self.lock:
            held = self.ledger(CatenisAssets).asset(asset)
            held.migrated = Aggregate(Decimal(total), Decimal(unconfirmed))
            self.publish(held)


def device_id(rng: Random) -> str:
    return "d" + "".join(rng.choices(_ALPHANUMERIC, k=19))


def asset_id(rng: Random) -> str:
    return "a" + "".join(rng.choices(_ALPHANUMERIC, k=19))


def _device_name(rng: Random) -> str | None:
    if rng.random() < 0.3:
        return None
    return f"{rng.choice(_PLACES)} {rng.randrange(100)}"


def _product_id(rng: Random) -> str | None:
    if rng.random() < 0.5:
        return None
    return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=3)) + f"{rng.randrange(1000):03}"


def _amount(rng: Random) -> Decimal:
    """Whole, with a few decimals, or the smallest there is."""
    return rng.choice(
        (
            Decimal(rng.randint(1, 5000)),
            Decimal(rng.randint(1, 500_000)).scaleb(-2),
            Decimal(rng.randint(1, 10**12)).scaleb(-7),
            _UNIT * rng.randint(1, 9),
        )
    )


def _device(rng: Random, device: str, total: Decimal, unconfirmed: Decimal) -> CatenisRow:
    name, product = _device_name(rng), _product_id(rng)
    return CatenisRow(device, total, unconfirmed, name, product)
