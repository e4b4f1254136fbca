"""The platform's event tables and the ledger folded from them."""

from alembic import op
from chainfirst.schema import folds, migrate

revision = "platform_0001"
down_revision = None
branch_labels = ("platform",)
depends_on = "core_0001"


def upgrade() -> None:
    # a daemon that leads and keeps no ledger must not go on: started again, it reads its settings anew
    op.execute("UPDATE chain.leader SET epoch = epoch + 1")
    migrate.run_file(op.get_bind(), "platform_0001.sql")
    for relation in folds.RELATIONS:
        migrate.run_file(op.get_bind(), f"{relation}.sql", folder="ledger")
    # the contracts may have been indexed already, as any others
    for fold in folds.FOLDS:
        op.execute(f"INSERT INTO ledger.{fold.name} SELECT * FROM ledger.{fold.name}_fold")  # noqa: S608
