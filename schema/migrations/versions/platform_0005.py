"""What apps read."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0005"
down_revision = "platform_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "platform_0005.sql")
