"""Cancelling while an event settles; reasons that differ by numbers alone; what a refusal's block is."""

from alembic import op
from chainfirst.schema import migrate

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "core_0003.sql")
