"""When a campaign may be drafted, submitted, approved and called off."""

import uuid
from datetime import UTC, datetime

import psycopg
import pytest
from chainfirst.tests.platform.records import NOW, Records, wallet


def _approve(records: Records, campaign: uuid.UUID) -> None:
    records.update("campaigns", campaign, status="approved")


def _request(records: Records, row: uuid.UUID, purpose: str, outcome: str) -> None:
    """How the request of a row ended."""
    records.chain(
        "UPDATE intent.intents SET outcome = %s, error = 'so', ended_block = 1, ended_at = now()"
        " WHERE key LIKE %s",
        outcome,
        f"%:{row}:{purpose}:%",
    )


def test_a_draft_needs_a_verified_company(records: Records) -> None:
    company = records.company()
    with records.refused("campaigns_company_verified", "Habesha Coffee is not verified"):
        records.draft(company)
    with records.refused("campaigns_company_known"):
        records.draft(uuid.uuid4())
    records.update("companies", company, verified=True)
    campaign = records.draft(company)
    records.update("companies", company, verified=False)
    with records.refused("campaigns_company_verified"):
        records.update("campaigns", campaign, status="pending")
    records.update("companies", company, verified=True)
    records.update("campaigns", campaign, status="pending")
    records.update("companies", company, verified=False)
    with records.refused("campaigns_company_verified"):
        _approve(records, campaign)


def test_a_campaign_stays_with_its_company(records: Records) -> None:
    campaign = records.draft(records.verified_company())
    with records.refused("campaigns_company_fixed"):
        records.update("campaigns", campaign, company=records.verified_company())


def test_approval_needs_a_registration(records: Records) -> None:
    company = records.verified_company(on_chain=False)
    campaign = records.pending(company)
    _request(records, company, "register", "rejected")
    with records.refused("campaigns_company_registered", "not registered", "api.companies"):
        _approve(records, campaign)
    records.register(company, active=False)
    with records.refused("campaigns_company_registered", "suspended"):
        _approve(records, campaign)
    records.chain("UPDATE ledger.issuers SET active = true")
    _approve(records, campaign)
    assert records.row("campaigns", campaign)["approved_at"] is not None


def test_an_open_registration_is_enough(records: Records) -> None:
    _approve(records, records.pending(records.verified_company(on_chain=False)))


def test_one_at_a_time(records: Records) -> None:
    company = records.verified_company()
    first, second = records.pending(company, title="First"), records.pending(company)
    _approve(records, first)
    with records.refused("campaigns_company_one_running", "on its way", "First"):
        _approve(records, second)
    records.tip(NOW)
    records.launch(first)
    with records.refused("campaigns_company_one_running", "is running: First"):
        _approve(records, second)
    records.end(first)
    records.tip(datetime(2027, 2, 1, tzinfo=UTC))
    _approve(records, second)
    # another company's doesn't matter
    _approve(records, records.pending(records.verified_company()))


def test_one_on_chain_that_has_no_record(records: Records) -> None:
    company = records.verified_company()
    campaign = records.pending(company)
    records.chain("UPDATE ledger.issuers SET active_campaign = %s", wallet())
    with records.refused("campaigns_company_one_running", "on the chain"):
        _approve(records, campaign)


def test_called_off_in_time_it_makes_room(records: Records) -> None:
    company = records.verified_company()
    first, second = records.pending(company), records.pending(company)
    _approve(records, first)
    records.update("campaigns", first, cancelled_at=NOW, cancel_reason="Rain")
    _approve(records, second)


def test_called_off_too_late_it_makes_none_until_it_is_seen(records: Records) -> None:
    company = records.verified_company()
    first, second = records.pending(company), records.pending(company)
    _approve(records, first)
    records.chain(
        "INSERT INTO intent.transactions (signer, nonce, intent)"
        " SELECT %s, 0, id FROM intent.intents WHERE key LIKE %s",
        wallet(),
        f"campaign:{first}:create:%",
    )
    records.update("campaigns", first, cancelled_at=NOW, cancel_reason="Rain")
    with records.refused("campaigns_company_one_running", "on its way"):
        _approve(records, second)


def test_what_could_not_be_created_waits_for_a_decision(records: Records) -> None:
    company = records.verified_company()
    records.tip(datetime.now(UTC))
    first, second = records.pending(company), records.pending(company)
    _approve(records, first)
    _request(records, first, "create", "rejected")
    with records.refused("campaigns_company_one_a_year"):
        _approve(records, second)
    records.update("campaigns", first, cancelled_at=NOW, cancel_reason="The chain refuses it")
    _approve(records, second)


@pytest.mark.parametrize(
    ("zone", "created", "tip", "allowed"),
    [
        ("UTC", "2026-01-01T00:00:00Z", "2026-12-31T23:59:59Z", False),
        ("UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", True),
        ("UTC", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", True),
        # three hours ahead: 21:00 UTC is midnight there
        ("Africa/Addis_Ababa", "2025-12-31T21:00:00Z", "2026-12-31T20:59:59Z", False),
        ("Africa/Addis_Ababa", "2025-12-31T20:59:59Z", "2025-12-31T21:00:00Z", True),
        ("Africa/Addis_Ababa", "2025-12-31T21:00:00Z", "2026-12-31T21:00:00Z", True),
        ("Pacific/Kiritimati", "2025-12-31T10:00:00Z", "2026-12-31T09:59:59Z", False),
    ],
)
@pytest.mark.parametrize("status", ["successful", "failed", "cancelled"])
def test_one_a_year(records: Records, zone: str, created: str, tip: str, allowed: bool, status: str) -> None:
    company = records.verified_company(time_zone=zone)
    first = records.pending(company, title="First")
    _approve(records, first)
    records.launch(first, datetime.fromisoformat(created))
    records.end(first, status)
    second = records.pending(company)
    records.tip(datetime.fromisoformat(tip))
    if allowed:
        _approve(records, second)
    else:
        with records.refused("campaigns_company_one_a_year", "First", zone):
            _approve(records, second)


def test_approving_what_is_on_chain_already(records: Records) -> None:
    company = records.verified_company()
    campaign = records.pending(company)
    records.tip()
    records.launch(campaign)
    _approve(records, campaign)


def test_calling_off(records: Records) -> None:
    company = records.verified_company()
    campaign = records.draft(company)
    off = {"cancelled_at": NOW, "cancel_reason": "Rain"}
    with records.refused("campaigns_cancelled_at_approved", "draft"):
        records.update("campaigns", campaign, **off)
    with records.refused("campaigns_cancelled_at_approved"):
        records.draft(company, **off)
    records.update("campaigns", campaign, status="pending")
    with records.refused("campaigns_cancelled_at_approved", "pending"):
        records.update("campaigns", campaign, **off)
    _approve(records, campaign)
    with records.refused("campaigns_cancel_reason_given"):
        records.update("campaigns", campaign, cancelled_at=NOW)
    admin = records.user("admin")
    records.act_as(admin)
    records.update("campaigns", campaign, cancel_reason="Rain")
    held = records.row("campaigns", campaign)
    assert held["cancelled_at"] is not None
    assert held["cancelled_by"] == str(admin)
    for change in ({"cancelled_at": None, "cancel_reason": None}, {"cancel_reason": "Hail"}):
        with records.refused("campaigns_cancelled_at_fixed"):
            records.update("campaigns", campaign, **change)


def test_what_has_ended_is_not_called_off(records: Records) -> None:
    records.tip()
    campaign = records.running()
    records.end(campaign)
    with records.refused("campaigns_cancelled_at_running", "successful"):
        records.update("campaigns", campaign, cancelled_at=NOW, cancel_reason="Rain")


def test_who_and_when_is_the_databases_word(records: Records) -> None:
    records.tip()
    company = records.verified_company()
    officer, other = records.user("compliance_officer"), records.user("admin")
    campaign = records.pending(company)
    records.act_as(officer)
    records.update("campaigns", campaign, status="approved", approved_at="2020-01-01", approved_by=other)
    held = records.row("campaigns", campaign)
    assert held["approved_by"] == str(officer)
    assert held["approved_at"] == held["updated_at"] > "2026"
    records.update("campaigns", campaign, approved_at="2020-01-01", approved_by=None, submitted_at=None)
    assert records.row("campaigns", campaign) == held


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("campaigns_goal_positive", {"goal": 0}),
        ("campaigns_min_investment_in_goal", {"min_investment": 1001}),
        ("campaigns_min_investment_valid", {"min_investment": -1}),
        ("campaigns_max_investment_range", {"max_investment": 9, "min_investment": 10}),
        ("campaigns_max_investment_range", {"max_investment": 0}),
        ("campaigns_duration_range", {"duration_days": 29}),
        ("campaigns_duration_range", {"duration_days": 181}),
        ("campaigns_grace_range", {"grace_days": 15}),
        ("campaigns_threshold_range", {"threshold_bps": 0}),
        ("campaigns_threshold_range", {"threshold_bps": 10_001}),
    ],
)
def test_terms(records: Records, constraint: str, values: dict[str, int]) -> None:
    company = records.verified_company()
    with pytest.raises(psycopg.errors.CheckViolation) as caught, records.connection.transaction():
        records.draft(company, **values)
    assert caught.value.diag.constraint_name == constraint
