"""What must hold at the end: the ledger in itself, against the script, and against the chain's own books; and
that every intent had its effect, once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from chainfirst.ops.demo import cast
from chainfirst.ops.demo.cast import COMPANIES, INVESTMENTS, INVESTORS, Cast, birr
from chainfirst.ops.demo.intents import Intents
from chainfirst.ops.demo.ledger import Glance, Ledger

if TYPE_CHECKING:
    from web3.contract import Contract

DOCUMENT_SECONDS = 10
STATUSES = ("active", "successful", "failed", "cancelled")  # as the contracts number them


@dataclass(frozen=True)
class Check:
    """What was looked at, and both its sides as they are printed."""

    what: str
    found: str
    expected: str

    @property
    def right(self) -> bool:
        """Whether both sides are the same."""
        return self.found == self.expected


def of_the_script(ledger: Ledger, seen: Glance, who: Cast) -> Iterator[Check]:
    """The ledger says what the script played, and its sums agree."""
    yield _same(
        "issuers, the suspended one reinstated",
        {who.name(row["issuer"]): "active" if row["active"] else "suspended" for row in ledger.issuers},
        {each.key: "active" for each in COMPANIES},
    )
    yield Check("investors", str(len({row["investor"] for row in ledger.investments})), str(len(INVESTORS)))
    yield Check("investments", str(len(ledger.investments)), str(len(INVESTMENTS)))
    wanted = cast.accepted()
    yield _same(
        "outcomes of the campaigns",
        {
            who.name(row["issuer"]): f"{row['status']}, {birr(row['total_raised'])}"
            for row in ledger.campaigns
        },
        {each.key: f"{each.outcome}, {birr(wanted[each.key])}" for each in COMPANIES},
    )
    yield _same(
        "campaigns raised what their investments sum up to",
        {row["address"]: birr(row["total_raised"]) for row in ledger.campaigns},
        {row["address"]: birr(row["invested"]) for row in ledger.campaigns},
    )
    parts = ("released_amount", "fee_paid", "refunded", "escrow_balance")
    yield Check(
        "sum of investments = released + fee paid + refunded + in escrow",
        birr(sum(row["amount"] for row in ledger.investments)),
        birr(sum(row[name] or 0 for row in ledger.campaigns for name in parts)),
    )
    outcome = {each.key: each.outcome for each in COMPANIES}
    yield _same(
        "certificates",
        _count((who.name(row["issuer"]), row["investment_id"]) for row in ledger.certificates),
        _count(
            (who.name(row["issuer"]), row["investment_id"])
            for row in ledger.investments
            if outcome[who.name(row["issuer"])] == "successful"
        ),
    )
    yield Check(
        "certificates transferred",
        str(sum(bool(row["transfer_count"]) for row in ledger.certificates)),
        str(1 + len(cast.moved())),  # one by its owner
    )
    yield _same(
        "refunds",
        _count((who.name(row["issuer"]), who.name(row["investor"])) for row in ledger.refunds),
        _count(
            {(e.company, e.investor) for e in INVESTMENTS if outcome[e.company] in ("failed", "cancelled")}
        ),
    )
    yield Check("reorganisations that the daemon followed", str(seen.rollbacks), "1")
    yield Check("logs that could not be decoded", str(ledger.undecoded), "0")


def of_the_chain(ledger: Ledger, who: Cast, contracts: Mapping[str, "Contract"]) -> Iterator[Check]:
    """The contracts say what the ledger says: `contracts` by the deployment's keys, campaigns by company."""
    token, certificate = contracts["token"].functions, contracts["share_certificate"].functions
    by_company = {who.name(row["issuer"]): row for row in ledger.campaigns}
    functions = {key: contracts[key].functions for key in by_company}
    yield _same(
        "campaigns on the chain",
        {key: f"{STATUSES[f.status().call()]}, {f.raised().call()}" for key, f in functions.items()},
        {key: f"{row['status']}, {row['total_raised']}" for key, row in by_company.items()},
    )
    balances = _balances(ledger, who)
    yield _same(
        "token balances on the chain",
        {address: birr(token.balanceOf(contracts["token"].w3.to_checksum_address(address)).call())
         for address in balances},
        {address: birr(amount) for address, amount in balances.items()},
    )  # fmt: skip
    yield _same(
        "owners of certificates on the chain",
        {
            row["token_id"]: certificate.ownerOf(int(row["token_id"])).call().lower()
            for row in ledger.certificates
        },
        {row["token_id"]: row["owner"] for row in ledger.certificates},
    )
    owners = (*INVESTORS, cast.OTHER_WALLET)
    votes = {row["owner"]: str(row["weight"]) for row in ledger.votes}
    yield _same(
        "votes on the chain",
        {who[name].lower(): str(certificate.votingWeightOf(who[name]).call()) for name in owners},
        {who[name].lower(): votes.get(who[name].lower(), "0") for name in owners},
    )


def of_the_documents(ledger: Ledger, contracts: Mapping[str, "Contract"]) -> Iterator[Check]:
    """Where a certificate's URI leads is the document that the chain has the hash of."""
    certificate = contracts["share_certificate"].functions
    tokens = [int(row["token_id"]) for row in ledger.certificates]
    uris = {token: certificate.tokenURI(token).call() for token in tokens}
    bodies = {token: requests.get(uri, timeout=DOCUMENT_SECONDS).content for token, uri in uris.items()}
    yield _same(
        "documents at the certificates' URIs",
        {token: hashlib.sha256(body).hexdigest() for token, body in bodies.items()},
        {token: bytes(certificate.certificate(token).call()[1]).hex() for token in tokens},
    )


def of_the_intents(found: Intents, nonce: Callable[[str], int], lost: int) -> Iterator[Check]:
    """Everything asked for is confirmed, has one effect, and used one nonce. `nonce`: an account's on the
    chain; `lost`: how many intents lost their block."""
    yield _same(
        "intents confirmed",
        dict(Counter(f"{each.kind} {each.status}" for each in found.rows)),
        {f"{kind} confirmed": count for kind, count in cast.intents().items()},
    )
    yield _same(
        "effects of each intent on the chain",
        {f"{each.kind} {each.key}": found.effects[each.id] for each in found.rows},
        {f"{each.kind} {each.key}": 1 for each in found.rows},
    )
    yield Check(
        "transactions of the daemon's keys on the chain, one for each intent",
        str(sum(nonce(lane.signer) for lane in found.lanes)),
        str(len(found.rows)),
    )
    yield Check(
        "nonces of each lane, without a gap, as the chain has them",
        "; ".join(f"{lane.name} {lane.first} to {lane.last}, {lane.loose} loose" for lane in found.lanes),
        "; ".join(f"{lane.name} 0 to {nonce(lane.signer) - 1}, 0 loose" for lane in found.lanes),
    )
    yield Check(
        "transactions of intents that were taken out of their block and mined again",
        str(sum(each.taken_out > 0 and each.status == "confirmed" for each in found.rows)),
        str(lost),
    )


def _balances(ledger: Ledger, who: Cast) -> Counter[str]:
    """What the ledger says of everybody's tokens: what they began with, and what came and went since."""
    balances: Counter[str] = Counter({who[name].lower(): cast.FUNDS for name in INVESTORS})
    balances[who["treasury"].lower()] = cast.TREASURY_FUNDS
    for row in ledger.investments:
        balances[row["payer"]] -= row["amount"]
    for row in ledger.refunds:
        balances[row["investor"]] += row["amount"]
    for row in ledger.campaigns:
        balances[row["address"]] += row["escrow_balance"]
        balances[row["issuer"]] += row["released_amount"] or 0
        balances[who["fees"].lower()] += row["fee_paid"]
    return balances


def _count(keys: object) -> dict[object, str]:
    return {key: f"{number} times" for key, number in Counter(keys).items()}  # type: ignore[call-overload]


def _same(what: str, found: Mapping[Any, object], expected: Mapping[Any, object]) -> Check:
    """One check of many values: how many there are, or those that differ."""
    differing = sorted({key for key in {*found, *expected} if found.get(key) != expected.get(key)}, key=str)
    if not differing:
        return Check(what, f"{len(found)} agree", f"{len(expected)} agree")
    return Check(
        what,
        "; ".join(f"{key}: {found.get(key, 'none')}" for key in differing),
        "; ".join(f"{key}: {expected.get(key, 'none')}" for key in differing),
    )
