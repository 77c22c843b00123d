"""The order in which a provider lists holdings, for snapshots that rest on the one before."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
