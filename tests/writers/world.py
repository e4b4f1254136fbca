"""The whole loop driven by hand: a real node with the platform's contracts, a database, an indexer, lanes."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from chainfirst.contracts import build
from chainfirst.indexer import engine, finality, window, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.errors import TransientError
from chainfirst.schema import store
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.samples import FACTORY_EVENT
from chainfirst.writers import book, catalogue, contract, desk, reverts, settle, signers
from chainfirst.writers.answers import Class
from chainfirst.writers.lane import Lane
from chainfirst.writers.node import Node
from chainfirst.writers.signers import env
from psycopg.types.json import Jsonb

ARTIFACTS = {**contract.PLATFORM, "token": "BirrToken"}
CALLS = ["token.transfer", "token.mint"]
DEPTH = 2


class World:
    """`url` may be a proxy's. Automine is off: blocks come by `mine`."""

    def __init__(self, database: str, platform: Platform, url: str, depth: int = DEPTH) -> None:
        self.database, self.platform, self.url, self.depth = database, platform, url, depth
        self.rpc("evm_setAutomine", False)
        self.answers: list[Class] = []
        self.everyone: list[tuple[Client, bool]] = []  # the endpoints beside the one in use
        self.time_passed = timedelta()
        self.settings: dict[str, Any] = {}
        self.connection = psycopg.connect(database, autocommit=True)
        self.app = psycopg.connect(database, autocommit=True)
        contracts = []
        for key, name in ARTIFACTS.items():
            document = json.loads((build.ARTIFACTS / f"{name}.json").read_text())
            place = platform.deployment["contracts"].get(key)
            addresses = frozenset([place["address"].lower()] if place else [])
            contracts.append(
                wiring.Contract(key, document, addresses, 0, None, None if place else FACTORY_EVENT)
            )
        self.configured = contracts
        self.contracts = contract.configured(contracts)
        self.kinds = catalogue.build(self.contracts, CALLS, platform=True)
        self.decoder = reverts.Decoder([each.abi for each in contracts])
        self.start()

    def start(self) -> None:
        """As a daemon starts: indexer and lane anew, with the next epoch."""
        self.connection.close()
        self.connection = psycopg.connect(self.database, autocommit=True)
        setup, layouts = wiring.build(self.configured, finality.Depth(self.depth), platform=True)
        with self.connection.transaction():
            store.create_event_tables(self.connection, layouts)
        client = Client(Endpoint(self.url))
        genesis = client.header_by_number(0)
        assert genesis is not None
        self.connection.execute("SET ROLE chainfirst_daemon")
        with self.connection.transaction():
            cursor = store.open_cursor(self.connection, 31337, genesis.hash)
            wiring.register(self.connection, cursor, self.configured, layouts)
        epoch = store.acquire_leadership(self.connection)
        assert epoch is not None
        self.epoch = epoch
        self.indexer = engine.Indexer(
            self.connection,
            client,
            setup,
            epoch,
            window.Window(50, 1000, 1_000_000),
            settler=settle.Settler(),
        )
        self.node = Node(Endpoint(self.url), self.decoder)
        self.lane = self.new_lane("operator")

    def new_lane(
        self,
        actor: str,
        own: Sequence[str] = (),
        default: bool = True,
        signer: signers.Signer | None = None,
        connection: psycopg.Connection[Any] | None = None,
        **changes: Any,
    ) -> Lane:
        """A lane that signs with an actor's key, or by that signer; `connection`: for one beside others."""
        settings = desk.Settings(
            name=actor,
            chain_id=31337,
            kinds=self.kinds,
            own=own,
            default=default,
            book=lambda conn: book.SqlBook(conn, self.contracts),
        )
        signer = signer or env.open("KEY", {"KEY": self.platform.keys[actor].key.to_0x_hex()})
        settings = replace(settings, **(self.settings | changes))
        session = connection or self.connection
        everyone = lambda: self.everyone  # noqa: E731
        return Lane(session, signer, settings, self.epoch, self.now, everyone, self.answers.append)

    def close(self) -> None:
        self.connection.close()
        self.app.close()
        self.rpc("anvil_dropAllTransactions")

    def now(self) -> datetime:
        return datetime.now(UTC) + self.time_passed

    def rpc(self, method: str, *parameters: Any) -> Any:
        return self.platform.rpc(method, *parameters)

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def index(self) -> None:
        for _ in range(1000):
            if self.indexer.step() is engine.Progress.IDLE:
                return
        raise AssertionError("the indexer never rests")

    def round(self) -> None:
        """The indexer and the lane, until neither has more to do."""
        self.index()
        for _ in range(50):
            if not self.lane.step(self.node):
                return
        raise AssertionError("the lane never rests")

    def finish(self, rounds: int = 12) -> None:
        """Mine and work until no intent is open."""
        for _ in range(rounds):
            self.round()
            if not self.all("SELECT FROM intent.intents WHERE outcome IS NULL"):
                return
            self.mine()
        raise AssertionError(
            self.all(
                "SELECT kind, status, waits_for, error, answer FROM intent.overview o"
                " LEFT JOIN intent.attempts a ON a.hash = o.hash WHERE ended_at IS NULL"
            )
        )

    def all(self, statement: str, *values: Any) -> list[Any]:
        return self.app.execute(statement.encode(), values).fetchall()

    def one(self, statement: str, *values: Any) -> Any:
        (row,) = self.all(statement, *values)
        return row[0]

    def submit(self, kind: str, key: str | None = None, **payload: Any) -> uuid.UUID:
        options = {name: payload.pop(name) for name in OPTIONS if name in payload}
        names = "".join(f", {name} => %({name})s" for name in options)
        statement = f"SELECT intent.submit(%(kind)s, %(payload)s, %(key)s{names})"
        values = {"kind": kind, "payload": Jsonb(payload), "key": key or str(uuid.uuid4())} | options
        row = self.app.execute(statement.encode(), values).fetchone()
        assert row is not None
        made: uuid.UUID = row[0]
        return made

    def status(self, intent: uuid.UUID) -> str:
        return str(self.one("SELECT status FROM intent.overview WHERE id = %s", intent))

    def overview(self, intent: uuid.UUID) -> dict[str, Any]:
        found: dict[str, Any] = self.one("SELECT to_jsonb(o) FROM intent.overview o WHERE id = %s", intent)
        return found

    def history(self, intent: uuid.UUID) -> list[str]:
        return [
            row[0]
            for row in self.all("SELECT cause FROM intent.history WHERE intent = %s ORDER BY seq", intent)
        ]

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def nonce(self, actor: str = "operator", block: str = "latest") -> int:
        return int(self.rpc("eth_getTransactionCount", self.platform.at[actor], block), 16)

    def own_nonces(self) -> list[int]:
        return [row[0] for row in self.all("SELECT nonce FROM intent.transactions ORDER BY nonce")]

    def assert_consistent(self) -> None:
        """What always holds: dense nonces, at most one effect, confirmed just if its event is final."""
        for signer, low, high, count in self.all(
            "SELECT signer, min(nonce), max(nonce), count(DISTINCT nonce) FROM intent.transactions"
            " GROUP BY signer"
        ):
            assert high - low + 1 == count, (signer, low, high, count)
        final = self.one("SELECT final_number FROM chain.cursor")
        assert (
            self.all(
                "SELECT i.id FROM intent.intents i LEFT JOIN intent.settlements s ON s.intent = i.id"
                " WHERE (i.outcome = 'confirmed') <> (s.block_number IS NOT NULL AND s.block_number <= %s"
                " AND s.conflict IS NULL)",
                final,
            )
            == []
        )
        assert (
            self.all(
                "SELECT t.intent FROM intent.transactions t JOIN intent.attempts a ON a.transaction = t.id"
                " JOIN intent.inclusions n ON n.attempt = a.id GROUP BY t.intent HAVING count(*) > 1"
            )
            == []
        )


OPTIONS = ("depends_on", "not_before", "expires_at", "priority")


def drive(world: World, rounds: int) -> None:
    """Mine and work, whatever the line does."""
    for _ in range(rounds):
        try:
            world.round()
        except TransientError:
            continue
        world.mine()
