"""A made-up older app of 1,000 rows, what its contracts emitted, and what moving in must make of each row."""

import random
import secrets
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from chainfirst.schema import folds
from psycopg import sql
from psycopg.types.json import Jsonb

START = datetime(2024, 3, 1, 8, tzinfo=UTC)
FINAL = 5_000
REGISTRY, FACTORY, CERTIFICATE, OLD_ESCROW, TOKEN = (f"0x{digit * 40}" for digit in "abcde")
SIZES = {"users": 300, "companies": 40, "campaigns": 60, "investments": 480, "certificates": 120}
METHODS = ("telebirr", "cbe", "awash", "crypto")

# as Django's migrations make them; ids as text, as apps have them that began on another database
TABLES = """
CREATE TABLE users_user (
    id varchar(36) PRIMARY KEY, email varchar(254) NOT NULL, first_name varchar(150) NOT NULL,
    last_name varchar(150) NOT NULL, phone_number varchar(20), role varchar(30) NOT NULL,
    wallet_address varchar(42), kyc_level integer, kyc_status varchar(20), aml_risk_score numeric(5, 2),
    is_active boolean NOT NULL, date_joined timestamptz NOT NULL, password varchar(128) NOT NULL DEFAULT 'x'
);
CREATE TABLE companies_company (
    id varchar(36) PRIMARY KEY, owner_id varchar(36), name varchar(255), tin_number varchar(50),
    sector varchar(100), description text, wallet_address varchar(42), document_uri varchar(600),
    document_hash varchar(66), credential_hash varchar(66), is_verified boolean NOT NULL,
    verified_by_id varchar(36), verified_at timestamptz, blockchain_tx_hash varchar(66),
    created_at timestamptz NOT NULL
);
CREATE TABLE campaigns_campaign (
    id varchar(36) PRIMARY KEY, company_id varchar(36), title varchar(255), description text,
    funding_goal numeric(20, 4), min_investment numeric(15, 2), max_investment numeric(15, 2),
    duration_days integer, success_threshold numeric(5, 2), document_uri varchar(600), status varchar(30),
    approved_by_id varchar(36), approved_at timestamptz, rejection_reason text, cancellation_reason text,
    deployment_tx_hash varchar(66), smart_contract_address varchar(42), created_at timestamptz NOT NULL
);
CREATE TABLE investments_investment (
    id varchar(36) PRIMARY KEY, campaign_id varchar(36), investor_id varchar(36), amount numeric(20, 4),
    payment_method varchar(30), payment_reference varchar(100), status varchar(30),
    wallet_address varchar(42), blockchain_tx_hash varchar(66), created_at timestamptz NOT NULL
);
CREATE TABLE certificates_nftsharecertificate (
    id varchar(36) PRIMARY KEY, investment_id varchar(36), token_id numeric, owner_address varchar(42),
    investment_amount numeric(15, 2), mint_tx_hash varchar(66)
);
"""
NAMES = {
    "users": "users_user", "companies": "companies_company", "campaigns": "campaigns_campaign",
    "investments": "investments_investment", "certificates": "certificates_nftsharecertificate",
}  # fmt: skip
OLDER = """
CREATE TABLE event.old_escrow_invested (
    block_number bigint, tx_index integer, log_index integer, block_time timestamptz, tx_hash text,
    address text, reference text, backer text, wei numeric(78, 0),
    PRIMARY KEY (block_number, tx_index, log_index)
)
"""


@dataclass
class App:
    """`rows` by table; `lines`: what the report must say, (table, row, what); `stored`: how many rows of each
    table; `reasons`: of rows that are left out, a word of the reason."""

    seed: int
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in NAMES})
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lines: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    matched: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in NAMES})
    requests: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.block = 0
        self._users()
        self._companies()
        self._campaigns()
        self._investments()
        self._certificates()
        for table, size in SIZES.items():
            assert len(self.rows[table]) == size

    # what happens on chain

    def emit(self, table: str, own_address: str, **values: Any) -> str:
        """An event in a block and transaction of its own."""
        self.block += self.rng.randrange(1, 4)
        tx_hash = f"0x{self.rng.randbytes(32).hex()}"
        at = {"block_number": self.block, "tx_index": 0, "log_index": self.rng.randrange(9)}
        common = at | {"block_time": START + timedelta(seconds=self.block), "tx_hash": tx_hash}
        self.events.append((table, common | {"address": own_address} | values))
        return tx_hash

    # what the old app has

    def _new(self, table: str, **values: Any) -> dict[str, Any]:
        row = {"id": str(uuid.UUID(int=self.rng.getrandbits(128), version=4))} | values
        self.rows[table].append(row)
        return row

    def _out(self, table: str, row: dict[str, Any], why: str, **wrong: Any) -> None:
        """Spoil a row: it is left out, for this reason."""
        row.update(wrong)
        self.reasons[row["id"]] = why
        self.lost.add(row["id"])
        self.lines[table, row["id"], "left out"] += 1

    def _wallet(self) -> str:
        return f"0x{self.rng.randbytes(20).hex()}"

    def _when(self) -> datetime:
        return START + timedelta(seconds=self.rng.randrange(10_000_000))

    def _users(self) -> None:
        for number in range(SIZES["users"]):
            role = "admin" if number < 3 else "issuer" if number < 43 else "investor"
            verified = role == "investor" and self.rng.random() < 0.8
            row = self._new(
                "users", email=f"user{number}@example.test", first_name=f"አበበ {number}",
                last_name=self.rng.choice(["", "Bikila", "O'Brien"]),
                phone_number=self.rng.choice([None, "", "+251911"]),
                role=role.upper() if number % 7 == 0 else role,
                wallet_address=self._wallet() if role == "investor" else self.rng.choice([None, ""]),
                kyc_level=self.rng.randrange(4), aml_risk_score=self.rng.choice([None, Decimal("12.50")]),
                kyc_status="approved" if verified else self.rng.choice(["pending", "not_started", None]),
                is_active=True, date_joined=self._when(),
            )  # fmt: skip
            if verified and number % 6:
                self.emit(
                    "issuer_registry_investor_status_changed",
                    REGISTRY,
                    investor=row["wallet_address"],
                    verified=True,
                )
            if verified and number % 3 == 0:
                if number % 6:  # this block may still go
                    self.events[-1][1].update(block_number=FINAL + 1, tx_index=number)
                self.lines["users", row["id"], "not on chain"] += 1
                self.requests[row["id"]] = "verify"
        bad = self.rows["users"][-9:]
        for row in bad:
            row.update(kyc_status="pending", role="investor")
            self.lines.pop(("users", row["id"], "not on chain"), None)
            self.requests.pop(row["id"], None)
        # ids as some other program wrote them
        self._out("users", bad[0], "is no UUID", id="not-a-uuid")
        self._out("users", bad[1], "is no UUID", id=bad[1]["id"][:-1])
        self._out("users", bad[2], "no account", wallet_address="0x1234")
        self._out("users", bad[3], "checksum", wallet_address="0xF39fd6e51aad88f6f4ce6ab8827279cfffb92266")
        self._out("users", bad[4], "zero address", wallet_address=f"0x{'0' * 40}")
        self._out("users", bad[5], "role: 'superhero' is not known", role="superhero")
        self._out("users", bad[6], "email: must be an address", email="nobody")
        # of two with one e-mail address the one whose id comes first moves in
        first, second = sorted((bad[7], bad[8]), key=lambda row: row["id"])
        self._out("users", second, "email: another row has the same", email=first["email"].upper())

    def _companies(self) -> None:
        issuers = [row for row in self.rows["users"] if row["role"].lower() == "issuer"]
        for number in range(SIZES["companies"]):
            verified = number % 5 != 0
            row = self._new(
                "companies", owner_id=issuers[number]["id"], name=f"Company {number}",
                tin_number=f"00{number:05}", sector="coffee", description=self.rng.choice([None, "", "=1+1"]),
                wallet_address=self._wallet(), document_uri=f"ipfs://company{number}",
                document_hash=self.rng.randbytes(32).hex(),
                credential_hash=f"0x{self.rng.randbytes(32).hex().upper()}", is_verified=verified,
                verified_by_id=self.rows["users"][0]["id"] if verified else None,
                verified_at=self.rng.choice([None, self._when()]), blockchain_tx_hash=None,
                created_at=self._when(),
            )  # fmt: skip
            if not verified:
                continue
            if number % 11 == 1:
                self.lines["companies", row["id"], "not on chain"] += 1
                self.requests[row["id"]] = "register"
                continue
            row["blockchain_tx_hash"] = self.emit(
                "issuer_registry_issuer_registered", REGISTRY, company_id=self.word(row),
                issuer=row["wallet_address"], credential_hash=row["credential_hash"].lower(),
                document_uri=row["document_uri"],
            )  # fmt: skip
            self.matched["companies"]["id"] += 1
        first, second = sorted(self.rows["companies"][5:7], key=lambda row: str(row["id"]))
        self._out("companies", second, "tin: another row has the same", tin_number=first["tin_number"])
        self.requests.pop(second["id"], None)
        orphan = self.rows["companies"][10]
        self._out("companies", orphan, "owner: there is no such row", owner_id=str(uuid.UUID(int=1)))
        bare = self.rows["companies"][20]
        self._out("companies", bare, "tin: empty", tin_number="")

    def _campaigns(self) -> None:
        companies = [row for row in self.rows["companies"] if row["id"] not in self.lost]
        for number in range(SIZES["campaigns"]):
            status = ("active", "successful", "failed", "draft", "pending_approval", "rejected")[number % 6]
            row = self._new(
                "campaigns", company_id=self.rng.choice(companies)["id"], title=f"Campaign {number}",
                description="x", funding_goal=Decimal(100_000), min_investment=Decimal(100),
                max_investment=self.rng.choice([None, Decimal(50_000)]), duration_days=60,
                success_threshold=Decimal("75.00"), document_uri=f"ipfs://campaign{number}", status=status,
                approved_by_id=None, approved_at=self.rng.choice([None, self._when()]), rejection_reason=None,
                cancellation_reason=None, deployment_tx_hash=None, smart_contract_address=None,
                created_at=self._when(),
            )  # fmt: skip
            if number % 6 > 2:
                continue
            contract = self._wallet()
            if number % 12 == 6:  # of the older contracts: nothing of it is indexed but its investments
                row["smart_contract_address"] = OLD_ESCROW
                self.lines["campaigns", row["id"], "not on chain"] += 1
                self.requests[row["id"]] = "create"
                continue
            row["deployment_tx_hash"] = self.emit(
                "campaign_factory_campaign_created", FACTORY, campaign_id=self.word(row), campaign=contract,
                issuer=self._wallet(), terms=Jsonb({}), token=TOKEN, fee_bps=250, deadline=1, record_until=2,
            )  # fmt: skip
            # some never learned it
            row["smart_contract_address"] = self.rng.choice([None, contract])
            row["contract"] = contract
            self.matched["campaigns"]["id"] += 1
        drafts = [row for row in self.rows["campaigns"] if row["status"] == "draft"]
        self._out("campaigns", drafts[0], "status: 'paused' is not known", status="paused")
        self._out("campaigns", drafts[1], "goal: must be more than 0", funding_goal=Decimal(-5))
        self._out("campaigns", drafts[2], "more than 2 decimals", funding_goal=Decimal("1.005"))
        self._out("campaigns", drafts[3], "must be from 30 to 180 days", duration_days=365)
        called_off = drafts[4]  # before it was on chain
        called_off.update(status="cancelled", cancellation_reason="ሀሳባችንን ቀይረናል")

    def _investments(self) -> None:
        users = [row for row in self.rows["users"] if row["id"] not in self.lost]
        investors = [row for row in users if row["role"].lower() == "investor"]
        running = [row for row in self.rows["campaigns"] if row.get("contract")]
        older = [row for row in self.rows["campaigns"] if row["smart_contract_address"] == OLD_ESCROW]
        for number in range(SIZES["investments"]):
            how = number % 8
            campaign = self.rng.choice(older if how in (4, 5) else running)
            investor = self.rng.choice(investors)
            row = self._new(
                "investments", campaign_id=campaign["id"], investor_id=investor["id"],
                amount=Decimal(100_000 + number) / 100, payment_method=METHODS[number % 3],
                payment_reference=f"FT{number}", status="confirmed",
                wallet_address=investor["wallet_address"], blockchain_tx_hash=None, created_at=self._when(),
            )  # fmt: skip
            if how == 7:
                row["status"] = self.rng.choice(["pending", "failed"])
            elif how == 6:
                self.lines["investments", row["id"], "not on chain"] += 1
                self.requests[row["id"]] = "record"
            elif how in (4, 5):
                self._invest_elsewhere(row, by_transaction=how == 4)
            else:
                self._invest(row, campaign["contract"], how)
        rows = self.rows["investments"]
        gone = self.rows["campaigns"][3]["id"]
        assert gone in self.lost
        self._out("investments", rows[7], "amount: must be more than 0", amount=Decimal(-10))
        self._out("investments", rows[15], "is not known", status="maybe")
        self._out("investments", rows[23], "campaign: there is no such row", campaign_id=gone)
        self._out("investments", rows[31], "investor: empty", investor_id=None)
        self._out("investments", rows[39], "is not known", payment_method="gold")
        lost = rows[6]  # paid, they say, and nobody knows with what
        self._out("investments", lost, "must be there before it is paid", payment_reference=None)
        self.requests.pop(lost["id"])

    def _invest(self, row: dict[str, Any], contract: str, how: int) -> None:
        """0, 1: recorded by the platform; 2: made on chain, and the old app knows by which transaction; 3: it
        doesn't."""
        by_platform = how < 2
        word = self.word(row) if by_platform else f"0x{self.rng.randbytes(32).hex()}"
        units = int(row["amount"] * 100)
        if how == 1 and self.rng.random() < 0.2:
            units -= 1
            self.lines["investments", row["id"], "differs"] += 1
        tx_hash = self.emit(
            "campaign_investment_recorded", contract, investment_id=word, investor=row["wallet_address"],
            payer=row["wallet_address"], amount=units, payment_reference="0x" + "0" * 64,
            investor_total=units, total_raised=units, escrow_balance=units, investor_count=1,
        )  # fmt: skip
        if not by_platform:
            row.update(payment_method="crypto", payment_reference=None)
        if how == 2:
            row["blockchain_tx_hash"] = tx_hash
        row["word"] = word
        self.matched["investments"][("id", "id", "transaction", "wallet and amount")[how]] += 1

    def _invest_elsewhere(self, row: dict[str, Any], by_transaction: bool) -> None:
        """In the older escrow, whose token has 18 decimals and which knows no ids, or an own reference."""
        tx_hash = self.emit(
            "old_escrow_invested", OLD_ESCROW, reference=f"ref {len(self.events)}",
            backer=row["wallet_address"], wei=int(row["amount"] * 10**18),
        )  # fmt: skip
        if by_transaction:
            row["blockchain_tx_hash"] = tx_hash[2:].upper()
        self.matched["investments"]["transaction" if by_transaction else "wallet and amount"] += 1
        self.requests[row["id"]] = "record"

    def _certificates(self) -> None:
        sold = [row for row in self.rows["investments"] if "word" in row and row["id"] not in self.lost]
        for number in range(SIZES["certificates"]):
            investment = sold[number]
            row = self._new(
                "certificates", investment_id=investment["id"], token_id=number + 1,
                owner_address=self._wallet(), investment_amount=investment["amount"], mint_tx_hash=None,
            )  # fmt: skip
            if number % 10 == 9:
                self.lines["certificates", row["id"], "not on chain"] += 1
                continue
            self.emit(
                "share_certificate_certificate_minted", CERTIFICATE, token_id=number + 1,
                investment_id=investment["word"], campaign_id="0x" + "0" * 64,
                owner=investment["wallet_address"], amount=int(investment["amount"] * 100), voting_weight=1,
                metadata_hash="0x" + "0" * 64,
            )  # fmt: skip
            self.matched["certificates"]["id"] += 1
        # what no row tells of
        stray = f"0x{secrets.token_hex(32)}"
        self.emit(
            "share_certificate_certificate_minted", CERTIFICATE, token_id=9_999, investment_id=stray,
            campaign_id="0x" + "0" * 64, owner=self._wallet(), amount=1, voting_weight=0, metadata_hash=stray,
        )  # fmt: skip
        self.lines["certificates", stray, "no row"] += 1
        assert self.block < FINAL

    def word(self, row: dict[str, Any]) -> str:
        return f"0x{uuid.UUID(row['id']).hex}{'0' * 32}"

    # putting it where it belongs

    def store_old(self, connection: "psycopg.Connection[Any]") -> None:
        connection.execute(TABLES.encode())
        for table, name in NAMES.items():
            for row in self.rows[table]:
                columns = {key: value for key, value in row.items() if key not in ("contract", "word")}
                _insert(connection, sql.Identifier(name), columns)

    def store_chain(self, connection: "psycopg.Connection[Any]") -> None:
        """As the indexer would have; as superuser."""
        connection.execute("SET ROLE chainfirst_owner")
        connection.execute(OLDER.encode())
        connection.execute("RESET ROLE")
        connection.execute(
            "INSERT INTO chain.cursor"
            " (chain_id, genesis_hash, indexed_number, indexed_hash, final_number, final_hash)"
            " VALUES (31337, %(final)s, %(number)s + 1, %(tip)s, %(number)s, %(final)s)",
            {"final": "0x" + "1" * 64, "tip": "0x" + "2" * 64, "number": FINAL},
        )
        for table, values in self.events:
            _insert(connection, sql.Identifier("event", table), values)
        for table in sorted({table for table, _ in self.events}):
            connection.execute(
                "INSERT INTO chain.sources"
                " (table_name, contract, event, filter, fingerprint, complete_to, joined)"
                " VALUES (%s, 'x', 'x', '{}', 'x', %s, true)",
                [table, FINAL],
            )
        folds.rebuild(connection)


def _insert(connection: "psycopg.Connection[Any]", table: sql.Identifier, values: dict[str, Any]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    connection.execute(statement, values)
