"""Targets, their snapshots and what was refused."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
