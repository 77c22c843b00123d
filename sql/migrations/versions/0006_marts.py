"""A schema for what analysts ask, and what it takes to answer at once."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
