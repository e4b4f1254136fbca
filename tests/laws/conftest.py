"""A life on the chain that touches every part of the ledger, and databases to index it into."""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import eth_abi.abi
import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from eth_hash.auto import keccak
from psycopg import sql

pytest.register_assert_rewrite("chainfirst.tests.laws.dying")
ARTIFACTS = Path(__file__).parent.parent.parent / "contracts" / "artifacts"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


class Life:
    """A node with LedgerBurst, which emits whatever the platform's contracts emit, campaigns' clones too."""

    def __init__(self, node: Anvil) -> None:
        self.url = node.url
        self._endpoint = Endpoint(node.url)
        self.call("evm_setAutomine", [False])
        code = json.loads((ARTIFACTS / "LedgerBurst.json").read_text())["bytecode"]
        sent = self.call("eth_sendTransaction", [{"from": SENDER, "data": code, "gas": hex(20_000_000)}])
        self.mine(1)
        self.address = str(self.call("eth_getTransactionReceipt", [sent])["contractAddress"]).lower()

    def call(self, method: str, params: list[Any]) -> Any:
        return self._endpoint.call_optional(method, params, object)

    def transaction(self, function: str, *numbers: int) -> dict[str, str]:
        signature = f"{function}({','.join('uint256' for _ in numbers)})"
        data = keccak(signature.encode())[:4] + eth_abi.abi.encode(["uint256"] * len(numbers), numbers)
        return {"from": SENDER, "to": self.address, "data": "0x" + data.hex(), "gas": hex(3_000_000)}

    def send(self, function: str, *numbers: int) -> None:
        self.call("eth_sendTransaction", [self.transaction(function, *numbers)])

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", [hex(blocks)])

    def head(self) -> tuple[int, str]:
        block = self.call("eth_getBlockByNumber", ["latest", False])
        return int(block["number"], 16), str(block["hash"])


@pytest.fixture
def life(fresh_anvil: Anvil) -> Life:
    return Life(fresh_anvil)


@pytest.fixture(scope="session")
def core_template(pg_cluster: Cluster) -> str:
    name = "template_core"
    pg_cluster.ensure_database(name)
    migrate.migrate(migrate.engine(pg_cluster.url(name)), platform_enabled=False)
    return name


@pytest.fixture
def new_database(pg_cluster: Cluster, core_template: str) -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    """Each call: a connection to a fresh database, not of the platform yet."""
    opened: list[tuple[str, psycopg.Connection[Any]]] = []

    def create() -> psycopg.Connection[Any]:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            admin.execute(command.format(sql.Identifier(name), sql.Identifier(core_template)))
        opened.append((name, psycopg.connect(pg_cluster.url(name), autocommit=True)))
        return opened[-1][1]

    try:
        yield create
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as admin:
            for name, connection in opened:
                connection.close()
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
