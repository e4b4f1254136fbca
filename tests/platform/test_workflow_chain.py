"""From a row to the chain and back: what apps write becomes true, on a real node with indexer and lane."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.platform import workflow_play
from chainfirst.tests.platform.workflow_play import Play
from chainfirst.tests.platform.workflow_rows import HASH, Rows, new_wallet, on_chain
from psycopg import errors, sql


@pytest.fixture(scope="module")
def play(pg_cluster: Cluster, server_base: Path) -> Iterator[Play]:
    """One chain and one database for all tests here, each with rows of its own."""
    with workflow_play.begin(pg_cluster, server_base / "workflow") as made:
        yield made


def test_from_rows_to_the_chain(play: Play) -> None:
    rows = play.rows
    first, second = new_wallet(), new_wallet()
    with rows.app.transaction():
        alice, bob = rows.investor(first), rows.investor(second)
        company = rows.company()
        campaign = rows.campaign(company, max_investment=4_000)
    assert rows.intent(campaign, "create")["waits_for"].startswith("the intent company:")
    play.finish()
    assert play.outcomes(company) == {"register": "confirmed"}
    assert play.outcomes(campaign) == {"create": "confirmed"}
    assert play.verified(first)
    assert play.verified(second)
    with rows.app.transaction():
        bought = [rows.investment(campaign, alice), rows.investment(campaign, bob, amount="2500.50")]
        for each in bought:
            rows.pay(each)
    play.finish()
    assert [play.outcomes(each) for each in bought] == [{"record": "confirmed"}] * 2
    contract = play.contract(campaign)
    assert contract.functions.raised().call() == 350_050
    amounts = dict(play.world.all("SELECT investment_id, amount FROM ledger.investments"))
    assert [amounts[on_chain(each)] for each in bought] == [100_000, 250_050]


def test_refused_then_mended_and_asked_again(play: Play) -> None:
    rows, wallet = play.rows, new_wallet()
    # no other company here has it, but somebody else's
    play.world.submit(
        "issuer.register",
        company=str(uuid.uuid4()),
        wallet=wallet,
        credential_hash=HASH,
        document_uri="ipfs://x",
    )
    play.finish()
    company = rows.company(wallet=wallet)
    campaign = rows.campaign(company)
    for _ in range(6):
        play.world.mine()
        play.world.round()
    ((outcome, error),) = rows.app.execute(
        "SELECT outcome, error FROM platform.requests WHERE row_id = %s", [company]
    ).fetchall()
    assert (outcome, "WalletTaken" in error) == ("rejected", True)
    assert "blocked by company:" in rows.intent(campaign, "create")["waits_for"]
    rows.set("companies", company, wallet=new_wallet())
    rows.again("company", company)
    play.finish()
    assert rows.requests(company) == [("register", "confirmed")]
    # nor does the campaign begin in the name of the other one
    assert play.outcomes(campaign) == {"create": "confirmed"}
    assert play.world.one(
        "SELECT issuer FROM ledger.campaigns WHERE campaign_id = %s", on_chain(campaign)
    ) == (play.wallet(company))


def test_a_payment_that_comes_too_late_says_why(play: Play) -> None:
    rows, owner = play.rows, play.world.platform.at["owner"]
    campaign = play.campaign()
    bought = rows.investment(campaign, rows.investor())
    rows.pay(bought)
    play.contract(campaign).functions.cancel("by hand").transact({"from": owner})
    play.world.mine()
    play.finish()
    ((outcome, error),) = rows.app.execute(
        "SELECT outcome, error FROM platform.requests WHERE row_id = %s", [bought]
    ).fetchall()
    assert (outcome, "WrongStatus" in error) == ("rejected", True)


def test_rolled_back_nothing_is_asked(play: Play) -> None:
    rows = play.rows
    before = play.world.one("SELECT count(*) FROM intent.intents")
    with pytest.raises(ZeroDivisionError), rows.app.transaction():
        rows.campaign(rows.company())
        rows.investor()
        play.world.round()
        raise ZeroDivisionError
    play.world.round()
    assert play.world.one("SELECT count(*) FROM intent.intents") == before


@pytest.mark.parametrize("steps", [(), ("round",), ("round", "mine", "round"), ("finish",)])
def test_back_and_forth(play: Play, steps: tuple[str, ...]) -> None:
    """Whatever was on its way when the row changed back, the last word holds."""
    rows, world = play.rows, play.world
    work = {"round": world.round, "mine": world.mine, "finish": play.finish}
    wallet = new_wallet()
    investor = rows.investor(wallet)
    company = play.company()
    for known, uri in ((False, "https://b.test/"), (True, "https://a.test/"), (False, "https://b.test/"),
                       (True, "https://a.test/")):  # fmt: skip
        for step in steps:
            work[step]()
        with rows.app.transaction():
            if known:
                rows.know(investor)
            else:
                rows.set("users", investor, kyc_status="expired")
            rows.set("companies", company, document_uri=uri)
            rows.set("companies", company, verified=not known)
            rows.set("companies", company, verified=known)
    play.finish()
    assert play.verified(wallet)
    assert play.entry(company) == (True, "https://a.test/")
    assert play.outcomes(investor)["verify"] == "confirmed"


def test_suspended_and_reinstated(play: Play) -> None:
    rows = play.rows
    company = play.company()
    rows.set("companies", company, verified=False)
    play.finish()
    assert play.entry(company) == (False, "https://example.test/profile")
    # what it publishes meanwhile goes there once somebody has looked at it
    rows.set("companies", company, document_uri="https://example.test/2")
    assert "document" not in play.outcomes(company)
    rows.set("companies", company, verified=True)
    play.finish()
    assert play.entry(company) == (True, "https://example.test/2")
    assert play.outcomes(company) == {"register": "confirmed", "active": "confirmed", "document": "confirmed"}


def test_called_off_before_and_after_it_is_signed(play: Play) -> None:
    rows, world = play.rows, play.world
    companies = [play.company() for _ in range(3)]
    campaigns = [rows.campaign(each) for each in companies]
    rows.call_off(campaigns[0])
    world.round()
    rows.call_off(campaigns[1])
    play.finish()
    rows.call_off(campaigns[2])
    play.finish()
    assert play.outcomes(campaigns[0]) == {"create": "cancelled"}
    for each in campaigns[1:]:
        assert play.outcomes(each) == {"create": "confirmed", "cancel": "confirmed"}
    states = dict(world.all("SELECT campaign_id, status FROM ledger.campaigns"))
    assert [states.get(on_chain(each)) for each in campaigns] == [None, "cancelled", "cancelled"]


def test_an_investor_has_another_wallet_and_the_certificates_go_there(play: Play) -> None:
    rows = play.rows
    old, new = new_wallet(), new_wallet()
    investor = rows.investor(old)
    sold, running = play.campaign(goal=2_000), play.campaign()
    bought = [rows.investment(sold, investor) for _ in range(2)]
    later = rows.investment(running, investor, amount=10_000)
    for each in (*bought, later):
        rows.pay(each)
    play.finish()
    play.sold(sold)
    assert [owner for _, owner in play.certificates(*bought)] == [old, old]
    notices: list[str] = []
    rows.app.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    keys = rows.change_wallet("user", investor, new)
    assert len(keys) == 4
    assert notices == [
        "1 investments in running campaigns stay with the wallet that made them: refunds go there"
    ]
    play.finish()
    assert [owner for _, owner in play.certificates(*bought)] == [new, new]
    assert (play.verified(old), play.verified(new)) == (False, True)
    assert set(play.outcomes(investor).values()) == {"confirmed"}
    # the other campaign's certificate is minted to the wallet that invested; then it follows
    play.sold(running)
    assert [owner for _, owner in play.certificates(later)] == [old]
    assert len(rows.change_wallet("user", investor, new)) == 1
    play.finish()
    assert [owner for _, owner in play.certificates(later)] == [new]
    # and back, while the way there is not over
    (first, _), *_ = play.certificates(*bought)
    third = new_wallet()
    rows.change_wallet("user", investor, third)
    play.world.round()
    rows.change_wallet("user", investor, new)
    play.finish()
    assert [owner for _, owner in play.certificates(*bought, later)] == [new] * 3
    assert (play.verified(third), play.verified(new)) == (False, True)
    assert first > 0


def test_a_company_has_another_wallet(play: Play) -> None:
    rows, world = play.rows, play.world
    company = play.company()
    old, new = play.wallet(company), new_wallet()
    rows.set("companies", company, verified=False)
    (key,) = (key for key in rows.change_wallet("company", company, new) if ":replace:" in key)
    assert rows.intent(company, "active")["payload"] == {"wallet": new, "active": False}
    assert rows.intent(company, "active")["depends_on"] == key
    world.round()
    with pytest.raises(errors.ObjectInUse, match="is under way"):
        rows.change_wallet("company", company, new_wallet())
    rows.set("companies", company, verified=True, document_uri="https://example.test/2")
    play.finish()
    assert play.wallet(company) == new
    assert play.entry(company) == (True, "https://example.test/2")
    assert play.outcomes(company)["replace"] == "confirmed"
    campaign = rows.campaign(company)
    play.finish()
    assert play.outcomes(campaign) == {"create": "confirmed"}
    assert rows.intent(campaign, "create")["payload"]["issuer"] == new != old


def test_no_block_waits_for_an_app_that_holds_its_rows(play: Play) -> None:
    rows, world = play.rows, play.world
    campaign = play.campaign()
    investor = rows.investor()
    play.finish()
    with rows.app.transaction():
        bought = rows.investment(campaign, investor)
        rows.pay(bought)
        company = rows.company()
        rows.set("users", investor, kyc_status="expired")
    world.round()
    world.connection.execute("SET lock_timeout = '2s'")
    try:
        with psycopg.connect(play.url) as slow:
            for table, row in (("users", investor), ("companies", company), ("campaigns", campaign),
                               ("investments", bought)):  # fmt: skip
                statement = sql.SQL("SELECT FROM platform.{} WHERE id = %s FOR UPDATE")
                slow.execute(statement.format(sql.Identifier(table)), [row])
            for _ in range(5):
                world.mine()
                world.round()
            for row, purpose in ((bought, "record"), (company, "register"), (investor, "verify")):
                assert play.outcomes(row)[purpose] == "confirmed"

        # one that has even asked for more, of an intent that the block would end: that one's end comes later
        rows.set("companies", company, verified=False)
        world.round()
        with psycopg.connect(play.url) as slow:
            other = Rows(slow)
            other.set("companies", company, verified=True)
            for _ in range(5):
                world.mine()
                world.index()
            assert play.outcomes(company)["active"] is None
            slow.commit()
    finally:
        world.connection.execute("RESET lock_timeout")
    play.finish()
    assert play.entry(company)[0]
    assert play.outcomes(company)["active"] == "confirmed"
