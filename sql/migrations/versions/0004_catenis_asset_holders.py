"""The holders of Catenis assets."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
