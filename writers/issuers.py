"""Issuers and investors: the kinds that write to the registry of both."""

from chainfirst.writers import contract
from chainfirst.writers.kinds import NO_ROLE, Book, Kind, Prepared, tables
from chainfirst.writers.payload import Address, DocumentUri, Flag, Hash, Label, Payload, Uuid

KEY = "issuer_registry"
_ABI = contract.platform(KEY)
_REGISTERED = _ABI.event("IssuerRegistered")
_REPLACED = _ABI.event("IssuerReplaced")
_DOCUMENT = _ABI.event("IssuerDocumentUpdated")
_STATUS = _ABI.event("IssuerStatusChanged")
_INVESTOR = _ABI.event("InvestorStatusChanged")


class Register(Payload):
    """A company under its wallet. `name`: the company's, for certificates; not on chain."""

    company: Uuid
    wallet: Address
    credential_hash: Hash
    document_uri: DocumentUri
    name: Label | None = None


class Replace(Payload):
    """A company's other wallet, for a lost key. What a campaign releases later goes there."""

    company: Uuid
    wallet: Address


class UpdateDocument(Payload):
    """Where an issuer's profile is now."""

    wallet: Address
    document_uri: DocumentUri


class SetActive(Payload):
    """Suspend an issuer (false) or reinstate it (true)."""

    wallet: Address
    active: Flag


class SetVerified(Payload):
    """Whether a wallet may invest on chain."""

    investor: Address
    verified: Flag


def _register(want: Register, book: Book) -> Prepared:
    registry = book.address(KEY)
    call = _ABI.function("registerIssuer").call(
        registry, want.company, want.wallet, want.credential_hash, want.document_uri
    )
    entry = {
        "issuer": want.wallet,
        "credential_hash": want.credential_hash,
        "document_uri": want.document_uri,
    }
    match = {"address": registry}
    return Prepared(call, _REGISTERED.expected("company_id", want.company, match=match, equal=entry))


def _replace(want: Replace, book: Book) -> Prepared:
    registry = book.address(KEY)
    call = _ABI.function("replaceIssuer").call(registry, want.company, want.wallet)
    match = {"address": registry, "new_issuer": want.wallet}
    return Prepared(call, _REPLACED.expected("company_id", want.company, match=match))


def _update_document(want: UpdateDocument, book: Book) -> Prepared:
    registry = book.address(KEY)
    call = _ABI.function("updateDocument").call(registry, want.wallet, want.document_uri)
    match = {"address": registry, "issuer": want.wallet, "document_uri": want.document_uri}
    return Prepared(call, _DOCUMENT.expected("company_id", book.company(want.wallet), match=match))


def _set_active(want: SetActive, book: Book) -> Prepared:
    registry = book.address(KEY)
    call = _ABI.function("setActive").call(registry, want.wallet, want.active)
    match = {"address": registry, "issuer": want.wallet, "active": want.active}
    return Prepared(call, _STATUS.expected("company_id", book.company(want.wallet), match=match))


def _set_verified(want: SetVerified, book: Book) -> Prepared:
    registry = book.address(KEY)
    call = _ABI.function("setInvestor").call(registry, want.investor, want.verified)
    match = {"address": registry, "verified": want.verified}
    return Prepared(call, _INVESTOR.expected("investor", want.investor, match=match))


KINDS = (
    # A company is registered once (CompanyExists). CompanyExists and WalletTaken stay true: they reject.
    Kind("issuer.register", Register, True, tables(_REGISTERED), _register, NO_ROLE),
    # A company may come back to a wallet that it had: none of these events is its only one. WalletTaken (by
    # this company even) and UnknownCompany reject.
    Kind("issuer.replace", Replace, False, tables(_REPLACED), _replace, NO_ROLE),
    # updateDocument asks for a registrar, or the issuer itself, by an error of its own.
    Kind(
        "issuer.update_document",
        UpdateDocument,
        False,
        tables(_DOCUMENT, "issuers"),
        _update_document,
        frozenset({"NotRegistrarOrIssuer"}),
    ),
    Kind("issuer.set_active", SetActive, False, tables(_STATUS, "issuers"), _set_active, NO_ROLE),
    Kind("investor.set_verified", SetVerified, False, tables(_INVESTOR), _set_verified, NO_ROLE),
)
