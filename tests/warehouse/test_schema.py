"""The migrations, against what the code and the analysts expect of them."""

import re
import threading
from itertools import permutations

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from pipelines.errors import ConfigurationError, SchemaNotReady, WarehouseUnreachable
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.warehouse.migrate import SQL, check_schema, migrate
from pipelines.warehouse.postgres import Warehouse, parse_url
from pipelines.warehouse.schema import dataset_tables, metadata
from pipelines.warehouse.templates import dataset_tables_sql
from pipelines.warehouse.text import key_hash
from pipelines.warehouse.views import execute, in_order_of_use
from tests.warehouse.revisions import migrate_to

TYPES = {"text": "text", "numeric": "numeric", "bigint": "bigint"}


@pytest.fixture
def sql(database_url):
    with Warehouse(database_url) as warehouse:

        def run(statement, **parameters):
            with warehouse.transaction() as connection:
                result = connection.execute(sa.text(statement), parameters)
                return result.all() if result.returns_rows else []

        yield run


def test_every_table_view_and_column_has_a_comment(sql):
    without = sql(
        "select c.relname, a.attname from pg_class c"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace in ('public'::regnamespace, 'mart'::regnamespace)"
        " and c.relkind in ('r', 'v') and c.relname <> 'alembic_version'"
        " and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)"
    )
    assert without == []


def test_every_function_has_a_comment(sql):
    functions = sql(
        "select pronamespace::regnamespace::text, proname, obj_description(oid, 'pg_proc')"
        " from pg_proc where pronamespace in ('public'::regnamespace, 'mart'::regnamespace)"
    )
    assert [name for _, name, comment in functions if not comment] == []
    of_datasets = {name for schema, name, _ in functions if schema == "public"}
    assert of_datasets == {f"{name}_as_of" for name in {*datasets(), "holding"}}


def test_the_schema_of_the_marts_has_a_comment_and_a_mart_for_each_file(sql):
    [(comment,)] = sql("select obj_description('mart'::regnamespace)")
    assert comment
    found = sql(
        "select relname from pg_class where relnamespace = 'mart'::regnamespace and relkind = 'v'"
        " union all select proname from pg_proc where pronamespace = 'mart'::regnamespace"
    )
    files = sorted(file.stem for file in (SQL / "marts").glob("*.sql"))
    assert sorted(name for (name,) in found) == files


def test_each_mart_is_made_after_those_that_it_asks(sql):
    order = [file.stem for file in in_order_of_use(sorted((SQL / "marts").glob("*.sql")))]
    asked = sql(
        "select distinct coalesce(v.relname, f.proname), coalesce(a.relname, b.proname)"
        " from pg_depend d"
        " left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid"
        " left join pg_class v on v.oid = r.ev_class"
        " left join pg_proc f on d.classid = 'pg_proc'::regclass and f.oid = d.objid"
        " left join pg_class a on d.refclassid = 'pg_class'::regclass and a.oid = d.refobjid"
        " left join pg_proc b on d.refclassid = 'pg_proc'::regclass and b.oid = d.refobjid"
        " where 'mart'::regnamespace in (v.relnamespace, f.pronamespace)"
        " and 'mart'::regnamespace in (a.relnamespace, b.pronamespace)"
    )
    pairs = [(name, used) for name, used in asked if name != used]
    assert ("holding_age", "positions_now") in pairs
    assert [pair for pair in pairs if order.index(pair[1]) > order.index(pair[0])] == []


@pytest.mark.parametrize("names", list(permutations(["first", "second", "third"])))
def test_a_mart_comes_after_those_that_it_names_whatever_the_files_are_called(tmp_path, names):
    last, middle, first = (tmp_path / f"{name}.sql" for name in names)
    last.write_text(f"-- mart.none\nselect * from mart.{middle.stem}, mart.{first.stem}")
    middle.write_text(f"select * from mart.{first.stem}\ncomment on x is 'like mart.{last.stem}'")
    first.write_text(f"select 1 -- not mart.{last.stem}")
    assert in_order_of_use([last, first, middle]) == [first, middle, last]


def test_marts_that_name_each_other_are_refused(tmp_path):
    files = [tmp_path / "one.sql", tmp_path / "two.sql"]
    for file, other in zip(files, reversed(files), strict=True):
        file.write_text(f"select * from mart.{other.stem}")
    with pytest.raises(SchemaNotReady, match=r"these marts name each other: .*one.*two"):
        in_order_of_use(files)


def test_a_populated_database_of_the_version_before_the_marts_is_brought_up(empty_database_url):
    migrate_to(empty_database_url, "0005")
    with Warehouse(empty_database_url) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text(BEFORE_THE_MARTS))
    assert migrate(empty_database_url)
    with Warehouse(empty_database_url) as warehouse, warehouse.transaction() as connection:

        def ask(statement: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

        check_schema(connection)
        assert ask("select to_regclass('positions_changes'), to_regclass('positions')") == [
            (None, None)
        ]
        assert ask("select holder, quantity, rank from mart.holders_now") == [("0xb", 7, 1)]
        assert ask("select kind, holder from mart.changes order by 1") == [
            ("entered", "0xb"),
            ("exited", "0xa"),
        ]
        [(due, state)] = ask("select due_at, state from mart.freshness")
        assert (due, state) == (None, "on time")
    assert not migrate(empty_database_url)


BEFORE_THE_MARTS = """
    insert into target (provider, name, subject) values ('altura', 'altura:0xc/1', '0xc/1');
    insert into snapshot (
        target_id, previous_id, run_key, started_at, snapshot_at, snapshot_until, finished_at,
        proof, rows, entered, exited, increased, decreased, reacquired, profile, amount_sum,
        cut_attributes, walks, pages, requests, seconds, page_size
    )
    select
        1, nullif(n - 1, 0), n::text, t, t, t, t,
        'single_page', 1, 1, n - 1, 0, 0, 0, 0, 7, 0, 1, 1, 1, 0, 100
    from (values (1, '2026-01-01'::timestamptz), (2, '2026-01-02')) s (n, t);
    insert into altura_item_holders_history (
        target_id, key_hash, address, balance, held_since, valid_from, valid_to
    )
    values (1, gen_random_uuid(), '0xa', 7, '2026-01-01', '2026-01-01', '2026-01-02');
    insert into altura_item_holders_current (
        target_id, key_hash, address, balance, held_since, valid_from
    )
    values (1, gen_random_uuid(), '0xb', 7, '2026-01-02', '2026-01-02');
"""


def test_the_comments_of_dataset_columns_are_the_descriptions_that_dagster_shows(sql):
    for provider in PROVIDERS.values():
        for suffix in ("", "_current", "_history", "_snapshots"):
            table = provider.dataset.name + suffix
            found = dict(
                sql(
                    "select attname, col_description(attrelid, attnum) from pg_attribute"
                    " where attrelid = cast(:table as regclass) and attnum > 0",
                    table=table,
                )
            )
            for column in provider.dataset.columns:
                assert found[column.name] == column.description, table


def test_the_tables_have_the_columns_that_the_code_knows(sql):
    of_datasets = [dataset_tables(provider.dataset) for provider in PROVIDERS.values()]
    held = [table for tables in of_datasets for table in (tables.current, tables.history)]
    for table in [*metadata.sorted_tables, *held]:
        found = sql(
            "select column_name, is_nullable = 'YES' from information_schema.columns"
            " where table_name = :table order by ordinal_position",
            table=table.name,
        )
        assert [name for name, _ in found] == [column.name for column in table.columns], table.name


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_released_tables_are_those_of_the_template(database_url, name):
    dataset = PROVIDERS[name].dataset
    with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text("create schema made"))
        released = {table: catalog(connection, "public", table) for table in held(dataset)}
        connection.execute(sa.text("set local search_path = made"))
        execute(connection, dataset_tables_sql(dataset), "the template")
        assert {table: catalog(connection, "made", table) for table in held(dataset)} == released


def held(dataset):
    return [f"{dataset.name}_{half}" for half in ("current", "history")]


def catalog(connection, schema, table):
    """All that was said when a table was made: of itself, its columns, constraints and indexes."""
    found = []
    for statement in CATALOG.split(";"):
        rows = connection.execute(sa.text(statement), {"table": f"{schema}.{table}"})
        found.append([tuple(str(value).replace(f"{schema}.", "") for value in row) for row in rows])
    assert all(found)
    return found


CATALOG = """
    select relkind, relpersistence, reloptions, obj_description(oid, 'pg_class'), relhastriggers,
        relrowsecurity, relreplident
    from pg_class where oid = cast(:table as regclass);
    select a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation,
        a.attnotnull, a.attstorage, a.attcompression, a.attstattarget, a.attidentity,
        a.attgenerated, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
    from pg_attribute a
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = cast(:table as regclass) and a.attnum > 0 and not a.attisdropped
    order by a.attnum;
    select conname, contype, condeferrable, convalidated, pg_get_constraintdef(oid)
    from pg_constraint where conrelid = cast(:table as regclass) order by conname;
    select i.indexrelid::regclass, indisunique, indisprimary, pg_get_indexdef(indexrelid),
        c.reloptions
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = cast(:table as regclass) order by c.relname
"""


PROVIDERLESS = ["pipelines/analysis", "pipelines/warehouse"] + [
    f"sql/{room}" for room in ("audit", "datasets", "holdings", "marts", "report")
]


@pytest.mark.parametrize("folder", PROVIDERLESS)
def test_a_providers_name_is_said_in_its_own_file_only(folder):
    names = re.compile("|".join(PROVIDERS), re.IGNORECASE)
    files = [file for file in (ROOT / folder).rglob("*") if file.suffix in (".sql", ".py", ".html")]
    assert files
    assert [str(file) for file in files if names.search(file.read_text(encoding="utf-8"))] == []


def test_threads_that_ask_for_a_datasets_tables_at_once_all_get_them():
    dataset = PROVIDERS["hiro"].dataset
    # What a second thread does that asks before the first one's answer is in the cache.
    first, second = (dataset_tables.__wrapped__(dataset) for _ in range(2))
    assert first.current.name == second.current.name == "hiro_nft_holdings_current"


def test_dataset_columns_have_the_declared_types(sql):
    for provider in PROVIDERS.values():
        found = dict(
            sql(
                "select column_name, data_type from information_schema.columns"
                " where table_name = :table",
                table=f"{provider.dataset.name}_current",
            )
        )
        for column in provider.dataset.columns:
            assert found[column.name] == TYPES[column.type]


def test_migrating_again_changes_nothing(database_url, sql):
    sql("insert into target (provider, name, subject) values ('hiro', 'hiro:x', 'x')")
    migrate(database_url)
    assert sql("select name from target") == [("hiro:x",)]


def test_two_processes_that_migrate_at_once_both_succeed(empty_database_url):
    errors = []

    def work():
        try:
            migrate(empty_database_url)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_an_empty_database_is_not_ready_and_says_what_to_do(empty_database_url):
    with (
        Warehouse(empty_database_url) as warehouse,
        warehouse.transaction() as connection,
        pytest.raises(SchemaNotReady, match=r"the database is empty.*run holdfast migrate"),
    ):
        check_schema(connection)


def test_a_database_of_a_newer_version_is_left_alone(database_url, sql):
    sql("update alembic_version set version_num = '9999'")
    with pytest.raises(SchemaNotReady, match="revision 9999, which this version does not know"):
        migrate(database_url)


def test_a_database_that_can_not_be_reached_is_named_without_its_password():
    with (
        Warehouse("postgresql://holder:canary@127.0.0.1:1/tokens") as warehouse,
        pytest.raises(WarehouseUnreachable, match=r"127\.0\.0\.1:1/tokens") as caught,
        warehouse.connect(),
    ):
        pass
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a:canary@b/c", "nonsense canary", ""])
def test_a_url_that_is_not_postgres_is_refused_without_being_repeated(url):
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("altura_item_holders_current", "balance = 'NaN'"),
        ("altura_item_holders_current", "balance = 'Infinity'"),
        ("altura_item_holders_current", "balance = -1"),
        ("altura_item_holders_current", "balance = 1.5"),
        ("altura_item_holders_current", "held_since = valid_from + interval '1 s'"),
    ],
)
def test_the_tables_refuse_what_can_not_be(sql, table, values):
    sql(
        "insert into altura_item_holders_current"
        " (target_id, key_hash, address, balance, held_since, valid_from)"
        " values (1, gen_random_uuid(), '0x', 1, now(), now())"
    )
    with pytest.raises(Exception, match="check constraint"):
        sql(f"update {table} set {values} where true")


def test_history_refuses_a_version_that_ends_before_it_begins(sql):
    with pytest.raises(Exception, match="check constraint"):
        sql(
            "insert into catenis_asset_holders_history (target_id, key_hash, device_id, total,"
            " unconfirmed, held_since, valid_from, valid_to)"
            " values (1, gen_random_uuid(), 'd', 1, 0, now(), now(), now())"
        )


def test_the_key_hash_can_be_recomputed_in_sql(sql):
    parts = ("SP2X.mid::m", "0x0100")
    [(digest,)] = sql(
        "select left(encode(sha256(int4send(octet_length(:a)) || convert_to(:a, 'UTF8')"
        " || int4send(octet_length(:b)) || convert_to(:b, 'UTF8')), 'hex'), 32)",
        a=parts[0],
        b=parts[1],
    )
    assert key_hash(parts).hex == digest


def datasets():
    return {provider.dataset.name for provider in PROVIDERS.values()}


def test_views_of_another_version_are_noticed_and_a_migration_renews_them(database_url, sql):
    sql("update applied_marts set digest = 'older'")
    with (
        Warehouse(database_url) as warehouse,
        warehouse.transaction() as connection,
        pytest.raises(SchemaNotReady, match="views of another version"),
    ):
        check_schema(connection)
    migrate(database_url)
    with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
        check_schema(connection)


def test_a_migration_with_nothing_to_do_waits_for_no_reader(database_url):
    with Warehouse(database_url) as warehouse, warehouse.transaction() as reader:
        reader.execute(sa.text("select * from holding_current, mart.targets"))
        migrate(database_url)


def test_the_newest_file_of_the_migrations_is_where_alembic_ends():
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.set_main_option("path_separator", "os")
    newest = ScriptDirectory.from_config(config).get_current_head()
    files = [file.stem for file in (SQL / "migrations" / "versions").glob("*.py")]
    assert max(files).partition("_")[0] == newest


@pytest.fixture
def older(empty_database_url):
    """A database at the newest revision, but with views of an older version: two that have other
    columns now, and one function."""
    migrate(empty_database_url)
    with Warehouse(empty_database_url) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text(OTHER_COLUMNS))
        connection.execute(sa.text("update applied_marts set digest = 'older'"))
    return empty_database_url


OTHER_COLUMNS = """
    drop view holding_current, mart.holders_now cascade;
    drop function mart.top_holders;
    create view holding_current as select 1 as number, 'gone' as gone;
    create view mart.holders_now as select number, gone from holding_current;
    create function mart.top_holders(how_many integer, only_target text default null)
        returns table (number integer) stable begin atomic select number from holding_current; end;
"""


def test_views_whose_columns_are_others_now_are_dropped_and_made_again(older):
    assert migrate(older)
    with Warehouse(older) as warehouse, warehouse.transaction() as connection:
        check_schema(connection)
        for asked in ("holding_current", "mart.holders_now", "mart.top_holders(1)"):
            columns = connection.execute(sa.text(f"select * from {asked}")).keys()
            assert "holder" in columns


def test_what_was_granted_on_a_view_is_granted_again_when_it_is_dropped(older):
    with Warehouse(older) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text("grant select on mart.holders_now to pg_monitor, public"))
        connection.execute(sa.text("grant execute on function mart.top_holders to pg_monitor"))
    migrate(older)
    with Warehouse(older) as warehouse, warehouse.transaction() as connection:
        for privilege in (
            "has_table_privilege('pg_monitor', 'mart.holders_now', 'select')",
            "has_table_privilege('pg_read_all_stats', 'mart.holders_now', 'select')",
            "has_function_privilege('pg_monitor', 'mart.top_holders(integer, text)', 'execute')",
        ):
            assert connection.scalar(sa.text(f"select {privilege}"))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("view theirs as select * from mart.holders_now", "view theirs (on mart.holders_now)"),
        (
            "materialized view theirs as select gone from holding_current",
            "view theirs (on holding_current)",
        ),
        (
            "function theirs() returns text begin atomic select gone from holding_current; end",
            "function theirs() (on holding_current)",
        ),
        ("table theirs (held holding_current)", "table theirs (on holding_current)"),
    ],
)
def test_somebodys_own_views_on_ours_are_named_and_stay(older, made, told):
    with Warehouse(older) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text(f"create {made}"))
    with pytest.raises(SchemaNotReady) as caught:
        migrate(older)
    assert told in str(caught.value)
    assert "Drop those, run holdfast migrate" in str(caught.value)
    with Warehouse(older) as warehouse, warehouse.transaction() as connection:
        assert connection.scalar(sa.text("select gone from holding_current")) == "gone"
        kind = made.partition(" theirs")[0]
        connection.execute(sa.text(f"drop {kind} theirs"))
    assert migrate(older)


def test_a_view_that_is_replaced_in_place_keeps_what_rests_on_it(database_url, sql):
    sql("create view theirs as select * from mart.holders_now")
    sql("update applied_marts set digest = 'older'")
    assert migrate(database_url)
    assert sql("select count(*) from theirs") == [(0,)]


def test_a_view_on_one_that_a_migration_drops_is_named(empty_database_url):
    migrate_to(empty_database_url, "0006")
    with Warehouse(empty_database_url) as warehouse, warehouse.transaction() as connection:
        connection.execute(sa.text("create view positions as select * from target"))
        connection.execute(sa.text("create view theirs as select * from positions"))
    with pytest.raises(SchemaNotReady, match=r"view theirs depends on view positions\. Drop"):
        migrate(empty_database_url)
