"""One migrated database for each module; what a test does in it is rolled back."""

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.platform.records import Records
from psycopg import sql


@pytest.fixture(scope="session")
def platform_template(pg_cluster: Cluster) -> str:
    name = "template_records"
    pg_cluster.ensure_database(name)
    migrate.migrate(migrate.engine(pg_cluster.url(name)), platform_enabled=True)
    return name


@pytest.fixture(scope="module")
def database(pg_cluster: Cluster, platform_template: str) -> Iterator[str]:
    """The URL of this module's database."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(platform_template)))
    try:
        yield pg_cluster.url(name)
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def pg_template(platform_template: str) -> str:
    """pg_url is a migrated database of one test's own: for what must be committed."""
    return platform_template


@pytest.fixture(scope="module")
def session(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection:
        yield connection


@pytest.fixture
def records(session: psycopg.Connection[Any]) -> Iterator[Records]:
    """An app in a transaction that is never committed."""
    session.execute("SET ROLE chainfirst_app")
    try:
        yield Records(session)
    finally:
        session.rollback()
