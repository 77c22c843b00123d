"""Databases as older versions left them."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from pipelines.warehouse.migrate import SQL
from pipelines.warehouse.postgres import Warehouse


def migrate_to(url: str, revision: str) -> None:
    """The tables of an older revision, and the view that only that version had."""
    config = Config()
    config.set_main_option("script_location", str(SQL / "migrations"))
    config.set_main_option("path_separator", "os")
    with Warehouse(url) as warehouse, warehouse.transaction() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(sa.text("create view positions_changes as select * from snapshot"))
        connection.execute(sa.text("insert into applied_marts (digest) values ('older')"))
