"""A node of its own for each test, with blocks mined only when asked for."""

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.daemon.asking import Desk


@pytest.fixture
def node(fresh_anvil: Anvil) -> Endpoint:
    endpoint = Endpoint(fresh_anvil.url)
    endpoint.call_optional("evm_setAutomine", [False], object)
    return endpoint


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses at this moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def platform_template(pg_cluster: Cluster) -> str:
    """A migrated database with the platform's ledger, to be copied."""
    pg_cluster.ensure_database("template_platform")
    migrate.migrate(migrate.engine(pg_cluster.url("template_platform")), platform_enabled=True)
    return "template_platform"


@pytest.fixture
def desk(pg_url: str, tmp_path: Path) -> Iterator[Desk]:
    """The commands on a database of their own."""
    with psycopg.connect(pg_url, autocommit=True) as sql:
        yield Desk(pg_url, tmp_path, sql)
