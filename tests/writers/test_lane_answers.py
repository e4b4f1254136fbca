"""Every class of a node's answer to a send, through the lane: on the real node where it can say it, else in
recorded words at its front door, with the bytes passed on and without.

Whatever is said, an intent keeps its one nonce, none is lost, and when the node is well it comes to its end.
"""

import itertools
import uuid
from typing import Any

import pytest
from chainfirst.tests.writers.faulty import NONE, Fault, FaultyWorld, says
from chainfirst.writers import fees, operate, transaction
from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.transaction import DynamicFee, Signed

GWEI = 10**9
HASH = "0x" + "ab" * 32

# the words of nodes, for the classes whose reaction is to send the same bytes again
SAME_BYTES: list[tuple[Class, str, int]] = [
    (Class.NONCE_TOO_LOW, "nonce too low: next nonce 13, tx nonce 11", -32000),
    (Class.NONCE_TOO_HIGH, "Transaction nonce is too distant from current sender nonce", -32006),
    (Class.POOL_FULL, "txpool is full", -32000),
    (Class.INSUFFICIENT_FUNDS, "Upfront cost exceeds account balance", -32004),
    (Class.UNKNOWN, "Internal error", -32603),
    (Class.UNKNOWN, "server busy", -32002),
]
TOO_CHEAP: list[tuple[Class, str, int]] = [
    (Class.REPLACEMENT_UNDERPRICED, "replacement transaction underpriced", -32000),
    (Class.REPLACEMENT_UNDERPRICED, "tx with the same nonce is already present", -32600),
    (Class.UNDERPRICED, "transaction underpriced", -32000),
    (Class.UNDERPRICED, "Gas price below configured minimum gas price", -32009),
]
REFUSED: list[tuple[Class, str, int]] = [
    (Class.WRONG_CHAIN, "invalid chain id for signer: have 31337 want 1", -32000),
    (Class.NOT_PERMITTED, "Sender account not authorized to send transactions", -32007),
]


def accept(world: FaultyWorld) -> str:
    """As `chainfirst lanes accept`."""
    shown = operate.state(world.app, world.platform.at["operator"].lower())
    assert shown is not None
    return operate.accept(world.app, shown, "me")


def of_nonce(world: FaultyWorld, nonce: int, fault: Fault) -> None:
    """Whatever is sent for this nonce is answered so."""
    world.door.on_send = lambda sent: fault if sent.transaction.nonce == nonce else NONE


def assert_raised(attempts: list[dict[str, Any]]) -> None:
    for before, after in itertools.pairwise(attempts):
        for name in ("max_fee_wei", "priority_fee_wei"):
            assert after[name] * 8 >= before[name] * 9, (before, after)
        assert after["signed_block"] > before["signed_block"], "two attempts in one block"


def test_every_reaction_is_tried_here() -> None:
    here = {cls for cls, *_ in (*SAME_BYTES, *TOO_CHEAP, *REFUSED)}
    others = {Class.ACCEPTED, Class.ALREADY_KNOWN, Class.FEE_CAP, Class.GAS, Class.REVERTED}
    assert here | others == set(Class)
    assert {REACTIONS[cls] for cls in here & others} <= {Reaction.SENT}


@pytest.mark.parametrize("forward", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize(
    ("cls", "text", "code"), SAME_BYTES, ids=[f"{c.value} {n}" for c, _, n in SAME_BYTES]
)
def test_the_same_bytes_again(faulty: FaultyWorld, cls: Class, text: str, code: int, forward: bool) -> None:
    of_nonce(faulty, faulty.first, says(text, code, forward=forward))
    first, second = faulty.verify(2)
    faulty.bear(4)
    assert cls in faulty.answers
    assert len(faulty.attempts(first)) == 1
    assert faulty.status(first) == ("confirmed" if forward else "sent")
    assert faulty.attempts(first)[0]["answer"] == cls.value
    if not forward:
        assert faulty.door.sent.count(faulty.door.sent[0]) == 4, "once a block"
        assert text in faulty.lane_row()["alert"]
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second)
    assert {faulty.status(first), faulty.status(second)} == {"confirmed"}
    assert len(faulty.attempts(first)) == 1
    faulty.bear()
    assert faulty.lane_row()["alert"] is None


def test_already_known_and_taken(faulty: FaultyWorld) -> None:
    of_nonce(faulty, faulty.first, says("already known", forward=True))
    first, second = faulty.verify(2)
    faulty.finish()
    assert Class.ALREADY_KNOWN in faulty.answers
    faulty.assert_whole(first, second)
    assert len(faulty.attempts(first)) == 1


@pytest.mark.parametrize(
    "fault", [Fault(0, "hash"), says("already known")], ids=["accepted", "already known"]
)
def test_said_to_be_taken_and_dropped(faulty: FaultyWorld, fault: Fault) -> None:
    of_nonce(faulty, faulty.first, fault)
    first, second = faulty.verify(2)
    faulty.bear(3)
    assert len(faulty.attempts(first)) == 1
    faulty.bear(3)
    assert_raised(faulty.attempts(first))
    assert len(faulty.attempts(first)) > 1, "a node that takes and drops it may want more for it"
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second)
    assert faulty.status(first) == "confirmed"


@pytest.mark.parametrize(("cls", "text", "code"), TOO_CHEAP, ids=[text for _, text, _ in TOO_CHEAP])
def test_too_cheap_it_is_raised_once_a_block_up_to_the_cap(
    faulty: FaultyWorld, cls: Class, text: str, code: int
) -> None:
    cap = 5 * GWEI
    faulty.lane = faulty.new_lane("operator", fee_limits=fees.Limits(GWEI, cap))
    of_nonce(faulty, faulty.first, says(text, code))
    first, second = faulty.verify(2)
    faulty.bear(3, mine=False)
    assert len(faulty.attempts(first)) == 1, "no block has come"
    faulty.mine()
    faulty.bear()
    faulty.bear()
    assert len(faulty.attempts(first)) == 3
    faulty.bear(5)
    attempts = faulty.attempts(first)
    assert_raised(attempts)
    assert attempts[-1]["max_fee_wei"] <= cap < fees.raised(attempts[-1]["max_fee_wei"])
    assert "fee_cap_wei" in faulty.lane_row()["alert"]
    assert {each["answer"] for each in attempts} == {cls.value}
    before = len(faulty.door.sent)
    faulty.bear(2)
    assert len(faulty.door.sent) == before + 2, "the last bytes again, once a block"
    assert faulty.door.sent[-1] == faulty.door.sent[-2]
    assert "fee_cap_wei" in faulty.lane_row()["alert"]
    assert len(faulty.attempts(first)) == len(attempts)
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second)
    assert faulty.status(first) == "confirmed"
    faulty.bear()
    assert faulty.lane_row()["alert"] is None


@pytest.mark.parametrize(("cls", "text", "code"), TOO_CHEAP[::2], ids=[text for _, text, _ in TOO_CHEAP[::2]])
def test_said_to_be_too_cheap_but_taken(faulty: FaultyWorld, cls: Class, text: str, code: int) -> None:
    of_nonce(faulty, faulty.first, says(text, code, forward=True))
    first, second = faulty.verify(2)
    faulty.finish()
    assert cls in faulty.answers
    faulty.assert_whole(first, second)
    assert len(faulty.attempts(first)) == 1


def cost(sent: Signed) -> int:
    assert isinstance(sent.transaction, DynamicFee)
    return sent.transaction.max_fee_per_gas_wei * sent.transaction.gas


def test_above_the_node_s_cap_it_is_lowered(faulty: FaultyWorld) -> None:
    cap: list[int] = []

    def on_send(sent: Signed) -> Fault:
        if not cap:
            cap.append(cost(sent) * 3 // 5)
        too_much = "tx fee (1.10 ether) exceeds the configured cap (1.00 ether)"
        return says(too_much) if cost(sent) > cap[0] else NONE

    faulty.door.on_send = on_send
    first, second = faulty.verify(2)
    faulty.finish()
    faulty.assert_whole(first, second)
    fees_ = [each["max_fee_wei"] for each in faulty.attempts(first)]
    assert len(fees_) == 3, "3/4, and 3/4 of that"
    assert fees_ == sorted(fees_, reverse=True)
    assert [each["answer"] for each in faulty.attempts(first)] == ["fee_cap", "fee_cap", "accepted"]


def test_a_node_s_cap_below_the_base_fee(faulty: FaultyWorld) -> None:
    of_nonce(faulty, faulty.first, says("Transaction fee cap exceeded"))
    first, second = faulty.verify(2)
    for _ in range(8):
        faulty.bear(mine=False)
        faulty.calm()
    alert = faulty.lane_row()["alert"]
    assert "the node's own cap" in alert
    count, sent = len(faulty.attempts(first)), len(faulty.door.sent)
    for _ in range(2):
        faulty.bear(mine=False)
        faulty.calm()
    assert len(faulty.attempts(first)) == count
    assert len(faulty.door.sent) == sent + 2
    assert "the node's own cap" in faulty.lane_row()["alert"]
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second)
    assert faulty.status(first) == "confirmed"


def test_the_node_s_cap_is_between_two_attempts(faulty: FaultyWorld) -> None:
    """Refused at first, taken for less, then stuck: what is wanted now was signed, and refused, before."""
    seen: list[int] = []

    def on_send(sent: Signed) -> Fault:
        seen.append(cost(sent))
        return says("Transaction fee cap exceeded") if cost(sent) > seen[0] * 9 // 10 else Fault(0, "hash")

    faulty.door.on_send = on_send
    faulty.door.on_call = lambda _: NONE
    (first,) = faulty.verify()
    for _ in range(12):
        faulty.bear(mine=False)
        faulty.calm()
    hashes = [each["hash"] for each in faulty.attempts(first)]
    assert len(hashes) == len(set(hashes)) >= 3
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first)


@pytest.mark.parametrize("text", ["exceeds block gas limit", "intrinsic gas too low", "oversized data"])
def test_refused_for_its_gas_once_it_is_estimated_again(faulty: FaultyWorld, text: str) -> None:
    of_nonce(faulty, faulty.first, says(text))
    first, second = faulty.verify(2)
    faulty.bear()
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first, second)
    assert [each["answer"] for each in faulty.attempts(first)] == ["gas", "accepted"]
    assert [each["purpose"] for each in faulty.attempts(first)] == ["call", "call"]
    assert faulty.overview(first)["alert"] is False


def refuse_calls(world: FaultyWorld, fault: Fault) -> None:
    """Of the first nonce, transfers to the signer itself pass."""
    world.door.on_send = lambda sent: (
        fault if sent.transaction.nonce == world.first and sent.transaction.to != sent.sender else NONE
    )


@pytest.mark.parametrize(
    ("text", "attempts"),
    [
        ("exceeds block gas limit", ["call", "call", "cancel"]),
        ("execution reverted: paused", ["call", "cancel"]),
    ],
)
def test_what_no_node_takes_frees_its_nonce_and_fails(
    faulty: FaultyWorld, text: str, attempts: list[str]
) -> None:
    refuse_calls(faulty, says(text))
    first, second = faulty.verify(2)
    counts = []
    for _ in range(8):
        # fees stand still: another attempt at what is wanted would be the same bytes
        faulty.bear(mine=False)
        counts.append(len(faulty.attempts(first)))
        faulty.calm()
    assert counts[: len(attempts)] == list(range(1, len(attempts) + 1)), "one a block"
    faulty.finish()
    assert [each["purpose"] for each in faulty.attempts(first)] == attempts
    found = faulty.overview(first)
    assert found["status"] == "failed"
    assert found["alert"] is True
    assert text in found["error"]
    assert faulty.status(second) == "confirmed"
    faulty.assert_whole(first, second)


@pytest.mark.parametrize("text", ["exceeds block gas limit", "execution reverted: paused"])
def test_said_to_be_refused_but_taken(faulty: FaultyWorld, text: str) -> None:
    refuse_calls(faulty, says(text, forward=True))
    first, second = faulty.verify(2)
    faulty.finish()
    assert (faulty.status(first), faulty.status(second)) == ("confirmed", "confirmed")
    assert faulty.overview(first)["alert"] is False
    assert faulty.overview(first)["error"] is None
    faulty.assert_whole(first, second)


def test_given_up_and_then_mined_all_the_same(faulty: FaultyWorld) -> None:
    """The call is in a pool although the node refused it, and comes before the transfer of nothing."""
    refuse_calls(faulty, says("execution reverted: paused"))
    (first,) = faulty.verify()
    faulty.bear()
    call = faulty.door.sent[0]
    faulty.door.on_send = lambda _: says("pool is full")
    faulty.bear()
    assert faulty.overview(first)["purpose"] == "cancel"
    assert faulty.overview(first)["alert"] is True
    faulty.rpc("eth_sendRawTransaction", call)
    faulty.finish()
    found = faulty.overview(first)
    assert (found["status"], found["alert"], found["error"]) == ("confirmed", False, None)
    faulty.assert_whole(first)


@pytest.mark.parametrize("forward", [True, False], ids=["taken", "not taken"])
@pytest.mark.parametrize(("cls", "text", "code"), REFUSED, ids=[each[0].value for each in REFUSED])
def test_a_refusal_stops_the_lane_until_it_is_accepted(
    faulty: FaultyWorld, cls: Class, text: str, code: int, forward: bool
) -> None:
    of_nonce(faulty, faulty.first, says(text, code, forward=forward))
    first, second = faulty.verify(2)
    faulty.bear(mine=False)
    lane = faulty.lane_row()
    assert text in lane["blocked_reason"]
    assert (lane["blocked_nonce"], lane["blocked_hash"]) == (None, None)
    faulty.mine()
    (third,) = faulty.verify()
    faulty.bear(3)
    assert faulty.status(third) == "pending", "it signs nothing"
    assert faulty.status(first) == ("confirmed" if forward else "sent")
    if not forward:
        accept(faulty)
        faulty.bear()
        assert text in faulty.lane_row()["blocked_reason"], "it was tried, and refused again"
        assert faulty.status(third) == "pending"
    faulty.door.be_well()
    faulty.bear(2)
    assert faulty.status(first) in ("included", "confirmed"), "what is signed is sent all the same"
    assert faulty.status(third) == "pending"
    assert "tries again" in accept(faulty)
    faulty.finish()
    assert faulty.lane_row()["blocked_reason"] is None
    assert len(faulty.attempts(first)) == 1
    faulty.assert_whole(first, second, third)


def test_a_refused_intent_can_be_cancelled(faulty: FaultyWorld) -> None:
    """The lane signed for another chain by a wrong setting: the real node says so."""
    faulty.lane = faulty.new_lane("operator", chain_id=5)
    first, second = faulty.verify(2)
    faulty.bear(2)
    assert Class.WRONG_CHAIN in faulty.answers
    assert "chain" in faulty.lane_row()["blocked_reason"]
    faulty.lane = faulty.new_lane("operator")
    faulty.app.execute("SELECT intent.cancel(%s), intent.cancel(%s)", [first, second])
    accept(faulty)
    faulty.finish()
    (third,) = faulty.verify()
    faulty.finish()
    assert [faulty.status(each) for each in (first, second, third)] == ["cancelled", "cancelled", "confirmed"]
    assert faulty.lane_row()["blocked_reason"] is None
    faulty.assert_whole(first, second, third)


# -- what the real node says


def test_sent_again_the_node_knows_it(faulty: FaultyWorld) -> None:
    (first,) = faulty.verify()
    faulty.bear(mine=False)
    faulty.forget_sending()
    faulty.bear(mine=False)
    assert faulty.answers == [Class.ACCEPTED, Class.ALREADY_KNOWN]
    faulty.finish()
    faulty.assert_whole(first)
    assert len(faulty.attempts(first)) == 1


def test_mined_while_it_is_sent_again(faulty: FaultyWorld) -> None:
    (first,) = faulty.verify()
    faulty.bear(mine=False)
    faulty.forget_sending()

    def on_send(_: Signed) -> Fault:
        faulty.mine()
        return NONE

    faulty.door.on_send = on_send
    faulty.bear(mine=False)
    assert faulty.answers == [Class.ACCEPTED, Class.NONCE_TOO_LOW]
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(first)
    assert len(faulty.attempts(first)) == 1


def test_the_base_fee_rises_while_it_is_sent(faulty: FaultyWorld) -> None:
    def on_send(_: Signed) -> Fault:
        if len(faulty.door.sent) == 1:
            faulty.rpc("anvil_setNextBlockBaseFeePerGas", hex(500 * GWEI))
            faulty.mine()
        return NONE

    faulty.door.on_send = on_send
    first, second = faulty.verify(2)
    faulty.bear(3)
    assert Class.UNDERPRICED in faulty.answers
    faulty.finish()
    faulty.assert_whole(first, second)
    assert_raised(faulty.attempts(first))
    assert faulty.status(first) == "confirmed"


def test_another_attempt_that_it_has_forgotten_holds_the_nonce(faulty: FaultyWorld) -> None:
    """As after a restored backup: the pool holds a dearer attempt that the database doesn't know."""
    (first,) = faulty.verify()
    faulty.bear(mine=False)
    while len(faulty.attempts(first)) == 1:
        faulty.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
        faulty.mine()
        faulty.bear(mine=False)
    assert len(faulty.attempts(first)) == 2
    faulty.app.execute("DELETE FROM intent.attempts WHERE id = (SELECT max(id) FROM intent.attempts)")
    faulty.forget_sending()
    faulty.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    faulty.bear(mine=False)
    assert Class.REPLACEMENT_UNDERPRICED in faulty.answers
    for _ in range(4):
        faulty.mine()
        faulty.bear(mine=False)
    faulty.finish()
    assert faulty.status(first) == "confirmed"
    faulty.assert_whole(first)


def test_no_block_takes_so_much_gas(faulty: FaultyWorld) -> None:
    def on_send(_: Signed) -> Fault:
        faulty.rpc("evm_setBlockGasLimit", hex(60_000))
        return NONE

    faulty.door.on_send = on_send
    first, second = faulty.verify(2)
    faulty.bear(mine=False)
    assert Class.GAS in faulty.answers
    faulty.door.be_well()
    faulty.rpc("evm_setBlockGasLimit", hex(30_000_000))
    faulty.mine()
    faulty.finish()
    assert (faulty.status(first), faulty.status(second)) == ("confirmed", "confirmed")
    faulty.assert_whole(first, second)


def test_without_funds_nothing_new_is_signed(faulty: FaultyWorld) -> None:
    first, second = faulty.verify(2)
    operator = faulty.platform.at["operator"]

    def on_send(_: Signed) -> Fault:
        faulty.rpc("anvil_setBalance", operator, "0x1")
        return NONE

    faulty.door.on_send = on_send
    faulty.bear()
    assert set(faulty.answers) == {Class.INSUFFICIENT_FUNDS}
    (third,) = faulty.verify()
    faulty.bear(2)
    assert "funds" in faulty.lane_row()["alert"]
    assert faulty.status(third) == "pending"
    faulty.door.be_well()
    faulty.rpc("anvil_setBalance", operator, hex(10**20))
    faulty.finish()
    faulty.assert_whole(first, second, third)
    assert {faulty.status(each) for each in (first, second, third)} == {"confirmed"}
    assert len(faulty.attempts(first)) == 1
    faulty.bear()
    assert faulty.lane_row()["alert"] is None


# -- cancelling under faults


def test_cancelled_before_it_was_sent_its_call_is_never_sent(faulty: FaultyWorld) -> None:
    """Not at the fee cap either, where no dearer transfer can be signed."""
    price = 2 * int(faulty.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    faulty.lane = faulty.new_lane("operator", fee_limits=fees.Limits(0, price))
    faulty.door.on_send = lambda _: Fault(0, "status")
    first, second = faulty.verify(2)
    faulty.bear(mine=False)
    faulty.rpc("anvil_dropAllTransactions")
    faulty.forget_sending()
    faulty.door.sent.clear()
    faulty.app.execute("SELECT intent.cancel(%s)", [second])
    faulty.door.be_well()
    faulty.finish()
    assert (faulty.status(first), faulty.status(second)) == ("confirmed", "cancelled")
    sent = [transaction.decode(bytes.fromhex(raw[2:])) for raw in faulty.door.sent]
    targets = {each.transaction.to for each in sent if each.transaction.nonce == faulty.first + 1}
    assert targets == {sent[0].sender}
    faulty.assert_whole(first, second)


@pytest.mark.parametrize("text", ["pool is full", "Internal error", "exceeds block gas limit"])
def test_cancelled_while_the_node_refuses_everything(faulty: FaultyWorld, text: str) -> None:
    faulty.door.on_send = lambda _: says(text)
    first, second = faulty.verify(2)
    faulty.bear()
    faulty.app.execute("SELECT intent.cancel(%s)", [first])
    faulty.bear(3)
    assert faulty.overview(first)["purpose"] == "cancel"
    faulty.door.be_well()
    faulty.finish()
    assert faulty.status(first) == "cancelled"
    faulty.assert_whole(first, second)


def test_of_a_node_that_is_down_only_one_send_is_tried_a_block(faulty: FaultyWorld) -> None:
    faulty.door.on_send = lambda _: Fault(0, "status", status=503)
    intents = faulty.verify(4)
    faulty.bear(3)
    assert len(faulty.door.sent) == 3
    faulty.door.be_well()
    faulty.finish()
    faulty.assert_whole(*intents)
    assert {len(faulty.attempts(each)) for each in intents} == {1}


def test_the_door_passes_all_on_when_it_is_well(faulty: FaultyWorld) -> None:
    intents: list[uuid.UUID] = faulty.verify(3)
    faulty.finish()
    faulty.assert_whole(*intents)
    assert len(faulty.door.sent) == 3
