"""The page as programs and people see it: a real server on a free port, a real database."""

import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.writers.conftest import world, writer_node, writer_platform

__all__ = ["world", "writer_node", "writer_platform"]


@pytest.fixture(scope="session")
def platform_database(pg_cluster: Cluster) -> str:
    """A migrated database with the platform's ledger, to be copied."""
    name = "template_page"
    pg_cluster.ensure_database(name)
    migrate.migrate(migrate.engine(pg_cluster.url(name)), platform_enabled=True)
    return name


@pytest.fixture(scope="session")
def pg_template(platform_database: str) -> str:
    return platform_database
