"""Lanes that stop for a person, on a real node, and what they do after `chainfirst lanes accept`."""

from typing import Any

from chainfirst.tests.writers.world import World
from chainfirst.writers import operate
from eth_account import Account

GWEI = 10**9


def gift(world: World, nonce: int) -> str:
    """Somebody else uses the operator's key, and pays more than we do; its hash."""
    fields = {"chainId": 31337, "nonce": nonce, "gas": 100_000, "maxFeePerGas": 50 * GWEI}
    call = {"to": world.platform.at["eve"], "value": 1, "maxPriorityFeePerGas": 20 * GWEI}
    signed = Account.sign_transaction(fields | call, world.platform.keys["operator"].key)
    return str(world.rpc("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))


def verified(world: World, actor: str) -> dict[str, Any]:
    return {"investor": world.platform.at[actor], "verified": True}


def accept(world: World) -> str:
    shown = operate.state(world.app, world.platform.at["operator"].lower())
    assert shown is not None
    return operate.accept(world.app, shown, "me")


def blocked(world: World) -> tuple[str | None, int | None, str | None, int | None]:
    shown = operate.state(world.app, world.platform.at["operator"].lower())
    assert shown is not None
    return shown.reason, shown.nonce, shown.hash, shown.block


def test_an_intent_whose_nonce_was_taken_gets_another_one_when_that_is_accepted(world: World) -> None:
    nonce = world.nonce()
    first = world.submit("investor.set_verified", **verified(world, "eve"))
    second = world.submit("investor.set_verified", **verified(world, "alice"))
    world.round()
    assert world.own_nonces() == [nonce, nonce + 1]
    hash_ = gift(world, nonce)
    world.mine()
    block = int(world.rpc("eth_blockNumber"), 16)
    world.mine(3)
    world.round()
    reason, *found = blocked(world)
    assert reason is not None
    assert "Who else has this key?" in reason
    assert found == [nonce, hash_, block]
    # what is signed goes on; nothing new is
    third = world.submit("investor.set_verified", **verified(world, "bob"))
    world.mine()
    world.round()
    assert world.status(third) == "pending"
    assert world.status(second) in ("included", "confirmed")

    assert f"the intent {first}, which had it, gets another one" in accept(world)
    assert world.status(first) == "pending"
    world.finish()
    assert {world.status(each) for each in (first, second, third)} == {"confirmed"}
    assert world.own_nonces() == [nonce, nonce + 1, nonce + 2, nonce + 3]
    assert f"its nonce {nonce} was used by {hash_}" in world.history(first)
    assert blocked(world)[0] is None


def test_a_nonce_that_was_used_before_ours_is_left_out(world: World) -> None:
    world.submit("investor.set_verified", **verified(world, "eve"))
    world.finish()
    nonce = world.nonce()
    hash_ = gift(world, nonce)
    world.mine(4)
    intent = world.submit("investor.set_verified", **verified(world, "alice"))
    world.round()
    assert blocked(world)[1:3] == (nonce, hash_)
    assert world.status(intent) == "pending"
    accept(world)
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["nonce"] == nonce + 1


def test_a_key_that_was_used_before_begins_where_it_is(world: World) -> None:
    gift(world, world.nonce())
    world.mine(4)
    used = world.nonce()
    intent = world.submit("investor.set_verified", **verified(world, "eve"))
    world.round()
    reason, nonce, *_ = blocked(world)
    assert reason is not None
    assert "before this database knew of it" in reason
    assert nonce == used
    assert world.own_nonces() == []
    accept(world)
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.own_nonces() == [used]


def test_with_no_intent_open_any_more_it_begins_by_itself(world: World) -> None:
    gift(world, world.nonce())
    world.mine(4)
    intent = world.submit("investor.set_verified", **verified(world, "eve"))
    world.round()
    assert blocked(world)[0] is not None
    world.app.execute("SELECT intent.cancel(%s)", [intent])
    world.round()
    assert blocked(world)[0] is None
    later = world.submit("investor.set_verified", **verified(world, "eve"))
    world.finish()
    assert world.status(later) == "confirmed"


def test_one_that_was_to_be_taken_back_ends_when_its_nonce_is_lost(world: World) -> None:
    nonce = world.nonce()
    intent = world.submit("investor.set_verified", **verified(world, "eve"))
    world.round()
    gift(world, nonce)
    world.mine(4)
    world.app.execute("SELECT intent.cancel(%s)", [intent])
    assert world.status(intent) == "sent"
    world.round()
    accept(world)
    world.round()
    assert world.status(intent) == "cancelled"
    assert world.own_nonces() == [nonce]
