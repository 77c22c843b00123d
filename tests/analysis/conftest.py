"""A warehouse to read, and a transaction that reads it."""

from collections.abc import Iterator

import psycopg
import pytest

from pipelines.analysis.marts import reading
from tests.analysis.small_world import SmallWorld, small_world


@pytest.fixture(scope="module")
def told(create_database, migrated_template, tmp_path_factory) -> Iterator[SmallWorld]:
    with small_world(create_database, migrated_template, tmp_path_factory.mktemp("told")) as world:
        yield world


@pytest.fixture
def driver(told: SmallWorld) -> Iterator[psycopg.Connection]:
    with reading(told.pipeline.warehouse) as connection:
        yield connection.connection.driver_connection
