"""Nonces that somebody else uses, or has used: nothing is signed before it is known by what."""

from datetime import timedelta

import pytest
from chainfirst.tests.writers import strangers
from chainfirst.tests.writers.strangers import accept, blocked, effects, verified
from chainfirst.tests.writers.test_patience import Counting
from chainfirst.tests.writers.world import World
from chainfirst.writers import nonces, operate
from chainfirst.writers.node import Node


def begun(world: World) -> int:
    """The lane knows its key; the chain's nonce."""
    world.mine()
    world.round()
    return world.nonce()


@pytest.mark.parametrize("when", ["unsigned", "stored", "sent"])
def test_theirs_is_mined_at_our_nonce(world: World, when: str) -> None:
    nonce = begun(world)
    if when == "unsigned":
        world.all("INSERT INTO intent.pauses (subject) VALUES ('*') RETURNING subject")
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    if when == "stored":
        world.rpc("anvil_dropAllTransactions")
    theirs = strangers.send(world, nonce, value=1)
    world.mine()
    world.all("DELETE FROM intent.pauses RETURNING subject")
    later = world.submit("investor.set_verified", **verified(2))
    world.round()
    # not final: it may go again
    assert blocked(world) is None
    assert world.status(later) == "pending"
    world.mine(3)
    world.round()
    assert strangers.state(world).hash == theirs
    assert world.status(later) == "pending"
    accept(world)
    world.finish()
    assert [world.status(each) for each in (intent, later)] == ["confirmed"] * 2
    assert [effects(world, each) for each in (intent, later)] == [1, 1]
    assert world.overview(intent)["nonce"] > nonce


def test_theirs_is_reorganised_away(world: World) -> None:
    nonce = begun(world)
    strangers.send(world, nonce, value=1)
    world.mine()
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    assert world.status(intent) == "pending"
    assert "not final" in str(world.one("SELECT alert FROM intent.lanes"))
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    world.finish()
    assert world.overview(intent)["nonce"] == nonce
    assert world.one("SELECT alert FROM intent.lanes") is None
    assert effects(world, intent) == 1
    world.assert_consistent()


def test_theirs_takes_the_nonce_of_ours_in_a_block_that_goes(world: World) -> None:
    nonce = begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    strangers.send(world, nonce, value=1)
    world.mine()
    world.round()
    assert world.status(intent) == "sent"
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    world.finish()
    assert world.overview(intent)["nonce"] == nonce
    assert world.overview(intent)["attempts"] == 1
    assert effects(world, intent) == 1


def send_in_blocks(world: World, nonce: int, count: int = 3) -> list[str]:
    """Somebody else's, each in a block of its own, final."""
    hashes = []
    for n in range(count):
        hashes.append(strangers.send(world, nonce + n, value=1))
        world.mine()
    world.mine(3)
    return hashes


def test_several_of_theirs_are_accepted_together(world: World) -> None:
    nonce = begun(world)
    first = world.head() + 1
    hashes = send_in_blocks(world, nonce)
    intent = world.submit("investor.set_verified", **verified(1))
    line = Counting(world.url)
    world.node = Node(line, world.decoder)
    for _ in range(3):
        world.round()
        found = strangers.state(world)
        shown = [(each.nonce, each.hash, each.block) for each in found.foreign]
        assert shown == [(nonce + n, theirs, first + n) for n, theirs in enumerate(hashes)]
        assert "none of ours, nor are those of 2 nonces after it" in str(found.reason)
        assert found.more[0]["what"].endswith(", 0 bytes of data")
        assert world.status(intent) == "pending"
    assert line.calls["eth_getTransactionReceipt"] == 3  # they are searched once
    assert accept(world).splitlines() == [
        f"nonce {nonce + n} of {found.signer} is somebody else's: {theirs} in block {first + n}"
        for n, theirs in enumerate(hashes)
    ]
    assert strangers.state(world).foreign == []
    world.finish()
    assert world.overview(intent)["nonce"] == nonce + 3
    assert effects(world, intent) == 1


def test_one_of_several_of_theirs_is_accepted_alone(world: World) -> None:
    nonce = begun(world)
    hashes = send_in_blocks(world, nonce)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    operate.accept(world.app, strangers.state(world), "somebody", alone=True)
    world.round()
    assert [each.hash for each in strangers.state(world).foreign] == hashes[1:]
    assert world.status(intent) == "pending"


def test_so_many_are_looked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces, "MOST_STRANGERS", 2)
    nonce = begun(world)
    hashes = send_in_blocks(world, nonce)
    intent = world.submit("investor.set_verified", **verified(1))
    for some in (hashes[:2], hashes[2:]):
        world.round()
        assert [each.hash for each in strangers.state(world).foreign] == some
        accept(world)
    world.finish()
    assert effects(world, intent) == 1


def test_one_of_several_of_theirs_is_asked_for_meanwhile(world: World) -> None:
    nonce = begun(world)
    done = world.submit("investor.set_verified", **verified(1))
    world.finish()
    nonce += 1
    strangers.send(world, nonce, value=1)
    strangers.send_equal(world, nonce + 1, done)
    world.mine(4)
    world.round()
    assert [each.nonce for each in strangers.state(world).foreign] == [nonce, nonce + 1]
    again = world.submit("investor.set_verified", **verified(1))
    world.round()
    assert [each.nonce for each in strangers.state(world).foreign] == [nonce]
    accept(world)
    world.finish()
    assert world.overview(again)["nonce"] == nonce + 1
    assert effects(world, again) == 2  # theirs for it, and the one before
    world.assert_consistent()


def test_the_intent_that_had_one_of_theirs_may_have_the_next(world: World) -> None:
    """A daemon elsewhere lost its nonce and took the next: accepting both at once would send it again."""
    nonce = begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    world.rpc("anvil_dropAllTransactions")
    strangers.send(world, nonce, value=1)
    world.mine()
    strangers.send_equal(world, nonce + 1, intent)
    world.mine(4)
    world.index()
    world.lane.step(world.node)
    assert [each.nonce for each in strangers.state(world).foreign] == [nonce, nonce + 1]
    (did,) = accept(world).splitlines()
    assert did.endswith(
        f"the intent {intent}, which had it, gets another one; 1 after it are looked at again"
    )
    world.finish()
    assert blocked(world) is None
    assert world.overview(intent)["nonce"] == nonce + 1
    assert effects(world, intent) == 1
    world.assert_consistent()


def test_a_contract_is_created_with_our_key(world: World) -> None:
    nonce = begun(world)
    strangers.send(world, nonce, to="", data=bytes.fromhex("600a600c600039600a6000f3602a60005260206000f3"))
    world.mine(4)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    assert "a new contract" in str(blocked(world))
    accept(world)
    world.finish()
    assert effects(world, intent) == 1


def test_ours_equal_and_signed_with_another_nonce_is_theirs(world: World) -> None:
    """Two wishes' worth of the same call: theirs counts for nobody."""
    nonce = begun(world)
    first = world.submit("investor.set_verified", **verified(1))
    second = world.submit("investor.set_verified", **verified(2))
    world.round()
    strangers.send_equal(world, nonce, second)
    world.mine(4)
    world.round()
    assert blocked(world) is not None
    accept(world)
    world.finish()
    assert [world.status(each) for each in (first, second)] == ["confirmed"] * 2
    settled = [world.overview(each)["settled_by"] for each in (first, second)]
    assert len(set(settled)) == 2
    world.assert_consistent()


def test_ours_by_another_bid_is_ours(world: World) -> None:
    """The same call at the same nonce: a higher bid that the database doesn't know."""
    nonce = begun(world)
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    theirs = strangers.send_equal(world, nonce, intent)
    world.mine(4)
    world.finish()
    assert blocked(world) is None
    assert world.overview(intent)["settled_by"] == theirs
    assert world.overview(intent)["already_true"] is False
    assert effects(world, intent) == 1
    world.assert_consistent()


def test_a_nonce_that_the_indexed_block_has_not_used_yet(world: World) -> None:
    """Theirs is in a block that is not indexed yet: ours would only lose its nonce."""
    nonce = begun(world)
    strangers.send(world, nonce, value=1)
    world.mine()
    intent = world.submit("investor.set_verified", **verified(1))
    world.lane.step(world.node)  # the index lags by a block, which is allowed
    assert world.status(intent) == "pending"


@pytest.mark.parametrize("asked", ["cancel", "expiry"])
def test_taken_back_and_its_nonce_is_gone(world: World, asked: str) -> None:
    """What was to be taken back is never signed again: it ends."""
    nonce = begun(world)
    expires = world.now() + timedelta(hours=1) if asked == "expiry" else None
    intent = world.submit("investor.set_verified", expires_at=expires, **verified(1))
    world.round()
    strangers.send(world, nonce, value=1)
    world.mine()
    if asked == "cancel":
        world.app.execute("SELECT intent.cancel(%s)", [intent])
    else:
        world.time_passed = timedelta(hours=2)
    world.mine(3)
    world.round()
    accept(world)
    world.finish()
    assert world.status(intent) == {"cancel": "cancelled", "expiry": "expired"}[asked]
    assert effects(world, intent) == 0
    world.assert_consistent()


def test_a_key_begins_at_nonces_that_no_reorganisation_takes_away(world: World) -> None:
    """Else it would begin beyond a gap, and nothing of it could ever be mined."""
    nonce = world.nonce()
    world.mine()
    strangers.send(world, nonce, value=1)
    world.mine()
    world.round()
    assert world.one("SELECT first_nonce FROM intent.lanes") is None
    assert "aren't final yet" in world.one("SELECT alert FROM intent.lanes")
    world.rpc("anvil_reorg", 1, [])
    world.rpc("anvil_dropAllTransactions")
    world.round()
    assert world.all("SELECT first_nonce, alert FROM intent.lanes") == [(nonce, None)]
    intent = world.submit("investor.set_verified", **verified(1))
    world.finish()
    assert effects(world, intent) == 1


def test_a_lane_whose_row_is_lost_goes_on_where_it_was(world: World) -> None:
    nonce = begun(world)
    intents = [world.submit("investor.set_verified", **verified(n)) for n in range(1, 4)]
    world.round()
    world.all("DELETE FROM intent.lanes RETURNING 1")
    world.rpc("anvil_dropTransaction", world.overview(intents[0])["hash"])
    world.mine()
    later = world.submit("investor.set_verified", **verified(9))
    world.round()
    assert world.one("SELECT first_nonce FROM intent.lanes") == nonce
    world.finish()
    assert blocked(world) is None
    assert [effects(world, each) for each in (*intents, later)] == [1] * 4
    assert world.own_nonces() == list(range(nonce, nonce + 4))
    world.assert_consistent()


@pytest.mark.parametrize("held", [True, False])
def test_a_transfer_of_nothing_takes_back_what_has_its_nonce(world: World, held: bool) -> None:
    """As the lane itself cancels: by a transaction that a restored backup has forgotten, or a wallet."""
    nonce = begun(world)
    if not held:
        world.all("INSERT INTO intent.pauses (subject) VALUES ('*') RETURNING subject")
    intent = world.submit("investor.set_verified", **verified(1))
    world.round()
    theirs = strangers.send(world, nonce, to=world.platform.at["operator"])
    world.mine(4)
    world.all("DELETE FROM intent.pauses RETURNING subject")
    world.finish()
    assert blocked(world) is None
    if held:
        found = world.overview(intent)
        assert (found["status"], found["hash"], found["alert"]) == ("failed", theirs, True)
        assert "taken back" in found["error"]
        assert effects(world, intent) == 0
        world.app.execute("SELECT intent.retry(%s)", [intent])
        world.finish()
    assert effects(world, intent) == 1
    world.assert_consistent()
