"""What the contracts can be asked about each row of the ledger, and how their answers read. Pure.

Ledger and answer are compared as texts: numbers in decimal digits, flags as true and false, addresses and
hashes as lower-case 0x text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainfirst.writers import campaigns, certificates, contract, issuers, payload
from chainfirst.writers.contract import Function
from chainfirst.writers.kinds import Call
from eth_abi.exceptions import EncodingError

Read = Callable[[bytes], str]
STATUSES = ("active", "successful", "failed", "cancelled")  # Types.sol, Status
OWED, HELD, SOLVENCY = "escrow_balance", "token_balance", "solvency"
_ADDRESS = re.compile("0x[0-9a-f]{40}")
_REGISTRY, _CAMPAIGN, _CERTIFICATE = (
    contract.platform(key) for key in (issuers.KEY, campaigns.KEY, certificates.KEY)
)
(_BALANCE_OF,) = contract.functions_of(
    [{"type": "function", "name": "balanceOf", "inputs": [{"name": "account", "type": "address"}]}]
)


@dataclass(frozen=True)
class Fact:
    """A value of a contract. `what`: the ledger's column, or another name; `ledger`: what is there, None: it
    is only asked for, because the row changed since, or has no such column."""

    subject: str
    what: str
    call: Call
    read: Read
    ledger: str | None


@dataclass(frozen=True)
class Difference:
    """A value that isn't the same. Of what can't be compared, the text says why."""

    subject: str
    what: str
    ledger: str
    chain: str


def of_row(relation: str, row: Sequence[Any], *, changed: bool) -> Iterator[Fact | Difference]:
    """The facts of a row as reconcile.sql selects it; a Difference instead where the row can't be asked for.
    `changed`: it has events above the block that is asked for, so that only its solvency can be seen."""
    facts = _OF[relation]
    key, rest = row[: facts.key_columns], row[facts.key_columns :]
    subject = subject_of(relation, key)
    if changed and relation != "escrows":
        return
    try:
        found = list(facts.make(*key, *rest))
    except (ValueError, TypeError, EncodingError) as error:
        yield Difference(
            subject, "row", str(tuple(map(str, row)))[:200], f"can't be asked for: {error}"[:200]
        )
        return
    for what, call, read, ledger in found:
        yield Fact(subject, what, call, read, None if changed or ledger is None else text(ledger))


def of_count(address: str, count: int) -> Fact:
    """How many certificates a contract has minted: rows that are missing are seen by it."""
    return Fact(
        subject_of("certificates", [address]),
        "count",
        _call(_CERTIFICATE, "totalMinted", address),
        number,
        text(count),
    )


def subject_of(relation: str, key: Iterable[object]) -> str:
    """The name of a row."""
    return " ".join((relation, *(text(part) for part in key)))


def text(value: object) -> str:
    """A ledger's value as answers read."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def solvency(subject: str, owed: str | None, held: str | None) -> Difference | None:
    """Whether a campaign's tokens cover what it owes. None of either: no number was answered, so nobody
    knows that they do."""
    if owed is not None and held is not None and int(held) >= int(owed):
        return None
    return Difference(subject, SOLVENCY, owed or "no number", held or "no number")


def number(data: bytes) -> str:
    """A uint256."""
    return str(_words(data, 1)[0])


def flag(data: bytes) -> str:
    """A bool."""
    return _flag(_words(data, 1)[0])


def address(data: bytes) -> str:
    """An address."""
    (word,) = _words(data, 1)
    if word >> 160:
        raise ValueError("no address")
    return f"0x{word:040x}"


def status(data: bytes) -> str:
    """A campaign's status."""
    (word,) = _words(data, 1)
    if word >= len(STATUSES):
        raise ValueError("no status")
    return STATUSES[word]


def _record(part: int, show: Callable[[int], str]) -> Read:
    """A part of certificate(): investmentId, metadataHash, amount, votingWeight, campaign, transferCount,
    revoked."""
    return lambda data: show(_words(data, 7)[part])


def _votes(data: bytes) -> str:
    words = _words(data, 7)
    return "0" if words[6] else str(words[3])


def _hash(word: int) -> str:
    return f"0x{word:064x}"


def _flag(word: int) -> str:
    if word > 1:
        raise ValueError("no bool")
    return "true" if word else "false"


def _words(data: bytes, count: int) -> list[int]:
    if len(data) != 32 * count:
        raise ValueError(f"{len(data)} bytes, not {32 * count}")
    return [int.from_bytes(data[at : at + 32]) for at in range(0, len(data), 32)]


def _call(of: contract.Contract | Function, name: str, to: str, *values: Any) -> Call:
    if not _ADDRESS.fullmatch(str(to)):
        raise ValueError(f"{str(to)[:80]!r} is no address")
    function = of if isinstance(of, Function) else of.function(name)
    return function.call(to, *values)


Asked = tuple[str, Call, Read, object]


def _issuers(registry: str, company: str, issuer: str, active: bool, campaign: str | None) -> Iterator[Asked]:
    yield "issuer", _call(_REGISTRY, "issuerOf", registry, company), address, issuer
    yield "active", _call(_REGISTRY, "isActive", registry, issuer), flag, active
    busy = _call(_REGISTRY, "activeCampaignOf", registry, issuer)
    yield "active_campaign", busy, address, campaign or payload.ZERO_ADDRESS


def _investors(registry: str, investor: str, verified: bool) -> Iterator[Asked]:
    yield "verified", _call(_REGISTRY, "isVerifiedInvestor", registry, investor), flag, verified


def _campaigns(campaign: str, ended: str, raised: object, investors: int) -> Iterator[Asked]:
    yield "status", _call(_CAMPAIGN, "status", campaign), status, ended
    yield "total_raised", _call(_CAMPAIGN, "raised", campaign), number, raised
    yield "investor_count", _call(_CAMPAIGN, "investorCount", campaign), number, investors


def _escrows(campaign: str, token: str, balance: object) -> Iterator[Asked]:
    yield OWED, _call(_CAMPAIGN, "escrowBalance", campaign), number, balance
    yield HELD, _call(_BALANCE_OF, "balanceOf", token, campaign), number, None


def _certificates(
    at: str, token_id: object, investment: str, owner: str, amount: object, votes: object, metadata: str,
    transfers: int, revoked: bool,
) -> Iterator[Asked]:  # fmt: skip
    token = int(str(token_id))
    record = _call(_CERTIFICATE, "certificate", at, token)
    yield "owner", _call(_CERTIFICATE, "ownerOf", at, token), address, owner
    yield "investment_id", record, _record(0, _hash), investment
    yield "metadata_hash", record, _record(1, _hash), metadata
    yield "amount", record, _record(2, str), amount
    yield "voting_weight", record, _votes, votes
    yield "transfer_count", record, _record(5, str), transfers
    yield "revoked", record, _record(6, _flag), revoked


def _votes_of(at: str, owner: str, weight: object) -> Iterator[Asked]:
    yield "weight", _call(_CERTIFICATE, "votingWeightOf", at, owner), number, weight


@dataclass(frozen=True)
class _Facts:
    key_columns: int
    make: Callable[..., Iterator[Asked]]


_OF: Mapping[str, _Facts] = {
    "issuers": _Facts(2, _issuers),
    "investors": _Facts(2, _investors),
    "campaigns": _Facts(1, _campaigns),
    "escrows": _Facts(1, _escrows),
    "certificates": _Facts(2, _certificates),
    "votes": _Facts(2, _votes_of),
}
RELATIONS = tuple(_OF)
