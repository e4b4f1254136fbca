"""What an old row becomes, or why it can't. Pure.

A typical Django app is described here: its tables and columns, and its words for roles and statuses. What a
column means is that of the same name in the schema platform; the database itself judges lengths, shapes,
duplicates and orphans when a row is stored.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from chainfirst.ops import values

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_HASH = re.compile(r"(0x)?([0-9a-f]{64})", re.IGNORECASE)
_CENT = Decimal("0.01")


def _text(value: Any) -> str | None:
    return str(value) or None


def _uuid(value: Any) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError(f"{_show(value)} is no UUID")
    return uuid.UUID(value)


def _wallet(value: Any) -> str | None:
    if value == "":
        return None
    try:
        found = values.Address(value).lower
    except (ValueError, TypeError) as error:
        raise ValueError(f"no account: {error}") from None
    if int(found, 16) == 0:
        raise ValueError("the zero address is nobody's account")
    return found


def _amount(value: Any) -> Decimal:
    if isinstance(value, float):
        raise ValueError(
            "a floating-point number, which holds no exact amount: cast the old column to numeric"
        )
    try:
        found = Decimal(value)
        exact = found.quantize(_CENT)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"{_show(value)} is no amount") from None
    if exact != found:
        raise ValueError(f"{found} has more than 2 decimals")
    return exact


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise ValueError(f"{_show(value)} is no number")
    return found


def _whole(value: Any) -> int:
    found = _number(value)
    if found != found.to_integral_value():
        raise ValueError(f"{_show(value)} is no whole number")
    return int(found)


def _percent(value: Any) -> int:
    return _whole(_number(value) * 100)


def _flag(value: Any) -> bool:
    if value in (True, False):
        return bool(value)
    raise ValueError(f"{_show(value)} is neither true nor false")


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{_show(value)} is no time") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001
    if not isinstance(value, datetime):
        raise ValueError(f"{_show(value)} is no time")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _hash(value: Any) -> str | None:
    if isinstance(value, bytes | memoryview):
        value = bytes(value).hex()
    if value == "":
        return None
    found = _HASH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{_show(value)} is no hash of 32 bytes")
    return f"0x{found[2].lower()}"


def _show(value: Any) -> str:
    return repr(value if isinstance(value, str) else str(value))[:80]


@dataclass(frozen=True)
class Field:
    """A value of a record: how it is read, and where a typical app has it. `words`: the old word for each of
    its `choices`. `fallback`: a template of other fields where the old row has nothing. `kept`: stored."""

    name: str
    read: Callable[[Any], Any]
    column: str | tuple[str, ...]
    required: bool = False
    words: dict[str, str] = field(default_factory=dict)
    fallback: str | None = None
    kept: bool = True
    personal: bool = False

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that the platform has; empty: anything goes."""
        return tuple(dict.fromkeys(self.words.values()))


@dataclass(frozen=True)
class Shape:
    """A table: its name in a typical app, its fields, and whether an app may do without it."""

    table: str
    fields: tuple[Field, ...]
    optional: bool = False


@dataclass
class Row:
    """An old row: `values` by field, those that are right; `problems`, by field: why it can't be stored."""

    table: str
    label: str
    id: uuid.UUID | None = None
    values: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    was: str = ""
    """Its status before."""


def _words(**old: str) -> dict[str, str]:
    """`platform's word` = its old words, separated by spaces; itself too."""
    return {word: new for new, olds in old.items() for word in (new, *olds.split())}


_KYC = _words(
    unverified="not_started none", pending="submitted in_review", verified="approved",
    rejected="failed", expired="",
)  # fmt: skip
_ROLES = _words(
    admin="administrator", compliance_officer="compliance", custodian="", regulator="",
    issuer="company", investor="",
)  # fmt: skip
# what happened after the approval is the chain's to say
_CAMPAIGN = _words(
    draft="", pending="submitted pending_approval under_review", rejected="",
    approved="active live funded successful completed failed closed", cancelled="canceled",
)  # fmt: skip
_INVESTMENT = _words(
    pending="initiated processing", paid="confirmed completed refunded", failed="cancelled expired"
)
_METHODS = _words(
    token="blockchain crypto wallet",  # noqa: S106
    telebirr="", cbe="cbe_birr", awash="", dashen="", abyssinia="",
    other="bank bank_transfer",
)  # fmt: skip

_ID = Field("id", _uuid, "id", required=True)
_CREATED = Field("created_at", _moment, "created_at", required=True)

TABLES: dict[str, Shape] = {
    "users": Shape(
        "users_user",
        (
            _ID,
            Field("email", _text, "email", required=True, personal=True),
            Field("full_name", _text, ("first_name", "last_name"), required=True, personal=True),
            Field("phone", _text, "phone_number", personal=True),
            Field("role", _text, "role", required=True, words=_ROLES),
            Field("wallet", _wallet, "wallet_address"),
            Field("kyc_level", _whole, "kyc_level", fallback="0"),
            Field("kyc_status", _text, "kyc_status", words=_KYC, fallback="unverified"),
            Field("aml_score", _number, "aml_risk_score"),
            Field("active", _flag, "is_active", required=True),
            Field("created_at", _moment, "date_joined", required=True),
        ),
    ),
    "companies": Shape(
        "companies_company",
        (
            _ID,
            Field("owner", _uuid, "owner_id", required=True),
            Field("name", _text, "name", required=True),
            Field("tin", _text, "tin_number", required=True),
            Field("sector", _text, "sector", required=True),
            Field("description", _text, "description"),
            Field("wallet", _wallet, "wallet_address"),
            Field("document_uri", _text, "document_uri"),
            Field("document_hash", _hash, "document_hash"),
            Field("credential_hash", _hash, "credential_hash"),
            Field("verified", _flag, "is_verified", required=True),
            Field("verified_by", _uuid, "verified_by_id"),
            Field("verified_at", _moment, "verified_at", fallback="{created_at}"),
            _CREATED,
            Field("tx_hash", _hash, "blockchain_tx_hash", kept=False),
        ),
    ),
    "campaigns": Shape(
        "campaigns_campaign",
        (
            _ID,
            Field("company", _uuid, "company_id", required=True),
            Field("title", _text, "title", required=True),
            Field("description", _text, "description"),
            Field("goal", _amount, "funding_goal", required=True),
            Field("min_investment", _amount, "min_investment", fallback="0"),
            Field("max_investment", _amount, "max_investment"),
            Field("duration_days", _whole, "duration_days", required=True),
            Field("grace_days", _whole, "grace_days", fallback="0"),
            Field("threshold_percent", _percent, "success_threshold", fallback="75"),
            Field("document_uri", _text, "document_uri", required=True),
            Field("status", _text, "status", required=True, words=_CAMPAIGN),
            Field("submitted_at", _moment, "submitted_at"),
            Field("approved_by", _uuid, "approved_by_id"),
            Field("approved_at", _moment, "approved_at", fallback="{created_at}"),
            Field("rejection_reason", _text, "rejection_reason"),
            Field("cancelled_at", _moment, "cancelled_at", fallback="{created_at}"),
            Field("cancel_reason", _text, "cancellation_reason", fallback="imported"),
            _CREATED,
            Field("tx_hash", _hash, "deployment_tx_hash", kept=False),
            Field("place", _wallet, "smart_contract_address", kept=False),
        ),
    ),
    "investments": Shape(
        "investments_investment",
        (
            _ID,
            Field("campaign", _uuid, "campaign_id", required=True),
            Field("investor", _uuid, "investor_id", required=True),
            Field("amount", _amount, "amount", required=True),
            Field("payment_method", _text, "payment_method", required=True, words=_METHODS),
            Field("payment_reference", _text, "payment_reference"),
            Field("status", _text, "status", required=True, words=_INVESTMENT),
            Field("wallet", _wallet, "wallet_address"),
            Field("paid_at", _moment, "paid_at", fallback="{created_at}"),
            Field("failure_reason", _text, "failure_reason"),
            _CREATED,
            Field("tx_hash", _hash, "blockchain_tx_hash", kept=False),
        ),
    ),
    # nothing of it is stored: the chain has it
    "certificates": Shape(
        "certificates_nftsharecertificate",
        (
            _ID,
            Field("investment", _uuid, "investment_id", required=True, kept=False),
            Field("token_id", _whole, "token_id", kept=False),
            Field("wallet", _wallet, "owner_address", kept=False),
            Field("amount", _amount, "investment_amount", kept=False),
            Field("tx_hash", _hash, "mint_tx_hash", kept=False),
        ),
        optional=True,
    ),
}


def convert(
    table: str, old: Mapping[str, Any], words: Mapping[str, Mapping[str, str]], defaults: Mapping[str, str]
) -> Row:
    """An old row, its values by field (a list of them where a field is made of several columns)."""
    row = Row(table, str(old["id"]), was=str(old.get("status") or ""))
    fields = TABLES[table].fields
    for each in fields:
        _read(row, each, old.get(each.name), words.get(each.name, {}))
    for each in fields:  # after all others: they name what was read
        template = defaults.get(each.name, each.fallback)
        if row.values.get(each.name) is None and template is not None and each.name not in row.problems:
            try:
                filled = template.format_map(row.values)
            except (KeyError, ValueError, IndexError, AttributeError):
                row.problems[each.name] = f"the default {template!r} can't be filled in"
                continue
            _read(row, each, filled, {})
        if each.required and row.values.get(each.name) is None:
            row.problems.setdefault(each.name, "empty")
    row.id = row.values.get("id")
    _settle(row)
    return row


def _read(row: Row, of: Field, value: Any, words: Mapping[str, str]) -> None:
    if isinstance(value, list):
        value = " ".join(str(part) for part in value if part not in (None, ""))
    row.values[of.name] = None
    if value is None:
        return
    try:
        found = of.read(value)
        if of.choices and found is not None:
            known = of.words | {old.lower(): new for old, new in words.items()}
            if found.lower() not in known:
                raise ValueError(f"{_show(found)} is not known: map it to {' or '.join(of.choices)}")
            found = known[found.lower()]
        row.values[of.name] = found
    except ValueError as error:
        row.problems[of.name] = "it can't be read" if of.personal else str(error)


def _settle(row: Row) -> None:
    """What belongs to another status than the row's is left out, as the tables want it."""
    given = row.values
    if row.table == "companies" and not given["verified"]:
        given.update(verified_by=None, verified_at=None)
    if row.table == "campaigns":
        given["threshold_bps"] = given.pop("threshold_percent")
        if given["status"] == "cancelled":
            given["status"] = "approved"
        else:
            given.update(cancelled_at=None, cancel_reason=None)
        if given["status"] != "approved":
            given.update(approved_by=None, approved_at=None)
    if row.table == "investments" and given["status"] != "paid":
        given["paid_at"] = None


def kept(row: Row) -> dict[str, Any]:
    """The columns to store."""
    passing = {each.name for each in TABLES[row.table].fields if not each.kept}
    found = {name: value for name, value in row.values.items() if name not in passing}
    if "description" in found:  # which is empty there, never null
        found["description"] = found["description"] or ""
    return found
