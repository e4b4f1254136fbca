"""A PostgreSQL that crashes may lose batches of final blocks, whole ones; they are indexed again."""

import contextlib
import os
import signal
from pathlib import Path

import psutil
import psycopg
import pytest
from chainfirst.indexer import finality
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate, store
from chainfirst.tests.laws import world
from chainfirst.tests.laws.conftest import Life


def crash(cluster: Cluster) -> None:
    """An immediate shutdown (PostgreSQL 18.5): nothing is flushed, as if the process had been killed."""
    pid = cluster.pid()
    assert pid is not None
    server = psutil.Process(pid)
    os.kill(pid, signal.SIGQUIT)
    with contextlib.suppress(psutil.NoSuchProcess):
        server.wait(timeout=20)
    cluster.start()


@pytest.mark.parametrize("steps", [2, 4, 6])
def test_a_crash_of_the_server_loses_nothing_for_good(life: Life, server_dir: Path, steps: int) -> None:
    life.send("create", 4)
    for number in range(30):
        life.send("invest", number * 10, 5, 0, 4)
        life.send("verify", number * 10, 5)
        life.mine(10)
    life.mine(100)
    cluster = Cluster(server_dir, {"wal_writer_delay": "10s"})
    cluster.start()
    contracts, policy = world.contracts(life.address, 2), finality.Depth(16)
    found = []
    for name, crashes in (("crashed", True), ("undisturbed", False)):
        cluster.ensure_database(name)
        url = cluster.url(name)
        migrate.migrate(migrate.engine(url), platform_enabled=True)
        reader = Client(Endpoint(life.url))
        if crashes:
            with psycopg.connect(url, autocommit=True) as connection:
                running = world.indexer(connection, reader, contracts, policy, blocks=20, platform=True)
                for _ in range(steps):
                    running.step()
                before = store.read_cursor(connection)
                crash(cluster)
        with psycopg.connect(url, autocommit=True) as connection:
            if crashes and steps == 4:  # ranges alone: the test is of nothing if none was lost
                assert store.read_cursor(connection) != before
            world.drain(world.indexer(connection, reader, contracts, policy, blocks=20, platform=True))
            found.append(world.contents(connection))
    assert found[0] == found[1]
    assert found[0]["ledger.investments"]
