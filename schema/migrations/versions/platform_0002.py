"""Which of the platform's kinds apps may submit."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0002"
down_revision = "platform_0001"
branch_labels = None
depends_on = "core_0002"


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "platform_0002.sql")
