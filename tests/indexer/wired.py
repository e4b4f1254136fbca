"""An indexer wired as the daemon wires it, on a migrated database and any endpoint."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.indexer import engine, finality, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.schema import store
from psycopg import sql

ROOT = Path(__file__).parent.parent.parent
Connection = psycopg.Connection[Any]


def contract(key: str, abi: Path, addresses: frozenset[str] | None = None, **options: Any) -> wiring.Contract:
    """A contract of the settings; without addresses: "any"."""
    found = {"start_block": 0, "events": None} | options
    return wiring.Contract(key=key, abi=json.loads(abi.read_text()), addresses=addresses, **found)


def indexer(
    connection: Connection,
    url: str,
    contracts: Sequence[wiring.Contract],
    policy: finality.Policy,
    blocks: int = 100,
) -> engine.Indexer:
    """An indexer on this connection, which is the database's superuser in autocommit."""
    setup, layouts = wiring.build(contracts, policy)
    client = Client(Endpoint(url))
    genesis = client.header_by_number(0)
    assert genesis is not None
    connection.execute("RESET ROLE")
    with connection.transaction():
        store.create_event_tables(connection, layouts)
    connection.execute("SET ROLE chainfirst_daemon")
    with connection.transaction():
        cursor = store.open_cursor(connection, client.chain_id(), genesis.hash)
        wiring.register(connection, cursor, contracts, layouts)
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    return engine.Indexer(connection, client, setup, epoch, window.Window(blocks, 1000, 1_000_000))


def drain(running: engine.Indexer) -> int:
    """Step until there is nothing to do; how many steps advanced."""
    for steps in range(10_000):
        if running.step() is engine.Progress.IDLE:
            return steps
    raise AssertionError("the indexer never rests")


def rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """All rows of an event table, in chain order."""
    statement = sql.SQL("SELECT * FROM event.{} ORDER BY block_number, tx_index, log_index")
    return connection.execute(statement.format(sql.Identifier(table))).fetchall()


def cursor(connection: Connection) -> store.Cursor:
    """Where the database is."""
    found = store.read_cursor(connection)
    assert found is not None
    return found
