"""Fixtures that are real processes: a PostgreSQL and a node for each worker, gone when it ends.

The servers live in folders of their own under the temporary folder, not in tmp_path: pytest
takes other users' permission away from its base folder, and as root PostgreSQL is another user.
A folder's name holds the pid of its session; what a killed session left is cleaned up by the next.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from psycopg import sql

ROOT = Path(__file__).parent.parent
NODE_INSTALLATION = ROOT / ".chainfirst" / "node" / "anvil"
PREFIX = "chainfirst-test-"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "50"}


def _remove(directory: Path) -> None:
    for folder in (directory, *(path.parent for path in directory.rglob("dev.json"))):
        Anvil(folder).stop()
    for folder in {directory, *(path.parent.parent for path in directory.rglob("postmaster.pid"))}:
        Cluster(folder).stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def server_base() -> Iterator[Path]:
    """A short folder for servers; whatever runs in it is stopped at the session's end."""
    temporary = Path(tempfile.gettempdir())
    for remains in temporary.glob(f"{PREFIX}*"):
        owner = remains.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                _remove(remains)
    base = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=temporary))
    try:
        yield base
    finally:
        _remove(base)


@pytest.fixture
def server_dir(server_base: Path) -> Iterator[Path]:
    """A fresh folder for one test's servers, stopped after it."""
    directory = Path(tempfile.mkdtemp(dir=server_base))
    try:
        yield directory
    finally:
        _remove(directory)


@pytest.fixture(scope="session")
def pg_cluster(server_base: Path) -> Cluster:
    """A PostgreSQL for this worker, without fsync."""
    cluster = Cluster(server_base, FAST)
    cluster.start()
    return cluster


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    """The database that pg_url copies. A folder's conftest may override it with a migrated one."""
    pg_cluster.ensure_database("template_empty")
    return "template_empty"


@pytest.fixture
def pg_url(pg_cluster: Cluster, pg_template: str) -> Iterator[str]:
    """The URL of a fresh database, dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(pg_template)))
    try:
        yield pg_cluster.url(name)
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def anvil(server_base: Path) -> Anvil:
    """This worker's node, shared by its tests: a block per transaction, finalized two blocks behind."""
    node = Anvil(server_base, install_directory=NODE_INSTALLATION)
    node.start()
    return node


@pytest.fixture
def fresh_anvil(server_dir: Path) -> Anvil:
    """A node for one test alone, at block 0."""
    node = Anvil(server_dir, install_directory=NODE_INSTALLATION)
    node.start()
    return node
