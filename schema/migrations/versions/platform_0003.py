"""The platform's records, their rules and rights."""

from alembic import op
from chainfirst.schema import migrate

revision = "platform_0003"
down_revision = "platform_0002"
branch_labels = None
depends_on = "core_0002"

FILES = (
    "platform_0003.sql",
    "platform_0003_rules.sql",
    "platform_0003_campaigns.sql",
    "platform_0003_checks.sql",
    "platform_0003_rights.sql",
)


def upgrade() -> None:
    for name in FILES:
        migrate.run_file(op.get_bind(), name)
