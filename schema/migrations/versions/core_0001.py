"""The schemas chain, event and ledger, and who may do what in them."""

from alembic import op
from chainfirst.schema import migrate

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "core_0001.sql")
