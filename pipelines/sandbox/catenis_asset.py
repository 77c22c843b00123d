"""One Catenis asset: which devices hold how much of it, what is unconfirmed, what has migrated.

Amounts have up to seven decimals and are Decimals throughout. `total` includes `unconfirmed`, as
in the API: a transfer is unconfirmed at its receiver first and confirms at a later step. What was
moved to another blockchain is one aggregate without a holder.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from random import Random

from pipelines.sandbox import fakes
from pipelines.sandbox.states import Aggregate, CatenisRow, Listing

ZERO = Decimal(0)
_UNIT = Decimal("1e-7")


class CatenisAsset:
    """A ledger without a clock: the world decides when a change is published."""

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
            device_id = fakes.device_id(rng)
            total = _amount(rng)
            unconfirmed = total if rng.random() < 0.03 else ZERO
            self.rows[device_id] = _device(rng, device_id, total, unconfirmed)

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
            row = _device(rng, fakes.device_id(rng), ZERO, ZERO)
        self.rows[row.device_id] = row._replace(
            total=row.total + amount, unconfirmed=row.unconfirmed + amount
        )


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


def _device(rng: Random, device_id: str, total: Decimal, unconfirmed: Decimal) -> CatenisRow:
    name, product = fakes.device_name(rng), fakes.product_id(rng)
    return CatenisRow(device_id, total, unconfirmed, name, product)
