"""Pruning of what is over, by functions that know what may go; sizes of tables, once a day."""

from alembic import op
from chainfirst.schema import migrate

revision = "core_0004"
down_revision = "core_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "core_0004.sql")
