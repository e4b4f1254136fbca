"""What an app may wish in a random life, and what of it the chain shows: each wish marks its own effect."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chainfirst.tests.contracts.conftest import Platform

DAY = 86_400
GOAL = 1_000_000
DOCUMENTS = ("ipfs://A", "ipfs://B")


@dataclass(frozen=True)
class Wish:
    """`mark` names its effect on the chain, None: it can have none; wishes may share one. `repeatable`: the
    contract would do it as often as it is asked."""

    key: str
    kind: str
    payload: dict[str, Any]
    mark: str | None
    repeatable: bool
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Effect:
    """An event of the canonical chain that is some wish's mark."""

    mark: str
    tx_hash: str
    block: int


class Wishes:
    """Draws them. Later ones build upon earlier ones: investments on campaigns, refunds on investments."""

    def __init__(self, dice: random.Random, platform: Platform) -> None:
        self._dice = dice
        self.made: dict[str, Wish] = {}
        self._issuers: list[tuple[str, str | None]] = [(platform.at["issuer"].lower(), None)]
        self._campaigns: list[Wish] = []
        self._investments: list[Wish] = []

    def draw(self, now: datetime) -> Wish:
        """Another wish, remembered under its key."""
        drawers = {
            self._verify: 6,
            self._register: 4,
            self._document: 4,
            self._campaign: 3,
            self._invest: 6,
            self._end: 4,
            self._pay: 3,
            self._call: 4,
            self._bad: 1,
        }
        drawer = self._dice.choices(list(drawers), list(drawers.values()))[0]
        kind, payload, mark, repeatable, parent = drawer()
        key = f"wish {len(self.made)}"
        options = self._options(now)
        if parent is not None and self._dice.random() < 0.7:
            options["depends_on"] = parent
        wish = Wish(key, kind, payload, mark, repeatable, options)
        self.made[key] = wish
        if kind == "issuer.register" and mark is not None:
            self._issuers.append((payload["wallet"], key))
        elif kind == "campaign.create" and mark is not None:
            self._campaigns.append(wish)
        elif kind == "campaign.record_investment":
            self._investments.append(wish)
        return wish

    def _options(self, now: datetime) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if self._dice.random() < 0.18:
            options["expires_at"] = now + timedelta(seconds=self._dice.randint(4, 90))
        elif self._dice.random() < 0.1:
            options["not_before"] = now + timedelta(seconds=self._dice.randint(1, 30))
        if self._dice.random() < 0.2:
            options["priority"] = self._dice.randint(-5, 5)
        if self.made and self._dice.random() < 0.12:
            options["depends_on"] = self._dice.choice(list(self.made))
        return options

    def _verify(self) -> "Draw":
        investor = self._address()
        payload = {"investor": investor, "verified": self._dice.random() < 0.5}
        return "investor.set_verified", payload, f"investor {investor}", True, None

    def _register(self) -> "Draw":
        taken = self._dice.random() < 0.15
        wallet = self._dice.choice(self._issuers)[0] if taken else self._address()
        company = self._uuid()
        payload = {
            "company": company,
            "wallet": wallet,
            "credential_hash": "0x" + "11" * 32,
            "document_uri": "ipfs://company",
        }
        return "issuer.register", payload, f"company {on_chain(company)}", False, None

    def _document(self) -> "Draw":
        wallet, parent = self._issuers[0] if self._dice.random() < 0.7 else self._dice.choice(self._issuers)
        uri = self._dice.choice(DOCUMENTS)
        payload = {"wallet": wallet, "document_uri": uri}
        return "issuer.update_document", payload, f"document {wallet} {uri}", True, parent

    def _campaign(self) -> "Draw":
        issuer, parent = self._dice.choice(self._issuers)
        campaign = self._uuid()
        payload = {
            "campaign": campaign,
            "issuer": issuer,
            "funding_goal": str(GOAL),
            "min_investment": "1",
            "max_investment": "0",
            "duration_seconds": self._dice.randint(1, 3) * DAY,
            "grace_seconds": self._dice.randint(0, 1) * DAY,
            "success_threshold_bps": self._dice.choice([3000, 10_000]),
            "document_uri": "ipfs://offer",
        }
        return "campaign.create", payload, f"campaign {on_chain(campaign)}", False, parent

    def _invest(self) -> "Draw":
        campaign, parent = self._some_campaign()
        investment = self._uuid()
        payload = {
            "campaign": campaign,
            "investment": investment,
            "investor": self._address(),
            "amount": str(self._dice.choice([1000, GOAL // 3, GOAL])),
            "payment_reference": f"FT{len(self.made)}",
        }
        return "campaign.record_investment", payload, f"investment {on_chain(investment)}", False, parent

    def _end(self) -> "Draw":
        campaign, parent = self._some_campaign()
        if self._dice.random() < 0.25:
            payload = {"campaign": campaign, "reason": "as asked"}
            return "campaign.cancel", payload, f"cancelled {on_chain(campaign)}", False, parent
        return "campaign.finalize", {"campaign": campaign}, f"final {on_chain(campaign)}", False, parent

    def _pay(self) -> "Draw":
        if self._investments and self._dice.random() < 0.6:
            investment = self._dice.choice(self._investments)
            wanted = {name: investment.payload[name] for name in ("campaign", "investor")}
            mark = f"refund {on_chain(wanted['campaign'])} {wanted['investor']}"
            return "escrow.refund", wanted, mark, False, investment.key
        campaign, parent = self._some_campaign()
        return "escrow.release", {"campaign": campaign}, f"release {on_chain(campaign)}", False, parent

    def _call(self) -> "Draw":
        to = self._address()
        function = self._dice.choice(["mint", "mint", "transfer"])
        payload = {
            "contract": "token",
            "function": function,
            "arguments": [to, "100"],
            "event": "Transfer",
            "parameters": {"to": to},
        }
        return "contract.call", payload, f"tokens {to}", True, None

    def _bad(self) -> "Draw":
        kind, payload = self._dice.choice(
            [
                ("investor.set_verified", {"investor": "0x12", "verified": "yes"}),
                ("issuer.register", {"company": "nobody"}),
                ("campaign.finalize", {"campaign": self._uuid()}),
                ("contract.call", {"contract": "token", "function": "burn", "event": "Transfer"}),
                ("no.such_kind", {}),
            ]
        )
        return kind, payload, None, False, None

    def _some_campaign(self) -> tuple[str, str | None]:
        """Its id and the wish that creates it; seldom one that nobody creates."""
        if not self._campaigns or self._dice.random() < 0.05:
            return self._uuid(), None
        wish = self._dice.choice(self._campaigns[-3:])
        return wish.payload["campaign"], wish.key

    def _address(self) -> str:
        return f"0x{self._dice.getrandbits(160):040x}"

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128)))


Draw = tuple[str, dict[str, Any], str | None, bool, str | None]


def on_chain(identifier: str) -> str:
    """A UUID as the contracts have it."""
    return f"0x{identifier.replace('-', '')}{'0' * 32}"


def effects(platform: Platform, first: int) -> Iterator[Effect]:
    """The marks that the node's chain shows from a block on."""

    def logs(event: Any) -> Iterator[tuple[dict[str, Any], tuple[str, int]]]:
        for entry in event().get_logs(from_block=first):
            yield entry["args"], (word(entry["transactionHash"]), entry["blockNumber"])

    def word(value: bytes) -> str:
        return "0x" + value.hex().removeprefix("0x")

    registry, token = platform.registry.events, platform.token.events
    for found, place in logs(registry.InvestorStatusChanged):
        yield Effect(f"investor {found['investor'].lower()}", *place)
    for found, place in logs(registry.IssuerRegistered):
        yield Effect(f"company {word(found['companyId'])}", *place)
    for found, place in logs(registry.IssuerDocumentUpdated):
        yield Effect(f"document {found['issuer'].lower()} {found['documentURI']}", *place)
    for found, place in logs(registry.IssuerStatusChanged):
        yield Effect(f"active {found['issuer'].lower()} {found['active']}", *place)
    for found, place in logs(token.Transfer):
        yield Effect(f"tokens {found['to'].lower()}", *place)
    for found, place in logs(platform.factory.events.CampaignCreated):
        campaign = word(found["campaignId"])
        yield Effect(f"campaign {campaign}", *place)
        events = platform.contract("CampaignImplementation", found["campaign"]).events
        for inner, there in logs(events.InvestmentRecorded):
            yield Effect(f"investment {word(inner['investmentId'])}", *there)
        for _, there in logs(events.CampaignFinalized):
            yield Effect(f"final {campaign}", *there)
        for _, there in logs(events.CampaignCancelled):
            yield Effect(f"cancelled {campaign}", *there)
        for _, there in logs(events.FundsReleased):
            yield Effect(f"release {campaign}", *there)
        for inner, there in logs(events.InvestorRefunded):
            yield Effect(f"refund {campaign} {inner['investor'].lower()}", *there)
