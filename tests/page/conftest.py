"""The page as programs and people see it: a real server on a free port, a real database."""

from collections.abc import Iterator

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from psycopg import sql


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


@pytest.fixture(scope="module")
def quiet_url(pg_cluster: Cluster, platform_database: str) -> Iterator[str]:
    """A database for all tests of a module that change nothing in it."""
    with psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE page_quiet TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(platform_database)))
    try:
        yield pg_cluster.url("page_quiet")
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE page_quiet WITH (FORCE)")
