"""What a user sees and writes on whose behalf an app acts."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import HASH, NOW, Records, wallet

STAFF = ("admin", "compliance_officer", "custodian", "regulator")
TABLES = (
    "users",
    "companies",
    "issuer_profiles",
    "kyc_documents",
    "campaigns",
    "campaign_documents",
    "campaign_updates",
    "investments",
)


class Cast:
    """Two of each who has records; the first pair's campaign runs on chain, the second's is a draft."""

    def __init__(self, records: Records) -> None:
        self.records = records
        records.tip()
        self.staff = {role: records.user(role) for role in STAFF}
        self.inactive = records.user("admin", active=False)
        self.rows: dict[str, list[uuid.UUID]] = {table: [] for table in TABLES}
        self.issuers, self.investors = [], []
        for number in range(2):
            issuer, investor = records.user("issuer"), records.investor()
            company = records.verified_company(owner=issuer, on_chain=number == 0)
            campaign = records.running(company) if number == 0 else records.draft(company)
            self.issuers.append(issuer)
            self.investors.append(investor)
            self.rows["users"] += [issuer, investor]
            self.rows["companies"].append(company)
            self.rows["campaigns"].append(campaign)
            self.rows["issuer_profiles"].append(records.insert("issuer_profiles", company=company))
            self.rows["kyc_documents"].append(self.document(investor))
            self.rows["campaign_documents"].append(self.paper(campaign))
            self.rows["campaign_updates"].append(self.news(campaign))
            self.rows["investments"].append(self.investment(investor))
        # fixed now, so that what they see is compared with these alone
        self.everything = {table: set(rows) for table, rows in self.rows.items()}

    def document(self, user: uuid.UUID) -> uuid.UUID:
        return self.records.insert("kyc_documents", user=user, type="passport", sha256=HASH)

    def paper(self, campaign: uuid.UUID) -> uuid.UUID:
        values = {"title": "Plan", "type": "legal", "file_reference": "s3://x", "sha256": HASH}
        return self.records.insert("campaign_documents", campaign=campaign, **values)

    def news(self, campaign: uuid.UUID) -> uuid.UUID:
        return self.records.insert("campaign_updates", campaign=campaign, title="News", body="x")

    def investment(self, investor: uuid.UUID) -> uuid.UUID:
        campaign = self.rows["campaigns"][0]
        return self.records.insert(
            "investments", campaign=campaign, investor=investor, amount=5, payment_method="cbe"
        )

    def seen(self, table: str) -> set[uuid.UUID]:
        rows = self.records.connection.execute(f"SELECT id FROM platform.{table}".encode()).fetchall()
        return {row for (row,) in rows} & self.everything[table]

    def touched(self, table: str) -> set[uuid.UUID]:
        """Of which rows an update takes hold."""
        statement = f"UPDATE platform.{table} SET id = id RETURNING id"
        with self.records.connection.transaction(force_rollback=True):
            rows = self.records.connection.execute(statement.encode()).fetchall()
        return {row for (row,) in rows} & self.everything[table]


@pytest.fixture
def cast(records: Records) -> Cast:
    return Cast(records)


PUBLIC = {"companies", "campaigns", "campaign_documents", "campaign_updates"}
CHANGED = [table for table in TABLES if table not in ("campaign_documents", "campaign_updates")]


def test_the_app_itself(cast: Cast) -> None:
    for table in TABLES:
        assert cast.seen(table) == cast.everything[table]
    for table in CHANGED:
        assert cast.touched(table) == cast.everything[table]


@pytest.mark.parametrize("role", STAFF)
def test_staff(cast: Cast, role: str) -> None:
    cast.records.act_as(cast.staff[role])
    writes = {
        "admin": set(CHANGED),
        "compliance_officer": set(CHANGED),
        "custodian": {"investments"},
        "regulator": set(),
    }[role]
    for table in TABLES:
        assert cast.seen(table) == cast.everything[table], table
    for table in CHANGED:
        assert cast.touched(table) == (cast.everything[table] if table in writes else set()), table


@pytest.mark.parametrize("number", [0, 1])
def test_an_issuer(cast: Cast, number: int) -> None:
    cast.records.act_as(cast.issuers[number])
    own = {table: {rows[number]} for table, rows in cast.rows.items()}
    own |= {"users": {cast.issuers[number]}, "kyc_documents": set(), "investments": set()}
    for table in TABLES:
        on_chain = {cast.rows[table][0]} if table in PUBLIC else set()
        assert cast.seen(table) == own[table] | on_chain, table
    for table in CHANGED:
        assert cast.touched(table) == own[table], table


@pytest.mark.parametrize("number", [0, 1])
def test_an_investor(cast: Cast, number: int) -> None:
    cast.records.act_as(cast.investors[number])
    own = {table: set[uuid.UUID]() for table in TABLES}
    own |= {
        "users": {cast.investors[number]},
        "kyc_documents": {cast.rows["kyc_documents"][number]},
        "investments": {cast.rows["investments"][number]},
    }
    for table in TABLES:
        on_chain = {cast.rows[table][0]} if table in PUBLIC else set()
        assert cast.seen(table) == own[table] | on_chain, table
    for table in CHANGED:
        assert cast.touched(table) == own[table], table


def test_who_is_unknown_or_inactive_has_nothing_of_its_own(cast: Cast) -> None:
    for user in (uuid.uuid4(), cast.inactive):
        cast.records.act_as(user)
        for table in CHANGED:
            assert cast.touched(table) == set(), table
        assert cast.seen("investments") == cast.seen("kyc_documents") == set()
        assert cast.seen("campaigns") == {cast.rows["campaigns"][0]}


def test_whose_account_is_closed_has_not_even_that(cast: Cast) -> None:
    for user in (cast.issuers[1], cast.investors[1]):
        cast.records.act_as(None)
        cast.records.update("users", user, active=False)
        cast.records.act_as(user)
        for table in TABLES:
            on_chain = {cast.rows[table][0]} if table in PUBLIC else set()
            assert cast.seen(table) == on_chain, table
        for table in CHANGED:
            assert cast.touched(table) == set(), table


def test_a_regulator_changes_not_even_itself(cast: Cast) -> None:
    for role in ("regulator", "custodian"):
        cast.records.act_as(cast.staff[role])
        assert cast.records.update("users", cast.staff[role], phone="+251") == (role == "custodian")


def test_a_setting_that_is_no_user(records: Records) -> None:
    for said in ("abebe", "1", str(uuid.uuid4()) + "0", "'; DROP TABLE platform.users; --"):
        records.connection.execute("SELECT set_config('chainfirst.user', %s, true)", [said])
        with (
            pytest.raises(psycopg.errors.InvalidParameterValue, match=r"chainfirst\.user"),
            records.connection.transaction(),
        ):
            records.user()


INSERTS: dict[str, Callable[[Cast, int], uuid.UUID]] = {
    "users": lambda cast, _: cast.records.user(),
    "companies": lambda cast, number: cast.records.company(owner=cast.issuers[number]),
    "issuer_profiles": lambda cast, number: cast.records.insert(
        "issuer_profiles", company=cast.rows["companies"][number]
    ),
    "kyc_documents": lambda cast, number: cast.document(cast.investors[number]),
    "campaigns": lambda cast, number: cast.records.draft(cast.rows["companies"][number]),
    "campaign_documents": lambda cast, number: cast.paper(cast.rows["campaigns"][number]),
    "campaign_updates": lambda cast, number: cast.news(cast.rows["campaigns"][number]),
    "investments": lambda cast, number: cast.investment(cast.investors[number]),
}
OWN = {
    "issuer": {"companies", "issuer_profiles", "campaigns", "campaign_documents", "campaign_updates"},
    "investor": {"kyc_documents", "investments"},
}


@pytest.mark.parametrize("table", TABLES)
def test_who_adds(cast: Cast, table: str) -> None:
    cast.records.chain("DELETE FROM platform.issuer_profiles")
    actors: list[tuple[str, uuid.UUID]] = [
        *cast.staff.items(),
        ("issuer", cast.issuers[0]),
        ("investor", cast.investors[0]),
        ("nobody", cast.inactive),
    ]
    for role, actor in actors:
        for number in range(2):
            cast.records.act_as(actor)
            staff = role in ("admin", "compliance_officer") or (role, table) == ("custodian", "investments")
            allowed = staff or (table in OWN.get(role, ()) and number == 0)
            try:
                with cast.records.connection.transaction(force_rollback=True):
                    INSERTS[table](cast, number)
                    assert allowed, (role, number)
            except psycopg.errors.InsufficientPrivilege:
                assert not allowed, (role, number)


@pytest.mark.parametrize(
    ("table", "column", "values", "may"),
    [
        ("users", "kyc_status", {"kyc_status": "verified"}, {"admin", "compliance_officer"}),
        ("users", "kyc_level", {"kyc_level": 3}, {"admin", "compliance_officer"}),
        ("users", "kyc_level", {"aml_score": 3}, {"admin", "compliance_officer"}),
        ("users", "role", {"role": "admin"}, {"admin"}),
        ("users", "role", {"role": "custodian"}, {"admin"}),
        ("users", "role", {"active": False}, {"admin"}),
        ("companies", "verified", {"verified": True}, {"admin", "compliance_officer"}),
        ("kyc_documents", "status", {"status": "verified"}, {"admin", "compliance_officer"}),
        ("campaigns", "status", {"status": "approved"}, {"admin", "compliance_officer"}),
        ("campaigns", "status", {"status": "rejected"}, {"admin", "compliance_officer"}),
        (
            "investments",
            "status",
            {"status": "paid", "payment_reference": "FT1"},
            {"admin", "compliance_officer", "custodian"},
        ),
        ("investments", "status", {"status": "failed"}, {"admin", "compliance_officer", "custodian", "own"}),
    ],
)
def test_who_judges(records: Records, table: str, column: str, values: dict[str, Any], may: set[str]) -> None:
    records.tip()
    issuer, investor = records.user("issuer"), records.investor()
    own, row = {
        "users": lambda: (investor, records.user(kyc="pending")),
        "companies": lambda: (issuer, records.company(owner=issuer)),
        "kyc_documents": lambda: (
            investor,
            records.insert("kyc_documents", user=investor, type="passport", sha256=HASH),
        ),
        "campaigns": lambda: (issuer, records.pending(records.verified_company(owner=issuer))),
        "investments": lambda: (
            investor,
            records.insert(
                "investments", campaign=records.running(), investor=investor, amount=5, payment_method="cbe"
            ),
        ),
    }[table]()
    if table == "users":
        own = row
    actors = {role: records.user(role) for role in STAFF} | {"own": own}
    for role, actor in actors.items():
        records.act_as(actor)
        try:
            with records.connection.transaction(force_rollback=True):
                changed = records.update(table, row, **values)
                assert changed == (role in may), role
        except psycopg.errors.InsufficientPrivilege as error:
            assert role not in may, role
            assert error.diag.column_name == column
            assert str(error).startswith(f"{column}: the acting user's role is ")


def test_users_see_to_their_own_papers(records: Records) -> None:
    investor = records.user()
    records.act_as(investor)
    assert records.update("users", investor, wallet=wallet(), kyc_status="pending", phone="+251") == 1
    with records.refused(None, "compliance_officer", column="kyc_status"):
        records.update("users", investor, kyc_status="unverified")
    document = records.insert("kyc_documents", user=investor, type="passport", sha256=HASH)
    assert records.update("kyc_documents", document, type="other") == 1


def test_only_an_admin_makes_admins(records: Records) -> None:
    officer, admin = records.user("compliance_officer"), records.user("admin")
    records.act_as(officer)
    records.user("custodian")
    with records.refused(None, column="role"):
        records.user("admin")
    records.act_as(admin)
    records.user("admin")


def test_calling_off_takes_staff(records: Records) -> None:
    records.tip()
    issuer = records.user("issuer")
    campaign = records.running(records.verified_company(owner=issuer))
    records.act_as(issuer)
    with records.refused(None, column="cancelled_at"):
        records.update("campaigns", campaign, cancelled_at=NOW, cancel_reason="Rain")


def test_the_audit_is_for_those_who_control(cast: Cast) -> None:
    count = "SELECT count(*) > 0 FROM platform.audit"
    for role, actor in [*cast.staff.items(), ("issuer", cast.issuers[0]), ("investor", cast.investors[0])]:
        cast.records.act_as(actor)
        row = cast.records.connection.execute(count.encode()).fetchone()
        assert row == (role in ("admin", "compliance_officer", "regulator"),), role


def test_policies_cost_no_scan(records: Records) -> None:
    """A row is found by its index, and the acting user is asked for once."""
    records.act_as(records.user("investor"))
    records.connection.execute("SET LOCAL enable_seqscan = off")
    for table in ("users", "companies", "campaigns", "investments"):
        plan = "\n".join(
            line
            for (line,) in records.connection.execute(
                f"EXPLAIN SELECT * FROM platform.{table} WHERE id = '{uuid.uuid4()}'".encode()
            )
        )
        assert "InitPlan" in plan
        assert f"Seq Scan on {table}" not in plan, plan
