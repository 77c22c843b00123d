"""What snapshots rest on: the tips of a chain that they saw, and the API that they were read by."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
