"""One budget of requests for each provider and key, whichever process asks."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
