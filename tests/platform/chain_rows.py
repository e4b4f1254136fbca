"""A chain as the indexer writes it down: events, the ledger folded from them, changes, the cursor."""

import contextlib
import hashlib
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.schema import folds, layout, store
from psycopg import sql
from psycopg.types.json import Jsonb

ARTIFACTS = Path(__file__).parents[2] / "contracts" / "artifacts"
CONTRACTS = {
    "issuer_registry": "IssuerRegistry",
    "campaign_factory": "CampaignFactory",
    "campaign": "CampaignImplementation",
    "share_certificate": "NFTShareCertificate",
}
COLUMNS = {
    event.table: [column.name for column in event.columns]
    for key, name in CONTRACTS.items()
    for event in layout.event_layouts(key, json.loads((ARTIFACTS / f"{name}.json").read_text()))
}
REGISTRY, FACTORY, CERTIFICATES, TOKEN, TREASURY = (f"0x{digit * 40}" for digit in "12345")
ZEROS = "0x" + "0" * 64
START = datetime(2026, 3, 1, tzinfo=UTC)
Event = tuple[str, str, dict[str, Any]]  # table, contract, parameters


def word(name: object) -> str:
    """32 bytes that go by a name."""
    return "0x" + hashlib.sha256(str(name).encode()).hexdigest()


def account(name: object) -> str:
    return word(name)[:42]


def chain_id(row: uuid.UUID) -> str:
    return f"0x{row.hex}{'0' * 32}"


class Chain:
    """Each call of an event is a block of its own. `connection`: a superuser's, whose role is kept."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.tip = 0
        self.raised: dict[str, int] = defaultdict(int)
        self.put_in: dict[tuple[str, str], int] = {}
        self.moves: dict[int, int] = defaultdict(int)
        with self.as_daemon():
            store.open_cursor(connection, 1, word("genesis"))

    @contextlib.contextmanager
    def as_daemon(self) -> Iterator[None]:
        (role,) = self.connection.execute("SELECT current_setting('role')").fetchone() or ("none",)
        self.connection.execute("RESET ROLE")
        self.connection.execute("SET ROLE chainfirst_daemon")
        yield
        self.connection.execute("RESET ROLE")
        if role != "none":
            self.connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))

    def time(self, number: int) -> datetime:
        return START + timedelta(hours=number)

    def block(self, *events: Event) -> int:
        """The next block, with events (table, contract, parameters). Its number."""
        self.tip += 1
        with self.as_daemon():
            for index, (table, address, values) in enumerate(events):
                place = [self.tip, 0, index, self.time(self.tip), word(f"tx {self.tip}"), address]
                row = [*place, *(values[name] for name in COLUMNS[table])]
                statement = sql.SQL("INSERT INTO {} VALUES ({})").format(
                    sql.Identifier("event", table), sql.SQL(", ").join([sql.Placeholder()] * len(row))
                )
                self.connection.execute(statement, row)
            for fold in folds.FOLDS:
                folds.refresh(self.connection, fold, folds.touched(self.connection, fold, self.tip))
            self._move("add", self.tip, Counter(table for table, _, _ in events), {})
        return self.tip

    def roll_back(self, number: int) -> None:
        """Blocks above this one are not canonical any more, and another empty one is."""
        first, self.tip = number + 1, number + 1
        with self.as_daemon():
            keys = {fold: folds.touched(self.connection, fold, first) for fold in folds.FOLDS}
            removed = store.delete_above(self.connection, COLUMNS, number)
            for fold in folds.FOLDS:
                folds.refresh(self.connection, fold, keys[fold])
            self._move("rollback", first, {}, removed)

    def finalize(self, number: int | None = None) -> None:
        """Blocks up to this one are final; without one: all."""
        number = number or self.tip
        with self.as_daemon():
            self.connection.execute(
                "UPDATE chain.cursor SET final_number = %s, final_hash = %s",
                [number, word(f"block {number}")],
            )

    def _move(
        self, kind: store.ChangeKind, first: int, added: dict[str, int], removed: dict[str, int]
    ) -> None:
        number, block = self.tip, word(f"block {self.tip}")
        tip = store.Block(number, block, word(f"block {number - 1}"), self.time(number))
        self.connection.execute("DELETE FROM chain.blocks WHERE number >= %s", [first])
        store.insert_blocks(self.connection, [tip])
        self.connection.execute(
            "UPDATE chain.cursor SET indexed_number = %s, indexed_hash = %s, updated_at = now()",
            [number, block],
        )
        store.record_change(self.connection, kind, first, number, added, removed)

    # what the contracts say

    def register(self, company: uuid.UUID, issuer: str, uri: str = "ipfs://profile") -> int:
        values = {"issuer": issuer, "credential_hash": word("credential"), "document_uri": uri}
        values["company_id"] = chain_id(company)
        return self.block(("issuer_registry_issuer_registered", REGISTRY, values))

    def create(self, campaign: uuid.UUID, company: uuid.UUID, issuer: str, goal: int = 100_000) -> str:
        """The campaign's contract. `goal`: token units."""
        address = account(f"contract of {campaign}")
        terms = {
            "campaignId": chain_id(campaign), "issuer": issuer, "fundingGoal": str(goal),
            "minInvestment": "100", "maxInvestment": "0", "duration": "2592000", "grace": "604800",
            "successThresholdBps": "7500",
            "documentURI": "ipfs://terms",
        }  # fmt: skip
        began = int(self.time(self.tip + 1).timestamp())
        created = {
            "campaign_id": chain_id(campaign), "campaign": address, "issuer": issuer, "terms": Jsonb(terms),
            "token": TOKEN, "fee_bps": 250, "deadline": began + 2_592_000, "record_until": began + 3_196_800,
        }  # fmt: skip
        locked = {"company_id": chain_id(company), "issuer": issuer, "campaign": address}
        self.block(
            ("campaign_factory_campaign_created", FACTORY, created),
            ("issuer_registry_issuer_campaign_changed", REGISTRY, locked),
        )
        return address

    def invest(self, campaign: str, investment: str, investor: str, units: int) -> int:
        """`investment`: its id on chain."""
        self.raised[campaign] += units
        of = (campaign, investor)
        self.put_in[of] = self.put_in.get(of, 0) + units
        values = {
            "investment_id": investment, "investor": investor, "payer": TREASURY, "amount": units,
            "payment_reference": ZEROS, "investor_total": self.put_in[of],
            "total_raised": self.raised[campaign], "escrow_balance": self.raised[campaign],
            "investor_count": self._investors(campaign),
        }  # fmt: skip
        return self.block(("campaign_investment_recorded", campaign, values))

    def succeed(self, campaign: str, issuer: str) -> int:
        """Finalized and released; the fee is a fortieth."""
        raised = self.raised[campaign]
        self.block(("campaign_campaign_finalized", campaign, self._end(campaign) | {"status": 1}))
        released = {
            "issuer": issuer, "amount": raised - raised // 40, "fee": raised // 40,
            "fee_recipient": account("fees"), "escrow_balance": raised // 40,
        }  # fmt: skip
        return self.block(("campaign_funds_released", campaign, released))

    def fail(self, campaign: str) -> int:
        return self.block(("campaign_campaign_finalized", campaign, self._end(campaign) | {"status": 2}))

    def cancel(self, campaign: str, reason: str) -> int:
        return self.block(("campaign_campaign_cancelled", campaign, self._end(campaign) | {"reason": reason}))

    def refund(self, campaign: str, investor: str) -> int:
        units = self.put_in.pop((campaign, investor))
        remaining = self._investors(campaign)
        left = sum(units for (of, _), units in self.put_in.items() if of == campaign)
        values = {
            "investor": investor, "amount": units, "escrow_balance": left, "investors_remaining": remaining
        }  # fmt: skip
        return self.block(("campaign_investor_refunded", campaign, values))

    def mint(
        self, token: int, investment: str, campaign: uuid.UUID, owner: str, units: int, metadata: str
    ) -> int:
        minted = {
            "token_id": token, "investment_id": investment, "campaign_id": chain_id(campaign), "owner": owner,
            "amount": units, "voting_weight": units // 100_000, "metadata_hash": metadata,
        }  # fmt: skip
        return self.block(
            (
                "share_certificate_transfer",
                CERTIFICATES,
                {"from": ZEROS[:42], "to": owner, "token_id": token},
            ),
            ("share_certificate_certificate_minted", CERTIFICATES, minted),
        )

    def transfer(self, token: int, owner: str, to: str, reason: str | None = None) -> int:
        """With a reason: by the registrar."""
        self.moves[token] += 1
        way = {"token_id": token, "from": owner, "to": to}
        events: list[Event] = [
            ("share_certificate_transfer", CERTIFICATES, way),
            (
                "share_certificate_certificate_transferred",
                CERTIFICATES,
                way | {"transfer_count": self.moves[token]},
            ),
        ]
        if reason is not None:
            said = {"token_id": token, "registrar": account("registrar"), "reason": reason}
            events.append(("share_certificate_registrar_transferred", CERTIFICATES, said))
        return self.block(*events)

    def _investors(self, campaign: str) -> int:
        return sum(of == campaign for of, _ in self.put_in)

    def _end(self, campaign: str) -> dict[str, Any]:
        return {"total_raised": self.raised[campaign], "investor_count": self._investors(campaign)}
