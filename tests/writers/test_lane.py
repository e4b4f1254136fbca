"""The lane on a real node: from an app's wish to a final event, and what comes between."""

import itertools
import uuid
from datetime import timedelta
from typing import Any

import pytest
from chainfirst.tests.writers.world import World

Payload = dict[str, Any]


def verified(world: World, actor: str = "alice", yes: bool = True) -> Payload:
    return {"investor": world.platform.at[actor], "verified": yes}


def company(world: World, actor: str = "bob") -> Payload:
    return {
        "company": str(uuid.uuid4()),
        "wallet": world.platform.at[actor],
        "credential_hash": "0x" + "11" * 32,
        "document_uri": "ipfs://company",
    }


def test_from_wish_to_final_event(world: World) -> None:
    intent = world.submit("investor.set_verified", **verified(world))
    world.round()
    assert world.status(intent) == "sent"
    world.mine()
    world.round()
    assert world.status(intent) == "included"
    world.mine(2)
    world.round()
    assert world.status(intent) == "confirmed"
    found = world.overview(intent)
    assert found["result"]["verified"] is True
    assert found["already_true"] is False
    assert found["cost_wei"] > 0
    assert [cause.split(":")[0] for cause in world.history(intent)] == [
        "submitted by postgres",
        "validated",
        "signed",
        "sent",
        "mined",
        "its event is there",
        "confirmed",
    ]
    world.assert_consistent()


def test_many_at_once_have_dense_nonces(world: World) -> None:
    first = world.nonce()
    intents = [world.submit("investor.set_verified", **verified(world, yes=i % 2 == 0)) for i in range(40)]
    world.round()
    assert [world.status(each) for each in intents].count("sent") == 16  # in_flight
    world.finish(30)
    assert {world.status(each) for each in intents} == {"confirmed"}
    assert world.own_nonces() == list(range(first, first + 40))
    world.assert_consistent()


def test_once_that_is_true_already(world: World) -> None:
    wanted = company(world)
    call = world.platform.registry.functions.registerIssuer(
        uuid.UUID(wanted["company"]).bytes + bytes(16), wanted["wallet"], b"\x11" * 32, "ipfs://company"
    )
    call.transact({"from": world.platform.at["registrar"]})
    world.mine(4)
    world.index()
    intent = world.submit("issuer.register", **wanted)
    world.round()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["already_true"] is True
    assert world.own_nonces() == []


def test_once_with_other_parameters_is_a_conflict(world: World) -> None:
    wanted = company(world)
    call = world.platform.registry.functions.registerIssuer(
        uuid.UUID(wanted["company"]).bytes + bytes(16), wanted["wallet"], b"\x22" * 32, "ipfs://company"
    )
    call.transact({"from": world.platform.at["registrar"]})
    world.mine(4)
    world.index()
    intent = world.submit("issuer.register", **wanted)
    world.round()
    found = world.overview(intent)
    assert found["status"] == "rejected"
    assert found["error"].startswith("conflict")
    assert "credential_hash" in found["error"]


def test_a_bad_payload_is_rejected_with_the_field_and_the_lane_goes_on(world: World) -> None:
    bad = world.submit("investor.set_verified", investor="0x12", verified="yes")
    good = world.submit("investor.set_verified", **verified(world))
    world.round()
    assert world.status(bad) == "rejected"
    assert "investor" in world.overview(bad)["error"]
    assert world.status(good) == "sent"


def test_a_revert_waits_with_its_reason_and_is_rejected_at_a_final_block(world: World) -> None:
    wanted = company(world, "issuer")  # whose wallet is taken
    intent = world.submit("issuer.register", **wanted)
    good = world.submit("investor.set_verified", **verified(world))
    world.round()
    found = world.overview(intent)
    assert found["status"] == "waiting"
    assert found["waits_for"].startswith("WalletTaken(")
    assert world.status(good) == "sent"
    world.mine()
    world.round()
    assert world.status(intent) == "waiting"  # one of ours is in flight, and the block isn't final
    world.finish()
    assert world.status(intent) == "rejected"
    assert "WalletTaken" in world.overview(intent)["error"]
    assert world.status(good) == "confirmed"


@pytest.mark.parametrize("replayed", [True, False])
def test_reorganised_out_the_status_goes_back_and_the_bytes_again(world: World, replayed: bool) -> None:
    intent = world.submit("investor.set_verified", **verified(world))
    world.round()
    world.mine()
    world.round()
    assert world.status(intent) == "included"
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.rpc("anvil_reorg", 1, [[raw, 0]] if replayed else [])
    world.round()
    assert world.status(intent) == ("included" if replayed else "sent")
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["attempts"] == 1
    world.assert_consistent()


def test_dropped_from_the_pool_the_stored_bytes_go_again(world: World) -> None:
    intents = [world.submit("investor.set_verified", **verified(world, yes=i % 2 == 0)) for i in range(4)]
    world.round()
    world.rpc("anvil_dropTransaction", world.overview(intents[0])["hash"])
    world.mine()
    world.finish()
    assert {world.status(each) for each in intents} == {"confirmed"}
    assert {world.overview(each)["attempts"] for each in intents} == {1}


def test_left_behind_by_the_base_fee_it_is_signed_again_at_the_same_nonce(world: World) -> None:
    intent = world.submit("investor.set_verified", **verified(world))
    world.round()
    fee = int(world.one("SELECT max_fee_wei FROM intent.attempts")) * 2
    for _ in range(4):
        world.rpc("anvil_setNextBlockBaseFeePerGas", hex(fee))
        world.mine()
        world.round()
    found = world.overview(intent)
    assert found["attempts"] > 1
    world.finish()
    assert world.status(intent) == "confirmed"
    rows = world.all("SELECT max_fee_wei, priority_fee_wei FROM intent.attempts ORDER BY id")
    for (max_fee, tip), (next_max_fee, next_tip) in itertools.pairwise(rows):
        assert next_max_fee * 8 >= max_fee * 9
        assert next_tip * 8 >= tip * 9
    world.assert_consistent()


def test_an_unsigned_intent_expires_and_children_wait_for_parents(world: World) -> None:
    late = world.submit(
        "investor.set_verified", expires_at=world.now() - timedelta(seconds=1), **verified(world)
    )
    early = world.submit(
        "investor.set_verified", not_before=world.now() + timedelta(days=1), **verified(world)
    )
    parent = world.submit("investor.set_verified", "parent", **verified(world))
    child = world.submit("investor.set_verified", "child", depends_on="parent", **verified(world, yes=False))
    world.round()
    assert [world.status(each) for each in (late, early, parent, child)] == [
        "expired",
        "pending",
        "sent",
        "pending",
    ]
    world.mine(3)
    world.round()
    world.round()
    assert [world.status(each) for each in (parent, child)] == ["confirmed", "sent"]
    world.time_passed = timedelta(days=2)
    world.round()
    assert world.status(early) == "sent"


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_a_signed_intent_is_taken_back_by_a_transfer_of_nothing(world: World, how: str) -> None:
    expires = world.now() + timedelta(hours=1) if how == "expired" else None
    intent = world.submit("investor.set_verified", expires_at=expires, **verified(world))
    after = world.submit("investor.set_verified", **verified(world, "bob", yes=False))
    world.round()
    assert world.status(intent) == "sent"
    if how == "cancelled":
        world.app.execute("SELECT intent.cancel(%s)", [intent])
    else:
        world.time_passed = timedelta(hours=2)
    world.round()
    assert world.overview(intent)["purpose"] == "cancel"
    world.mine(3)
    world.round()
    assert world.status(intent) == how
    assert world.status(after) == "confirmed"
    assert (
        world.one(
            "SELECT count(*) FROM event.issuer_registry_investor_status_changed WHERE tx_hash = %s",
            world.overview(intent)["hash"],
        )
        == 0
    )
    world.assert_consistent()


def test_cancelled_too_late_it_is_confirmed(world: World) -> None:
    intent = world.submit("investor.set_verified", **verified(world))
    world.round()
    world.mine()
    world.app.execute("SELECT intent.cancel(%s)", [intent])
    world.mine(2)
    world.finish()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


def test_the_effect_came_from_outside_while_ours_was_on_its_way(world: World) -> None:
    wanted = company(world)
    intent = world.submit("issuer.register", **wanted)
    world.round()
    assert world.status(intent) == "sent"
    world.rpc("anvil_dropAllTransactions")
    call = world.platform.registry.functions.registerIssuer(
        uuid.UUID(wanted["company"]).bytes + bytes(16), wanted["wallet"], b"\x11" * 32, "ipfs://company"
    )
    call.transact({"from": world.platform.at["registrar"]})
    world.mine(3)
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["already_true"] is True
    for _ in range(4):  # and the nonce is used up all the same
        world.round()
        world.mine()
    assert world.all("SELECT FROM intent.transactions WHERE closed_block IS NULL") == []
    world.assert_consistent()


def test_a_b_a_again_each_has_its_own_effect(world: World) -> None:
    intents = [
        world.submit("investor.set_verified", f"step {i}", **verified(world, yes=yes))
        for i, yes in enumerate((True, False, True))
    ]
    world.round()
    world.finish()
    assert {world.status(each) for each in intents} == {"confirmed"}
    assert len({world.overview(each)["settled_by"] for each in intents}) == 3


def test_reverted_when_mined_it_failed_with_the_reason(world: World) -> None:
    wanted = company(world)
    intent = world.submit("issuer.register", **wanted)
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.rpc("anvil_dropAllTransactions")
    other = world.platform.registry.functions.registerIssuer(
        uuid.uuid4().bytes + bytes(16), wanted["wallet"], b"\x11" * 32, "ipfs://other"
    )
    other.transact({"from": world.platform.at["registrar"], "gasPrice": 10**12})
    world.mine()
    world.rpc("eth_sendRawTransaction", raw)
    world.mine(3)
    world.finish()
    found = world.overview(intent)
    assert found["status"] == "failed"
    assert found["error"].startswith("reverted: WalletTaken(")
    assert found["cost_wei"] > 0


def test_reverted_in_a_block_that_goes_and_good_in_the_next(world: World) -> None:
    wanted = company(world)
    intent = world.submit("issuer.register", **wanted)
    world.round()
    raw = world.rpc("eth_getRawTransactionByHash", world.overview(intent)["hash"])
    world.rpc("anvil_dropAllTransactions")
    other = world.platform.registry.functions.registerIssuer(
        uuid.uuid4().bytes + bytes(16), wanted["wallet"], b"\x11" * 32, "ipfs://other"
    )
    other.transact({"from": world.platform.at["registrar"], "gasPrice": 10**12})
    world.mine()
    world.rpc("eth_sendRawTransaction", raw)
    world.mine()
    world.round()
    assert world.overview(intent)["ok"] is False
    world.rpc("anvil_reorg", 2, [])
    world.finish()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


def test_without_funds_the_lane_waits_and_alerts_and_loses_no_nonce(world: World) -> None:
    operator = world.platform.at["operator"]
    world.rpc("anvil_setBalance", operator, "0x1")
    intent = world.submit("investor.set_verified", **verified(world))
    for _ in range(3):
        world.round()
        world.mine()
    assert world.status(intent) in ("waiting", "signed", "sent")
    alert = world.one("SELECT alert FROM intent.lanes")
    assert world.status(intent) == "waiting" or "funds" in alert
    world.rpc("anvil_setBalance", operator, hex(10**20))
    world.finish()
    assert world.status(intent) == "confirmed"
    world.assert_consistent()


def test_paused_it_signs_nothing_and_goes_on_after(world: World) -> None:
    world.all("INSERT INTO intent.pauses (subject) VALUES ('investor.*') RETURNING subject")
    intent = world.submit("investor.set_verified", **verified(world))
    other = world.submit("issuer.register", **company(world))
    world.round()
    assert (world.status(intent), world.status(other)) == ("pending", "sent")
    world.all("DELETE FROM intent.pauses RETURNING subject")
    world.round()
    assert world.status(intent) == "sent"


def test_it_signs_nothing_while_the_index_lags(world: World) -> None:
    world.index()
    world.mine(5)
    intent = world.submit("investor.set_verified", **verified(world))
    world.lane.step(world.node)
    assert world.status(intent) == "pending"
    world.index()
    world.lane.step(world.node)
    assert world.status(intent) == "sent"


def test_a_treasury_that_is_empty_and_then_filled(world: World) -> None:
    campaign = str(uuid.uuid4())
    world.submit(
        "campaign.create",
        campaign=campaign,
        issuer=world.platform.at["issuer"],
        funding_goal="1000000",
        min_investment="1",
        max_investment="0",
        duration_seconds=30 * 86400,
        grace_seconds=0,
        success_threshold_bps=7500,
        document_uri="ipfs://offer",
    )
    world.finish()
    treasury = world.platform.at["treasury"]
    token = world.platform.token
    balance = world.platform.balance("treasury")
    token.functions.transfer(world.platform.at["eve"], balance).transact({"from": treasury})
    world.mine(3)
    intent = world.submit(
        "campaign.record_investment",
        campaign=campaign,
        investment=str(uuid.uuid4()),
        investor=world.platform.at["alice"],
        amount="5000",
        payment_reference="FT1",
    )
    for _ in range(6):
        world.round()
        world.mine()
    found = world.overview(intent)
    assert found["status"] == "waiting"
    assert found["waits_for"].startswith("ERC20InsufficientBalance(")
    assert found["alert"] is True
    token.functions.transfer(treasury, balance).transact({"from": world.platform.at["eve"]})
    world.mine()
    world.finish()
    assert world.status(intent) == "confirmed"
    assert world.overview(intent)["alert"] is False


def test_a_campaign_that_is_not_final_yet_is_waited_for(world: World) -> None:
    """In another order of blocks its address would be another campaign's."""
    campaign = str(uuid.uuid4())
    created = world.submit(
        "campaign.create",
        campaign=campaign,
        issuer=world.platform.at["issuer"],
        funding_goal="1000000",
        min_investment="1",
        max_investment="0",
        duration_seconds=30 * 86400,
        grace_seconds=0,
        success_threshold_bps=7500,
        document_uri="ipfs://offer",
    )
    world.round()
    world.mine()
    world.round()
    assert world.status(created) == "included"
    recorded = world.submit(
        "campaign.record_investment",
        campaign=campaign,
        investment=str(uuid.uuid4()),
        investor=world.platform.at["alice"],
        amount="5000",
        payment_reference="FT1",
    )
    world.round()
    assert world.status(recorded) == "waiting"
    assert "final" in world.overview(recorded)["waits_for"]
    world.finish()
    assert world.status(recorded) == "confirmed"
