"""The platform's event tables and the ledger folded from them."""

from alembic import op
from chainfirst.schema import folds, migrate

revision = "platform_0001"
down_revision = None
branch_labels = ("platform",)
depends_on = "core_0001"


def upgrade() -> None:
    migrate.run_file(op.get_bind(), "platform_0001.sql")
    for relation in folds.RELATIONS:
        migrate.run_file(op.get_bind(), f"{relation}.sql", folder="ledger")
    # the contracts may have been indexed already, as any others
    for fold in folds.FOLDS:
        op.execute(f"INSERT INTO ledger.{fold.name} SELECT * FROM ledger.{fold.name}_fold")  # noqa: S608
