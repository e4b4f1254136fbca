"""Share certificates: one for each investment of a successful campaign."""

from chainfirst.writers import contract
from chainfirst.writers.kinds import NO_ROLE, Book, Kind, Prepared, tables
from chainfirst.writers.payload import Address, AnyId, Hash, Payload, Reason, TokenId, Uuid

KEY = "share_certificate"
_ABI = contract.platform(KEY)
_MINTED = _ABI.event("CertificateMinted")
_TRANSFERRED = _ABI.event("CertificateTransferred")
_REVOKED = _ABI.event("CertificateRevoked")


class Mint(Payload):
    """An investment's certificate, for its investor. `metadata_hash`: SHA-256 of the token's document."""

    campaign: Uuid
    investment: AnyId
    owner: Address
    metadata_hash: Hash


class Transfer(Payload):
    """Move a certificate without its owner, for a lost key, an inheritance, a judgement."""

    token_id: TokenId
    to: Address
    reason: Reason


class Revoke(Payload):
    """Take a certificate's votes and keep it from moving, for good."""

    token_id: TokenId
    reason: Reason


def _mint(want: Mint, book: Book) -> Prepared:
    certificates, campaign = book.address(KEY), book.campaign(want.campaign)
    call = _ABI.function("mint").call(certificates, want.owner, want.investment, campaign, want.metadata_hash)
    equal = {"campaign_id": want.campaign, "owner": want.owner, "metadata_hash": want.metadata_hash}
    match = {"address": certificates}
    return Prepared(call, _MINTED.expected("investment_id", want.investment, match=match, equal=equal))


def _transfer(want: Transfer, book: Book) -> Prepared:
    certificates = book.address(KEY)
    book.check_certificate(want.token_id)
    call = _ABI.function("registrarTransfer").call(certificates, want.token_id, want.to, want.reason)
    match = {"address": certificates, "to": want.to}
    return Prepared(call, _TRANSFERRED.expected("token_id", want.token_id, match=match))


def _revoke(want: Revoke, book: Book) -> Prepared:
    certificates = book.address(KEY)
    book.check_certificate(want.token_id)
    call = _ABI.function("revoke").call(certificates, want.token_id, want.reason)
    match, equal = {"address": certificates}, {"reason": want.reason}
    return Prepared(call, _REVOKED.expected("token_id", want.token_id, match=match, equal=equal))


KINDS = (
    # Once for an investment (CertificateExists). A campaign that isn't successful, an investment that isn't
    # there or is another's: rejected.
    Kind("certificate.mint", Mint, True, tables(_MINTED, "campaigns"), _mint, NO_ROLE),
    # May come again, and back. CertificateTransferred says where it went; RegistrarTransferred follows it.
    Kind(
        "certificate.transfer",
        Transfer,
        False,
        tables(_TRANSFERRED, "certificates"),
        _transfer,
        NO_ROLE,
    ),
    # Once for a certificate (CertificateIsRevoked), for good.
    Kind("certificate.revoke", Revoke, True, tables(_REVOKED, "certificates"), _revoke, NO_ROLE),
)
