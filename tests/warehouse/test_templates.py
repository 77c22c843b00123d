"""Migrations that are written from the template of a dataset's tables."""

import shutil

import pytest
import sqlalchemy as sa

from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Column, Dataset, Subject, Words
from pipelines.warehouse import templates
from pipelines.warehouse.migrate import SQL
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.templates import dataset_tables_sql, dataset_views, write_migration
from pipelines.warehouse.views import execute

PLAIN = Dataset(
    name="plain_holders",
    title="Plain",
    description='Holders\' "own" {braces} and 100 %.',
    words=Words("a thing.", "a thing", "row", "owner", "thing"),
    asset=Subject(),
    columns=(
        Column("order", "text", "A word that SQL reserves, with a \\ in it."),
        Column("debt", "numeric", "May be below 0.", optional=True, signed=True),
        Column("seen", "bigint", "How often."),
    ),
    key=("order",),
)


@pytest.fixture
def versions(tmp_path):
    """A folder of migrations that ends with revision 0003."""
    for file in sorted((SQL / "migrations" / "versions").glob("000[1-3]_*.*")):
        shutil.copy(file, tmp_path)
    return tmp_path


def test_a_migration_is_a_stub_and_its_statements_and_follows_the_newest(versions):
    stub, statements = write_migration(PLAIN, "0009", versions)
    assert (stub.name, statements.name) == ("0009_plain_holders.py", "0009_plain_holders.sql")
    assert statements.read_text() == dataset_tables_sql(PLAIN)
    made: dict[str, object] = {}
    exec(stub.read_text(), made)
    assert (made["revision"], made["down_revision"]) == ("0009", "0003")
    assert made["__doc__"] == "Holders' 'own' {braces} and 100 %."


@pytest.mark.parametrize(
    ("provider", "number"), [("altura", "0009"), ("catenis", "0003"), ("catenis", "0002")]
)
def test_a_released_migration_is_never_written_again(versions, provider, number):
    before = sorted(versions.iterdir())
    with pytest.raises(FileExistsError):
        write_migration(PROVIDERS[provider].dataset, number, versions)
    assert sorted(versions.iterdir()) == before


def test_the_command_writes_where_migrations_are(versions, monkeypatch, capsys):
    sql = versions / "sql"
    (sql / "migrations" / "versions").mkdir(parents=True)
    shutil.copy(versions / "0001_registry.py", sql / "migrations" / "versions")
    shutil.copy(SQL / templates.TABLES, sql / templates.TABLES)
    monkeypatch.setattr(templates, "SQL", sql)
    assert templates.main(["catenis", "--number", "0009"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Wrote sql/migrations/versions/0009_catenis_asset_holders.py",
        "Wrote sql/migrations/versions/0009_catenis_asset_holders.sql",
    ]
    for given in (["catenis", "--number", "9"], ["catenis", "--number", "0009"]):
        with pytest.raises(SystemExit):
            templates.main(given)


@pytest.fixture
def plain(database_url):
    """A connection to a database that has the tables and views of `PLAIN`, with one row."""
    with Warehouse(database_url) as warehouse, warehouse.transaction() as connection:
        for statements in (dataset_tables_sql(PLAIN), *dataset_views(PLAIN)):
            execute(connection, statements, "a template")
        connection.execute(
            sa.text(
                'insert into plain_holders_current (target_id, key_hash, "order", seen,'
                " held_since, valid_from) values (1, gen_random_uuid(), 'x', 1, now(), now())"
            )
        )
        yield connection


def test_names_and_descriptions_of_any_kind_make_tables_and_views(plain):
    comment = "select col_description(cast('plain_holders_changes' as regclass), 8)"
    assert plain.scalar(sa.text(comment)) == "A word that SQL reserves, with a \\ in it."


@pytest.mark.parametrize("change", ["seen = -1", "seen = null", '"order" = null'])
def test_the_tables_refuse_what_the_columns_say_can_not_be(plain, change):
    with pytest.raises(sa.exc.IntegrityError):
        plain.execute(sa.text(f"update plain_holders_current set {change}"))


def test_a_signed_number_may_be_below_zero_and_an_optional_one_may_be_missing(plain):
    for debt in ("-1.5", "null"):
        plain.execute(sa.text(f"update plain_holders_current set debt = {debt}"))
