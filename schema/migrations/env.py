"""Alembic's entry: runs the revisions on the connection that schema.migrate hands over."""

from alembic import context


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table_schema="chain")
    with context.begin_transaction():  # the caller's transaction: it began one already
        context.run_migrations()


_run()
