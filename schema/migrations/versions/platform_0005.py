"""What apps read."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0005"
down_revision = "platform_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("", "_records", "_money", "_feed"):
        migrate.run_file(op.get_bind(), f"platform_0005{name}.sql")
