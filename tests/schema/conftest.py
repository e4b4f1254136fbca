"""A migrated database for each test, copied from one that was migrated once."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_migrated")
    migrate.migrate(migrate.engine(pg_cluster.url("template_migrated")), platform_enabled=False)
    return "template_migrated"


@pytest.fixture
def connection(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The daemon's role on a migrated database."""
    with psycopg.connect(pg_url) as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        connection.commit()
        yield connection
        connection.rollback()


@pytest.fixture(scope="session")
def platform_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_platform")
    migrate.migrate(migrate.engine(pg_cluster.url("template_platform")), platform_enabled=True)
    return "template_platform"
