"""Connections: what they promise whatever the server's settings, and what their errors say."""

import os
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa

from pipelines.errors import (
    ConfigurationError,
    WarehouseInterrupted,
    WarehouseRefused,
    WarehouseUnreachable,
)
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.postgres import DatabaseClock, Warehouse, parse_url
from pipelines.warehouse.registry import Run, last_published

CANARY = "c4nary"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:p@{CANARY}@host/db",
        f"postgresql://user:{CANARY}@host:54x32/db",
        f"postgresql://user:{CANARY}@[::1/db",
        f"mysql://user:{CANARY}@host/db",
        f"postgresql://host/db?user=user&password={CANARY}",
        f"postgresql://user@host/db?sslpassword={CANARY}",
        f"{CANARY}",
    ],
)
def test_a_url_that_can_not_be_used_is_refused_without_being_repeated(url):
    with pytest.raises(ConfigurationError) as refused:
        parse_url(url)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_common_spelling_of_postgres_is_understood(scheme):
    assert parse_url(f"{scheme}://host/db").drivername == "postgresql+psycopg"


def test_decisions_are_taken_on_what_is_committed_whatever_the_default_isolation(database_url):
    with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
        name = connection.engine.url.database
        statement = "alter database \"{}\" set default_transaction_isolation = 'repeatable read'"
        connection.execute(sa.text(statement.format(name)))
    with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
        assert connection.scalar(sa.text("show transaction_isolation")) == "read committed"


def test_options_in_the_url_are_kept_beside_ours(database_url):
    url = sa.make_url(database_url).update_query_dict({"options": "-c search_path=elsewhere"})
    with (
        Warehouse(url.render_as_string(hide_password=False)) as warehouse,
        warehouse.transaction() as connection,
    ):
        shown = [
            connection.scalar(sa.text(f"show {name}"))
            for name in ("search_path", "timezone", "tcp_keepalives_idle", "application_name")
        ]
    assert shown == ["elsewhere", "UTC", "5", "holdfast"]


def test_patience_that_the_url_asks_for_is_kept(database_url):
    option = {"options": "-c idle_in_transaction_session_timeout=90s"}
    url = sa.make_url(database_url).update_query_dict(option)
    with (
        Warehouse(url.render_as_string(hide_password=False)) as warehouse,
        warehouse.transaction() as connection,
    ):
        shown = connection.scalar(sa.text("show idle_in_transaction_session_timeout"))
    assert shown == "90s"


ODD_DEFAULTS = {
    "client_encoding": "SQL_ASCII",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
}


@pytest.mark.parametrize("name", ODD_DEFAULTS)
def test_what_a_database_sets_for_its_sessions_changes_no_value(pipeline, world, name):
    key = world.add_altura_item(3)
    [[database]] = pipeline.sql("select current_database()")
    pipeline.sql(f"alter database \"{database}\" set {name} = '{ODD_DEFAULTS[name]}'")
    with pipeline.runtime.open_warehouse() as warehouse, warehouse.connect() as connection:
        with connection.begin():
            assert connection.scalar(sa.text(f"show {name}")) != ODD_DEFAULTS[name]
        run = Run("a run")
        target = pipeline.target(key)
        snapshot = take_snapshot(target, pipeline.client("altura"), warehouse, run).snapshot
        with connection.begin():
            assert last_published(connection, snapshot.target_id) == snapshot
    assert snapshot.published_at.utcoffset() == timedelta(0)


def test_a_database_that_is_not_utf8_is_refused_in_words(postgres_server):
    url = sa.make_url(postgres_server)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    name = f"holdfast_latin_{os.getpid()}"
    with psycopg.connect(plain, autocommit=True) as connection:
        made = "create database {} encoding 'LATIN1' locale 'C' template template0"
        connection.execute(made.format(name))
        try:
            latin = url.set(database=name).render_as_string(hide_password=False)
            with Warehouse(latin) as warehouse, pytest.raises(ConfigurationError) as refused:
                warehouse.connect().__enter__()
        finally:
            connection.execute(f"drop database {name} with (force)")
    assert f"{name} is encoded in LATIN1" in str(refused.value)
    assert "encoding 'UTF8'" in str(refused.value)


def test_a_row_that_copy_refuses_is_not_repeated_in_the_error(database_url):
    def copy_nonsense():
        with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("create temp table t (n integer)")
            with cursor.copy("copy t from stdin") as copy:
                copy.write_row([CANARY])

    with pytest.raises(WarehouseRefused, match="SQLSTATE 22P02") as refused:
        copy_nonsense()
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
        ({"username": "nobody_here", "password": CANARY}, "nobody_here"),
    ],
)
def test_who_is_not_let_in_is_told_what_to_look_at_and_not_to_try_again(database_url, change, told):
    url = sa.make_url(database_url).set(**change).render_as_string(hide_password=False)
    with Warehouse(url) as warehouse, pytest.raises(WarehouseRefused, match=told) as refused:
        warehouse.connect().__enter__()
    assert "in DATABASE_URL right?" in str(refused.value)
    assert not refused.value.transient
    assert CANARY not in str(refused.value)


def test_what_may_pass_by_itself_is_transient(database_url):
    def wait_too_long():
        with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
            connection.execute(sa.text("set local statement_timeout = '20ms'"))
            connection.execute(sa.text("select pg_sleep(5)"))

    with pytest.raises(WarehouseInterrupted, match="statement timeout"):
        wait_too_long()


def test_a_connection_that_was_ended_is_unreachable_and_the_next_one_works(database_url):
    def end_the_connection(warehouse):
        with warehouse.transaction() as connection, warehouse.transaction() as other:
            pid = connection.scalar(sa.text("select pg_backend_pid()"))
            other.execute(sa.text("select pg_terminate_backend(:pid)"), {"pid": pid})
            connection.execute(sa.text("select 1"))

    with Warehouse(database_url) as warehouse:
        with pytest.raises(WarehouseUnreachable):
            end_the_connection(warehouse)
        with warehouse.transaction() as connection:
            assert connection.scalar(sa.text("select 1")) == 1


def test_the_clock_gives_bounds_that_enclose_the_databases_time(database_url):
    with Warehouse(database_url) as warehouse, warehouse.connect() as connection:
        clock = DatabaseClock.read(connection)
        [(asked, answered, reading)] = clock.readings
        assert clock.earliest(asked) <= reading <= clock.latest(answered)


def test_clocks_that_drift_apart_widen_the_bounds():
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    slept = DatabaseClock(((0.0, 0.0, noon), (10.0, 10.0, noon + timedelta(hours=1))))
    assert slept.earliest(5.0) == noon + timedelta(seconds=5)
    assert slept.latest(5.0) == noon + timedelta(hours=1, seconds=-5)
