"""The platform's rows as an app writes them, and what they asked of the chain."""

import secrets
import uuid
from typing import Any

import psycopg
from psycopg import sql

HASH = "0x" + "1c" * 32


def new_wallet() -> str:
    return f"0x{secrets.token_hex(20)}"


def on_chain(row: uuid.UUID) -> str:
    return f"0x{row.hex}{'0' * 32}"


class Rows:
    """`app` writes the rows, in autocommit or in a transaction of the caller's."""

    def __init__(self, app: psycopg.Connection[Any]) -> None:
        self.app = app

    def insert(self, table: str, **values: Any) -> uuid.UUID:
        statement = sql.SQL("INSERT INTO platform.{} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        return self._id(statement, list(values.values()))

    def set(self, table: str, row: uuid.UUID, **values: Any) -> None:
        assignments = [sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values]
        statement = sql.SQL("UPDATE platform.{} SET {} WHERE id = %s RETURNING id").format(
            sql.Identifier(table), sql.SQL(", ").join(assignments)
        )
        self._id(statement, [*values.values(), row])

    def user(self, role: str = "investor", **values: Any) -> uuid.UUID:
        email = f"{secrets.token_hex(8)}@example.test"
        return self.insert("users", email=email, full_name="Abebe Bikila አበበ", role=role, **values)

    def investor(self, wallet: str | None = None) -> uuid.UUID:
        """Verified, with a wallet."""
        user = self.user(wallet=wallet or new_wallet())
        self.know(user)
        return user

    def know(self, user: uuid.UUID) -> None:
        """Verify a user who may be in any state."""
        self.set("users", user, kyc_status="pending")
        self.set("users", user, kyc_status="verified")

    def company(self, *, verified: bool = True, **values: Any) -> uuid.UUID:
        given = {
            "owner": self.user("issuer"), "name": "Sheger Coffee ሸገር ቡና", "tin": secrets.token_hex(6),
            "sector": "coffee", "wallet": new_wallet(), "document_uri": "https://example.test/profile",
            "document_hash": HASH, "credential_hash": HASH,
        }  # fmt: skip
        company = self.insert("companies", **given | values)
        if verified:
            self.set("companies", company, verified=True)
        return company

    def campaign(self, company: uuid.UUID, *, status: str = "approved", **values: Any) -> uuid.UUID:
        given = {
            "company": company, "title": "Coffee shares", "goal": 10_000, "min_investment": 100,
            "duration_days": 30, "document_uri": "https://example.test/offer",
        }  # fmt: skip
        campaign = self.insert("campaigns", **given | values)
        if status != "draft":
            self.submit(campaign)
        if status == "approved":
            self.approve(campaign)
        return campaign

    def submit(self, campaign: uuid.UUID) -> None:
        self.app.execute(
            "UPDATE platform.campaigns SET status = 'pending', submitted_at = now() WHERE id = %s", [campaign]
        )

    def approve(self, campaign: uuid.UUID) -> None:
        self.app.execute(
            "UPDATE platform.campaigns SET status = 'approved', approved_at = now() WHERE id = %s", [campaign]
        )

    def call_off(self, campaign: uuid.UUID, reason: str = "as asked") -> None:
        self.app.execute(
            "UPDATE platform.campaigns SET cancelled_at = now(), cancel_reason = %s WHERE id = %s",
            [reason, campaign],
        )

    def investment(self, campaign: uuid.UUID, investor: uuid.UUID, **values: Any) -> uuid.UUID:
        given = {
            "campaign": campaign, "investor": investor, "amount": 1_000, "payment_method": "telebirr",
            "payment_reference": f"FT{secrets.token_hex(8)}",
        }  # fmt: skip
        return self.insert("investments", **given | values)

    def pay(self, investment: uuid.UUID) -> None:
        self.app.execute(
            "UPDATE platform.investments SET status = 'paid', paid_at = now() WHERE id = %s", [investment]
        )

    def again(self, subject: str, row: uuid.UUID) -> list[str]:
        return self._texts("SELECT platform.ask_again(%s, %s)", [subject, row])

    def change_wallet(self, subject: str, row: uuid.UUID, wallet: str) -> list[str]:
        return self._texts("SELECT platform.change_wallet(%s, %s, %s)", [subject, row, wallet])

    def wallet_refused(self, company: uuid.UUID) -> str | None:
        """The company's wallet, if the chain has refused it."""
        found = self.app.execute(
            "SELECT c.wallet FROM platform.companies c JOIN platform.requests r ON r.row_id = c.id"
            " WHERE c.id = %s AND r.error LIKE '%%WalletTaken%%' AND r.outcome = 'rejected'"
            " AND NOT EXISTS (SELECT FROM ledger.issuers l WHERE l.issuer = c.wallet"
            " AND l.company_id = platform.chain_id(c.id))", [company]
        ).fetchone()  # fmt: skip
        return None if found is None else str(found[0])

    def requests(self, row: uuid.UUID) -> list[tuple[str, str | None]]:
        """Purpose and outcome, in the order in which they were asked."""
        found = self.app.execute(
            "SELECT purpose, outcome FROM platform.requests WHERE row_id = %s ORDER BY asked_at", [row]
        )
        return list(found)

    def intents(self, row: uuid.UUID, purpose: str) -> list[dict[str, Any]]:
        """The overview's rows of all generations of all requests of a purpose."""
        found = self.app.execute(
            "SELECT to_jsonb(o) FROM platform.requests r JOIN intent.overview o ON o.key = r.key"
            " WHERE r.row_id = %s AND r.purpose = %s ORDER BY o.id", [row, purpose]
        )  # fmt: skip
        return [each for (each,) in found]

    def intent(self, row: uuid.UUID, purpose: str) -> dict[str, Any]:
        """The latest of them."""
        return self.intents(row, purpose)[-1]

    def _id(self, statement: sql.Composed, values: list[Any]) -> uuid.UUID:
        found = self.app.execute(statement, values).fetchone()
        assert found is not None
        row: uuid.UUID = found[0]
        return row

    def _texts(self, statement: str, values: list[Any]) -> list[str]:
        return [text for (text,) in self.app.execute(statement.encode(), values)]
