"""The schema intent: what apps ask of the chain, and the facts of what became of it."""

from alembic import op
from chainfirst.schema import migrate

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "core_0002.sql")
    migrate.run_file(op.get_bind(), "core_0002_functions.sql")
