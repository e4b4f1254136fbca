"""Which intents follow from which steps: on a database alone, where a test says how each intent ends."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.schema import migrate
from chainfirst.tests.platform.workflow_rows import HASH, Rows, new_wallet
from psycopg import errors


@pytest.fixture(scope="session")
def pg_template(pg_cluster: Cluster) -> str:
    pg_cluster.ensure_database("template_workflow")
    migrate.migrate(migrate.engine(pg_cluster.url("template_workflow")), platform_enabled=True)
    return "template_workflow"


@pytest.fixture
def rows(pg_url: str) -> Iterator[Rows]:
    with psycopg.connect(pg_url, autocommit=True) as app:
        yield Rows(app)


def end(rows: Rows, key: str, outcome: str, error: str | None = None) -> None:
    """As the daemon ends the latest generation."""
    rows.app.execute(
        "UPDATE intent.intents SET outcome = %s, error = %s, ended_at = now(), ended_block = 1"
        " WHERE key = %s AND outcome IS NULL",
        [outcome, error, key],
    )


def sign(rows: Rows, intent: dict[str, Any], nonce: int) -> None:
    """As a lane takes a nonce for it."""
    rows.app.execute(
        "INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s)",
        [f"0x{'1' * 40}", nonce, intent["id"]],
    )


def test_an_investor_is_verified_with_wallet_and_papers_alone(rows: Rows) -> None:
    wallet = new_wallet()
    user = rows.user()
    rows.know(user)
    assert rows.requests(user) == []
    rows.set("users", user, wallet=wallet)
    made = rows.intent(user, "verify")
    assert (made["kind"], made["payload"]) == (
        "investor.set_verified",
        {"investor": wallet, "verified": True},
    )
    assert made["key"] == f"user:{user}:verify:4"
    assert made["submitted_by"] == rows.app.info.user
    # what changes nothing of it asks for nothing
    rows.set("users", user, phone="+251 911 000000", kyc_level=3)
    assert len(rows.requests(user)) == 1
    # nor is anybody but an investor
    other = rows.user("issuer", wallet=new_wallet())
    rows.know(other)
    assert rows.requests(other) == []


def test_back_and_forth_ends_where_it_ends(rows: Rows) -> None:
    user = rows.investor()
    rows.set("users", user, kyc_status="expired")
    rows.know(user)
    found = rows.intents(user, "verify")
    assert [each["payload"]["verified"] for each in found] == [True, False, True]
    assert [each["status"] for each in found] == ["cancelled", "cancelled", "pending"]
    assert found[0]["error"] == f"superseded by {found[1]['key']}"
    assert [outcome for _, outcome in rows.requests(user)] == ["cancelled", "cancelled", None]
    # a signed one can't be ended, but is not signed anew either: its nonce comes before the newer one's
    sign(rows, found[2], 0)
    rows.set("users", user, active=False)
    *_, signed, last = rows.intents(user, "verify")
    assert (signed["status"], signed["cancel_requested_at"] is None) == ("signed", False)
    assert (last["status"], last["payload"]["verified"]) == ("pending", False)


def test_a_company_is_registered_once_then_suspended_and_reinstated(rows: Rows) -> None:
    company = rows.company(verified=False)
    assert rows.requests(company) == []
    rows.set("companies", company, verified=True)
    made = rows.intent(company, "register")
    wallet = rows.app.execute("SELECT wallet FROM platform.companies WHERE id = %s", [company]).fetchone()
    assert wallet is not None
    assert (made["kind"], made["payload"]) == (
        "issuer.register",
        {
            "company": str(company), "wallet": wallet[0], "credential_hash": HASH,
            "document_uri": "https://example.test/profile", "name": "Sheger Coffee ሸገር ቡና",
        },
    )  # fmt: skip
    sign(rows, made, 0)
    rows.set("companies", company, verified=False)
    rows.set("companies", company, verified=True, document_uri="https://example.test/2")
    # nobody has to reinstate what isn't suspended yet
    (suspended,) = rows.intents(company, "active")
    assert (suspended["status"], suspended["depends_on"]) == ("cancelled", made["key"])
    document = rows.intent(company, "document")
    assert document["depends_on"] == made["key"]
    assert document["payload"] == {"wallet": wallet[0], "document_uri": "https://example.test/2"}
    rows.set("companies", company, verified=False)
    assert rows.intent(company, "active")["payload"] == {"wallet": wallet[0], "active": False}
    # it never came to be: so what would change it ends too
    end(rows, made["key"], "failed", "reverted")
    assert rows.requests(company) == [
        ("register", "failed"),
        ("active", "cancelled"),
        ("document", "cancelled"),
        ("active", "cancelled"),
    ]  # fmt: skip
    assert rows.intent(company, "document")["error"] == f"needless: {made['key']} is failed"


def test_a_verification_withdrawn_in_time_registers_nothing(rows: Rows) -> None:
    company = rows.company()
    rows.set("companies", company, verified=False)
    assert rows.requests(company) == [("register", "cancelled")]
    rows.set("companies", company, verified=True, document_uri="https://example.test/2")
    first, second = rows.intents(company, "register")
    assert (first["key"], first["generation"] + 1) == (second["key"], second["generation"])
    assert second["payload"]["document_uri"] == "https://example.test/2"
    assert rows.requests(company) == [("register", None)]


def test_a_document_needs_an_address_of_its_own(rows: Rows) -> None:
    company = rows.company()
    with pytest.raises(errors.CheckViolation, match="and document_uri is") as caught:
        rows.set("companies", company, document_hash="0x" + "ab" * 32)
    assert caught.value.diag.column_name == "document_hash"
    rows.set("companies", company, document_hash="0x" + "ab" * 32, document_uri="https://example.test/2")
    assert rows.intent(company, "document")["payload"]["document_uri"] == "https://example.test/2"


def test_what_was_refused_is_asked_again_as_it_is_now(rows: Rows) -> None:
    company = rows.company()
    campaign = rows.campaign(company)
    made = rows.intent(company, "register")
    with pytest.raises(errors.InvalidParameterValue, match=f"{made['key']} goes on"):
        rows.again("company", company)
    end(rows, made["key"], "rejected", "WalletTaken")
    found = rows.app.execute("SELECT outcome, error FROM platform.requests WHERE key = %s", [made["key"]])
    assert found.fetchall() == [("rejected", "WalletTaken")]
    # it mends its wallet, which nobody knows yet
    wallet = new_wallet()
    rows.set("companies", company, wallet=wallet)
    assert rows.again("company", company) == [made["key"]]
    again = rows.intent(company, "register")
    assert (again["generation"], again["payload"]["wallet"], again["status"]) == (2, wallet, "pending")
    assert rows.requests(company) == [("register", None)]
    # what depends on it waits for the new one, and names the new wallet: the old one may be another company's
    assert rows.intent(campaign, "create")["payload"]["issuer"] == wallet
    assert rows.intent(campaign, "create")["waits_for"] == f"the intent {made['key']}"
    end(rows, made["key"], "confirmed")
    with pytest.raises(errors.InvalidParameterValue, match="nothing of it ended badly"):
        rows.again("company", company)
    with pytest.raises(errors.InvalidParameterValue, match="nothing of it ended badly"):
        rows.again("company", uuid.uuid4())


def test_what_is_not_wanted_any_more_is_not_asked_again(rows: Rows) -> None:
    company = rows.company()
    key = rows.intent(company, "register")["key"]
    rows.set("companies", company, verified=False)
    with pytest.raises(errors.InvalidParameterValue, match=f"{key} is cancelled, and the company is not"):
        rows.again("company", company)


def test_a_campaign_follows_its_company(rows: Rows) -> None:
    company = rows.company()
    campaign = rows.campaign(company, max_investment="2500.50", goal="10000.05", grace_days=3)
    made = rows.intent(campaign, "create")
    assert made["depends_on"] == rows.intent(company, "register")["key"]
    issuer = rows.intent(company, "register")["payload"]["wallet"]
    assert (made["kind"], made["payload"]) == (
        "campaign.create",
        {
            "campaign": str(campaign), "issuer": issuer, "funding_goal": "1000005",
            "min_investment": "10000", "max_investment": "250050", "duration_seconds": 30 * 86_400,
            "grace_seconds": 3 * 86_400, "success_threshold_bps": 7500,
            "document_uri": "https://example.test/offer", "title": "Coffee shares",
        },
    )  # fmt: skip


def test_called_off_before_it_is_signed_nothing_is_created(rows: Rows) -> None:
    campaign = rows.campaign(rows.company())
    rows.call_off(campaign)
    assert rows.requests(campaign) == [("create", "cancelled")]
    with pytest.raises(errors.InvalidParameterValue, match="the campaign is cancelled"):
        rows.again("campaign", campaign)


def test_called_off_after_it_is_signed_it_is_cancelled_there(rows: Rows) -> None:
    campaign = rows.campaign(rows.company())
    made = rows.intent(campaign, "create")
    sign(rows, made, 0)
    rows.call_off(campaign, "ተሰርዟል")
    assert rows.intent(campaign, "create")["cancel_requested_at"] is None
    cancel = rows.intent(campaign, "cancel")
    assert (cancel["kind"], cancel["depends_on"]) == ("campaign.cancel", made["key"])
    assert cancel["payload"] == {"campaign": str(campaign), "reason": "ተሰርዟል"}
    end(rows, made["key"], "failed", "reverted")
    assert rows.requests(campaign) == [("create", "failed"), ("cancel", "cancelled")]


def test_a_company_whose_registration_waits_has_another_wallet_at_once(rows: Rows) -> None:
    company = rows.company()
    campaign = rows.campaign(company)
    rows.set("companies", company, document_uri="https://example.test/2")
    wallet = new_wallet()
    keys = rows.change_wallet("company", company, wallet)
    assert [key.split(":")[2] for key in keys] == ["register", "create"]
    assert rows.requests(company) == [("register", None), ("document", "cancelled")]
    register = rows.intent(company, "register")["payload"]
    assert (register["wallet"], register["document_uri"]) == (wallet, "https://example.test/2")
    assert rows.intent(campaign, "create")["payload"]["issuer"] == wallet
    sign(rows, rows.intent(company, "register"), 0)
    with pytest.raises(errors.ObjectInUse, match=r"register:2 is under way \(signed\)"):
        rows.change_wallet("company", company, new_wallet())


def test_an_investor_who_was_never_on_chain_has_another_wallet_at_once(rows: Rows) -> None:
    first, second = new_wallet(), new_wallet()
    user = rows.investor(first)
    keys = rows.change_wallet("user", user, second)
    assert keys == [f"user:{user}:retire:{first}:4", f"user:{user}:verify:4"]
    (retired,) = rows.intents(user, f"retire:{first}")
    assert retired["payload"] == {"investor": first, "verified": False}
    assert rows.intent(user, "verify")["payload"] == {"investor": second, "verified": True}
    assert [outcome for _, outcome in rows.requests(user)] == ["cancelled", None, None]
    # and back: what was to be retired is not
    rows.change_wallet("user", user, first)
    assert rows.intents(user, f"retire:{first}")[0]["status"] == "cancelled"
    assert rows.intent(user, "verify")["payload"] == {"investor": first, "verified": True}
    assert rows.intent(user, f"retire:{second}")["status"] == "pending"


def test_a_wallet_that_was_left_while_nobody_could_unverify_it(rows: Rows) -> None:
    first, second = new_wallet(), new_wallet()
    user = rows.investor(first)
    end(rows, rows.intent(user, "verify")["key"], "confirmed")
    rows.set("users", user, kyc_status="expired")
    end(rows, rows.intent(user, "verify")["key"], "failed", "reverted")
    rows.set("users", user, wallet=second)
    assert rows.again("user", user) == [f"user:{user}:retire:{first}:4"]
    assert rows.intent(user, f"retire:{first}")["payload"] == {"investor": first, "verified": False}


def certify(rows: Rows, token: int, owner: str) -> None:
    """A certificate as the ledger has it."""
    rows.app.execute(
        "INSERT INTO ledger.certificates (address, token_id, investment_id, campaign_id, owner, amount,"
        " voting_weight, metadata_hash, transfer_count, revoked, minted_block, minted_at)"
        " VALUES (%s, %s, %s, %s, %s, 100, 1, %s, 0, false, 1, now())",
        [f"0x{'c' * 40}", token, HASH, HASH, owner, HASH],
    )


def test_a_certificate_that_was_sold_is_not_taken_from_the_buyer(rows: Rows) -> None:
    first, second, bought = (new_wallet() for _ in range(3))
    user = rows.investor(first)
    rows.investor(bought)
    sell = "UPDATE ledger.certificates SET owner = %s WHERE token_id = %s"
    certify(rows, 1, first)
    certify(rows, 2, first)
    assert len(rows.change_wallet("user", user, second)) == 4
    end(rows, rows.intent(user, "transfer:1")["key"], "failed", "reverted")
    rows.app.execute(sell, [bought, 1])
    with pytest.raises(errors.InvalidParameterValue, match=f"in the wallet {bought}, which is not the user"):
        rows.again("user", user)
    # nor is one that is sold while it was on its way
    rows.app.execute(sell, [bought, 2])
    rows.change_wallet("user", user, new_wallet())
    assert rows.intent(user, "transfer:2")["status"] == "cancelled"
    assert len(rows.intents(user, "transfer:2")) == 1
    # what is still in a wallet that the user had is fetched
    rows.app.execute(sell, [first, 1])
    assert rows.again("user", user) == [rows.intent(user, "transfer:1")["key"]]
    # unless somebody else has that wallet now
    end(rows, rows.intent(user, "transfer:1")["key"], "failed", "reverted")
    rows.investor(first)
    with pytest.raises(errors.InvalidParameterValue, match="which is not the user"):
        rows.again("user", user)


def test_who_changes_wallets(rows: Rows) -> None:
    user = rows.investor()
    for role in ("investor", "issuer", "regulator", "custodian"):
        acting = rows.user(role)
        rows.app.execute("SELECT set_config('chainfirst.user', %s, false)", [str(acting)])
        with pytest.raises(errors.InsufficientPrivilege, match=f"role is {role}"):
            rows.change_wallet("user", user, new_wallet())
        with pytest.raises(errors.InsufficientPrivilege, match=f"role is {role}"):
            rows.again("user", user)
        rows.app.execute("SELECT set_config('chainfirst.user', '', false)")
    officer = rows.user("compliance_officer")
    rows.app.execute("SELECT set_config('chainfirst.user', %s, false)", [str(officer)])
    assert len(rows.change_wallet("user", user, new_wallet())) == 2
    with pytest.raises(errors.NoDataFound):
        rows.change_wallet("user", uuid.uuid4(), new_wallet())
    with pytest.raises(errors.NoDataFound):
        rows.change_wallet("company", uuid.uuid4(), new_wallet())
    with pytest.raises(errors.InvalidParameterValue, match="allowed: user or company"):
        rows.change_wallet("campaign", user, new_wallet())


def test_what_is_rolled_back_was_not_asked(rows: Rows) -> None:
    company = rows.company()
    with pytest.raises(ZeroDivisionError), rows.app.transaction():
        rows.set("companies", company, verified=False)
        rows.campaign(rows.company())
        raise ZeroDivisionError
    assert rows.requests(company) == [("register", None)]
    assert rows.app.execute("SELECT count(*) FROM intent.intents").fetchall() == [(1,)]


def test_an_end_that_is_taken_back_is_none(rows: Rows) -> None:
    company = rows.company()
    key = rows.intent(company, "register")["key"]
    end(rows, key, "failed", "reverted")
    with rows.app.transaction():  # as rewinding does
        rows.app.execute("SET LOCAL chainfirst.rewind = 'on'")
        rows.app.execute(
            "UPDATE intent.intents SET outcome = NULL, error = NULL, ended_at = NULL, ended_block = NULL"
        )
    assert rows.requests(company) == [("register", None)]
    end(rows, key, "failed", "reverted")
    rows.again("company", company)
    # the end of an older generation is not the request's
    with rows.app.transaction():
        rows.app.execute("SET LOCAL chainfirst.rewind = 'on'")
        rows.app.execute("UPDATE intent.intents SET error = 'reverted: WalletTaken' WHERE generation = 1")
    assert rows.app.execute("SELECT outcome, error FROM platform.requests").fetchall() == [(None, None)]


def test_a_reason_found_later_waits_for_no_app(rows: Rows, pg_url: str) -> None:
    company = rows.company()
    key = rows.intent(company, "register")["key"]
    end(rows, key, "failed", "reverted")
    explain = "UPDATE intent.intents SET error = %s WHERE key = %s AND outcome = 'failed'"
    rows.app.execute(explain, ["reverted: Paused", key])
    assert rows.app.execute("SELECT error FROM platform.requests").fetchall() == [("reverted: Paused",)]
    with psycopg.connect(pg_url) as slow:
        Rows(slow).again("company", company)
        rows.app.execute("SET lock_timeout = '1s'")
        rows.app.execute(explain, ["reverted: WalletTaken", key])
        slow.commit()
    assert rows.requests(company) == [("register", None)]


def test_what_an_import_left_undone_is_asked_for_once_somebody_says_so(rows: Rows) -> None:
    company = rows.company()
    with rows.app.transaction():
        rows.app.execute("ALTER TABLE platform.companies DISABLE TRIGGER workflow")
        other = rows.company()
        rows.app.execute("ALTER TABLE platform.companies ENABLE TRIGGER workflow")
    rows.app.execute(
        "INSERT INTO platform.requests (key, subject, row_id, purpose, revision, outcome, error)"
        " VALUES (%s, 'company', %s, 'register', 2, 'rejected', 'imported: not on chain')",
        [f"company:{other}:register:2", other],
    )
    rows.again("company", other)
    assert rows.requests(other) == rows.requests(company) == [("register", None)]


def test_what_a_row_does_not_want_any_more_is_not_retried(rows: Rows) -> None:
    """An operator, or an app, sees intents that ended badly, and retries them."""

    def retry(intent: dict[str, Any]) -> None:
        rows.app.execute("SELECT intent.retry(%s)", [intent["id"]])

    company = rows.company()
    campaign = rows.campaign(company)
    rows.call_off(campaign)
    with pytest.raises(errors.InvalidParameterValue, match="not tried again: the campaign is cancelled"):
        retry(rows.intent(campaign, "create"))
    user = rows.investor()
    rows.set("users", user, kyc_status="expired")
    first, last = rows.intents(user, "verify")
    assert first["status"] == "cancelled"
    with pytest.raises(errors.InvalidParameterValue, match="not tried again: it was superseded") as caught:
        retry(first)
    assert caught.value.diag.message_hint and "platform.ask_again('user'" in caught.value.diag.message_hint
    end(rows, last["key"], "failed", "reverted")
    retry(last)
    assert rows.intent(user, "verify")["payload"] == last["payload"]
    # what the row has mended since is asked for as it is now
    end(rows, rows.intent(company, "register")["key"], "rejected", "no")
    rows.set("companies", company, document_uri="https://example.test/other")
    with pytest.raises(errors.InvalidParameterValue, match="the row wants something else now"):
        retry(rows.intent(company, "register"))


def test_money_that_an_older_contract_holds_is_not_recorded_anew(rows: Rows) -> None:
    with rows.app.transaction():
        rows.app.execute("SET LOCAL ROLE chainfirst_owner")
        rows.app.execute("SET LOCAL chainfirst.import = 'on'")
        investor = rows.investor()
        company = rows.company(verified=False)
        campaign = rows.campaign(company, status="draft")
        paid = rows.investment(campaign, investor, status="paid", paid_at="2025-01-01")
        key = f"investment:{paid}:record:1"
        rows.app.execute(
            "INSERT INTO platform.requests (key, subject, row_id, purpose, revision, outcome, error)"
            " VALUES (%s, 'investment', %s, 'record', 1, 'rejected',"
            " 'imported: on chain in an older contract, event.old_invested, block 7')", [key, paid]
        )  # fmt: skip
    with pytest.raises(errors.InvalidParameterValue, match="on chain in an older contract"):
        rows.again("investment", paid)
    rows.app.execute("UPDATE platform.requests SET error = 'imported: not on chain'")
    assert rows.again("investment", paid) == [key]


def test_what_moves_in_asks_for_nothing(rows: Rows) -> None:
    with rows.app.transaction():
        rows.app.execute("SET LOCAL ROLE chainfirst_owner")
        rows.app.execute("SET LOCAL chainfirst.import = 'on'")
        rows.investor()
        company = rows.company(verified=False)
        rows.app.execute("UPDATE platform.companies SET verified = true, verified_at = now()")
        rows.campaign(company)
    assert rows.app.execute("SELECT count(*) FROM intent.intents").fetchall() == [(0,)]
