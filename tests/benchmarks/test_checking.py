"""A contender that lost, doubled or changed a row has failed."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import psycopg
import pytest

from benchmarks.checking import WrongResult, check
from benchmarks.contenders import bare_floor
from benchmarks.contenders.pages import Holdings
from benchmarks.contestants import CONTESTANTS
from benchmarks.worlds import PRINCIPAL, Truth, World, Worlds


@pytest.fixture
def world() -> World:
    return Worlds()["n500"]


@pytest.fixture
def loaded(empty_database_url: str, world: World) -> Iterator[psycopg.Connection]:
    """A connection to a database that holds what the world shows."""
    url = empty_database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create table holdings ({bare_floor.COLUMNS})")
        body = b"".join(world.page(PRINCIPAL, 0, 500)) + b"]}"
        rows = msgspec.json.decode(body, type=Holdings).results
        with connection.cursor().copy("copy holdings from stdin") as copy:
            copy.write(bare_floor.block(rows))
        yield connection


def url_of(connection: psycopg.Connection) -> str:
    info = connection.info
    return f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"


def test_the_rows_that_were_shown_pass(loaded: psycopg.Connection, world: World) -> None:
    check(url_of(loaded), CONTESTANTS["bare_floor"], world.truth)


@pytest.mark.parametrize(
    "damage",
    [
        "delete from holdings where value_repr = 'u7'",
        "insert into holdings select * from holdings where value_repr = 'u7'",
        "update holdings set block_height = block_height + 1 where value_repr = 'u7'",
        "update holdings set tx_id = '0x' where value_repr = 'u7'",
        "update holdings set value_repr = 'u8' where value_repr = 'u7'",
        r"update holdings set value_repr = replace(value_repr, '\', '') where value_repr ~ '\\'",
    ],
)
def test_one_row_lost_doubled_or_changed_is_noticed(
    loaded: psycopg.Connection, world: World, damage: str
) -> None:
    assert loaded.execute(damage).rowcount
    with pytest.raises(WrongResult, match="bare_floor loaded"):
        check(url_of(loaded), CONTESTANTS["bare_floor"], world.truth)


def test_a_history_that_forgot_what_left_is_noticed(database_url: str) -> None:
    url = database_url.replace("+psycopg", "")
    nothing = Truth(rows=0, checksum=0, left=0)
    check(url, CONTESTANTS["holdfast"], nothing)
    with pytest.raises(WrongResult, match="keeps 0 rows that ended, of 3"):
        check(url, CONTESTANTS["holdfast"], replace(nothing, left=3))
