"""A migrated database and a chain with an emitter of ERC-20 transfers, for the engine's tests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import decode, engine, finality, router, window
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import layout, migrate, store

ARTIFACTS = Path(__file__).parent.parent.parent / "contracts" / "artifacts"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"  # anvil's first unlocked account


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_migrated")
    migrate.migrate(migrate.engine(pg_cluster.url("template_migrated")), platform_enabled=False)
    return "template_migrated"


class Chain:
    """The node, the emitter on it, and what the chain holds by the node's own word."""

    def __init__(self, node: Anvil) -> None:
        self.endpoint_url = node.url
        self.endpoint = Endpoint(node.url)
        self.artifact = json.loads((ARTIFACTS / "Burst.json").read_text())
        self.call("evm_setAutomine", [False])  # an answer may come before automine's block
        code = self.artifact["bytecode"]
        sent = self.call("eth_sendTransaction", [{"from": SENDER, "data": code, "gas": hex(2_000_000)}])
        self.mine(1)
        self.emitter = str(self.call("eth_getTransactionReceipt", [sent])["contractAddress"]).lower()
        self.layout = layout.event_layouts("token", self.artifact, ["Transfer"])[0]

    def call(self, method: str, params: list[Any]) -> Any:
        return self.endpoint.call_optional(method, params, object)

    def emit(self, count: int) -> str:
        """A block with a transaction that emits `count` transfers."""
        sent = str(self.call("eth_sendTransaction", [self.transaction(count)]))
        self.mine(1)
        return sent

    def transaction(self, count: int) -> dict[str, str]:
        from eth_hash.auto import keccak

        data = "0x" + keccak(b"emitBurst(uint256)")[:4].hex() + f"{count:064x}"
        return {"from": SENDER, "to": self.emitter, "data": data, "gas": hex(5_000_000)}

    def mine(self, blocks: int) -> None:
        self.call("anvil_mine", [hex(blocks)])

    def head(self) -> int:
        return int(self.call("eth_blockNumber", []), 16)

    def truth(self) -> list[tuple[int, int, int, str, str]]:
        """Every transfer of the canonical chain: place, transaction and value."""
        wanted = {"address": self.emitter, "fromBlock": "0x0", "toBlock": "latest"}
        return [
            (
                *(int(log[key], 16) for key in ("blockNumber", "transactionIndex", "logIndex")),
                log["transactionHash"],
                str(int(log["data"], 16)),
            )
            for log in self.call("eth_getLogs", [wanted])
        ]

    def block_hash(self, number: int) -> str:
        return str(self.call("eth_getBlockByNumber", [hex(number), False])["hash"])


@pytest.fixture
def chain(fresh_anvil: Anvil) -> Chain:
    return Chain(fresh_anvil)


class Database:
    """The database as the daemon's session, and as a reader sees it."""

    def __init__(self, url: str, chain: Chain) -> None:
        self.url, self.chain = url, chain
        self.connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self.observer: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        with self.connection.transaction():
            store.create_event_tables(self.connection, [chain.layout])
        self.connection.execute("SET ROLE chainfirst_daemon")
        store.open_cursor(self.connection, 31337, chain.block_hash(0))
        epoch = store.acquire_leadership(self.connection)
        assert epoch is not None
        self.epoch = epoch

    def indexer(
        self,
        reader: engine.Reader | None = None,
        policy: finality.Policy = finality.Tag("finalized"),  # noqa: B008
        blocks: int = 100,
        start: int = 0,
    ) -> engine.Indexer:
        """A fresh indexer, as after a restart."""
        source = router.Source(decode.compile_event(self.chain.layout), frozenset([self.chain.emitter]))
        columns = [name for name, _ in layout.COMMON] + [c.name for c in self.chain.layout.columns]
        setup = engine.Setup(router.Router([source]), {self.chain.layout.table: columns}, (), start, policy)
        return engine.Indexer(
            self.connection,
            reader or Client(Endpoint(self.chain.endpoint_url)),
            setup,
            self.epoch,
            window.Window(blocks, 1000, 1_000_000),
            ahead=1,  # in order: a random life is the same each time
        )

    def rows(self) -> list[tuple[int, int, int, str, str]]:
        return self.observer.execute(
            "SELECT block_number, tx_index, log_index, tx_hash, value::text"
            " FROM event.token_transfer ORDER BY 1, 2, 3"
        ).fetchall()

    def cursor(self) -> store.Cursor:
        cursor = store.read_cursor(self.observer)
        assert cursor is not None
        return cursor

    def close(self) -> None:
        self.connection.close()
        self.observer.close()


@pytest.fixture
def database(pg_url: str, chain: Chain) -> Iterator[Database]:
    database = Database(pg_url, chain)
    try:
        yield database
    finally:
        database.close()
