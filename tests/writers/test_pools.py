"""What lies in the pools of other nodes than the one in use: no nonce is taken before it is known."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.indexer.served import Fault, Proxy
from chainfirst.tests.writers import strangers
from chainfirst.tests.writers.backups import Backups
from chainfirst.tests.writers.strangers import effects, verified
from chainfirst.tests.writers.world import World
from chainfirst.writers.node import Node
from chainfirst.writers.pools import PATIENCE

METHOD = "eth_getTransactionCount"


class Blind(Endpoint):
    """A node in whose own pool there is nothing of the key."""

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        if method == METHOD:
            body = body.replace(b'"pending"', b'"latest"')
        return super()._post(method, body, largest)


@pytest.fixture
def backups(pg_cluster: Cluster) -> Iterator[Backups]:
    made = Backups(pg_cluster)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def other(world: World) -> Iterator[Proxy]:
    """Another endpoint than the one in use, which alone knows what lies in the pool."""
    made = Proxy(world.url)
    use(world, made)
    try:
        yield made
    finally:
        made.close()


def use(world: World, other: Proxy, *, well: bool = True) -> None:
    """As a daemon begins: the lane anew, on the node that knows nothing."""
    world.start()
    blind = Blind(world.url)
    world.node = Node(blind, world.decoder)
    world.everyone = [(Client(blind), True), (Client(Endpoint(other.url)), well)]


def begun(world: World) -> None:
    world.mine()
    world.round()


def alert(world: World) -> str | None:
    found: str | None = world.one("SELECT alert FROM intent.lanes")
    return found


def theirs(world: World) -> None:
    """Something of the key that lies in the pool, as if a restored database had forgotten it."""
    strangers.send(world, world.nonce(), to=world.platform.at["operator"])


def asked(other: Proxy) -> int:
    return len(other.asked(METHOD))


def test_what_a_restored_database_forgot_lies_in_another_nodes_pool(
    world: World, other: Proxy, backups: Backups
) -> None:
    """The second would be given the first's nonce, and the first the second's: both would be done twice."""
    begun(world)
    backup = backups.take(world)
    intents = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2)]
    world.round()
    backups.restore(world, backup)
    use(world, other)
    again = [world.submit("investor.set_verified", **verified(number)) for number in (2, 1)]
    for _ in range(3):
        world.round()
        assert world.own_nonces() == []
        assert f"the pool of {other.url} holds transactions" in str(alert(world))
    world.mine()
    world.finish()
    assert alert(world) is None
    assert [effects(world, each) for each in again] == [1, 1]
    assert len(world.own_nonces()) == len(intents)
    world.assert_consistent()


def test_each_is_asked_once_where_there_is_nothing(world: World, other: Proxy) -> None:
    begun(world)
    assert asked(other) == 1
    intent = world.submit("investor.set_verified", **verified(1))
    world.finish()
    assert effects(world, intent) == 1
    assert asked(other) == 1


@pytest.mark.parametrize("how", ["is not well", "answers no such question", "breaks off"])
def test_one_that_can_not_be_asked_is_waited_for_and_not_for_ever(
    world: World, other: Proxy, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(params: Any, forward: Any) -> Any:
        raise Fault(-32005, "too many requests") if how == "breaks off" else Fault(-32601, "no such method")

    use(world, other, well=how != "is not well")
    other.rules[METHOD] = answer
    begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    if how == "answers no such question":
        assert world.status(intent) == "sent"
        return
    assert world.status(intent) == "pending"
    assert f"{other.url} can't be asked yet" in str(alert(world))
    world.time_passed = PATIENCE - timedelta(seconds=10)
    world.round()
    assert world.status(intent) == "pending"
    assert asked(other) == (2 if how == "breaks off" else 0)
    world.time_passed = PATIENCE + timedelta(seconds=1)
    world.round()
    assert world.status(intent) == "sent"
    assert alert(world) is None
    assert capsys.readouterr().out.count("pools_unknown") == 1


def test_one_that_was_away_is_asked_when_it_is_back(world: World, other: Proxy) -> None:
    use(world, other, well=False)
    begun(world)
    world.time_passed = 2 * PATIENCE
    begun(world)
    assert alert(world) is None
    theirs(world)
    world.everyone = [world.everyone[0], (world.everyone[1][0], True)]
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    assert world.status(intent) == "pending"
    assert f"the pool of {other.url} holds transactions" in str(alert(world))
    world.mine()
    world.finish()
    assert effects(world, intent) == 1


def test_what_one_has_said_counts_when_none_says_it_any_more(world: World, other: Proxy) -> None:
    """A replica that knows less may have answered; but what a pool has lost is not waited for without end."""
    begun(world)
    use(world, other)
    theirs(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    assert world.status(intent) == "pending"
    world.rpc("anvil_dropAllTransactions")
    for passed in (timedelta(seconds=1), PATIENCE - timedelta(seconds=5)):
        world.time_passed = passed
        world.round()
        assert world.status(intent) == "pending"
    world.time_passed = PATIENCE + timedelta(seconds=5)
    world.round()
    assert world.status(intent) == "sent"
