"""Text from users comes back as it went in, or its column is named; what goes on chain is what kinds take."""

import re
import uuid
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import HASH, NOW, Records
from chainfirst.writers import campaigns, issuers, payload
from hypothesis import example, given, settings
from hypothesis import strategies as st

HOSTILE = [
    "'; DROP TABLE platform.users; --",
    'a "quoted" name',
    "back\\slash \\u0041 $$ $1 %s %(x)s {0}",
    "<script>alert(1)</script>",
    "ሸገር ቡና",
    "\u202eevom\u202c ‮ ‏ right to left",
    "👩‍👩‍👧‍👦🇪🇹",
    "e\u0301 combining",
    "a\u0300" * 50,
    "\ufffd\ufeff\uffff",
    "x" * 200,
]


def refusal(records: Records, write: Any) -> str:
    """The column that it is refused for. The error shows nothing of the row."""
    with pytest.raises(psycopg.Error) as caught, records.connection.transaction():
        write()
    error = caught.value
    assert isinstance(error, psycopg.errors.CheckViolation), error
    assert error.diag.constraint_name
    assert error.diag.column_name
    assert error.diag.message_detail is None
    assert error.diag.message_hint
    assert len(str(error)) < 2_000
    return f"{error.diag.table_name}.{error.diag.column_name}"


@pytest.mark.parametrize("text", HOSTILE)
def test_it_comes_back(records: Records, text: str) -> None:
    user = records.user("issuer", full_name=text)
    company = records.verified_company(owner=user, name=text, sector=text[:100], description=text)
    profile = records.insert("issuer_profiles", company=company, contact_name=text, registered_address=text)
    campaign = records.draft(company, title=text, description=text)
    news = records.insert("campaign_updates", campaign=campaign, title=text, body=text)
    records.update("campaigns", campaign, status="pending")
    records.update("campaigns", campaign, status="rejected", rejection_reason=text)
    assert records.row("users", user)["full_name"] == text
    assert records.row("companies", company)["description"] == text
    assert records.row("issuer_profiles", profile)["registered_address"] == text
    assert records.row("campaigns", campaign)["rejection_reason"] == text
    assert records.row("campaign_updates", news)["body"] == text
    (said,) = records.connection.execute(
        "SELECT changes ->> 'full_name' FROM platform.audit WHERE row_id = %s", [user]
    ).fetchone() or (None,)
    assert said == text
    # and in the intent that registers it
    (name,) = records.connection.execute(
        "SELECT payload ->> 'name' FROM intent.intents WHERE key LIKE %s", [f"company:{company}:%"]
    ).fetchone() or (None,)
    assert name == text


def test_every_check_says_what_a_value_must_be(session: psycopg.Connection[Any]) -> None:
    rows = session.execute(
        "SELECT c.conname::text FROM pg_constraint c WHERE c.contype = 'c'"
        " AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = conrelid AND tgname = 'inspect')"
        " AND coalesce(obj_description(c.oid, 'pg_constraint'), '') = ''"
    ).fetchall()
    asked = session.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'inspect'").fetchone()
    session.rollback()
    assert (rows, asked) == ([], (8,))


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("users", "email", "abebe", "email: must be an address such as"),
        ("users", "role", "king", "role: must be admin, compliance_officer"),
        ("companies", "tin", "!", "tin: must have 4 to 32"),
        ("campaigns", "document_uri", "no uri", "document_uri: must be a URI"),
        ("investments", "payment_method", "gold", "payment_method: must be token"),
    ],
)
def test_what_the_user_reads(records: Records, table: str, column: str, value: str, said: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught, records.connection.transaction():
        _insert(records, table, column, value)
    assert str(caught.value).startswith(said)
    assert caught.value.diag.column_name == column


def test_a_null_names_its_column_and_shows_nothing(records: Records) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation) as caught, records.connection.transaction():
        records.user(full_name=None, phone="+251 secret")
    assert str(caught.value).startswith("full_name: must be given")
    assert caught.value.diag.column_name == "full_name"
    assert "secret" not in str(caught.value)


def _columns(records: Records) -> list[tuple[str, str]]:
    rows = records.connection.execute(
        "SELECT relname::text, attname::text FROM pg_class c JOIN pg_attribute ON attrelid = c.oid"
        " WHERE relnamespace = 'platform'::regnamespace AND relkind = 'r' AND atttypid = 'text'::regtype"
        " AND attnum > 0 AND has_table_privilege(c.oid, 'INSERT')"
    ).fetchall()
    assert len(rows) > 30
    return rows


def _insert(records: Records, table: str, column: str, value: str) -> uuid.UUID:
    records.tip()
    text = {column: value}
    match table:
        case "users":
            return records.user(**text)
        case "companies":
            return records.company(**text)
        case "issuer_profiles":
            return records.insert(table, company=records.company(), **text)
        case "kyc_documents":
            given = {"user": records.user(), "type": "passport", "sha256": HASH}
            return records.insert(table, **(given | text))
        case "campaigns" if column == "cancel_reason":
            campaign = records.pending(records.verified_company())
            records.update(table, campaign, status="approved")
            records.update(table, campaign, cancelled_at=NOW, **text)
            return campaign
        case "campaigns":
            return records.draft(records.verified_company(), **text)
        case "campaign_documents":
            given = {"title": "Plan", "type": "legal", "file_reference": "s3://x", "sha256": HASH}
            campaign = records.draft(records.verified_company())
            return records.insert(table, campaign=campaign, **(given | text))
        case "campaign_updates":
            campaign = records.draft(records.verified_company())
            return records.insert(table, campaign=campaign, **({"title": "News", "body": "x"} | text))
        case _:
            given = {"campaign": records.running(), "investor": records.investor(), "amount": 5}
            given |= {"payment_method": "cbe"}
            if column != "failure_reason":
                return records.insert(table, **(given | text))
            investment = records.insert(table, **given)
            records.update(table, investment, status="failed", **text)
            return investment


def test_an_address_that_is_taken_is_not_shown(records: Records) -> None:
    """The server logs an error's DETAIL: no personal data belongs there."""
    other = records.user()
    records.user(email="Abebe@example.org")
    for write in (
        lambda: records.user(email="abebe@Example.org"),
        lambda: records.update("users", other, email="abebe@example.org"),
    ):
        with pytest.raises(psycopg.errors.UniqueViolation) as caught, records.connection.transaction():
            write()
        said = caught.value.diag
        assert (said.constraint_name, said.column_name) == ("users_email", "email")
        assert said.message_detail is None
        assert "abebe" not in str(caught.value).lower()


def test_a_megabyte_names_its_column(records: Records) -> None:
    """Every column of text that an app writes, from the catalogue."""
    for table, column in _columns(records):
        if table == "investments" and column in ("wallet", "chain_id"):  # the database's own
            continue
        for big in ("x" * 1_000_000, "ቡ" * 400_000):
            refused = refusal(records, lambda t=table, c=column, v=big: _insert(records, t, c, v))
            assert refused == f"{table}.{column}"


def test_nul_is_refused(records: Records) -> None:
    """By psycopg and by PostgreSQL itself, which can't hold it."""
    with pytest.raises(psycopg.DataError, match="NUL"), records.connection.transaction():
        records.user(full_name="a\0b")
    with pytest.raises(psycopg.errors.UntranslatableCharacter), records.connection.transaction():
        records.connection.execute("SELECT %s::jsonb ->> 'a'", [r'{"a": "\u0000"}'])
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire), records.connection.transaction():
        records.connection.execute("SELECT convert_from('\\x6100', 'UTF8')")


LINES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=70)
SPECIAL = st.text(
    st.sampled_from(" \t\n\x0b\x1c\x85\xa0\u1680\u2007\u2028\u202f\u3000\ufeff\x7fa'\"0x"), max_size=6
)
TEXTS = LINES | SPECIAL | st.builds("{}{}".format, st.sampled_from(["0x", "0X", "ipfs:", "HTTP://"]), LINES)


def _takes(kind: type[payload.Payload], field: str, given: dict[str, Any], value: str) -> bool:
    try:
        payload.read(kind, given | {field: value})
    except payload.PayloadError as error:
        assert {problem.key for problem in error.problems} == {field}
        return False
    return True


def _checked(session: psycopg.Connection[Any], table: str, column: str, value: str) -> bool:
    """Whether the checks of that column alone take it."""
    rows = session.execute(
        "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint"
        " WHERE contype = 'c' AND conrelid = %s::regclass"
        " AND conkey = ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = %s)]",
        [f"platform.{table}", column],
    ).fetchall()
    assert rows
    both = " AND ".join(f"({expression})" for (expression,) in rows)
    found = session.execute(
        f"SELECT {both} FROM (SELECT %s::text AS {column}) x".encode(), [value]
    ).fetchone()
    assert found is not None
    return bool(found[0])


COMPANY = {"company": str(uuid.UUID(int=1 << 64)), "wallet": "0x" + "12" * 20}
REGISTER = COMPANY | {"credential_hash": HASH, "document_uri": "ipfs://x"}
CREATE = {
    "campaign": COMPANY["company"],
    "issuer": COMPANY["wallet"],
    "funding_goal": "1",
    "min_investment": "0",
    "max_investment": "0",
    "duration_seconds": 86_400 * 30,
    "grace_seconds": 0,
    "success_threshold_bps": 1,
    "document_uri": "ipfs://x",
}
RECORD = {
    "campaign": COMPANY["company"],
    "investment": COMPANY["company"],
    "investor": COMPANY["wallet"],
    "amount": "1",
    "payment_reference": "x",
}
PAIRS: list[tuple[str, str, type[payload.Payload], str, dict[str, Any]]] = [
    ("companies", "name", issuers.Register, "name", REGISTER),
    ("companies", "document_uri", issuers.Register, "document_uri", REGISTER),
    ("companies", "credential_hash", issuers.Register, "credential_hash", REGISTER),
    ("campaigns", "title", campaigns.Create, "title", CREATE),
    ("campaigns", "document_uri", campaigns.Create, "document_uri", CREATE),
    (
        "campaigns",
        "cancel_reason",
        campaigns.Cancel,
        "reason",
        {"campaign": COMPANY["company"], "reason": "x"},
    ),
    ("investments", "payment_reference", campaigns.RecordInvestment, "payment_reference", RECORD),
]


@pytest.mark.parametrize(("table", "column", "kind", "field", "given_fields"), PAIRS)
def test_what_a_record_takes_its_kind_takes(
    session: psycopg.Connection[Any],
    table: str,
    column: str,
    kind: type[payload.Payload],
    field: str,
    given_fields: dict[str, Any],
) -> None:
    @settings(max_examples=150, deadline=None)
    @given(TEXTS)
    @example("0x" + "0" * 64)
    @example("0x" + "1a" * 32)
    @example("0x" + "1A" * 32)
    @example("ቡ" * 200)
    @example("x" * 200)
    @example("ipfs://" + "x" * 505)
    @example("ipfs://" + "x" * 506)
    @example(" ")
    @example("\u2028")
    @example("Rain\nand hail")
    def taken(value: str) -> None:
        # fold the case that the payload folds
        if column == "payment_reference" and re.fullmatch("0x[0-9a-fA-F]{64}", value):
            value = value.lower()
        by_record = _checked(session, table, column, value)
        by_kind = _takes(kind, field, given_fields, value)
        assert by_record <= by_kind, value
        # and no less, but for tabs in a line, and a hash in capitals
        assert by_record == by_kind or field == "credential_hash" or "\t" in value, value

    taken()
    session.rollback()


@pytest.mark.parametrize("amount", ["0.001", "1e14", "NaN", "Infinity", "-1", "0"])
def test_amounts_are_birr_and_santim(records: Records, amount: str) -> None:
    """Two decimals; more are refused, not rounded."""
    company = records.verified_company()
    with pytest.raises(psycopg.Error) as caught, records.connection.transaction():
        records.draft(company, goal=Decimal(amount))
    assert isinstance(caught.value, (psycopg.errors.CheckViolation, psycopg.errors.NumericValueOutOfRange)), (
        caught.value
    )


def test_a_reason_of_many_lines(records: Records) -> None:
    campaign = records.pending(records.verified_company())
    records.update("campaigns", campaign, status="approved")
    records.update("campaigns", campaign, cancelled_at=NOW, cancel_reason="Rain\n\tand hail ዝናብ")
