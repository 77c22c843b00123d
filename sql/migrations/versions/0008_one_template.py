"""What tables and views said of one provider is left out: all of them are made from templates."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
