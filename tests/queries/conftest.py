"""The known world in a database of its own: made once, only read from then on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pydantic import SecretStr

from pipelines.demo import demo_runtime
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.settings import Settings
from tests.conftest import Pipeline
from tests.queries.known_world import tell


@pytest.fixture(scope="module")
def known_world_url(create_database: Callable[..., str], migrated_template: str) -> str:
    return create_database(template=migrated_template)


@pytest.fixture(scope="module")
def known_world(
    known_world_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """The pipeline to the database in which all that `known_world.py` tells has happened."""
    world = World(size=EMPTY)
    with Sandbox(world) as sandbox, ExitStack() as stack:
        made = demo_runtime(Settings(_env_file=None), sandbox.urls)
        own = {
            "database_url": SecretStr(known_world_url),
            "holdfast_home": tmp_path_factory.mktemp("known"),
        }
        runtime = Runtime(made.settings.model_copy(update=own), made.providers)
        pipeline = Pipeline(runtime, world, stack)
        tell(world, pipeline)
        yield pipeline
