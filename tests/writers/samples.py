"""A valid payload of every kind, and a book that knows what they name."""

from collections.abc import Mapping
from typing import Any

from chainfirst.writers import payload
from chainfirst.writers.contract import PLATFORM, Contract, platform

COMPANY = "0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5061"
CAMPAIGN = "0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5062"
INVESTMENT = "0190b1c2-3d4e-7f80-9a0b-1c2d3e4f5063"
WALLET = "0x52908400098527886e0f7030069857d2e4169ee7"
CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
HASH = "0x" + "1c" * 32
DAY = 86_400
FACTORY_EVENT = ("campaign_factory", "CampaignCreated", "campaign")


def address(number: int) -> str:
    return f"0x{number:040x}"


VALID: dict[str, dict[str, Any]] = {
    "issuer.register": {
        "company": COMPANY,
        "wallet": CHECKSUMMED,
        "credential_hash": HASH,
        "document_uri": "ipfs://bafybeigdyrzt",
        "name": "Sheger Coffee ሸገር ቡና",
    },
    "issuer.replace": {"company": COMPANY, "wallet": WALLET},
    "issuer.update_document": {"wallet": WALLET, "document_uri": "https://example.test/a?b=%20"},
    "issuer.set_active": {"wallet": WALLET, "active": False},
    "investor.set_verified": {"investor": WALLET, "verified": True},
    "campaign.create": {
        "campaign": CAMPAIGN,
        "issuer": WALLET,
        "funding_goal": "100000000",
        "min_investment": "100000",
        "max_investment": "0",
        "duration_seconds": 30 * DAY,
        "grace_seconds": 0,
        "success_threshold_bps": 7_500,
        "document_uri": "ipfs://offer",
        "title": "Coffee",
    },
    "campaign.record_investment": {
        "campaign": CAMPAIGN,
        "investment": INVESTMENT,
        "investor": WALLET,
        "amount": "4550050",
        "payment_reference": "FT24123ABCD",
    },
    "campaign.finalize": {"campaign": CAMPAIGN},
    "campaign.cancel": {"campaign": CAMPAIGN, "reason": "የኩባንያው ጥያቄ\nas asked"},
    "escrow.release": {"campaign": CAMPAIGN},
    "escrow.refund": {"campaign": CAMPAIGN, "investor": WALLET},
    "certificate.mint": {
        "campaign": CAMPAIGN,
        "investment": HASH,
        "owner": WALLET,
        "metadata_hash": HASH.upper().replace("X", "x"),
    },
    "certificate.transfer": {"token_id": "17", "to": WALLET, "reason": "inheritance"},
    "certificate.revoke": {"token_id": "17", "reason": "court order"},
    "contract.call": {
        "contract": "share_certificate",
        "function": "approve",
        "arguments": [WALLET, "17"],
        "event": "Approval",
        "parameters": {"approved": WALLET, "tokenId": "17"},
    },
}


class MemoryBook:
    """The kinds.Book of a platform of which everything that VALID names is indexed, and nothing else."""

    def __init__(self, contracts: Mapping[str, Contract] | None = None) -> None:
        self.contracts = contracts or {
            key: Contract(key, platform(key).document, frozenset([address(number)]))
            for number, key in enumerate(PLATFORM, 1)
        }

    def address(self, contract: str) -> str:
        return next(iter(self.contracts[contract].addresses or ()))

    def contract(self, key: str) -> Contract | None:
        return self.contracts.get(key)

    def campaign(self, campaign_id: str, field: str = "campaign") -> str:
        self._known(field, campaign_id, f"0x{CAMPAIGN.replace('-', '')}{'0' * 32}")
        return address(9)

    def raised(self, campaign_id: str, field: str = "campaign") -> int:
        return 700_000

    def contribution(self, campaign: str, investor: str, field: str = "investor") -> int:
        self._known(field, investor, WALLET)
        return 5_000

    def company(self, wallet: str, field: str = "wallet") -> str:
        self._known(field, wallet, WALLET)
        return f"0x{COMPANY.replace('-', '')}{'0' * 32}"

    def check_certificate(self, token_id: int, field: str = "token_id") -> None:
        self._known(field, token_id, 17)

    def check_child(self, contract: Contract, address: str, field: str = "address") -> None:
        self._known(field, address, WALLET)

    def _known(self, field: str, value: object, known: object) -> None:
        if value != known:
            raise payload.UnknownId(field, payload.show(value), payload.show(known))
