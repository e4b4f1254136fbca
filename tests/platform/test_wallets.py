"""Hashes and wallets as the chain spells them, and wallets that may not change."""

import uuid
from typing import Any

import psycopg
import pytest
from chainfirst.tests.platform.records import HASH, Records, chain_id, wallet
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # EIP-55's first example


def one(session: psycopg.Connection[Any], statement: str, *values: Any) -> Any:
    row = session.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=450))
@example(b"")
@example(b"\xff" * 135)
@example(b"\x80" * 136)
@example(b"\x00" * 137)
@example(bytes(272))
def test_keccak(session: psycopg.Connection[Any], message: bytes) -> None:
    assert one(session, "SELECT platform.keccak256(%s)", message) == keccak(message)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=20, max_size=20).filter(any), st.integers(0, 39))
@example(bytes(19) + b"\x01", 0)
@example(b"\xaa" * 20, 0)
def test_checksums(session: psycopg.Connection[Any], account: bytes, place: int) -> None:
    right = to_checksum_address(account)
    for spelled in (right, right.lower(), "0x" + right[2:].upper()):
        assert one(session, "SELECT platform.checked_wallet(%s)", spelled) == right.lower()
    wrong = right[: place + 2] + right[place + 2].swapcase() + right[place + 3 :]
    if wrong == right or wrong[2:] in (wrong[2:].lower(), wrong[2:].upper()):
        return
    refused = pytest.raises(psycopg.errors.CheckViolation, match=f"^wallet: {wrong} has a wrong checksum")
    with refused, session.transaction():
        one(session, "SELECT platform.checked_wallet(%s)", wrong)


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20), st.uuids())
def test_ids_of_investments_made_on_chain(
    session: psycopg.Connection[Any], campaign: bytes, investor: bytes, nonce: uuid.UUID
) -> None:
    packed = encode(["address", "address", "bytes32"], [campaign, investor, nonce.bytes + bytes(16)])
    statement = "SELECT platform.investment_id(%s, %s, platform.chain_id(%s))"
    found = one(session, statement, f"0x{campaign.hex()}", f"0x{investor.hex()}", nonce)
    assert found == f"0x{keccak(packed).hex()}"


@pytest.mark.parametrize(
    ("rule", "spelled"),
    [
        ("shape", ""),
        ("shape", "0x"),
        ("shape", MIXED[:-1]),
        ("shape", MIXED + "0"),
        ("shape", MIXED + "\n"),
        ("shape", " " + MIXED),
        ("shape", MIXED.replace("0x", "0X")),
        ("shape", MIXED[2:]),
        ("shape", "abebe.eth"),
        ("shape", "0x" + "٣" * 40),  # digits, but not ours
        ("shape", "x" * 1_000_000),
        ("zero", "0x" + "0" * 40),
        ("checksum", MIXED.replace("5aA", "5Aa")),
    ],
)
@pytest.mark.parametrize("table", ["users", "companies"])
def test_what_is_no_wallet(records: Records, table: str, rule: str, spelled: str) -> None:
    insert = records.user if table == "users" else records.company
    with records.refused(f"{table}_wallet_{rule}", column="wallet"):
        insert(wallet=spelled)
    made = insert(wallet=MIXED)
    assert records.row(table, made)["wallet"] == MIXED.lower()
    with records.refused(f"{table}_wallet_{rule}", column="wallet"):
        records.update(table, made, wallet=spelled)


def test_an_account_belongs_to_one(records: Records) -> None:
    records.user(wallet=MIXED)
    with pytest.raises(psycopg.errors.UniqueViolation), records.connection.transaction():
        records.user(wallet=MIXED.lower())


def test_a_verified_investor_changes_it_by_its_own_path(records: Records) -> None:
    investor = records.user(wallet=wallet())
    records.update("users", investor, wallet=wallet())
    records.update("users", investor, kyc_status="pending")
    records.update("users", investor, kyc_status="verified")
    for other in (wallet(), None):
        with records.refused("users_wallet_fixed", "platform.change_wallet"):
            records.update("users", investor, wallet=other)
    same = records.row("users", investor)["wallet"]
    assert records.update("users", investor, wallet=to_checksum_address(same)) == 1
    assert records.row("users", investor)["revision"] == 4  # nothing changed by that


def test_the_first_wallet_replaces_none(records: Records) -> None:
    investor = records.user(kyc="verified")
    records.update("users", investor, wallet=wallet())


def test_who_has_invested_changes_it_by_its_own_path(records: Records) -> None:
    records.tip()
    campaign, investor = records.running(), records.investor()
    made = records.insert("investments", campaign=campaign, investor=investor, amount=5, payment_method="cbe")
    records.update("users", investor, kyc_status="expired")
    with records.refused("users_wallet_fixed"):
        records.update("users", investor, wallet=wallet())
    records.update("investments", made, status="failed")
    records.update("users", investor, wallet=wallet())


def test_where_anothers_refunds_go_is_nobodys_new_wallet(records: Records) -> None:
    records.tip()
    campaign, investor, other = records.running(), records.investor(), records.investor()
    left = records.row("users", investor)["wallet"]
    made = records.insert(
        "investments", campaign=campaign, investor=investor, amount=5, payment_method="cbe",
        payment_reference="FT1",
    )  # fmt: skip
    records.update("investments", made, status="paid")
    change = "SELECT platform.change_wallet('user', %s, %s)"
    records.connection.execute(change, [investor, wallet()])
    with records.refused("users_wallet_left", "another user has invested"):
        records.connection.execute(change, [other, left])
    with records.refused("users_wallet_left"):
        records.user(wallet=left)
    records.connection.execute(change, [investor, left])


def test_a_registered_company_changes_it_by_its_own_path(records: Records) -> None:
    company = records.company()
    records.update("companies", company, wallet=wallet())
    records.update("companies", company, verified=True)
    with records.refused("companies_wallet_fixed", "platform.change_wallet"):
        records.update("companies", company, wallet=wallet())
    with records.refused("companies_credential_hash_fixed"):
        records.update("companies", company, credential_hash="0x" + "77" * 32)
    # what was rejected is mended
    key = f"company:{company}:register:%"
    records.chain(
        "UPDATE intent.intents SET outcome = 'rejected', error = 'WalletTaken', ended_at = now()"
        " WHERE key LIKE %s",
        key,
    )
    records.update("companies", company, wallet=wallet(), credential_hash="0x" + "77" * 32)
    records.register(company)
    with records.refused("companies_wallet_fixed"):
        records.update("companies", company, wallet=wallet())


def test_the_owners_functions_and_imports_pass_the_guard(records: Records) -> None:
    investor, company = records.investor(), records.verified_company()
    for table, row in (("users", investor), ("companies", company)):
        with records.as_chain():
            records.connection.execute("SET ROLE chainfirst_owner")
            records.update(table, row, wallet=MIXED)
        assert records.row(table, row)["wallet"] == MIXED.lower()


def test_chain_id(session: psycopg.Connection[Any]) -> None:
    row = uuid.UUID(HASH[2:34])
    assert one(session, "SELECT platform.chain_id(%s)", row) == chain_id(row)
