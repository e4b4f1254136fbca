"""Two apps at once: the second waits for the first, and then sees what it did."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import NOW, Records, wallet
from psycopg import errors

Write = Callable[[Records], Any]


@pytest.fixture(params=[psycopg.IsolationLevel.READ_COMMITTED, psycopg.IsolationLevel.REPEATABLE_READ])
def level(request: pytest.FixtureRequest) -> psycopg.IsolationLevel:
    found: psycopg.IsolationLevel = request.param
    return found


@pytest.fixture
def apps(database: str, level: psycopg.IsolationLevel) -> Iterator[tuple[Records, Records]]:
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        for each in (first, second):
            each.execute("SET ROLE chainfirst_app")
            each.commit()
            each.isolation_level = level
        yield Records(first), Records(second)


def race(apps: tuple[Records, Records], one: Write, other: Write, commit: bool = True) -> None:
    """`one` writes; `other`, whose transaction has begun before, waits for it; then both end."""
    first, second = apps
    second.connection.execute("SELECT count(*) FROM platform.users")  # its snapshot
    one(first)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(other, second)
        pid = second.connection.info.backend_pid
        with psycopg.connect(first.connection.info.dsn, autocommit=True) as watcher:
            waiting = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
            while not pending.done() and watcher.execute(waiting, [pid]).fetchone() == (False,):
                pass
        assert not pending.done(), "it didn't wait"
        first.connection.commit() if commit else first.connection.rollback()
        pending.result()
    second.connection.commit()


def _refused(level: psycopg.IsolationLevel) -> type[psycopg.Error]:
    """With a snapshot of its own for the whole transaction, an app has to begin again."""
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        return errors.CheckViolation
    return errors.SerializationFailure


def approve(campaign: uuid.UUID) -> Write:
    return lambda records: records.update("campaigns", campaign, status="approved")


def invest(campaign: uuid.UUID, investor: uuid.UUID, amount: int) -> Write:
    values = {"campaign": campaign, "investor": investor, "amount": amount, "payment_method": "cbe"}
    return lambda records: records.insert("investments", **values)


def test_two_approvals(apps: tuple[Records, Records], level: psycopg.IsolationLevel) -> None:
    records = apps[0]
    records.tip()
    company = records.verified_company()
    one, other = records.pending(company), records.pending(company)
    records.connection.commit()
    with pytest.raises(_refused(level)) as caught:
        race(apps, approve(one), approve(other))
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        assert caught.value.diag.constraint_name == "campaigns_company_one_running"
    records.connection.rollback()
    apps[1].connection.rollback()
    assert records.row("campaigns", one)["status"] == "approved"
    assert records.row("campaigns", other)["status"] == "pending"


def test_the_second_goes_on_when_the_first_takes_it_back(apps: tuple[Records, Records]) -> None:
    records = apps[0]
    company = records.verified_company()
    one, other = records.pending(company), records.pending(company)
    records.connection.commit()
    race(apps, approve(one), approve(other), commit=False)
    assert records.row("campaigns", one)["status"] == "pending"
    assert records.row("campaigns", other)["status"] == "approved"


def test_an_approval_while_the_verification_is_withdrawn(
    apps: tuple[Records, Records], level: psycopg.IsolationLevel
) -> None:
    records = apps[0]
    company = records.verified_company()
    campaign = records.pending(company)
    records.connection.commit()
    with pytest.raises(_refused(level)) as caught:
        race(apps, lambda r: r.update("companies", company, verified=False), approve(campaign))
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        assert caught.value.diag.constraint_name == "campaigns_company_verified"


def test_two_investments_above_the_maximum(
    apps: tuple[Records, Records], level: psycopg.IsolationLevel
) -> None:
    records = apps[0]
    records.tip()
    campaign, investor = records.running(max_investment=100), records.investor()
    records.connection.commit()
    with pytest.raises(_refused(level)) as caught:
        race(apps, invest(campaign, investor, 60), invest(campaign, investor, 60))
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        assert caught.value.diag.constraint_name == "investments_amount_maximum"
    apps[1].connection.rollback()
    total = "SELECT sum(amount) FROM platform.investments WHERE investor = %s"
    found = apps[1].connection.execute(total, [investor]).fetchone()
    assert found == (60,)


def test_two_investments_within_it(apps: tuple[Records, Records], level: psycopg.IsolationLevel) -> None:
    records = apps[0]
    records.tip()
    campaign, investor = records.running(max_investment=100), records.investor()
    records.connection.commit()
    write = invest(campaign, investor, 50)
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        race(apps, write, write)
        return
    with pytest.raises(errors.SerializationFailure):
        race(apps, write, write)
    apps[1].connection.rollback()
    write(apps[1])  # once more, as an app does
    apps[1].connection.commit()


def test_an_investment_while_kyc_expires(
    apps: tuple[Records, Records], level: psycopg.IsolationLevel
) -> None:
    records = apps[0]
    records.tip()
    campaign, investor = records.running(), records.investor()
    records.connection.commit()
    with pytest.raises(_refused(level)):
        race(apps, lambda r: r.update("users", investor, kyc_status="expired"), invest(campaign, investor, 5))


def test_different_investors_do_not_wait(apps: tuple[Records, Records]) -> None:
    first, second = apps
    first.tip()
    campaign = first.running(max_investment=100)
    one, other = first.investor(), first.investor()
    first.connection.commit()
    second.connection.execute("SET LOCAL lock_timeout = '5s'")
    invest(campaign, one, 60)(first)
    invest(campaign, other, 60)(second)
    first.connection.commit()
    second.connection.commit()


def again(subject: str, row: uuid.UUID) -> Write:
    return lambda records: records.connection.execute("SELECT platform.ask_again(%s, %s)", [subject, row])


def call_off(campaign: uuid.UUID) -> Write:
    return lambda records: records.update("campaigns", campaign, cancelled_at=NOW, cancel_reason="no")


def refuse(records: Records, key: str) -> None:
    """The chain refuses what is asked under such a key."""
    records.chain(
        "UPDATE intent.intents SET outcome = 'rejected', error = 'no', ended_at = now() WHERE key LIKE %s",
        key,
    )


def wishes(records: Records, key: str) -> list[Any]:
    return records.chain(
        "SELECT payload FROM intent.intents WHERE key LIKE %s AND outcome IS NULL ORDER BY id", key
    )


def test_asked_again_while_the_row_changes(
    apps: tuple[Records, Records], level: psycopg.IsolationLevel
) -> None:
    """What the row says at last is what is asked at last."""
    records, other = apps
    investor = records.investor()
    refuse(records, f"user:{investor}:%")
    records.connection.commit()
    if level is psycopg.IsolationLevel.READ_COMMITTED:
        with pytest.raises(errors.InvalidParameterValue, match="goes on"):
            race(apps, lambda r: r.update("users", investor, kyc_status="expired"), again("user", investor))
    else:
        with pytest.raises(errors.SerializationFailure):
            race(apps, lambda r: r.update("users", investor, kyc_status="expired"), again("user", investor))
    other.connection.rollback()
    ((payload,),) = wishes(records, f"user:{investor}:%")
    assert payload["verified"] is False


@pytest.mark.parametrize("first", ["ask_again", "change_wallet"])
def test_called_off_while_its_creation_is_asked_anew(
    apps: tuple[Records, Records], level: psycopg.IsolationLevel, first: str
) -> None:
    """Nothing creates a campaign that was called off."""
    records, other = apps
    records.tip()
    company = records.verified_company(on_chain=False)
    campaign = records.pending(company)
    records.update("campaigns", campaign, status="approved")
    if first == "ask_again":
        refuse(records, f"campaign:{campaign}:%")
    records.connection.commit()
    change = "SELECT platform.change_wallet('company', %s, %s)"
    anew = {
        "ask_again": again("campaign", campaign),
        "change_wallet": lambda r: r.connection.execute(change, [company, wallet()]),
    }[first]
    if level is psycopg.IsolationLevel.REPEATABLE_READ:
        with pytest.raises(errors.SerializationFailure):
            race(apps, anew, call_off(campaign))
        other.connection.rollback()
        call_off(campaign)(other)  # once more, as an app does
        other.connection.commit()
    else:
        race(apps, anew, call_off(campaign))
    assert wishes(records, f"campaign:{campaign}:%") == []
    assert records.row("campaigns", campaign)["cancelled_at"] is not None


def test_asked_again_twice(apps: tuple[Records, Records], level: psycopg.IsolationLevel) -> None:
    records, other = apps
    investor = records.investor()
    refuse(records, f"user:{investor}:%")
    records.connection.commit()
    refused = (
        errors.InvalidParameterValue
        if level is psycopg.IsolationLevel.READ_COMMITTED
        else errors.SerializationFailure
    )
    with pytest.raises(refused):
        race(apps, again("user", investor), again("user", investor))
    other.connection.rollback()
    assert len(wishes(records, f"user:{investor}:%")) == 1
