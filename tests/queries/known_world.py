"""A small world over six weeks of 2024, by hand, so that every answer can be worked out on paper.

Its states are taken by the real pipeline from the sandbox; each snapshot is then moved to its day,
before the next is taken. A snapshot is known within a minute.

    Sword (Altura)    Jan 1  Jan 8  Jan 15   Feb 5  Feb 12       due every 7 days
    alice                50     55      60      65      70       "Alice", from Jan 15 "Alice A."
    bob                  30     30      30      30       -
    carol                20     15      15      15      15       "Carol", from Feb 5 "Caro"
    dave                  -     10      10      10      10
    hank                  -     10       -       -       -
    erin                  -      -       5       -       5
    frank                 -      -       -       5       5
    in all              100    120     120     125     105

    Shield (Altura)   Jan 1                          Feb 12
    alice                10                              10
    bob                  10                              20
    carol                80                               -
    dave                  -                               5
    grace                 -                              65

    Crowd (Altura)    Jan 1  Jan 8           Feb 5
    the first            10     40             130
    eleven others     10 each

    Coin (Catenis)    Jan 1         Jan 15           Feb 12      pages of one row
    one                 7.5            2.5              2.5
    two                 2.5            7.5              7.5      "Two", on Feb 12 "Zwei"
    moved away            -             10               10

    Vault (Hiro)      Jan 1         Jan 15           Feb 12
    monkeys           1 2 3            1 3      1 3 4 5 6 7
    Treasury (Hiro)
    birds                 9              9                -
    monkeys               -              2                2      given by the Vault

Empty (Altura) has no holders on Jan 1. Old (Altura) has alice with 1 on Jan 1 and is retired on
Jan 8. Ghost (Catenis) is tried on Feb 12, in vain: another device issued it.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from pipelines.errors import RequestRefused
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Target
from pipelines.sandbox.states import Aggregate
from pipelines.sandbox.world import World
from pipelines.warehouse.concentration import refresh_concentration
from pipelines.warehouse.schema import dataset_tables, snapshot, walk_failure
from tests.conftest import Pipeline


def day(month: int, number: int) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


JAN_1, JAN_8, JAN_15, FEB_5, FEB_12 = day(1, 1), day(1, 8), day(1, 15), day(2, 5), day(2, 12)
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)
SECONDS = 2
"""What each snapshot is said to have taken."""


def wallet(digit: str) -> str:
    return "0x" + 40 * digit


WALLETS = {
    "alice": (ALICE := wallet("a")),
    "bob": (BOB := wallet("b")),
    "carol": (CAROL := wallet("c")),
    "dave": (DAVE := wallet("d")),
    "erin": (ERIN := wallet("e")),
    "frank": (FRANK := wallet("f")),
    "grace": (GRACE := wallet("7")),
    "hank": (HANK := wallet("8")),
}
FIRST, *OTHERS = (f"0x{number:040x}" for number in range(1, 13))
ONE, TWO = "d" + 19 * "1", "d" + 19 * "2"

COLLECTION = wallet("0")
SWORD, SHIELD, CROWD, EMPTY, OLD = (f"altura:{COLLECTION}/{n}" for n in range(1, 6))
ITEMS = {SWORD: "Sword", SHIELD: "Shield", CROWD: "Crowd", EMPTY: "Empty", OLD: "Old"}
COIN = "catenis:a" + 19 * "C"
VAULT_ID = "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"
TREASURY_ID = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173"
VAULT, TREASURY = f"hiro:{VAULT_ID}", f"hiro:{TREASURY_ID}"
MONKEYS = f"{TREASURY_ID}.monkeys::monkey"
BIRDS = f"{TREASURY_ID}.birds::bird"


class Story:
    """Sets the world as it was on a day, and takes it."""

    def __init__(self, world: World, pipeline: Pipeline) -> None:
        self.world = world
        self.pipeline = pipeline

    def item(self, key: str, moment: datetime, names: dict[str, str], **balances: int) -> None:
        """An Altura item and its holders; `names` are those that they show."""
        holders = {WALLETS[person]: balance for person, balance in balances.items()}
        self.listed(key, moment, holders, names)

    def listed(
        self, key: str, moment: datetime, holders: dict[str, int], names: dict[str, str]
    ) -> None:
        rows = [(address, n, names.get(address), None, None) for address, n in holders.items()]
        self.world.set_rows(key, rows)
        due = moment + WEEK if key == SWORD else None
        self.take(self.pipeline.target(key, label=ITEMS[key]), moment, due)

    def coin(self, moment: datetime, one: str, two: str, *, name: str, migrated: int) -> None:
        rows = [(ONE, Decimal(one), Decimal(0), None, None)]
        rows.append((TWO, Decimal(two), Decimal(0), name, None))
        self.world.set_rows(COIN, rows, Aggregate(Decimal(migrated), Decimal(0)))
        self.take(self.pipeline.target(COIN, label="Coin"), moment, page_size=1)

    def mint(self, key: str, asset: str, *numbers: int) -> None:
        for number in numbers:
            self.world.hiro_mint(key, asset, f"0x01{number:032x}", f"u{number}")

    def principals(self, moment: datetime) -> None:
        self.take(self.pipeline.target(VAULT, label="Vault"), moment)
        self.take(self.pipeline.target(TREASURY, label="Treasury"), moment)

    def take(
        self, target: Target, moment: datetime, due: datetime | None = None, **settings: int
    ) -> None:
        """Take a snapshot now, and make `moment` of its time."""
        taken = self.pipeline.take(target, **settings)
        tables = dataset_tables(PROVIDERS[target.provider].dataset)
        times = [
            (tables.current, "held_since"),
            (tables.current, "valid_from"),
            (tables.history, "valid_to"),
        ]
        with self.pipeline.warehouse.transaction() as connection:
            for table, name in times:
                moved = sa.and_(
                    table.c.target_id == taken.target_id, table.c[name] == taken.snapshot_at
                )
                connection.execute(sa.update(table).where(moved).values({name: moment}))
            connection.execute(
                sa.update(snapshot)
                .where(snapshot.c.snapshot_id == taken.snapshot_id)
                .values(
                    started_at=moment,
                    snapshot_at=moment,
                    snapshot_until=moment + MINUTE,
                    finished_at=moment + MINUTE,
                    published_at=moment + MINUTE,
                    next_due_at=due,
                    seconds=SECONDS,
                )
            )


def tell(world: World, pipeline: Pipeline) -> None:
    """Let all of it happen."""
    story = Story(world, pipeline)
    named = {ALICE: "Alice", CAROL: "Carol"}
    later, last = named | {ALICE: "Alice A."}, {ALICE: "Alice A.", CAROL: "Caro"}
    others = dict.fromkeys(OTHERS, 10)

    story.item(SWORD, JAN_1, named, alice=50, bob=30, carol=20)
    story.item(SHIELD, JAN_1, {}, alice=10, bob=10, carol=80)
    story.listed(CROWD, JAN_1, {FIRST: 10} | others, {})
    story.item(EMPTY, JAN_1, {})
    story.item(OLD, JAN_1, {}, alice=1)
    story.coin(JAN_1, "7.5", "2.5", name="Two", migrated=0)
    for key in (VAULT, TREASURY):
        world.set_rows(key, [])
    story.mint(VAULT, MONKEYS, 1, 2, 3)
    story.mint(TREASURY, BIRDS, 9)
    story.principals(JAN_1)

    story.item(SWORD, JAN_8, named, alice=55, bob=30, carol=15, dave=10, hank=10)
    story.listed(CROWD, JAN_8, {FIRST: 40} | others, {})
    pipeline.sql("update target set retired_at = :moment where name = :old", moment=JAN_8, old=OLD)

    story.item(SWORD, JAN_15, later, alice=60, bob=30, carol=15, dave=10, erin=5)
    story.coin(JAN_15, "2.5", "7.5", name="Two", migrated=10)
    world.hiro_transfer(VAULT, TREASURY, 1)
    story.principals(JAN_15)

    story.item(SWORD, FEB_5, last, alice=65, bob=30, carol=15, dave=10, frank=5)
    story.listed(CROWD, FEB_5, {FIRST: 130} | others, {})

    story.item(SWORD, FEB_12, last, alice=70, carol=15, dave=10, erin=5, frank=5)
    story.item(SHIELD, FEB_12, {}, alice=10, bob=20, dave=5, grace=65)
    story.coin(FEB_12, "2.5", "7.5", name="Zwei", migrated=10)
    story.mint(VAULT, MONKEYS, 4, 5, 6, 7)
    world.hiro_transfer_out(TREASURY, 1)
    story.principals(FEB_12)

    ghost = world.add_catenis_asset(1, issuer=ONE)
    with pytest.raises(RequestRefused):
        pipeline.take(pipeline.target(ghost, label="Ghost"))
    with pipeline.warehouse.transaction() as connection:
        connection.execute(sa.update(walk_failure).values(failed_at=FEB_12))
    with pipeline.warehouse.connect() as connection:
        refresh_concentration(connection)
