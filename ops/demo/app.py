"""The platform's app: it writes its own records, in the role of apps, and reads there what came of them.

It knows nothing of chains, keys and intents: a record that takes a step is all it does.
"""

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
from chainfirst.ops import errors
from chainfirst.ops.demo import cast
from chainfirst.ops.demo.cast import Company, Investment

COMPLIANCE, CUSTODIAN, ADMIN = "Selam", "Tigist", "Yonas"
STAFF = {ADMIN: "admin", COMPLIANCE: "compliance_officer", CUSTODIAN: "custodian"}
HASH = f"0x{bytes(range(32)).hex()}"  # stands for that of a document

_USER = """
INSERT INTO platform.users (id, email, full_name, role, wallet, kyc_status)
VALUES (%s, %s, %s, %s, %s, 'pending')
"""
_PROOF = """
INSERT INTO platform.kyc_documents ("user", type, file_reference, sha256) VALUES (%s, 'passport', %s, %s)
"""
_PROVEN = "UPDATE platform.kyc_documents SET status = 'verified' WHERE \"user\" = %s"
_KNOWN = "UPDATE platform.users SET kyc_status = 'verified', kyc_level = 3 WHERE id = %s"
_COMPANY = """
INSERT INTO platform.companies (
    id, owner, name, tin, sector, wallet, document_uri, document_hash, credential_hash
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_VERIFIED = "UPDATE platform.companies SET verified = %s WHERE id = %s"
_CAMPAIGN = """
INSERT INTO platform.campaigns (
    id, company, title, goal, min_investment, duration_days, grace_days, document_uri
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_STATUS = "UPDATE platform.campaigns SET status = %s WHERE id = %s"
_CALL_OFF = "UPDATE platform.campaigns SET cancelled_at = now(), cancel_reason = %s WHERE id = %s"
_INVESTMENT = """
INSERT INTO platform.investments (id, campaign, investor, amount, payment_method) VALUES (%s, %s, %s, %s, %s)
"""
_PAID = "UPDATE platform.investments SET status = 'paid', payment_reference = %s WHERE id = %s"
_OTHER_WALLET = "SELECT platform.change_wallet('user', %s, %s)"

_UNSENT = "SELECT count(*) FROM intent.overview WHERE status IN ('pending', 'waiting', 'signed')"
_OPEN = "SELECT count(*) FROM intent.intents WHERE outcome IS NULL"
_CONFIRMED = "SELECT count(*) FROM intent.intents WHERE kind = %s AND outcome = 'confirmed'"
_STATUSES = "SELECT intent_status FROM api.investments WHERE id = ANY (%s)"
_ENDED_BADLY = "SELECT key, outcome, error FROM intent.intents WHERE outcome <> 'confirmed' LIMIT 1"
_WAITING = "SELECT key, status, waits_for FROM intent.overview WHERE ended_at IS NULL ORDER BY id LIMIT 1"
_ADDRESS = "SELECT smart_contract_address FROM api.campaigns WHERE id = %s AND status = 'active'"
_CERTIFICATE = """
SELECT token_id FROM api.nft_share_certificates WHERE campaign = %s AND owner = %s ORDER BY token_id LIMIT 1
"""


class App:
    """Its connection acts as `chainfirst_app`: it can't write a table of intents, let alone of the ledger."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET ROLE chainfirst_app")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def enter_staff(self) -> None:
        """The people who work for the platform."""
        with self._connection.transaction():
            for name, role in STAFF.items():
                self._enter(name, role, None)

    def enter_company(self, company: Company, wallet: str) -> None:
        """A company and its owner, who enters it."""
        owner = f"owner of {company.key}"
        with self._connection.transaction():
            self._enter(owner, "issuer", None)
        with self._acting(owner) as run:
            run(
                _COMPANY, _id(company.name), _user(owner), company.name, f"TIN-{company.key}", "industry",
                wallet, f"ipfs://{company.key}", HASH, HASH,
            )  # fmt: skip

    def verify_company(self, company: Company, verified: bool = True) -> None:
        """Compliance has looked at it: it is registered on the chain, suspended or reinstated."""
        with self._acting(COMPLIANCE) as run:
            run(_VERIFIED, verified, _id(company.name))

    def admit_investors(self, wallets: dict[str, str]) -> None:
        """Each with a proof of identity, which compliance finds right."""
        with self._connection.transaction():
            for name, wallet in wallets.items():
                self._enter(name, "investor", wallet)
        for name in wallets:
            with self._acting(name) as run:
                run(_PROOF, _user(name), f"vault/{name}.pdf", HASH)
        with self._acting(COMPLIANCE) as run:
            for name in wallets:
                run(_PROVEN, _user(name))
                run(_KNOWN, _user(name))

    def open_campaign(self, company: Company) -> None:
        """Its owner drafts and submits it, compliance approves it: it is created on the chain."""
        campaign = _id(company.key)
        with self._acting(f"owner of {company.key}") as run:
            run(
                _CAMPAIGN, campaign, _id(company.name), f"{company.name} shares", company.goal_birr,
                Decimal(cast.MINIMUM) / 100, cast.DURATION // cast.DAY, cast.GRACE // cast.DAY,
                f"ipfs://{company.key}/offer",
            )  # fmt: skip
            run(_STATUS, "pending", campaign)
        with self._acting(COMPLIANCE) as run:
            run(_STATUS, "approved", campaign)

    def call_off(self, company: Company, reason: str) -> None:
        """Its campaign is cancelled on the chain, and everybody paid back."""
        with self._acting(ADMIN) as run:
            run(_CALL_OFF, reason, _id(company.key))

    def invest(self, each: Investment) -> None:
        """The investor enters it; of method token a transaction of the investor's own follows."""
        with self._acting(each.investor) as run:
            run(
                _INVESTMENT, cast.as_uuid(each.id), _id(each.company), _user(each.investor),
                Decimal(each.amount) / 100, "cbe" if each.by_bank else "token",
            )  # fmt: skip

    def pay(self, *investments: Investment) -> None:
        """The custodian has got the money: it is recorded on the chain."""
        with self._acting(CUSTODIAN) as run:
            for each in investments:
                run(_PAID, each.payment, cast.as_uuid(each.id))

    def change_wallet(self, name: str, wallet: str) -> None:
        """Somebody lost the key: another wallet, to which the certificates go."""
        with self._acting(COMPLIANCE) as run:
            run(_OTHER_WALLET, _user(name), wallet)

    def all_sent(self) -> bool:
        """Whether a node has got everything that was asked."""
        return bool(self._value(_UNSENT) == 0)

    def all_ended(self) -> bool:
        """Whether a final block has decided everything that was asked."""
        return bool(self._value(_OPEN) == 0)

    def confirmed(self, kind: str) -> int:
        """How many intents of that kind are."""
        return int(self._value(_CONFIRMED, kind))

    def statuses(self, investments: list[Investment]) -> list[str]:
        """How far each is on its way to the chain."""
        ids = [cast.as_uuid(each.id) for each in investments]
        return [status for (status,) in self._connection.execute(_STATUSES, [ids])]

    def check(self) -> None:
        """FatalError if an intent ended badly: none should, here."""
        row = self._connection.execute(_ENDED_BADLY).fetchone()
        if row is not None:
            key, status, error = row
            raise errors.FatalError(f"the intent {key!r} is {status}: {error}")

    def waits(self) -> str:
        """What the oldest open intent waits for, as a sentence; empty if none is open."""
        row = self._connection.execute(_WAITING).fetchone()
        return "" if row is None else f"The intent {row[0]!r} is {row[1]}, and waits for {row[2]}. "

    def campaign(self, company: Company) -> str | None:
        """The address of its campaign; None: it is not active (yet)."""
        row = self._connection.execute(_ADDRESS, [_id(company.key)]).fetchone()
        return None if row is None else str(row[0])

    def certificate(self, company: Company, owner: str) -> int:
        """The first certificate that this wallet has of its campaign."""
        return int(self._value(_CERTIFICATE, _id(company.key), owner.lower()))

    def _enter(self, name: str, role: str, wallet: str | None) -> None:
        mail = f"{name.replace(' ', '.')}@example.com"
        self._connection.execute(_USER, [_user(name), mail, name, role, wallet])

    @contextlib.contextmanager
    def _acting(self, name: str) -> "Iterator[Run]":
        """One transaction on behalf of a user: the database sees to it that this one may, and notes it."""
        with self._connection.transaction():
            self._connection.execute("SELECT set_config('chainfirst.user', %s, true)", [_user(name)])
            yield Run(self._connection)

    def _value(self, statement: str, *values: object) -> Any:
        row = self._connection.execute(statement.encode(), values).fetchone()
        if row is None:
            raise errors.FatalError(f"the database has no row for {values}")
        return row[0]


class Run:
    """Runs statements of one transaction; each must find its row."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __call__(self, statement: str, *values: object) -> None:
        if self._connection.execute(statement.encode(), values).rowcount < 1:
            raise errors.FatalError(f"no row was found: {statement} with {values}")


def _id(name: str) -> str:
    return cast.as_uuid(cast.new_id(name))


def _user(name: str) -> str:
    return _id(f"user {name}")
