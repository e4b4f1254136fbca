"""A database restored from a backup, while the chain went on: nothing is done twice, whatever was lost."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.ops.errors import TransientError
from chainfirst.tests.indexer.served import Proxy
from chainfirst.tests.writers.backups import Backups
from chainfirst.tests.writers.strangers import accept, blocked, effects, state, verified
from chainfirst.tests.writers.test_lane import company
from chainfirst.tests.writers.world import World
from chainfirst.writers.node import Node


@pytest.fixture
def backups(pg_cluster: Cluster) -> Iterator[Backups]:
    made = Backups(pg_cluster)
    try:
        yield made
    finally:
        made.close()


def begun(world: World) -> None:
    """The lane knows its key before a backup is taken."""
    world.mine()
    world.round()


@pytest.mark.parametrize("blocks", [1, 4])
def test_what_no_lane_had_looked_at_yet_was_sent_and_mined(
    world: World, backups: Backups, blocks: int
) -> None:
    """Its call is not in the backup: it is known by what its payload says."""
    begun(world)
    wanted = company(world)
    intents = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2, 3)]
    once = world.submit("issuer.register", **wanted)
    backup = backups.take(world)
    world.round()
    nonces = world.own_nonces()
    world.mine(blocks)
    backups.restore(world, backup)
    later = world.submit("investor.set_verified", **verified(9))
    world.finish()
    assert blocked(world) is None
    assert {world.status(each) for each in (*intents, once, later)} == {"confirmed"}
    assert [effects(world, each) for each in (*intents, later)] == [1] * 4
    assert world.own_nonces() == [*nonces, nonces[-1] + 1]
    assert world.overview(once)["already_true"] in (False, True)
    world.assert_consistent()


def test_what_lies_in_the_pool_still_is_waited_for(world: World, backups: Backups) -> None:
    begun(world)
    intents = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2)]
    backup = backups.take(world)
    world.round()
    backups.restore(world, backup)
    for _ in range(3):
        world.round()
    assert world.own_nonces() == []
    assert "pool" in world.one("SELECT alert FROM intent.lanes")
    world.mine()
    world.finish()
    assert world.one("SELECT alert FROM intent.lanes") is None
    assert [effects(world, each) for each in intents] == [1, 1]
    world.assert_consistent()


def test_a_higher_bid_of_the_lost_hour_was_mined(world: World, backups: Backups) -> None:
    begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    backup = backups.take(world)
    fee = int(world.one("SELECT max_fee_wei FROM intent.attempts")) * 2
    for _ in range(4):
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(fee))
        world.mine()
        world.round()
    assert world.overview(intent)["attempts"] > 1
    mined = world.overview(intent)["hash"]
    world.mine(4)
    backups.restore(world, backup)
    world.finish()
    assert world.overview(intent)["settled_by"] == mined
    assert world.overview(intent)["already_true"] is False
    assert effects(world, intent) == 1
    assert blocked(world) is None
    world.assert_consistent()


def test_reverted_in_the_lost_hour_it_failed(world: World, backups: Backups) -> None:
    begun(world)
    wanted = company(world)
    intent = world.submit("issuer.register", **wanted)
    backup = backups.take(world)
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.rpc("anvil_dropAllTransactions")
    other = company(world) | {"wallet": wanted["wallet"]}
    world.rpc("eth_sendRawTransaction", raw)
    register(world, other)
    world.mine()
    assert world.nonce() == 1
    backups.restore(world, backup)
    world.finish()
    assert world.status(intent) == "failed"
    assert world.overview(intent)["error"].startswith("reverted")
    world.assert_consistent()


def register(world: World, wanted: dict[str, str]) -> None:
    world.platform.registry.functions.registerIssuer(
        uuid.UUID(wanted["company"]).bytes + bytes(16), wanted["wallet"], b"\x11" * 32, "ipfs://other"
    ).transact({"from": world.platform.at["registrar"], "gasPrice": 10**12, "gas": 1_000_000})


def test_what_the_backup_lost_altogether_stops_the_lane(world: World, backups: Backups) -> None:
    begun(world)
    backup = backups.take(world)
    lost = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2)]
    world.round()
    hashes = [world.overview(each)["hash"] for each in lost]
    world.mine(4)
    backups.restore(world, backup)
    after = world.submit("investor.set_verified", **verified(9))
    world.round()
    assert [each.hash for each in state(world).foreign] == hashes
    assert world.status(after) == "pending"
    accept(world)
    world.finish()
    assert effects(world, after) == 1
    world.assert_consistent()


def test_the_backup_is_older_than_the_lane(world: World, backups: Backups) -> None:
    """Nothing is signed before somebody has looked; then as it was said."""
    world.mine()
    world.index()
    done = world.submit("investor.set_verified", **verified(1))
    backup = backups.take(world)
    world.round()
    world.mine(4)
    backups.restore(world, backup)
    world.round()
    assert "before a backup was restored" in str(blocked(world))
    assert world.own_nonces() == []
    world.app.execute("SELECT intent.cancel(%s)", [done])  # it was, and somebody knows
    after = world.submit("investor.set_verified", **verified(2))
    world.round()
    if blocked(world) is not None:
        accept(world)
    world.finish()
    assert effects(world, done) == 1
    assert effects(world, after) == 1


def test_a_lagging_replica_had_no_receipt_while_the_backlog_was_indexed(
    world: World, backups: Backups
) -> None:
    """What was sent before the backup, and mined since in blocks that are taken in ranges."""
    begun(world)
    intents = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2)]
    world.round()
    world.mine(200)
    proxy = Proxy(world.url)
    try:
        proxy.rules["eth_getTransactionReceipt"] = lambda _, forward: None
        world.indexer.use(Client(Endpoint(proxy.url)))
        world.index()
        asked = len(proxy.asked("eth_getTransactionReceipt"))
    finally:
        proxy.close()
    assert 0 < asked <= 2 * 10  # attempts times ranges
    assert world.all("SELECT FROM intent.inclusions") == []
    world.start()
    world.round()
    assert len(world.all("SELECT FROM intent.inclusions")) == 2
    world.finish()
    assert [effects(world, each) for each in intents] == [1, 1]
    assert {world.status(each) for each in intents} == {"confirmed"}
    world.assert_consistent()


class Forgetful(Endpoint):
    """A node that keeps the newest state alone; the bodies asked for are counted."""

    bodies = 0

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        asked = json.loads(body)
        if method == "eth_getTransactionCount" and self.is_old(asked["params"][1]):
            error = {"code": -32000, "message": "missing trie node 0xab (path ) state is not available"}
            return 200, json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode(), None
        self.bodies += method == "eth_getBlockByNumber" and asked["params"][1]
        return super()._post(method, body, largest)

    def is_old(self, block: str) -> bool:
        ask = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})
        newest = json.loads(super()._post("eth_blockNumber", ask.encode(), 1000)[1])["result"]
        return block.startswith("0x") and int(block, 16) < int(newest, 16)


def test_a_node_without_old_states_shows_the_forgotten_ones_in_its_bodies(
    world: World, backups: Backups
) -> None:
    begun(world)
    before = world.submit("investor.set_verified", **verified(9))
    world.finish()
    intents = [world.submit("investor.set_verified", **verified(number)) for number in range(1, 6)]
    backup = backups.take(world)
    for _ in intents:
        world.round()
        world.mine()
    world.mine(60)
    backups.restore(world, backup)
    line = Forgetful(world.url)
    world.node = Node(line, world.decoder)
    world.round()
    assert line.bodies < 60  # not all for each
    world.finish()
    assert blocked(world) is None
    assert [effects(world, each) for each in (before, *intents)] == [1] * 6


def test_a_receipt_of_a_block_that_is_not_the_chains_is_not_believed(world: World) -> None:
    begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    world.mine(200)

    def other_block(_: Any, forward: Any) -> Any:
        found = forward()
        return found and found | {"blockHash": "0x" + "ab" * 32}

    proxy = Proxy(world.url)
    try:
        proxy.rules["eth_getTransactionReceipt"] = other_block
        world.indexer.use(Client(Endpoint(proxy.url)))
        with pytest.raises(TransientError, match="receipt"):
            world.index()
    finally:
        proxy.close()
    assert world.all("SELECT FROM intent.inclusions") == []
    world.start()
    world.finish()
    assert world.status(intent) == "confirmed"
