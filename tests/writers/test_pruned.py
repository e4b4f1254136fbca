"""What is pruned of intents that are over nobody misses, not even when their blocks are indexed again."""

from datetime import UTC, datetime, timedelta

from chainfirst.schema import pruning
from chainfirst.tests.writers import strangers
from chainfirst.tests.writers.strangers import effects, verified
from chainfirst.tests.writers.test_settle import to_block
from chainfirst.tests.writers.world import World

KEEP = pruning.Keep(changes=1, history=1, signed=1)


def test_pruned_and_rewound_it_is_found_by_its_hash_and_sent_by_nobody(world: World) -> None:
    start = int(world.rpc("eth_blockNumber"), 16)
    world.mine()
    intents = [world.submit("investor.set_verified", **verified(number)) for number in (1, 2)]
    world.finish()
    later = world.submit("investor.set_verified", **verified(3))
    world.round()
    nonces, used = world.own_nonces(), world.nonce()
    gone = pruning.prune(
        world.connection, world.epoch, datetime.now(UTC) + timedelta(days=2), KEEP, lambda: True, {}
    )
    assert gone["signed"] == len(intents)
    assert [world.history(each) for each in intents] == [[], []]
    assert world.history(later) != []
    assert world.one("SELECT count(*) FROM intent.attempts WHERE raw IS NOT NULL") == 1  # the open one's
    assert pruning.without_bytes(world.connection, start) == len(intents)

    to_block(world, start)
    world.start()
    world.finish()
    assert {world.status(each) for each in (*intents, later)} == {"confirmed"}
    assert world.own_nonces() == nonces
    assert world.nonce() == used + 1
    assert [effects(world, each) for each in (*intents, later)] == [1, 1, 1]
    world.assert_consistent()


def test_pruned_and_on_another_chain_it_is_not_sent_and_said(world: World) -> None:
    start = int(world.rpc("eth_blockNumber"), 16)
    world.mine()
    world.round()
    snapshot, nonce = world.rpc("evm_snapshot"), world.nonce()
    intent = world.submit("investor.set_verified", **verified(1))
    world.finish()
    pruning.prune(
        world.connection, world.epoch, datetime.now(UTC) + timedelta(days=2), KEEP, lambda: True, {}
    )
    world.rpc("evm_revert", snapshot)
    world.rpc("anvil_dropAllTransactions")
    to_block(world, start)
    world.start()
    for _ in range(4):
        world.mine()
        world.round()
    said = str(world.one("SELECT alert FROM intent.lanes"))
    assert f"waits for nonce {nonce}" in said, said
    assert world.nonce() == nonce
    strangers.send(world, nonce, to=world.platform.at["operator"])  # what it says
    world.finish()
    assert world.status(intent) == "failed"  # taken back: to be asked for again
    again = world.submit("investor.set_verified", **verified(1))
    world.finish()
    assert (world.status(again), world.overview(again)["nonce"]) == ("confirmed", nonce + 1)
    assert effects(world, again) == 1
    world.assert_consistent()
