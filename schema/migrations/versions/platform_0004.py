"""Steps of the workflow become intents."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0004"
down_revision = "platform_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("platform_0004.sql", "platform_0004_mending.sql"):
        migrate.run_file(op.get_bind(), name)
