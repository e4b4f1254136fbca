"""What a chain would have said, as plain rows: the daemon's own, written by hand in a test's transaction.

Events are what happened, in the schema `event`; the ledger's rows are made of them by its views, as the
daemon does it.
"""

import secrets
from typing import Any

from django.db import connection
from psycopg import sql
from psycopg.types.json import Jsonb

from records.models import Campaign, Company

REGISTRY, FACTORY = "0x" + "11" * 20, "0x" + "22" * 20
REFUSED = """
UPDATE intent.intents SET outcome = 'rejected', error = %s, ended_at = clock_timestamp()
WHERE key = (SELECT key FROM platform.requests WHERE row_id = %s ORDER BY asked_at DESC LIMIT 1)
"""
BLOCK, TIME = 10, "2026-06-01 12:00+03"


def final_block() -> None:
    """Everything up to BLOCK is indexed and final."""
    at = _word()
    _row("chain", "blocks", number=BLOCK, hash=at, parent_hash=_word(), time=TIME)
    _row(
        "chain", "cursor", chain_id=1, genesis_hash=_word(), indexed_number=BLOCK, indexed_hash=at,
        final_number=BLOCK, final_hash=at,
    )  # fmt: skip


def registered(company: Company) -> None:
    """The registry of issuers has the company."""
    company_id = _on_chain(company)
    _event(
        "issuer_registry_issuer_registered", 0, REGISTRY, company_id=company_id, issuer=company.wallet,
        credential_hash=company.credential_hash, document_uri=company.document_uri,
    )  # fmt: skip
    _fold("issuers", "company_id", company_id)


def created(campaign: Campaign) -> str:
    """The campaign runs; its contract's address."""
    address = _address()
    terms = {"fundingGoal": str(campaign.goal * 100), "minInvestment": "0", "maxInvestment": "0"}
    _event(
        "campaign_factory_campaign_created", 1, FACTORY, campaign_id=_on_chain(campaign), campaign=address,
        issuer=campaign.company.wallet, terms=Jsonb(terms), token=_address(), fee_bps=250,
        deadline=1_790_000_000, record_until=1_790_600_000,
    )  # fmt: skip
    _fold("campaigns", "address", address)
    return address


def invested(address: str, investment_id: str, investor: str, birr: int) -> None:
    """An investment in the campaign at that address, its first one."""
    units = birr * 100
    _event(
        "campaign_investment_recorded", 2, address, investment_id=investment_id, investor=investor,
        payer=_address(), amount=units, payment_reference=_word(), investor_total=units, total_raised=units,
        escrow_balance=units, investor_count=1,
    )  # fmt: skip
    _fold("campaigns", "address", address)


def refused(record: Any, why: str) -> None:
    """What was asked for that record last can't be done."""
    with connection.cursor() as cursor:
        cursor.execute(REFUSED, [why, record.pk])


def _event(name: str, log_index: int, address: str, **values: Any) -> None:
    place = {"block_number": BLOCK, "tx_index": 0, "log_index": log_index, "block_time": TIME}
    _row("event", name, **place, tx_hash=_word(), address=address, **values)


def _fold(relation: str, key: str, value: str) -> None:
    table, fold = sql.Identifier("ledger", relation), sql.Identifier("ledger", f"{relation}_fold")
    wanted = sql.SQL("WHERE {} = %s").format(sql.Identifier(key))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DELETE FROM {} {}").format(table, wanted), [value])
        cursor.execute(sql.SQL("INSERT INTO {} SELECT * FROM {} {}").format(table, fold, wanted), [value])


def _row(schema: str, table: str, **values: Any) -> None:
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(schema, table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join([sql.Placeholder()] * len(values)),
    )
    with connection.cursor() as cursor:
        cursor.execute(insert, list(values.values()))


def _on_chain(record: Any) -> str:
    return f"0x{record.pk.hex}{'0' * 32}"


def _address() -> str:
    return f"0x{secrets.token_hex(20)}"


def _word() -> str:
    return f"0x{secrets.token_hex(32)}"
