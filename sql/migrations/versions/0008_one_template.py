"""What the tables of the datasets said differently by accident."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0008"
down_revision = "0006"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
