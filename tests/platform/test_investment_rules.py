"""When an investment is taken, when it may be paid, and what it is on chain."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import DAY, HASH, NOW, Records, chain_id, wallet
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

DEADLINE = NOW + timedelta(days=30)
RECORD_UNTIL = DEADLINE + timedelta(days=7)


@pytest.fixture
def campaign(records: Records) -> uuid.UUID:
    """It runs: goal 1000 birr, one takes 10 at least, and 100 from one investor."""
    records.tip()
    return records.running(min_investment=10, max_investment=100)


def invest(records: Records, campaign: uuid.UUID, **values: Any) -> uuid.UUID:
    if "investor" not in values:
        values["investor"] = records.investor()
    return records.insert(
        "investments", campaign=campaign, **({"amount": 10, "payment_method": "cbe"} | values)
    )


def pay(records: Records, investment: uuid.UUID, **values: Any) -> None:
    values.setdefault("payment_reference", uuid.uuid4().hex)
    records.update("investments", investment, status="paid", **values)


def test_the_investor(records: Records, campaign: uuid.UUID) -> None:
    with records.refused("investments_investor_role", "issuer"):
        invest(records, campaign, investor=records.user("issuer", "verified", wallet=wallet()))
    with records.refused("investments_investor_active"):
        invest(records, campaign, investor=records.investor(active=False))
    for kyc in ("unverified", "pending"):
        with records.refused("investments_investor_verified", kyc, "users.kyc_status"):
            invest(records, campaign, investor=records.user(kyc=kyc, wallet=wallet()))
    with records.refused("investments_investor_wallet"):
        invest(records, campaign, investor=records.user(kyc="verified"))
    with records.refused("investments_investor_known"):
        invest(records, campaign, investor=uuid.uuid4())
    invest(records, campaign)


def test_the_campaign_is_on_chain(records: Records) -> None:
    records.tip()
    campaign = records.pending(records.verified_company())
    for status in ("pending", "approved"):
        records.update("campaigns", campaign, status=status)
        with records.refused("investments_campaign_on_chain", "api.campaigns"):
            invest(records, campaign)
    records.launch(campaign)
    invest(records, campaign)


@pytest.mark.parametrize("status", ["successful", "failed", "cancelled"])
def test_the_campaign_has_ended(records: Records, campaign: uuid.UUID, status: str) -> None:
    investment = invest(records, campaign)
    records.end(campaign, status)
    with records.refused("investments_campaign_active", status):
        invest(records, campaign)
    with records.refused("investments_campaign_active", status, "go back"):
        pay(records, investment)
    records.update("investments", investment, status="failed", failure_reason="too late")


def test_the_campaign_was_called_off(records: Records, campaign: uuid.UUID) -> None:
    """Though it still runs on chain."""
    pending = invest(records, campaign)
    records.update("campaigns", campaign, cancelled_at=NOW, cancel_reason="no")
    with records.refused("investments_campaign_active", "called off", column="campaign"):
        invest(records, campaign)
    with records.refused("investments_campaign_active", "called off", column="campaign"):
        pay(records, pending)
    records.update("investments", pending, status="failed")


def test_the_campaign_is_paused(records: Records, campaign: uuid.UUID) -> None:
    investment = invest(records, campaign)
    records.chain("UPDATE ledger.campaigns SET paused = true")
    with records.refused("investments_campaign_paused"):
        invest(records, campaign)
    pay(records, investment)  # it is recorded when the campaign goes on


def test_in_time_by_the_blocks_clock(records: Records, campaign: uuid.UUID) -> None:
    first, second, third = (invest(records, campaign) for _ in range(3))
    records.tip(DEADLINE)
    fourth = invest(records, campaign)
    records.tip(DEADLINE + timedelta(seconds=1))
    with records.refused("investments_campaign_in_time", "until 2026-06-19 12:00:00 UTC"):
        invest(records, campaign)
    with records.refused("investments_campaign_in_time"):
        records.update("investments", fourth, amount=20)
    # bank money has its grace
    pay(records, first)
    records.tip(RECORD_UNTIL)
    pay(records, second)
    records.tip(RECORD_UNTIL + timedelta(seconds=1))
    with records.refused("investments_campaign_in_time", "payments until 2026-06-26 12:00:00 UTC", "go back"):
        pay(records, third)


def test_what_failed_is_taken_up_like_a_new_one(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    investment = invest(records, campaign, investor=investor, amount=60)
    records.update("investments", investment, status="failed", failure_reason="no money")
    other = invest(records, campaign, investor=investor, amount=60)
    with records.refused("investments_amount_maximum"):
        records.update("investments", investment, status="pending")
    records.update("investments", other, status="failed")
    records.update("investments", investment, status="pending")
    assert records.row("investments", investment)["failure_reason"] is None
    records.update("investments", investment, status="failed")
    records.tip(DEADLINE + timedelta(days=1))
    with records.refused("investments_campaign_in_time"):
        records.update("investments", investment, status="pending")


@pytest.mark.parametrize(
    ("amount", "raised", "rule"),
    [
        ("9.99", 0, "minimum"),
        ("10", 0, None),
        ("100", 0, None),
        ("100.01", 0, "maximum"),
        # what reaches the goal may be smaller
        ("5", 995_00, None),
        ("4.99", 995_00, "minimum"),
        ("9.99", 991_00, None),
        ("9.99", 990_00, "minimum"),
    ],
)
def test_limits(records: Records, campaign: uuid.UUID, amount: str, raised: int, rule: str | None) -> None:
    records.chain("UPDATE ledger.campaigns SET total_raised = %s", raised)
    if rule is None:
        invest(records, campaign, amount=Decimal(amount))
    else:
        with records.refused(f"investments_amount_{rule}", f"{amount} birr"):
            invest(records, campaign, amount=Decimal(amount))


def contract_takes(goal: int, least: int, most: int, raised: int, own: int, amount: int) -> bool:
    """CampaignImplementation._accept, in token units."""
    missing = goal - raised
    if amount == 0 or missing == 0:
        return False
    accepted = min(amount, missing)
    if accepted < least and accepted != missing:
        return False
    return most == 0 or own + accepted <= most


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_limits_are_the_contracts(session: psycopg.Connection[Any], data: st.DataObject) -> None:
    goal = data.draw(st.integers(1, 60))
    least = data.draw(st.integers(0, goal))
    most = data.draw(st.sampled_from([0, *range(max(1, least), 70)]))
    own = data.draw(st.integers(0, goal))
    raised = data.draw(st.integers(own, goal))
    amount = data.draw(st.integers(1, 70))
    session.execute("SET ROLE chainfirst_app")
    records = Records(session)
    try:
        records.tip()
        campaign = records.running(
            goal=Decimal(goal) / 100,
            min_investment=Decimal(least) / 100,
            max_investment=Decimal(most) / 100 if most else None,
        )
        investor = records.investor()
        records.recorded(campaign, "0x" + "77" * 32, records.row("users", investor)["wallet"], own)
        records.recorded(campaign, "0x" + "78" * 32, wallet(), raised - own)
        try:
            with session.transaction():
                invest(records, campaign, investor=investor, amount=Decimal(amount) / 100)
        except psycopg.errors.CheckViolation:
            taken = False
        else:
            taken = True
        expected = contract_takes(goal, least, most, raised, own, amount)
        # of more than is missing a part comes back: then the record may be the stricter one
        assert taken == expected or (expected and amount > goal - raised)
    finally:
        session.rollback()


def test_the_goal_is_reached(records: Records, campaign: uuid.UUID) -> None:
    investment = invest(records, campaign)
    records.chain("UPDATE ledger.campaigns SET total_raised = 100000")
    with records.refused("investments_campaign_goal", "reached its goal"):
        invest(records, campaign)
    with records.refused("investments_campaign_goal", "go back"):
        pay(records, investment)


def test_no_maximum(records: Records) -> None:
    records.tip()
    invest(records, records.running(), amount=1_000_000)


def test_the_maximum_counts_all_that_an_investor_has_there(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    first = invest(records, campaign, investor=investor, amount=30)
    pay(records, first)
    second = invest(records, campaign, investor=investor, amount=30)
    with records.refused("investments_amount_maximum", "60.00 birr that the investor has", "At most 40.00"):
        invest(records, campaign, investor=investor, amount=Decimal("40.01"))
    with records.refused("investments_amount_maximum", "At most 70.00"):
        records.update("investments", second, amount=71)
    # the same one on chain isn't counted twice, and counts as what was accepted
    own = records.row("users", investor)["wallet"]
    records.recorded(campaign, chain_id(first), own, 20_00)
    records.update("investments", second, amount=80)
    # what was invested on chain, without a row; the platform's other investors and campaigns don't count
    records.recorded(campaign, "0x" + "77" * 32, own, 10_00)
    with records.refused("investments_amount_maximum", "At most 70.00"):
        records.update("investments", second, amount=71)
    records.recorded(campaign, "0x" + "78" * 32, wallet(), 500_00)
    invest(records, records.running(), investor=investor, amount=500)
    records.update("investments", second, amount=70)
    with records.refused("investments_amount_maximum", "can't invest more"):
        invest(records, campaign, investor=investor)


def test_the_maximum_counts_what_has_no_row(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    records.recorded(campaign, "0x" + "77" * 32, records.row("users", investor)["wallet"], 95_00)
    with records.refused("investments_amount_maximum", "At most 5.00"):
        invest(records, campaign, investor=investor)


def test_the_maximum_counts_another_wallet_of_the_investor(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    first = invest(records, campaign, investor=investor, amount=60)
    pay(records, first)
    records.recorded(campaign, chain_id(first), records.row("users", investor)["wallet"], 60_00)
    records.chain("SELECT platform.change_wallet('user', %s, %s)", investor, wallet())
    with records.refused("investments_amount_maximum", "At most 40.00"):
        invest(records, campaign, investor=investor, amount=41)


def test_paying(records: Records, campaign: uuid.UUID) -> None:
    investment = invest(records, campaign)
    with records.refused("investments_payment_reference_given"):
        pay(records, investment, payment_reference=None)
    custodian = records.user("custodian")
    records.act_as(custodian)
    pay(records, investment, payment_reference="FT26140ABC", paid_at="2026-05-20")
    held = records.row("investments", investment)
    assert held["paid_at"] is not None
    records.act_as(None)
    for change in (
        {"amount": 11},
        {"payment_method": "other"},
        {"payment_reference": "FT2"},
        {"paid_at": "2020-01-01"},
    ):
        with records.refused("investments_status_paid"):
            records.update("investments", investment, **change)
    for moved in ({"campaign": records.running()}, {"investor": records.investor()}):
        with records.refused("investments_investor_fixed"):
            records.update("investments", investment, **moved)
    records.update("investments", investment, wallet=wallet(), chain_id="0x" + "1" * 64, paid_at=None)
    assert records.row("investments", investment) == held


def test_the_investor_when_it_is_paid(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    investment = invest(records, campaign, investor=investor)
    records.update("users", investor, kyc_status="expired")
    with records.refused("investments_investor_verified", "must go back"):
        pay(records, investment)
    records.update("users", investor, kyc_status="pending")
    records.update("users", investor, kyc_status="verified")
    pay(records, investment)


def test_a_reference_counts_once(records: Records, campaign: uuid.UUID) -> None:
    invest(records, campaign, payment_reference="FT1")
    with pytest.raises(psycopg.errors.UniqueViolation), records.connection.transaction():
        invest(records, campaign, payment_reference="FT1")


def test_wallet_and_id_are_the_databases_word(records: Records, campaign: uuid.UUID) -> None:
    investor = records.investor()
    own = records.row("users", investor)["wallet"]
    investment = invest(records, campaign, investor=investor, wallet=wallet(), chain_id="0x" + "1" * 64)
    held = records.row("investments", investment)
    assert (held["wallet"], held["chain_id"]) == (own, chain_id(investment))
    records.update("investments", investment, wallet=wallet(), chain_id="0x" + "1" * 64)
    assert records.row("investments", investment) == held


def test_what_is_not_paid_goes_with_its_investor_to_another_wallet(
    records: Records, campaign: uuid.UUID
) -> None:
    investor = records.investor()
    paid, unpaid, token = (
        invest(records, campaign, investor=investor, payment_method=method)
        for method in ("cbe", "cbe", "token")
    )
    pay(records, paid)
    before = records.row("investments", token)
    old, new = records.row("users", investor)["wallet"], wallet()
    records.chain("SELECT platform.change_wallet('user', %s, %s)", investor, new)
    pay(records, unpaid)
    records.update("investments", token, failure_reason="touched")
    assert records.row("investments", paid)["wallet"] == old
    assert records.row("investments", unpaid)["wallet"] == new
    after = records.row("investments", token)
    assert after["wallet"] == new
    assert after["chain_id"] != before["chain_id"]


def test_tokens(records: Records) -> None:
    """The investor's own transaction: invest(nonce), the nonce being the row's id."""
    records.tip()
    campaign = records.pending(records.verified_company())
    records.update("campaigns", campaign, status="approved")
    address = records.launch(campaign)
    investor = records.investor()
    own = records.row("users", investor)["wallet"]
    investment = invest(records, campaign, investor=investor, payment_method="token")
    packed = encode(["address", "address", "bytes32"], [address, own, investment.bytes + bytes(16)])
    expected = f"0x{keccak(packed).hex()}"
    assert records.row("investments", investment)["chain_id"] == expected

    with records.refused("investments_status_on_chain", "Nothing is to be done"):
        records.update("investments", investment, status="paid")
    records.update("investments", investment, payment_method="cbe")
    assert records.row("investments", investment)["chain_id"] == chain_id(investment)
    records.update("investments", investment, payment_method="token")
    assert records.row("investments", investment)["chain_id"] == expected

    # seen there it is so, whatever happens to investor and campaign
    records.recorded(campaign, expected, own, 10_00)
    records.chain("SELECT platform.change_wallet('user', %s, %s)", investor, wallet())
    records.update("users", investor, kyc_status="expired")
    records.end(campaign)
    records.tip(NOW + timedelta(seconds=365 * DAY))
    for change in ({"status": "failed"}, {"amount": 20}, {"payment_method": "cbe"}):
        with records.refused("investments_status_paid"):
            records.update("investments", investment, **change)
    for final in ((None, None), (0, HASH)):
        # paid is for good, a block that isn't final is not: nothing would bring its investment back
        records.chain("UPDATE chain.cursor SET final_number = %s, final_hash = %s", *final)
        with records.refused("investments_status_on_chain", "final"):
            records.update("investments", investment, status="paid")
    records.chain("UPDATE chain.cursor SET final_number = indexed_number, final_hash = indexed_hash")
    records.update("investments", investment, status="paid")
    held = records.row("investments", investment)
    assert (held["chain_id"], held["wallet"]) == (expected, own)
    assert held["paid_at"] is not None


def test_moving_in(records: Records) -> None:
    """The owner brings old records as they were; steps and rules are not asked for."""
    company, investor = records.company(), records.user(wallet=wallet())
    made = uuid.uuid4()
    with records.as_chain():
        records.connection.execute("SET ROLE chainfirst_owner")
        records.connection.execute("SET LOCAL chainfirst.import = 'on'")
        campaign = records.draft(company, status="approved", approved_at=NOW)
        paid = {"status": "paid", "paid_at": NOW, "payment_reference": "FT1"}
        bank = invest(records, campaign, investor=investor, id=made, **paid)
        given = {"wallet": wallet(), "chain_id": "0x" + "99" * 32}
        old = invest(records, campaign, investor=investor, payment_method="token", **given, status="failed")
    assert records.row("campaigns", campaign)["approved_at"].startswith("2026-05-20")
    assert bank == made
    assert records.row("investments", bank)["chain_id"] == chain_id(made)
    assert records.row("investments", bank)["wallet"] == records.row("users", investor)["wallet"]
    assert given.items() <= records.row("investments", old).items()
    # an app can't say that it moves in
    with records.refused("campaigns_status_start"):
        records.draft(records.verified_company(), status="approved", approved_at=NOW)
