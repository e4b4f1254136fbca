"""The servers of a run, in a temporary folder: started here, and gone however it ends."""

import contextlib
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from psycopg import sql

from bench.node import Node

ROOT = Path(__file__).parent.parent
# as it ships (fsync, synchronous commits), but no checkpoint in the middle of a run
POSTGRES = {"max_wal_size": "8GB", "checkpoint_timeout": "30min"}


@dataclass(frozen=True)
class Servers:
    """A running PostgreSQL; nodes and databases are made as they are needed."""

    directory: Path
    cluster: Cluster

    @contextlib.contextmanager
    def node(self, gas_limit: int = 1_000_000_000) -> Iterator[Node]:
        """A fresh chain; `gas_limit`: of a block."""
        directory = Path(tempfile.mkdtemp(prefix="node-", dir=self.directory))
        anvil = Anvil(
            directory,
            install_directory=ROOT / ".chainfirst" / "node" / "anvil",
            # history of states only: blocks and logs stay
            arguments=("--prune-history", "128", "--gas-limit", str(gas_limit)),
        )
        anvil.start()
        try:
            yield Node(anvil)
        finally:
            anvil.stop()
            shutil.rmtree(directory)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, dropped afterwards."""
        name = f"bench_{secrets.token_hex(4)}"
        self.cluster.ensure_database(name)
        try:
            yield self.cluster.url(name)
        finally:
            with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                connection.execute(drop)
                connection.execute("CHECKPOINT")


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """PostgreSQL and a folder for nodes. SIGTERM ends a run as Ctrl-C does, tidily."""
    signal.signal(signal.SIGTERM, _terminated)
    directory = Path(tempfile.mkdtemp(prefix="chainfirst-bench-"))
    cluster = Cluster(directory, POSTGRES)
    try:
        cluster.start()
        yield Servers(directory, cluster)
    finally:
        cluster.stop()
        shutil.rmtree(directory)


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(143)
