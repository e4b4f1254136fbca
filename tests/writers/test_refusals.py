"""Calls that are reverted block after block: when they are given up, and what they cost until then."""

import json
import uuid
from typing import Any

from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.tests.writers.strangers import verified
from chainfirst.tests.writers.test_lane import company
from chainfirst.tests.writers.world import DEPTH, World
from chainfirst.writers.node import Node

PRUNED = {"code": -32000, "message": "missing trie node 0xab (path ) state is not available"}


class Newest(Endpoint):
    """A node that keeps the newest state alone; calls are counted."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.calls = 0

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        if method != "eth_call":
            return super()._post(method, body, largest)
        asked = json.loads(body)
        several = asked if isinstance(asked, list) else [asked]
        self.calls += len(several)
        newest = json.loads(super()._post("eth_blockNumber", _HEAD, 1000)[1])["result"]
        answers: list[Any] = []
        for each in several:
            if each["params"][1] in ("latest", newest):
                answers.append(json.loads(super()._post(method, json.dumps(each).encode(), largest)[1]))
            else:
                answers.append({"jsonrpc": "2.0", "id": each["id"], "error": PRUNED})
        return 200, json.dumps(answers if isinstance(asked, list) else answers[0]).encode(), None


_HEAD = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'


def hopeless(world: World) -> uuid.UUID:
    """An intent whose call is reverted now and ever."""
    return world.submit("issuer.register", **company(world, "issuer"))  # whose wallet is taken


def since(world: World, intent: uuid.UUID) -> int | None:
    found: int | None = world.one("SELECT waiting_block FROM intent.intents WHERE id = %s", intent)
    return found


def test_a_node_that_forgets_old_states_is_asked_once_a_block_until_it_is_rejected(world: World) -> None:
    world.mine()
    world.round()
    line = Newest(world.url)
    world.node = Node(line, world.decoder)
    intents = [hopeless(world) for _ in range(3)]
    world.round()
    first = world.head()
    for _ in range(DEPTH - 1):
        world.mine()
        world.round()
        assert {world.status(each) for each in intents} == {"waiting"}
    world.mine()
    world.round()
    assert {world.status(each) for each in intents} == {"rejected"}
    assert f"(reverted since block {first}, which is final)" in world.overview(intents[0])["error"]
    assert line.calls == len(intents) * (DEPTH + 1)


def test_what_ours_may_have_changed_counts_from_then_on(world: World) -> None:
    world.depth = 4
    world.start()
    world.mine(5)
    world.round()
    intent = hopeless(world)
    world.round()
    first = world.head()
    assert since(world, intent) == first
    world.mine()
    world.submit("investor.set_verified", **verified(1))
    world.round()
    assert since(world, intent) == first
    world.mine()
    ours = world.head()
    world.round()
    assert since(world, intent) == ours
    world.mine(3)
    world.round()
    assert world.one("SELECT final_number >= %s FROM chain.cursor", first)
    assert world.status(intent) == "waiting"
    world.mine()
    world.round()
    assert f"since block {ours}, which is final" in world.overview(intent)["error"]


def test_a_refusal_in_a_block_that_is_reorganised_away_counts_no_longer(world: World) -> None:
    world.mine(3)
    world.round()
    intent = hopeless(world)
    # with something in it: an empty block that replaces an empty one in the same second has the same hash
    somebody = world.rpc("eth_accounts")[5]
    world.rpc("eth_sendTransaction", {"from": somebody, "to": somebody})
    world.mine()
    world.round()
    first = world.head()
    assert since(world, intent) == first
    world.rpc("anvil_reorg", 1, [])
    world.mine(DEPTH)
    world.round()
    assert world.one("SELECT final_number = %s FROM chain.cursor", first)
    assert world.status(intent) == "waiting"
    assert since(world, intent) == world.head()
    world.finish()
    assert f"since block {first + DEPTH}, which is final" in world.overview(intent)["error"]
