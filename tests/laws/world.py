"""The contracts of a random life, the faults of its line, and all that a database says of it."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.indexer import engine, finality, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import Header, Log
from chainfirst.ops import mistakes
from chainfirst.ops.errors import TransientError
from chainfirst.schema import folds, migrate, store
from psycopg import sql

ARTIFACTS = Path(__file__).parent.parent.parent / "contracts" / "artifacts"
# as IssuerRegistry's event, but with nothing indexed: each one is a misfit of this contract
ODD_EVENT = {
    "type": "event",
    "name": "InvestorStatusChanged",
    "inputs": [{"name": "investor", "type": "address"}, {"name": "verified", "type": "bool"}],
}
STAGES: Sequence[Sequence[str]] = (
    ("campaign_factory", "token"),
    ("campaign_factory", "token", "odd", "campaign"),
    ("campaign_factory", "token", "odd", "campaign", "issuer_registry", "share_certificate"),
)
"""Which contracts are configured: each stage adds some. The last one has all that the ledger needs."""


FILES = {
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "issuer_registry": "IssuerRegistry",
    "share_certificate": "NFTShareCertificate",
    "token": "BirrToken",
}


def contracts(address: str, stage: int, late_start: int = 0) -> list[wiring.Contract]:
    """The contracts of a stage, all at LedgerBurst's address but the campaigns."""
    made = {
        key: wiring.Contract(
            key, mistakes.load_abi(ARTIFACTS / f"{name}.json"), frozenset([address]), 0, None
        )
        for key, name in FILES.items()
        if key != "campaign"
    }
    made["odd"] = wiring.Contract("odd", [ODD_EVENT], frozenset([address]), late_start, None)
    abi = mistakes.load_abi(ARTIFACTS / "CampaignImplementation.json")
    announced = ("campaign_factory", "CampaignCreated", "campaign")
    made["campaign"] = wiring.Contract("campaign", abi, None, 0, None, announced)
    return [made[key] for key in STAGES[stage]]


def indexer(
    connection: psycopg.Connection[Any],
    reader: engine.Reader,
    configured: Sequence[wiring.Contract],
    policy: finality.Policy,
    *,
    blocks: int = 100,
    ahead: int = 1,
    platform: bool,
) -> engine.Indexer:
    """As the daemon starts one: tables, cursor, sources, leadership."""
    setup, layouts = wiring.build(configured, policy, platform=platform)
    genesis = Client(reader.endpoint).header_by_number(0) if isinstance(reader, Client) else None
    assert genesis is not None
    connection.execute("RESET ROLE")
    if platform:
        migrate.migrate(migrate.engine(connection.info.dsn), platform_enabled=True)
    with connection.transaction():
        store.create_event_tables(connection, layouts)
    connection.execute("SET ROLE chainfirst_daemon")
    with connection.transaction():
        cursor = store.open_cursor(connection, 31337, genesis.hash)
        wiring.register(connection, cursor, configured, layouts)
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    return engine.Indexer(
        connection, reader, setup, epoch, window.Window(blocks, 1000, 1_000_000), ahead=ahead
    )


def drain(running: engine.Indexer) -> None:
    """Step until there is nothing to do."""
    for _ in range(10_000):
        if running.step() is engine.Progress.IDLE:
            return
    raise AssertionError("the indexer never rests")


def contents(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    """Every row of the schemas event and ledger, the cursor, the kept blocks."""
    tables = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_schema IN ('event', 'ledger') AND table_name NOT LIKE '%\\_fold' ORDER BY 1, 2"
    ).fetchall()
    found = {}
    for schema, table in tables:
        rows = connection.execute(
            sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(schema, table))
        )
        found[f"{schema}.{table}"] = sorted(row for (row,) in rows)
    cursor = store.read_cursor(connection)
    assert cursor is not None
    found["cursor"] = [(cursor.indexed_number, cursor.indexed_hash)]
    differences = folds.verify_ledger(connection)
    assert differences == [], differences
    return found


class Faulty(Client):
    """The real node behind a line that loses answers, and a balancer with lagging and forgetful replicas."""

    def __init__(self, url: str, dice: random.Random) -> None:
        super().__init__(Endpoint(url))
        self._dice = dice

    def header_by_number(self, block: int | str) -> Header | None:
        self._lose()
        if block == "latest" and self._dice.random() < 0.1:
            return super().header_by_number(max(0, self.block_number() - self._dice.randint(1, 4)))
        return super().header_by_number(block)

    def header_by_hash(self, block_hash: str) -> Header | None:
        self._lose()
        return None if self._dice.random() < 0.1 else super().header_by_hash(block_hash)

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        self._lose()
        found = super().logs_by_hash(wanted, block_hash)
        return [] if self._dice.random() < 0.2 else found

    def logs_by_range(self, wanted: LogFilter, first: int, last: int) -> tuple[list[Log], int]:
        self._lose()
        return super().logs_by_range(wanted, first, last)

    def _lose(self) -> None:
        if self._dice.random() < 0.03:
            raise TransientError("the answer got lost")
