"""Which list brought a target, and which runs live: neither an old list nor a dead run may act."""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
