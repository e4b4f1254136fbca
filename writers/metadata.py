"""The document that a certificate's metadata_hash is the SHA-256 of, and where it is kept.

Its shape is that of ERC-721's metadata extension (EIP-721, "ERC721 Metadata JSON Schema") with `attributes`
as marketplaces read them. It names company and campaign, and no person: it is public for good.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops.errors import TransientError
from chainfirst.schema import queries
from chainfirst.writers import campaigns, certificates, contract, issuers, payload
from chainfirst.writers.node import Node

Connection = psycopg.Connection[Any]
MEDIA_TYPE = "application/json"
DECIMALS = 2  # 100 santim are a birr
_SQL = queries.load("metadata.sql", "chainfirst.writers")
_SVG = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" fill="none" stroke="#1b5e3b" stroke-width="3">
<rect x="6" y="10" width="52" height="38" rx="3"/><path d="M16 22h32M16 31h20"/>
<circle cx="46" cy="44" r="7"/><path d="M42 50v10l4-3 4 3V50"/></svg>
""".strip()
# in the document itself: nothing else must stay reachable as long as the token exists
IMAGE = f"data:image/svg+xml;base64,{base64.b64encode(_SVG.encode()).decode()}"


@dataclass(frozen=True)
class Certificate:
    """What its document says. `amount`: token units; `votes`: as the contract counts them."""

    company: str
    campaign: str
    amount: int
    votes: int


def document(certificate: Certificate, image: str = IMAGE) -> bytes:
    """The document: JSON in UTF-8, keys sorted, no white space: the same values are the same bytes."""
    amount = birr(certificate.amount)
    attributes = {
        "Campaign": certificate.campaign,
        "Investment Amount": amount,
        "Voting Power": str(certificate.votes),
        "Company": certificate.company,
    }
    fields = {
        "name": f"{certificate.company} Campaign Share Certificate",
        "description": f"A share in the campaign {certificate.campaign} of {certificate.company}, "
        f"for an investment of {amount} ETB.",
        "image": image,
        "attributes": [{"trait_type": name, "value": value} for name, value in attributes.items()],
    }
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def digest(body: bytes) -> str:
    """The SHA-256 as the chain has it."""
    return f"0x{hashlib.sha256(body).hexdigest()}"


def birr(amount: int) -> str:
    """Token units as birr, with all decimals: 4550050 is 45500.50."""
    whole, part = divmod(amount, 10**DECIMALS)
    return f"{whole}.{part:0{DECIMALS}}"


def as_uuid(word: str) -> str:
    """An id of the chain as the platform's UUID."""
    digits = word[2:34]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Names:
    """Names of companies and campaigns, which only intents know; where none says one, the UUID.

    The newest confirmed intent with a name counts, else the newest that is open, else the newest. Make one
    for each transaction: it remembers what it found.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._found: dict[tuple[str, str], str] = {}

    def company(self, company_id: str) -> str:
        """The name in issuer.register."""
        return self._look_up("registered", company_id, issuers.Register, "name")

    def campaign(self, campaign_id: str) -> str:
        """The title in campaign.create."""
        return self._look_up("created", campaign_id, campaigns.Create, "title")

    def _look_up(self, statement: str, word: str, cls: type[payload.Payload], field: str) -> str:
        if (statement, word) not in self._found:
            rows = self._conn.execute(_SQL[statement], {"id": word})
            named = (name for (text,) in rows if (name := _read(cls, text, field)))
            self._found[statement, word] = next(named, as_uuid(word))
        return self._found[statement, word]


def keep(conn: Connection, bodies: Sequence[bytes]) -> list[str]:
    """Keep documents, each once; their hashes in the same order."""
    hashes = {body: digest(body) for body in bodies}
    values = {"media_type": MEDIA_TYPE, "hashes": list(hashes.values()), "bodies": list(hashes)}
    conn.execute(_SQL["keep"], values)
    return [hashes[body] for body in bodies]


def find(conn: Connection, investment: str) -> tuple[str, bytes] | None:
    """Media type and bytes of the document of a minted certificate, by what ends the token's URI: the
    investment's UUID or its 0x text. None: not minted, or with a document that isn't ours."""
    try:
        word = payload.any_id(investment)
    except payload.Wrong:
        return None
    row = conn.execute(_SQL["find"], [word]).fetchone()
    return None if row is None else (str(row[0]), bytes(row[1]))


def voting_unit(node: Node, address: str) -> int:
    """How many token units give a vote, of the certificates' contract at that address: fixed there for good.
    TransientError: it answers nothing of the kind, as a node does that hasn't got so far."""
    unit = contract.platform(certificates.KEY).function("votingUnit")
    found = node.call(unit.call(address), payload.ZERO_ADDRESS)
    if not isinstance(found, bytes) or len(found) != 32 or not any(found):
        said = f"0x{found.hex()}" if isinstance(found, bytes) else found.text
        raise TransientError(
            f"votingUnit() of {address} at {node.name} is {said[:80]}, no number of token units",
            f"If the node is up to date, see the address of contracts.{certificates.KEY}.",
        )
    return int.from_bytes(found)


def _read(cls: type[payload.Payload], text: str, field: str) -> str | None:
    """A payload's name; None: it has none, or the payload is wrong (and its intent will be rejected)."""
    try:
        found: str | None = getattr(payload.read(cls, payload.loads(text)), field)
    except payload.PayloadError:
        return None
    return found
