"""The machines: every step from every status, and random lives against a model."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import HASH, Records, wallet
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

STEPS: dict[tuple[str, str], dict[str, set[str]]] = {
    ("users", "kyc_status"): {
        "unverified": {"pending"},
        "pending": {"verified", "rejected", "unverified"},
        "verified": {"expired", "rejected", "unverified"},
        "rejected": {"pending"},
        "expired": {"pending"},
    },
    ("kyc_documents", "status"): {
        "pending": {"verified", "rejected"},
        "verified": {"expired"},
        "rejected": set(),
        "expired": set(),
    },
    ("campaigns", "status"): {
        "draft": {"pending"},
        "pending": {"approved", "rejected", "draft"},
        "approved": set(),
        "rejected": {"draft"},
    },
    ("investments", "status"): {"pending": {"paid", "failed"}, "paid": set(), "failed": {"pending"}},
}
STARTS = {"users": {"unverified", "pending"}, "campaigns": {"draft"}}  # the others: pending
# what a check demands of a row in that status
WHOLE = {"approved_at": ("campaigns", "approved"), "paid_at": ("investments", "paid")}


def _user(records: Records) -> uuid.UUID:
    return records.user(wallet=wallet())


def _document(records: Records, **values: Any) -> uuid.UUID:
    user = records.user()
    given = {"user": user, "type": "passport", "file_reference": "s3://p", "sha256": HASH}
    return records.insert("kyc_documents", **given, verified_by=user, **values)


def _campaign(records: Records) -> uuid.UUID:
    return records.draft(records.verified_company())


def _investment(records: Records) -> uuid.UUID:
    return records.insert(
        "investments",
        campaign=records.running(),
        investor=records.investor(),
        amount=5,
        payment_method="cbe",
        payment_reference=uuid.uuid4().hex,
    )


MAKE: dict[str, Callable[[Records], uuid.UUID]] = {
    "users": _user,
    "kyc_documents": _document,
    "campaigns": _campaign,
    "investments": _investment,
}


def _force(records: Records, table: str, column: str, row: uuid.UUID, status: str) -> None:
    """Into that status, without any trigger."""
    times = [name for name, (of, _) in WHOLE.items() if of == table]
    assignments = [sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(status))] + [
        sql.SQL("{} = {}").format(
            sql.Identifier(name), sql.SQL("now()" if WHOLE[name][1] == status else "NULL")
        )
        for name in times
    ]
    if table == "kyc_documents":
        assignments.append(sql.SQL("verified_at = now()").format())
    statement = sql.SQL("UPDATE {} SET {} WHERE id = {}").format(
        sql.Identifier("platform", table), sql.SQL(", ").join(assignments), sql.Literal(row)
    )
    with records.as_chain():
        records.connection.execute("SET LOCAL session_replication_role = replica")
        records.connection.execute(statement)
        records.connection.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.parametrize(("table", "column"), STEPS)
def test_every_step(records: Records, table: str, column: str) -> None:
    records.tip()
    steps = STEPS[table, column]
    row = MAKE[table](records)
    for old in steps:
        for new in [*steps, "nonsense", None]:
            _force(records, table, column, row, old)
            before = records.row(table, row)
            if new == old or new in steps[old]:
                records.update(table, row, **{column: new})
                after = records.row(table, row)
                assert after[column] == new
                assert after["revision"] == before["revision"] + (new != old)
            else:
                with records.refused(f"{table}_{column}_step", old, column=column):
                    records.update(table, row, **{column: new})
                assert records.row(table, row) == before


@pytest.mark.parametrize(("table", "column"), STEPS)
def test_how_a_row_begins(records: Records, table: str, column: str) -> None:
    records.tip()
    row = MAKE[table](records)
    columns = records.row(table, row)
    fresh = {"id", "created_at", "updated_at", "revision", "payment_reference", "email", "wallet", "chain_id"}
    for status in STEPS[table, column]:
        values = {name: value for name, value in columns.items() if name not in fresh} | {column: status}
        if table == "users":
            values["email"] = f"{uuid.uuid4().hex}@example.org"
        if status in STARTS.get(table, {"pending"}):
            records.insert(table, **values)
        else:
            with records.refused(f"{table}_{column}_start", column=column):
                records.insert(table, **values)


CONTENT = {"title": "Less coffee", "goal": 2000, "duration_days": 60, "document_uri": "ipfs://other"}
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["draft", "pending", "approved", "rejected", None]),
        st.sampled_from([None, *CONTENT]),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_lives_of_campaigns(
    session: psycopg.Connection[Any], moves: list[tuple[str | None, str | None]]
) -> None:
    session.execute("SET ROLE chainfirst_app")
    records = Records(session)
    try:
        records.tip()
        row = _campaign(records)
        status, revision, content = (
            "draft",
            1,
            {name: records.row("campaigns", row)[name] for name in CONTENT},
        )
        for wanted, changed in moves:
            new = wanted or status
            values: dict[str, Any] = {"status": new}
            if changed:
                other = CONTENT[changed]
                values[changed] = (
                    other if content[changed] != other else records.row("campaigns", row)[changed]
                )
            is_step = new == status or new in STEPS["campaigns", "status"][status]
            is_change = changed is not None and content[changed] != values[changed]
            allowed = is_step and (not is_change or "draft" in (status, new))
            try:
                with session.transaction():
                    records.update("campaigns", row, **values)
            except psycopg.errors.CheckViolation as error:
                assert not allowed, error
                assert error.diag.column_name == "status"
            else:
                assert allowed, (status, values)
                revision += new != status or is_change
                status = new
                content |= {name: value for name, value in values.items() if name != "status"}
            held = records.row("campaigns", row)
            assert held["status"] == status
            assert held["revision"] == revision
            assert (held["approved_at"] is not None) == (status == "approved")
            assert {name: held[name] for name in CONTENT} == content
    finally:
        session.rollback()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["unverified", "pending", "verified", "rejected", "expired"]), max_size=15))
def test_lives_of_users(session: psycopg.Connection[Any], moves: list[str]) -> None:
    session.execute("SET ROLE chainfirst_app")
    records = Records(session)
    try:
        row, status, revision = records.user(), "unverified", 1
        for new in moves:
            allowed = new == status or new in STEPS["users", "kyc_status"][status]
            try:
                with session.transaction():
                    records.update("users", row, kyc_status=new)
            except psycopg.errors.CheckViolation:
                assert not allowed
            else:
                assert allowed
                revision += new != status
                status = new
            held = records.row("users", row)
            assert (held["kyc_status"], held["revision"]) == (status, revision)
        seen = records.connection.execute(
            "SELECT changes -> 'kyc_status' FROM platform.audit WHERE row_id = %s ORDER BY seq", [row]
        ).fetchall()
        assert len(seen) == revision
        if revision > 1:
            assert seen[-1][0][1] == status
    finally:
        session.rollback()


def test_what_never_changes(records: Records) -> None:
    user = records.user()
    before = records.row("users", user)
    with records.refused("users_id_fixed"):
        records.update("users", user, id=uuid.uuid4())
    with records.refused("users_created_at_fixed"):
        records.update("users", user, created_at="2020-01-01")
    with records.refused("users_erased_at_fixed"):
        records.update("users", user, erased_at="2020-01-01")
    with records.refused("users_erased_at_fixed"):
        records.user(erased_at="2020-01-01")
    # an ORM writes all columns: what it says of these isn't heard
    records.update("users", user, revision=99, updated_at="2020-01-01", full_name=before["full_name"])
    assert records.row("users", user) == before
    records.update("users", user, revision=99, updated_at="2020-01-01", full_name="Another")
    after = records.row("users", user)
    assert (after["revision"], after["full_name"]) == (2, "Another")
    assert after["updated_at"] >= before["updated_at"]
    assert records.row("users", records.user(revision=7))["revision"] == 1


def test_a_judged_document_stays_as_it_was(records: Records) -> None:
    document = _document(records)
    records.update("kyc_documents", document, sha256="0x" + "11" * 32, expires_on="2030-01-01")
    with records.refused("kyc_documents_sha256_fixed"):
        records.update("kyc_documents", document, user=records.user())
    records.update("kyc_documents", document, status="verified")
    held = records.row("kyc_documents", document)
    assert held["verified_at"] is not None
    for change in (
        {"sha256": HASH},
        {"file_reference": "s3://other"},
        {"file_reference": None},
        {"type": "other"},
        {"expires_on": None},
    ):
        with records.refused("kyc_documents_sha256_fixed", "Insert another"):
            records.update("kyc_documents", document, **change)
    records.update("kyc_documents", document, verified_by=records.user(), verified_at=None)
    assert records.row("kyc_documents", document) == held
    records.update("kyc_documents", document, status="expired")
    assert records.row("kyc_documents", document)["verified_by"] == held["verified_by"]


def test_somebody_judges_a_document(records: Records) -> None:
    document = records.insert("kyc_documents", user=records.user(), type="passport", sha256=HASH)
    with records.refused("kyc_documents_verified_by_known", "chainfirst.user"):
        records.update("kyc_documents", document, status="verified")
    officer = records.user("compliance_officer")
    records.act_as(officer)
    records.update("kyc_documents", document, status="rejected", rejection_reason="blurred")
    assert records.row("kyc_documents", document)["verified_by"] == str(officer)


def test_a_company_is_whole_before_it_is_verified(records: Records) -> None:
    with records.refused("companies_verified_start"):
        records.company(verified=True)
    company = records.company(wallet=None, document_uri=None)
    with records.refused("companies_verified_whole", "wallet and document_uri"):
        records.update("companies", company, verified=True)
    officer = records.user("compliance_officer")
    records.act_as(officer)
    records.update("companies", company, verified=True, wallet=wallet(), document_uri="ipfs://p")
    held = records.row("companies", company)
    assert held["verified_by"] == str(officer)
    assert held["verified_at"] is not None
    records.update("companies", company, verified_by=None, verified_at=None)
    assert records.row("companies", company) == held
    records.update("companies", company, verified=False)
    withdrawn = records.row("companies", company)
    assert (withdrawn["verified_by"], withdrawn["verified_at"]) == (None, None)


@pytest.mark.parametrize("zone", ["Africa/Addis_Ababa", "Asia/Tokyo", "UTC"])
def test_time_zones(records: Records, zone: str) -> None:
    records.company(time_zone=zone)


@pytest.mark.parametrize("zone", ["", "Africa/Adis", "EAT+3", "+03", "x" * 10_000])
def test_what_is_no_time_zone(records: Records, zone: str) -> None:
    with records.refused("companies_time_zone_known", "IANA"):
        records.company(time_zone=zone)
    company = records.company()
    with records.refused("companies_time_zone_known"):
        records.update("companies", company, time_zone=zone)


@pytest.mark.parametrize("table", ["campaign_documents", "campaign_updates"])
def test_what_was_published_stays(records: Records, table: str) -> None:
    campaign = records.draft(records.verified_company())
    values = (
        {"title": "Plan", "type": "business_plan", "file_reference": "s3://x", "sha256": HASH}
        if table == "campaign_documents"
        else {"title": "News", "body": "Coffee grows"}
    )
    delete = sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier("platform", table))
    first, second = (records.insert(table, campaign=campaign, **values) for _ in range(2))
    records.connection.execute(delete, [first])
    records.update("campaigns", campaign, status="pending")
    with records.refused(f"{table}_campaign_draft"):
        records.connection.execute(delete, [second])
    records.insert(table, campaign=campaign, **values)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), records.connection.transaction():
        records.update(table, second, title="Other")
