"""Moving in, erasing persons, exporting for auditors."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0006"
down_revision = "platform_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "platform_0006.sql")
