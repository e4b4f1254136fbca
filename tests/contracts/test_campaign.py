"""CampaignImplementation: investing, the end, release, refund; every refusal; hostile tokens."""

from typing import Any

import pytest

DAY = 86_400
ZERO = "0x" + "00" * 20
ACTIVE, SUCCESSFUL, FAILED, CANCELLED = range(4)


def accounts(campaign: Any) -> tuple[int, int, int]:
    views = campaign.functions
    return views.raised().call(), views.escrowBalance().call(), views.investorCount().call()


def test_invest_carries_the_state_after_it(platform: Any) -> None:
    campaign = platform.campaign()
    nonce = b"\x07" * 32
    receipt = platform.send("alice", campaign.functions.invest(nonce, 4_000))
    event = platform.event(receipt, campaign, "InvestmentRecorded")
    alice = platform.at["alice"]
    packed = bytes(12) + bytes.fromhex(campaign.address[2:]) + bytes(12) + bytes.fromhex(alice[2:]) + nonce
    assert event == {
        "investmentId": bytes(platform.web3.keccak(packed)), "investor": alice, "payer": alice,
        "amount": 4_000,
        "paymentReference": bytes(32), "investorTotal": 4_000, "totalRaised": 4_000, "escrowBalance": 4_000,
        "investorCount": 1,
    }  # fmt: skip
    platform.invest(campaign, "bob", 1_000)
    platform.invest(campaign, "alice", 2_000)
    assert accounts(campaign) == (7_000, 7_000, 2)
    assert campaign.functions.contributionOf(alice).call() == 6_000
    assert campaign.functions.investment(event["investmentId"]).call() == [alice, 4_000]
    assert platform.balance(campaign.address) == 7_000
    assert platform.reason("alice", campaign.functions.invest(nonce, 1_000)) == "InvestmentExists"
    assert platform.reason("bob", campaign.functions.invest(nonce, 1_000)) is None


def test_invest_refusals(platform: Any) -> None:
    campaign = platform.campaign(maxInvestment=10_000)
    invest = campaign.functions.invest
    assert platform.reason("eve", invest(bytes(32), 5_000)) == "InvestorNotVerified"
    assert platform.reason("alice", invest(bytes(32), 0)) == "ZeroAmount"
    assert platform.reason("alice", invest(bytes(32), 999)) == "BelowMinimum"
    assert platform.reason("alice", invest(bytes(32), 1_000)) is None
    assert platform.reason("alice", invest(bytes(32), 10_001)) == "AboveMaximum"
    platform.invest(campaign, "alice", 9_000)
    assert platform.reason("alice", invest(bytes(32), 1_001)) == "AboveMaximum"
    platform.invest(campaign, "alice", 1_000)
    assert platform.reason("operator", platform.record(campaign, "alice", 1_000)) == "AboveMaximum"


def test_record_pays_from_the_treasury_once_per_id_and_payment(platform: Any) -> None:
    campaign = platform.campaign()
    wanted = {"id": platform.new_id(), "reference": b"\x0a" * 32}
    call = platform.record(campaign, "eve", 3_000, **wanted)
    assert platform.reason("owner", call) == "MissingRole"
    before = platform.balance("treasury")
    event = platform.event(platform.send("operator", call), campaign, "InvestmentRecorded")
    assert event == {
        "investmentId": wanted["id"], "investor": platform.at["eve"], "payer": platform.at["treasury"],
        "amount": 3_000, "paymentReference": wanted["reference"], "investorTotal": 3_000,
        "totalRaised": 3_000,
        "escrowBalance": 3_000, "investorCount": 1,
    }  # fmt: skip
    assert before - platform.balance("treasury") == 3_000

    def reason(amount: int = 3_000, **changes: Any) -> Any:
        return platform.reason("operator", platform.record(campaign, "eve", amount, **changes))

    assert reason(id=wanted["id"]) == "InvestmentExists"
    assert reason(reference=wanted["reference"]) == "PaymentUsed"
    assert reason(reference=bytes(32)) == "InvalidPaymentReference"
    assert reason(id=bytes(32)) == "InvalidId"
    assert reason(id=b"\x01" * 32) == "InvalidId"
    assert reason(amount=0) == "ZeroAmount"
    to_nobody = campaign.functions.recordInvestment(platform.new_id(), ZERO, 3_000, b"\x0b" * 32)
    assert platform.reason("operator", to_nobody) == "ZeroAddress"

    platform.send("owner", campaign.functions.cancel(""))
    other = platform.campaign()
    stolen = platform.record(other, "bob", 3_000, reference=wanted["reference"])
    assert platform.reason("operator", stolen) == "PaymentUsed"
    again = platform.record(other, "bob", 3_000, id=wanted["id"])
    assert platform.reason("operator", again) == "InvestmentRecordedBefore"
    assert platform.factory.functions.isPaymentUsed(wanted["reference"]).call()
    assert platform.factory.functions.isInvestmentRecorded(wanted["id"]).call()


def test_last_investment_is_cut_to_the_goal_even_below_the_minimum(platform: Any) -> None:
    campaign = platform.campaign(fundingGoal=10_000)
    platform.invest(campaign, "alice", 9_500)
    assert platform.reason("bob", campaign.functions.invest(bytes(32), 499)) == "BelowMinimum"
    assert platform.reason("bob", campaign.functions.invest(bytes(32), 500)) is None
    before = platform.balance("treasury")
    event = platform.event(
        platform.send("operator", platform.record(campaign, "bob", 9_999)), campaign, "InvestmentRecorded"
    )
    assert (event["amount"], event["totalRaised"]) == (500, 10_000)
    assert before - platform.balance("treasury") == 500
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == "GoalReached"
    assert platform.reason("operator", platform.record(campaign, "alice", 1_000)) == "GoalReached"


def test_deadline_and_grace_to_the_second(platform: Any) -> None:
    campaign = platform.campaign()
    deadline, until = campaign.functions.setup().call()[4:]
    receipts = {}

    def attempt(timestamp: int, actor: str, call: Any) -> int:
        platform.rpc("evm_setNextBlockTimestamp", timestamp)
        sent = call.transact({"from": platform.at[actor], "gas": 1_000_000})
        receipts[timestamp] = platform.mined(sent)
        return int(receipts[timestamp]["status"])

    nonce = iter(range(1, 10))

    def invest() -> Any:
        return campaign.functions.invest(next(nonce).to_bytes(32, "big"), 1_000)

    assert attempt(deadline, "alice", invest()) == 1
    assert attempt(deadline + 1, "alice", invest()) == 0
    assert platform.reason("alice", invest()) == "TooLate"
    assert platform.reason("eve", campaign.functions.finalize()) == "NotOver"
    assert attempt(until - 1, "eve", campaign.functions.finalize()) == 0
    snapshot = platform.rpc("evm_snapshot")
    assert attempt(until, "eve", campaign.functions.finalize()) == 0  # money may still be recorded
    platform.rpc("evm_revert", snapshot)
    assert attempt(until, "operator", platform.record(campaign, "bob", 1_000)) == 1
    assert attempt(until + 1, "operator", platform.record(campaign, "bob", 1_000)) == 0
    assert platform.reason("operator", platform.record(campaign, "bob", 1_000)) == "TooLate"
    assert attempt(until + 2, "eve", campaign.functions.finalize()) == 1
    assert campaign.functions.status().call() == FAILED


@pytest.mark.parametrize(
    ("goal", "threshold", "raised", "expected"),
    [
        (10_000, 7_500, 7_500, SUCCESSFUL),
        (10_000, 7_500, 7_499, FAILED),
        (10_001, 7_500, 7_501, SUCCESSFUL),  # 7500.75: rounding never helps
        (10_001, 7_500, 7_500, FAILED),
        (10_000, 10_000, 9_999, FAILED),
        (10_000, 1, 0, FAILED),
    ],
)
def test_threshold_exactly_met_and_missed_by_one(
    platform: Any, goal: int, threshold: int, raised: int, expected: int
) -> None:
    campaign = platform.campaign(fundingGoal=goal, successThresholdBps=threshold)
    if raised:
        platform.invest(campaign, "alice", raised)
    platform.pass_time(35 * DAY + 2)
    receipt = platform.send("eve", campaign.functions.finalize())
    assert platform.event(receipt, campaign, "CampaignFinalized") == {
        "status": expected, "totalRaised": raised, "investorCount": int(raised > 0),
    }  # fmt: skip
    assert campaign.functions.status().call() == expected
    assert platform.registry.functions.activeCampaignOf(platform.at["issuer"]).call() == ZERO
    assert platform.reason("eve", campaign.functions.finalize()) == "WrongStatus"


@pytest.mark.parametrize(("raised", "fee"), [(1_000_000, 25_000), (999_999, 24_999), (750_039, 18_750)])
def test_release_pays_all_but_the_fee_rounded_down(platform: Any, raised: int, fee: int) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", raised)
    release = campaign.functions.releaseFunds()
    assert platform.reason("eve", release) == "WrongStatus"
    platform.pass_time(36 * DAY)
    assert platform.reason("eve", release) == "WrongStatus"
    platform.send("eve", campaign.functions.finalize())
    assert platform.reason("eve", campaign.functions.withdrawFee()) == "NoFee"
    assert platform.event(platform.send("eve", release), campaign, "FundsReleased") == {
        "issuer": platform.at["issuer"], "amount": raised - fee, "fee": fee,
        "feeRecipient": platform.at["fees"], "escrowBalance": fee,
    }  # fmt: skip
    assert platform.balance("issuer") == raised - fee
    assert campaign.functions.released().call()
    assert campaign.functions.feeOwed().call() == fee
    assert platform.reason("eve", release) == "AlreadyReleased"
    assert platform.reason("eve", campaign.functions.refund(platform.at["alice"])) == "WrongStatus"
    assert platform.reason("owner", campaign.functions.cancel("")) == "WrongStatus"
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == "WrongStatus"
    receipt = platform.send("eve", campaign.functions.withdrawFee())
    assert platform.event(receipt, campaign, "FeeWithdrawn") == {
        "feeRecipient": platform.at["fees"], "amount": fee, "escrowBalance": 0,
    }  # fmt: skip
    assert platform.balance("fees") == fee
    assert platform.reason("eve", campaign.functions.withdrawFee()) == "NoFee"
    assert accounts(campaign) == (raised, 0, 1)


def test_cancel_and_refund_everybody_once(platform: Any) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 4_000)
    platform.send("operator", platform.record(campaign, "bob", 2_000))
    platform.invest(campaign, "alice", 1_500)
    refund = campaign.functions.refund
    assert platform.reason("alice", refund(platform.at["alice"])) == "WrongStatus"
    cancel = campaign.functions.cancel("withdrawn by the company")
    assert platform.reason("operator", cancel) == "MissingRole"
    receipt = platform.send("owner", cancel)
    assert platform.event(receipt, campaign, "CampaignCancelled") == {
        "reason": "withdrawn by the company", "totalRaised": 7_500, "investorCount": 2,
    }  # fmt: skip
    assert platform.event(receipt, platform.registry, "IssuerCampaignChanged")["campaign"] == ZERO
    assert platform.reason("owner", cancel) == "WrongStatus"
    assert platform.reason("eve", campaign.functions.releaseFunds()) == "WrongStatus"
    before = {name: platform.balance(name) for name in ("alice", "bob")}
    for name, amount, escrow, remaining in (("alice", 5_500, 2_000, 1), ("bob", 2_000, 0, 0)):
        receipt = platform.send("eve", refund(platform.at[name]))
        assert platform.event(receipt, campaign, "InvestorRefunded") == {
            "investor": platform.at[name], "amount": amount, "escrowBalance": escrow,
            "investorsRemaining": remaining,
        }  # fmt: skip
        assert platform.balance(name) - before[name] == amount
        assert platform.reason("eve", refund(platform.at[name])) == "AlreadyRefunded"
        assert campaign.functions.isRefunded(platform.at[name]).call()
    assert campaign.functions.refundedCount().call() == 2
    assert platform.reason("eve", refund(platform.at["eve"])) == "NothingToRefund"


def test_pause_stops_investing_only(platform: Any) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 5_000)
    assert platform.reason("operator", campaign.functions.pause()) == "MissingRole"
    platform.event(platform.send("owner", campaign.functions.pause()), campaign, "Paused")
    assert platform.reason("owner", campaign.functions.pause()) == "EnforcedPause"
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 1_000)) == "EnforcedPause"
    assert platform.reason("operator", platform.record(campaign, "bob", 1_000)) == "EnforcedPause"
    assert platform.reason("operator", campaign.functions.unpause()) == "MissingRole"
    platform.event(platform.send("owner", campaign.functions.unpause()), campaign, "Unpaused")
    assert platform.reason("owner", campaign.functions.unpause()) == "ExpectedPause"
    platform.invest(campaign, "alice", 1_000)
    platform.send("owner", campaign.functions.pause())
    platform.pass_time(36 * DAY)
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.refund(platform.at["alice"]))
    other = platform.campaign()
    platform.invest(other, "bob", 1_000_000)
    platform.send("owner", other.functions.pause())
    platform.send("eve", other.functions.finalize())
    platform.send("eve", other.functions.releaseFunds())


def test_sweep_takes_only_what_exceeds_the_escrow(platform: Any) -> None:
    campaign = platform.campaign()
    platform.invest(campaign, "alice", 5_000)
    assert platform.reason("eve", campaign.functions.sweep()) == "NothingToSweep"
    platform.send("bob", platform.token.functions.transfer(campaign.address, 77))
    before = platform.balance("treasury")
    event = platform.event(platform.send("eve", campaign.functions.sweep()), campaign, "Swept")
    assert event == {"treasury": platform.at["treasury"], "amount": 77}
    assert platform.balance("treasury") - before == 77
    assert accounts(campaign) == (5_000, 5_000, 1)


def test_token_that_takes_a_fee_is_refused(platform: Any) -> None:
    _, factory = platform.other_token("FeeToken")
    campaign = platform.campaign(factory)
    assert platform.reason("alice", campaign.functions.invest(bytes(32), 5_000)) == "TokenTookFee"
    assert platform.reason("operator", platform.record(campaign, "bob", 5_000)) == "TokenTookFee"


@pytest.mark.parametrize("inner", ["invest", "finalize", "releaseFunds", "refund", "withdrawFee", "sweep"])
def test_reentrant_token_gets_nowhere(platform: Any, inner: str) -> None:
    token, factory = platform.other_token("ReentrantToken")
    campaign = platform.campaign(factory)
    platform.invest(campaign, "alice", 5_000)
    arguments = {"invest": [bytes(32), 1_000], "refund": [platform.at["alice"]]}.get(inner, [])
    data = campaign.encode_abi(inner, arguments)
    platform.send("eve", token.functions.arm(campaign.address, data))
    guard = "ReentrancyGuardReentrantCall"
    assert platform.reason("alice", campaign.functions.invest(b"\x01" * 32, 1_000)) == guard
    assert platform.reason("operator", platform.record(campaign, "bob", 1_000)) == guard
    platform.send("owner", campaign.functions.cancel(""))
    assert platform.reason("eve", campaign.functions.refund(platform.at["alice"])) == guard


def test_reentrant_release_and_fee(platform: Any) -> None:
    token, factory = platform.other_token("ReentrantToken")
    campaign = platform.campaign(factory)
    platform.invest(campaign, "alice", 1_000_000)
    platform.send("eve", campaign.functions.finalize())
    for outer in ("releaseFunds", "withdrawFee"):
        platform.send("eve", token.functions.arm(campaign.address, campaign.encode_abi(outer)))
        assert platform.reason("eve", campaign.functions[outer]()) == "ReentrancyGuardReentrantCall"
        platform.send("eve", token.functions.arm(ZERO, b""))
        platform.send("eve", campaign.functions[outer]())


def test_blocked_fee_recipient_does_not_block_the_issuer(platform: Any) -> None:
    token, factory = platform.other_token("BlockingToken")
    campaign = platform.campaign(factory)
    platform.invest(campaign, "alice", 1_000_000)
    platform.send("eve", token.functions.setBlocked(platform.at["fees"]))
    platform.send("eve", campaign.functions.finalize())
    platform.send("eve", campaign.functions.releaseFunds())
    assert platform.balance("issuer", token) == 975_000
    assert platform.contract("BlockingToken", token.address)
    assert platform.reason("eve", campaign.functions.withdrawFee()) == "Blocked"
