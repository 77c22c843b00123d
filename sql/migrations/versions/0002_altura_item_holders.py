"""The holders of Altura items."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
