"""The NFT holdings of Stacks principals."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
