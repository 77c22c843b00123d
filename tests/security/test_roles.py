"""sql/roles.sql: what the owner, the writer and the reader may do, logged in as each of them."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import make_url

from pipelines.paths import ROOT
from pipelines.warehouse.embedded import find_binaries
from tests.security.conftest import ROLES, Logins, connect, make_roles
from tests.warehouse.revisions import migrate_to

DATASETS = ("altura_item_holders", "hiro_nft_holdings", "catenis_asset_holders")
DENIED = psycopg.errors.InsufficientPrivilege


def denied(connection: psycopg.Connection, statement: str) -> bool:
    try:
        connection.execute(statement)
    except DENIED:
        return True
    return False


def allowed(logins: Logins, role: str, statements: list[str]) -> list[str]:
    """Those that the role is not denied, one after the other."""
    with logins.connect("admin") as admin:
        admin.execute("create schema elsewhere")
        admin.execute("create table elsewhere.secrets (n int)")
    with logins.connect(role) as connection:
        return [statement for statement in statements if not denied(connection, statement)]


def test_the_owner_migrates_the_writer_takes_snapshots_and_the_reader_asks(
    logins: Logins, holdfast, environment
):
    def at(role: str) -> dict[str, str]:
        return environment | {"DATABASE_URL": logins.url(role)}

    for _ in range(2):
        taken = holdfast("snapshot", **at("writer"))
        assert taken.returncode == 0, taken.stderr
    asked = holdfast("status", **at("reader"))
    assert asked.returncode == 0, asked.stderr
    assert "250" in asked.stdout
    assert holdfast("changes", **at("reader")).returncode == 0
    with logins.connect("reader") as reader:
        assert reader.execute("select count(*) from holding_current").fetchone() == (292,)
        for dataset in DATASETS:
            held = reader.execute(f"select count(*) from {dataset}_as_of(now())").fetchone()
            assert held > (0,)
            reader.execute(f"select * from {dataset}_changes")
            reader.execute(f"select * from {dataset}_snapshots")
        reader.execute("select * from snapshot, walk_failure, target, applied_marts")


def ask_every_mart(connection: psycopg.Connection) -> list[str]:
    """The names of the views and functions of schema mart, each after it was asked."""
    views = connection.execute(
        "select relname from pg_class where relnamespace = 'mart'::regnamespace and relkind = 'v'"
    ).fetchall()
    functions = connection.execute(
        "select proname, proargtypes::regtype[]::text[] from pg_proc"
        " where pronamespace = 'mart'::regnamespace"
    ).fetchall()
    values = {"timestamp with time zone": "now()", "integer": "3", "text": "'The vault'"}
    asked = [f"mart.{name}" for (name,) in views] + [
        f"mart.{name}({', '.join(values[kind] for kind in kinds)})" for name, kinds in functions
    ]
    for name in asked:
        connection.execute(f"select * from {name}")
    return asked


@pytest.mark.parametrize("role", ["reader", "writer"])
def test_the_reader_and_the_writer_can_ask_every_mart(logins: Logins, role):
    with logins.connect(role) as connection:
        asked = ask_every_mart(connection)
    files = {file.stem for file in (ROOT / "sql" / "marts").glob("*.sql")}
    assert {name.removeprefix("mart.").partition("(")[0] for name in asked} == files


def test_the_writer_retires_and_records_failures_too(logins: Logins, holdfast, environment):
    as_writer = environment | {"DATABASE_URL": logins.url("writer")}
    assert holdfast("snapshot", **as_writer).returncode == 0
    assert holdfast("snapshot", **(as_writer | {"CATENIS_API_SECRET": "wrong"})).returncode == 1
    retired = holdfast("targets", "retire", "The vault", **as_writer)
    assert retired.returncode == 0, retired.stderr
    with logins.connect("reader") as reader:
        failed = reader.execute("select reason from walk_failure").fetchone()
        gone = reader.execute("select label from target where retired_at is not null").fetchone()
    assert (failed, gone) == (("RequestRefused",), ("The vault",))


READER_MAY_NOT = [
    "insert into target (provider, name, subject) values ('hiro', 'hiro:x', 'x')",
    "update snapshot set rows = 0",
    "delete from walk_failure",
    "truncate altura_item_holders_current",
    "create table mine (n int)",
    "create temp table mine (n int)",
    "create view mine as select 1",
    "create function mine() returns int language sql as 'select 1'",
    "create schema mine",
    "drop view holding_current",
    "create table mart.mine (n int)",
    "create view mart.mine as select 1",
    "create or replace view mart.targets as select 1",
    "create function mart.mine() returns int language sql as 'select 1'",
    "drop view mart.cohorts",
    "drop function mart.holder_history",
    "drop schema mart cascade",
    "comment on schema mart is 'mine'",
    "alter table snapshot add mine int",
    "select * from elsewhere.secrets",
    "set role pg_read_all_data",
    "copy target to program 'true'",
    "select pg_read_file('/etc/passwd')",
    "select * from pg_authid",
]


def test_the_reader_may_do_nothing_but_read(logins: Logins):
    assert allowed(logins, "reader", READER_MAY_NOT) == []


WRITER_MAY_NOT = [
    "drop table snapshot",
    "drop view holding_current",
    "truncate snapshot",
    "alter table snapshot add mine int",
    "alter table snapshot drop constraint snapshot_check",
    "create index on snapshot (proof)",
    "create table mine (n int)",
    "create or replace view holding_current as select 1",
    "create schema mine",
    "create table mart.mine (n int)",
    "create or replace view mart.targets as select 1",
    "drop view mart.cohorts",
    "drop schema mart cascade",
    "comment on table snapshot is 'mine'",
    "update alembic_version set version_num = '9999'",
    "delete from applied_marts",
    "select * from elsewhere.secrets",
    "copy target to program 'true'",
]


def test_the_writer_may_not_change_the_schema(logins: Logins):
    assert allowed(logins, "writer", WRITER_MAY_NOT) == []


def test_nothing_of_ours_is_writable_by_the_reader(logins: Logins):
    with logins.connect("reader") as reader:
        tables = reader.execute(
            "select oid::regclass::text from pg_class c, unnest(array['insert', 'update', 'delete',"
            " 'truncate', 'references', 'trigger']) p"
            " where relnamespace in ('public'::regnamespace, 'mart'::regnamespace)"
            " and relkind in ('r', 'p', 'v', 'm') and has_table_privilege(oid, p)"
        ).fetchall()
        schemas = reader.execute(
            "select nspname from pg_namespace where has_schema_privilege(oid, 'create')"
        ).fetchall()
        sequences = reader.execute(
            "select oid::regclass::text from pg_class where relkind = 'S' and"
            " (has_sequence_privilege(oid, 'usage') or has_sequence_privilege(oid, 'update'))"
        ).fetchall()
    assert (tables, schemas, sequences) == ([], [], [])


def test_the_marts_are_for_nobody_else(logins: Logins):
    stranger = sql.Identifier(f"{logins.prefix}admin")
    with logins.connect("admin") as admin:
        admin.execute(sql.SQL("create role {}").format(stranger))
        admin.execute(sql.SQL("set role {}").format(stranger))
        assert denied(admin, "select * from mart.targets")
        assert denied(admin, "select * from mart.top_holders(3)")
        admin.execute("reset role")
        admin.execute(sql.SQL("drop role {}").format(stranger))


def test_what_a_later_migration_makes_is_readable_and_writable_at_once(logins: Logins):
    with logins.connect("owner") as owner:
        owner.execute("create view mart.later as select * from snapshot")
        owner.execute(
            "create function mart.later_at() returns setof snapshot language sql stable"
            " as 'select * from snapshot'"
        )
        owner.execute("create table later_current (n int generated always as identity, m int)")
        owner.execute("create view later as select * from later_current")
        owner.execute(
            "create function later_as_of() returns setof later_current language sql stable"
            " as 'select * from later_current'"
        )
    with logins.connect("writer") as writer:
        writer.execute("insert into later_current (m) values (7)")
    with logins.connect("reader") as reader:
        assert reader.execute("select m from later").fetchone() == (7,)
        assert reader.execute("select m from later_as_of()").fetchone() == (7,)
        assert denied(reader, "insert into later_current (m) values (8)")
    for role in ("reader", "writer"):
        with logins.connect(role) as connection:
            connection.execute("select * from mart.later, mart.later_at()")
            [written] = connection.execute(
                "select has_table_privilege('mart.later', 'insert, update, delete')"
            ).fetchone()
            assert not written


def test_what_somebody_else_migrated_is_handed_to_the_owner(prefix: str, admin_url: str, holdfast):
    assert holdfast("migrate", DATABASE_URL=admin_url).returncode == 0
    logins = Logins(prefix, "x" * 16, admin_url)
    for _ in range(2):
        make_roles(logins, holdfast)
    with logins.connect("owner") as owner:
        [(owners,)] = owner.execute(
            "select array_agg(distinct relowner::regrole::text) from pg_class"
            " where relnamespace in ('public'::regnamespace, 'mart'::regnamespace)"
        )
        assert owners == [f"{prefix}owner"]
        owner.execute("drop view holding_current cascade")
        owner.execute("drop view mart.targets cascade")
        owner.execute("delete from applied_marts")
    migrated = holdfast("migrate", DATABASE_URL=logins.url("owner"))
    assert "The database was migrated." in migrated.stderr
    with logins.connect("reader") as reader:
        assert reader.execute("select count(*) from holding_current").fetchone() == (0,)


def test_what_somebody_migrated_past_the_owner_is_handed_over_too(
    prefix: str, admin_url: str, holdfast
):
    logins = Logins(prefix, "x" * 16, admin_url)
    make_roles(logins, holdfast)
    migrate_to(logins.url("owner"), "0005")
    with logins.connect("admin") as admin:
        admin.execute("drop schema mart")  # as `holdfast roles` of that version left it
    assert holdfast("migrate", DATABASE_URL=admin_url).returncode == 0
    make_roles(logins, holdfast)
    with logins.connect("reader") as reader:
        assert ask_every_mart(reader)
    with logins.connect("owner") as owner:
        owner.execute("drop table snapshot_concentration cascade")
        owner.execute("drop schema mart cascade")


def test_an_owner_from_before_the_marts_is_told_who_makes_their_schema(
    prefix: str, admin_url: str, holdfast
):
    logins = Logins(prefix, "x" * 16, admin_url)
    make_roles(logins, holdfast)
    migrate_to(logins.url("owner"), "0005")
    with logins.connect("admin") as admin:
        admin.execute("drop schema mart")  # as `holdfast roles` of that version left it
    refused = holdfast("migrate", DATABASE_URL=logins.url("owner"))
    assert refused.returncode == 2
    assert f"{prefix}owner may not create the schema mart" in refused.stderr
    assert "run holdfast roles" in refused.stderr
    make_roles(logins, holdfast)
    migrated = holdfast("migrate", DATABASE_URL=logins.url("owner"))
    assert migrated.returncode == 0, migrated.stderr
    for role in ("reader", "writer"):
        with logins.connect(role) as connection:
            assert ask_every_mart(connection)


def test_somebody_who_may_create_roles_and_owns_the_database_need_not_be_a_superuser(
    prefix: str, admin_url: str, holdfast
):
    admin = make_url(admin_url).set(username=f"{prefix}admin", password="x" * 16)
    with connect(admin_url) as superuser:
        [is_superuser] = superuser.execute(
            "select rolsuper from pg_roles where rolname = current_user"
        ).fetchone()
        if not is_superuser:
            pytest.skip("the role in DATABASE_URL is no superuser")
        name = sql.Identifier(f"{prefix}admin")
        superuser.execute(
            sql.SQL("create role {} login createrole password {}").format(name, "x" * 16)
        )
        database = sql.Identifier(admin.database)
        superuser.execute(sql.SQL("alter database {} owner to {}").format(database, name))
    logins = Logins(prefix, "x" * 16, admin.render_as_string(hide_password=False))
    for _ in range(2):
        make_roles(logins, holdfast)
        migrated = holdfast("migrate", DATABASE_URL=logins.url("owner"))
        assert migrated.returncode == 0, migrated.stderr
    with logins.connect("reader") as reader:
        assert reader.execute("select count(*) from holding_current").fetchone() == (0,)
        assert ask_every_mart(reader)
        assert denied(reader, "create table mine (n int)")
    with logins.connect("admin") as connection:
        [member] = connection.execute(
            "select pg_has_role(current_user, %s, 'usage')", [f"{prefix}owner"]
        ).fetchone()
    assert not member


def test_the_file_runs_with_psql_and_any_prefix(
    postgres_binaries: Path | None, prefix: str, admin_url: str
):
    url = make_url(admin_url).set(drivername="postgresql")
    logins = Logins(prefix, "", admin_url)
    psql = find_binaries(postgres_binaries) / "psql"
    address = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database)
    settings = {
        "PGPASSWORD": str(url.password or ""),
        "PGOPTIONS": f"-c holdfast.role_prefix={prefix}",
    }
    for _ in range(2):
        subprocess.run(
            [psql, "-v", "ON_ERROR_STOP=1", "-d", str(address), "-f", ROOT / "sql" / "roles.sql"],
            env=os.environ | settings,
            check=True,
            capture_output=True,
        )
    with logins.connect("admin") as admin:
        found = admin.execute(
            "select rolname from pg_roles where starts_with(rolname, %s)", [prefix]
        ).fetchall()
    assert {name for (name,) in found} == {prefix + role for role in ROLES}


def test_a_password_is_set_without_the_server_ever_seeing_it(prefix: str, admin_url: str, holdfast):
    done = holdfast("roles", "--prefix", prefix, DATABASE_URL=admin_url)
    assert done.returncode == 0, done.stderr
    asked = ["roles", "--prefix", prefix, "--password", "reader"]
    done = holdfast(*asked, typed="s3cret-word\n", DATABASE_URL=admin_url)
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    logins = Logins(prefix, "s3cret-word", admin_url)
    with logins.connect("reader") as reader:
        assert reader.execute("select current_user").fetchone() == (f"{prefix}reader",)
    with logins.connect("admin") as admin:
        [stored] = admin.execute(
            "select rolpassword from pg_authid where rolname = %s", [f"{prefix}reader"]
        ).fetchone()
    assert stored.startswith("SCRAM-SHA-256$")


def test_somebody_who_may_not_create_roles_is_told(logins: Logins, holdfast):
    done = holdfast("roles", "--prefix", "other_", DATABASE_URL=logins.url("writer"))
    assert done.returncode == 2
    assert "permission denied to create role" in done.stderr
