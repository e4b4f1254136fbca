"""Rows of the schema platform as an app writes them, and of the ledger as the indexer would."""

import contextlib
import itertools
import re
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.types.json import Jsonb

REGISTRY, FACTORY, TOKEN = (f"0x{digit * 40}" for digit in "abc")
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
HASH = "0x" + "5a" * 32
DAY = 86_400
BLOCKS = itertools.count(1)  # committed or not, an event has a block of its own


def wallet() -> str:
    return f"0x{secrets.token_hex(20)}"


def chain_id(row: uuid.UUID) -> str:
    return f"0x{row.hex}{'0' * 32}"


class Records:
    """`connection` acts as chainfirst_app; what an app may not do is done as the superuser, in between."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    # what an app does

    def insert(self, table: str, **values: Any) -> uuid.UUID:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier("platform", table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        row = self.connection.execute(statement, list(values.values())).fetchone()
        assert row is not None
        made: uuid.UUID = row[0]
        return made

    def update(self, table: str, row: uuid.UUID, **values: Any) -> int:
        """How many rows it changed."""
        statement = sql.SQL("UPDATE {} SET {} WHERE id = {}").format(
            sql.Identifier("platform", table),
            sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder()) for name in values
            ),
            sql.Placeholder(),
        )
        return self.connection.execute(statement, [*values.values(), row]).rowcount

    def row(self, table: str, row: uuid.UUID) -> dict[str, Any]:
        statement = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE id = %s").format(
            sql.Identifier("platform", table)
        )
        found = self.connection.execute(statement, [row]).fetchone()
        assert found is not None
        values: dict[str, Any] = found[0]
        return values

    def act_as(self, user: uuid.UUID | None) -> None:
        self.connection.execute(
            "SELECT set_config('chainfirst.user', %s, true)", ["" if user is None else str(user)]
        )

    @contextlib.contextmanager
    def refused(self, constraint: str | None, *words: str, column: str | None = None) -> Iterator[None]:
        """The statement is refused by that rule, with such words, a remedy, and the column; and undone."""
        with pytest.raises(psycopg.Error) as caught, self.connection.transaction():
            yield
        error = caught.value
        if constraint is None:
            assert isinstance(error, errors.InsufficientPrivilege), error
        else:
            assert isinstance(error, errors.CheckViolation), error
            assert error.diag.constraint_name == constraint, error
            column = column or constraint
        assert error.diag.schema_name == "platform"
        assert error.diag.column_name and error.diag.column_name in (column or error.diag.column_name)
        assert re.match(rf"{error.diag.column_name}: .{{5}}", str(error)), error
        assert error.diag.message_hint
        for word in words:
            assert word in str(error), error

    # rows that are as they should be

    def user(self, role: str = "investor", kyc: str = "unverified", **values: Any) -> uuid.UUID:
        name = secrets.token_hex(8)
        values = {"email": f"{name}@example.org", "full_name": name, "role": role} | values
        made = self.insert("users", **values)
        for step in {"verified": ["pending", "verified"], "pending": ["pending"]}.get(kyc, []):
            self.update("users", made, kyc_status=step)
        return made

    def investor(self, **values: Any) -> uuid.UUID:
        return self.user(kyc="verified", **({"wallet": wallet()} | values))

    def company(self, **values: Any) -> uuid.UUID:
        """A company with all that it needs to be verified."""
        values.setdefault("owner", None)
        values["owner"] = values["owner"] or self.user("issuer")
        return self.insert(
            "companies",
            **{
                "name": "Habesha Coffee",
                "tin": secrets.token_hex(8),
                "sector": "Coffee",
                "wallet": wallet(),
                "document_uri": "ipfs://profile",
                "document_hash": HASH,
                "credential_hash": HASH,
            }
            | values,
        )

    def verified_company(self, on_chain: bool = True, **values: Any) -> uuid.UUID:
        made = self.company(**values)
        self.update("companies", made, verified=True)
        if on_chain:
            self.register(made)
        return made

    def draft(self, company: uuid.UUID, **values: Any) -> uuid.UUID:
        terms = {"title": "More coffee", "goal": 1000, "duration_days": 30, "document_uri": "ipfs://terms"}
        return self.insert("campaigns", company=company, **(terms | values))

    def pending(self, company: uuid.UUID, **values: Any) -> uuid.UUID:
        made = self.draft(company, **values)
        self.update("campaigns", made, status="pending")
        return made

    def running(self, company: uuid.UUID | None = None, **values: Any) -> uuid.UUID:
        """A campaign that is approved and on chain."""
        made = self.pending(company or self.verified_company(), **values)
        self.update("campaigns", made, status="approved")
        self.launch(made)
        return made

    # what comes from the chain

    @contextlib.contextmanager
    def as_chain(self) -> Iterator[None]:
        self.connection.execute("RESET ROLE")
        try:
            yield
        finally:
            self.connection.execute("SET ROLE chainfirst_app")

    def ledger(self, table: str, **values: Any) -> None:
        """A row of ledger, or of event with its schema in front."""
        schema, name = table.split(".") if "." in table else ("ledger", table)
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(schema, name),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        with self.as_chain():
            self.connection.execute(statement, list(values.values()))

    def event(self, table: str, address: str, at: datetime = NOW, **values: Any) -> None:
        place = {
            "block_number": next(BLOCKS),
            "tx_index": 0,
            "log_index": 0,
            "block_time": at,
            "tx_hash": HASH,
        }
        self.ledger(f"event.{table}", **place, address=address, **values)

    def tip(self, time: datetime = NOW, number: int = 1_000_000) -> None:
        """The last indexed block has that time."""
        with self.as_chain():
            self.connection.execute("DELETE FROM chain.blocks")
            self.connection.execute("DELETE FROM chain.cursor")
            self.connection.execute(
                "INSERT INTO chain.blocks VALUES (%s, %s, %s, %s)", [number, HASH, HASH, time]
            )
            self.connection.execute(
                "INSERT INTO chain.cursor (chain_id, genesis_hash, indexed_number, indexed_hash)"
                " VALUES (1, %s, %s, %s)",
                [HASH, number, HASH],
            )

    def register(self, company: uuid.UUID, active: bool = True) -> None:
        self.ledger(
            "issuers",
            address=REGISTRY,
            company_id=chain_id(company),
            issuer=self.row("companies", company)["wallet"],
            credential_hash=HASH,
            document_uri="ipfs://profile",
            active=active,
            registered_block=1,
            registered_at=NOW,
        )

    def launch(self, campaign: uuid.UUID, at: datetime = NOW) -> str:
        """Its contract's address."""
        row = self.row("campaigns", campaign)
        company = uuid.UUID(row["company"])
        address = wallet()
        deadline = int(at.timestamp()) + row["duration_days"] * DAY
        self.ledger(
            "campaigns",
            address=address,
            factory=FACTORY,
            campaign_id=chain_id(campaign),
            issuer=self.row("companies", company)["wallet"],
            token=TOKEN,
            terms=Jsonb(
                {
                    "campaignId": chain_id(campaign),
                    "fundingGoal": str(int(row["goal"] * 100)),
                    "minInvestment": str(int(row["min_investment"] * 100)),
                    "maxInvestment": str(int((row["max_investment"] or 0) * 100)),
                }
            ),
            fee_bps=0,
            deadline=deadline,
            record_until=deadline + row["grace_days"] * DAY,
            status="active",
            total_raised=0,
            investor_count=0,
            paused=False,
            created_block=1,
            created_at=at,
        )
        self.event(
            "issuer_registry_issuer_campaign_changed",
            REGISTRY,
            at,
            company_id=chain_id(company),
            issuer=wallet(),
            campaign=address,
        )
        self.chain(
            "UPDATE ledger.issuers SET active_campaign = %s WHERE company_id = %s", address, chain_id(company)
        )
        return address

    def end(self, campaign: uuid.UUID, status: str = "successful") -> None:
        self.chain(
            "UPDATE ledger.campaigns SET status = %s, ended_at = created_at WHERE campaign_id = %s",
            status,
            chain_id(campaign),
        )
        self.chain(
            "UPDATE ledger.issuers i SET active_campaign = NULL FROM ledger.campaigns c"
            " WHERE c.address = i.active_campaign AND c.campaign_id = %s",
            chain_id(campaign),
        )

    def recorded(self, campaign: uuid.UUID, investment_id: str, investor: str, units: int) -> None:
        """An investment as the campaign's contract says it."""
        (address, raised) = self.chain(
            "UPDATE ledger.campaigns SET total_raised = total_raised + %s WHERE campaign_id = %s"
            " RETURNING address, total_raised",
            units,
            chain_id(campaign),
        )[0]
        self.event(
            "campaign_investment_recorded",
            address,
            investment_id=investment_id,
            investor=investor,
            payer=investor,
            amount=units,
            payment_reference=f"0x{'0' * 64}",
            investor_total=units,
            total_raised=raised,
            escrow_balance=raised,
            investor_count=1,
        )

    def chain(self, statement: str, *values: Any) -> list[Any]:
        with self.as_chain():
            cursor = self.connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []
