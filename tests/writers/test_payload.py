"""Payloads: what is wrong is named, all of it at once; whatever JSON comes, nothing else is raised."""

import hashlib
import json
from typing import Any

import pytest
from chainfirst.tests.writers.samples import (
    CAMPAIGN,
    CHECKSUMMED,
    COMPANY,
    HASH,
    INVESTMENT,
    VALID,
    WALLET,
    MemoryBook,
)
from chainfirst.writers import catalogue, contract_call, payload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KINDS = {kind.name: kind for kind in (*catalogue.PLATFORM, contract_call.kind(["share_certificate.approve"]))}
MAX_ERROR_CHARS = 20_000


def mistakes(kind: str, data: object) -> str:
    with pytest.raises(payload.PayloadError) as caught:
        payload.read(KINDS[kind].payload, data)
    return str(caught.value)


def test_every_kind_has_a_valid_payload_here() -> None:
    assert VALID.keys() == KINDS.keys()
    for name, kind in KINDS.items():
        kind.read(VALID[name], MemoryBook())


def test_values_are_what_the_database_spells() -> None:
    read = payload.read(KINDS["issuer.register"].payload, VALID["issuer.register"])
    assert read.company == "0x0190b1c23d4e7f809a0b1c2d3e4f5061" + "0" * 32
    assert read.wallet == CHECKSUMMED.lower()
    assert read.name == "Sheger Coffee ሸገር ቡና"
    create = payload.read(KINDS["campaign.create"].payload, VALID["campaign.create"] | {"title": None})
    assert (create.funding_goal, create.max_investment, create.title) == (100_000_000, 0, None)
    mint = payload.read(KINDS["certificate.mint"].payload, VALID["certificate.mint"])
    assert (mint.investment, mint.metadata_hash) == (HASH, HASH)


@pytest.mark.parametrize("spelling", [INVESTMENT.upper(), "0x" + INVESTMENT.replace("-", "") + "0" * 32])
def test_an_id_may_be_a_uuid_or_a_word(spelling: str) -> None:
    given = VALID["campaign.record_investment"] | {"investment": spelling}
    read = payload.read(KINDS["campaign.record_investment"].payload, given)
    assert read.investment == "0x" + INVESTMENT.replace("-", "") + "0" * 32


# kind, field, value, a part of what is said of it
WRONG: list[tuple[str, str, Any, str]] = [
    ("issuer.register", "company", "0190b1c2", 'found "0190b1c2"; allowed: a UUID, or 0x'),
    ("issuer.register", "company", COMPANY + "0", "found"),
    ("issuer.register", "company", "{" + COMPANY + "}", "found"),
    ("issuer.register", "company", "00000000-0000-0000-0000-000000000000", "which is zero"),
    ("issuer.register", "company", HASH, "whose last 16 bytes are not zero"),
    ("issuer.register", "company", "0x" + "0" * 64, "which is zero"),
    ("issuer.register", "company", "0X" + "1" * 32 + "0" * 32, "found"),
    ("issuer.register", "company", 7, "found the number 7"),
    ("issuer.register", "company", None, "found null"),
    ("issuer.register", "wallet", CHECKSUMMED.replace("aA", "AA"), "whose checksum is wrong"),
    ("issuer.register", "wallet", "0x" + "0" * 40, "the zero address"),
    ("issuer.register", "wallet", CHECKSUMMED[2:], "allowed: an address"),
    ("issuer.register", "wallet", CHECKSUMMED + "\n", "allowed: an address"),
    ("issuer.register", "wallet", ["0x"], "found a list"),
    ("issuer.register", "credential_hash", "0x" + "1" * 63, "a hash: 0x and 64 hex digits"),
    ("issuer.register", "credential_hash", "0x" + "g" * 64, "a hash: 0x and 64 hex digits"),
    ("issuer.register", "credential_hash", "0x" + "0" * 64, "which is zero"),
    ("issuer.register", "document_uri", "", 'found ""'),
    ("issuer.register", "document_uri", "profiles/1.pdf", "a scheme"),
    ("issuer.register", "document_uri", "ipfs://a b", "no spaces"),
    ("issuer.register", "document_uri", "ipfs://ሸገር", "ASCII"),
    ("issuer.register", "document_uri", "ipfs://" + "a" * 506, "(513 characters); allowed"),
    ("issuer.register", "document_uri", "ipfs://a\0", r"ipfs://a\u0000"),
    ("issuer.register", "name", " Sheger", "no space at its ends"),
    ("issuer.register", "name", "Sheger\nCoffee", "one line"),
    ("issuer.register", "name", "Sheger\u2028Coffee", "one line"),
    ("issuer.register", "name", "ሸ" * 201, "at most 200 characters"),
    ("issuer.register", "name", "a\ud800b", "with the character U+D800"),
    ("issuer.register", "name", "a\0b", "with the character U+0000"),
    ("issuer.register", "name", "a\x1b[31m", "with the character U+001B"),
    ("issuer.set_active", "active", 1, "found the number 1; allowed: true or false"),
    ("issuer.set_active", "active", "true", 'found "true"; allowed: true or false'),
    ("campaign.create", "funding_goal", 100000000, "the number 100000000, which is a JSON number"),
    ("campaign.create", "funding_goal", 1e8, "which is a JSON number; allowed: token units as a text"),
    ("campaign.create", "funding_goal", True, "found true"),
    ("campaign.create", "funding_goal", "-5", 'found "-5"'),
    ("campaign.create", "funding_goal", "+5", 'found "+5"'),
    ("campaign.create", "funding_goal", "0", 'found "0"'),
    ("campaign.create", "funding_goal", "05", 'found "05"'),
    ("campaign.create", "funding_goal", "1000.00", 'found "1000.00"'),
    ("campaign.create", "funding_goal", "1e8", 'found "1e8"'),
    ("campaign.create", "funding_goal", "1_000", 'found "1_000"'),
    ("campaign.create", "funding_goal", "١٠", 'found "١٠"'),
    ("campaign.create", "funding_goal", " 5", 'found " 5"'),
    ("campaign.create", "funding_goal", "", 'found ""'),
    ("campaign.create", "funding_goal", str(2**128), "to 2^128 - 1"),
    ("campaign.create", "funding_goal", "9" * 5_000, "(5,000 characters)"),
    ("campaign.create", "duration_seconds", "2592000", 'found "2592000"; allowed: a whole number of seconds'),
    ("campaign.create", "duration_seconds", 86_399, "from 86400 to 31536000"),
    ("campaign.create", "duration_seconds", 2592000.0, "found the number 2592000.0"),
    ("campaign.create", "grace_seconds", -1, "from 0 to 1209600"),
    ("campaign.create", "success_threshold_bps", 10_001, "basis points"),
    ("campaign.create", "success_threshold_bps", False, "found false"),
    ("campaign.create", "max_investment", "99999", "and a min_investment of 100000; allowed: at least"),
    ("campaign.record_investment", "investment", HASH, "whose last 16 bytes are not zero"),
    ("campaign.record_investment", "payment_reference", "", "the bank's reference"),
    ("campaign.record_investment", "payment_reference", "a" * 65, "at most 64 characters"),
    ("campaign.record_investment", "payment_reference", "FT24 ", "no space at its ends"),
    ("campaign.record_investment", "payment_reference", "0x12", 'found "0x12"'),
    ("campaign.record_investment", "payment_reference", "0x" + "0" * 64, "which is zero"),
    ("campaign.record_investment", "payment_reference", 12345, "found the number 12345"),
    ("campaign.cancel", "reason", "  ", 'found "  "'),
    ("campaign.cancel", "reason", "ሸ" * 342, "1,026 bytes; allowed: a text, not blank"),
    ("certificate.mint", "investment", "0x" + "0" * 64, "which is zero"),
    ("certificate.transfer", "token_id", 17, "which is a JSON number"),
    ("certificate.transfer", "token_id", str(2**256), "a token's number"),
    ("certificate.transfer", "to", "0x" + "0" * 40, "the zero address"),
    ("contract.call", "contract", "Token", "the key of a contract"),
    ("contract.call", "arguments", "1", "a list of values"),
    ("contract.call", "value", 1, "which is a JSON number; allowed: wei"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "field", "value", "said"), WRONG)
def test_a_wrong_value_is_named_with_what_is_allowed(kind: str, field: str, value: Any, said: str) -> None:
    text = mistakes(kind, VALID[kind] | {field: value})
    assert text.startswith(f"{field}: found ")
    assert said in text
    assert "\n" not in text
    text.encode()
    assert "\0" not in text


RIGHT: list[tuple[str, str, Any]] = [
    ("issuer.register", "wallet", "0x" + CHECKSUMMED[2:].upper()),
    ("issuer.register", "document_uri", "ipfs://" + "a" * 505),
    ("issuer.register", "name", "ሸ" * 200),
    ("campaign.create", "funding_goal", str(2**128 - 1)),
    ("campaign.create", "min_investment", "0"),
    ("campaign.create", "max_investment", "100000"),
    ("campaign.cancel", "reason", "ሸ" * 341),
    ("campaign.record_investment", "payment_reference", "a" * 64),
    ("certificate.transfer", "token_id", str(2**256 - 1)),
]


@pytest.mark.parametrize(("kind", "field", "value"), RIGHT)
def test_the_last_right_value_before_a_limit(kind: str, field: str, value: Any) -> None:
    payload.read(KINDS[kind].payload, VALID[kind] | {field: value})


def test_a_payment_reference_is_hashed_as_an_app_can_in_sql() -> None:
    kind, given = KINDS["campaign.record_investment"].payload, VALID["campaign.record_investment"]
    digest = hashlib.sha256(b"FT24123ABCD").hexdigest()
    assert payload.read(kind, given).payment_reference == f"0x{digest}"
    assert payload.read(kind, given | {"payment_reference": HASH}).payment_reference == HASH


def test_all_mistakes_come_in_one_text() -> None:
    given = VALID["campaign.create"] | {"funding_goal": 5, "issuer": "x", "fundinggoal": "5", "zzz": 1}
    del given["document_uri"]
    text = mistakes("campaign.create", given)
    first, *lines = text.split("\n")
    assert first == "5 mistakes"
    assert [line.split(":")[0].strip() for line in lines] == [
        "issuer", "funding_goal", "document_uri", "fundinggoal", "zzz",
    ]  # fmt: skip
    assert "document_uri: found nothing; allowed: a URI" in text
    assert "fundinggoal: found a field that is not known; allowed: funding_goal (did you mean that?)" in text
    assert "zzz: found a field that is not known; allowed: campaign, issuer, " in text


@pytest.mark.parametrize("data", [None, [], "x", 5, True])
def test_what_is_no_object_is_refused(data: object) -> None:
    assert mistakes("campaign.finalize", data).startswith("payload: found ")


def test_a_flood_of_mistakes_is_cut() -> None:
    text = mistakes("campaign.finalize", {f"field{'x' * 500}{n}": n for n in range(5_000)})
    assert text.startswith("5001 mistakes")
    assert text.endswith("and 4981 more")
    assert len(text) < MAX_ERROR_CHARS


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}", "[" * 33 + "]" * 33, "", "{", '{"a": 1}}'],
)
def test_json_that_python_cannot_read_is_a_payload_error(text: str) -> None:
    with pytest.raises(payload.PayloadError, match="payload: found"):
        payload.loads(text)


def test_brackets_in_a_text_nest_nothing() -> None:
    given = {"a": '\\"[' * 100, "b": [[] for _ in range(100)], "c": json.loads("[" * 30 + "]" * 30)}
    assert payload.loads(json.dumps(given)) == given


def test_numbers_keep_their_spelling() -> None:
    read = payload.loads('{"a": 1, "b": 1.50, "c": 1e400, "d": ' + "9" * 5_000 + "}")
    assert read == {
        "a": 1,
        "b": payload.Number("1.50"),
        "c": payload.Number("1e400"),
        "d": payload.Number("9" * 5_000),
    }
    for name in "bcd":
        given = VALID["campaign.create"] | {"funding_goal": read[name]}
        assert "which is a JSON number" in mistakes("campaign.create", given)
        given = VALID["campaign.create"] | {"duration_seconds": read[name]}
        assert "found the number" in mistakes("campaign.create", given)


def test_an_unknown_id_is_told_apart_and_names_its_field() -> None:
    other = CAMPAIGN.replace("2", "3")
    for kind, field, value in [
        ("campaign.finalize", "campaign", other),
        ("escrow.refund", "investor", CHECKSUMMED),
        ("campaign.create", "issuer", CHECKSUMMED),
        ("issuer.set_active", "wallet", CHECKSUMMED),
        ("certificate.revoke", "token_id", "18"),
    ]:
        with pytest.raises(payload.UnknownId, match=f"^{field}: found"):
            KINDS[kind].read(VALID[kind] | {field: value}, MemoryBook())


ANY_TEXT = st.text(st.characters(), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
    | st.integers(10**70, 10**90) | st.integers(10**4_300, 10**4_301)
    | st.sampled_from([WALLET, COMPANY, HASH, "5", "0x", "-1", str(2**255), "approve", "Approval"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@st.composite
def payloads(draw: st.DrawFn) -> tuple[str, object]:
    """A kind, and any JSON: often a valid payload with something changed."""
    name = draw(st.sampled_from(sorted(KINDS)))
    given = dict(VALID[name])
    for field in draw(st.lists(st.sampled_from(sorted(given)), max_size=3)):
        given[field] = draw(JSON)
    if draw(st.booleans()):
        given |= draw(st.dictionaries(ANY_TEXT, JSON, max_size=2))
    return name, draw(st.just(given) | JSON)


@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=payloads())
def test_any_json_is_a_call_or_a_payload_error(asked: tuple[str, object]) -> None:
    name, data = asked
    try:
        prepared = KINDS[name].read(data, MemoryBook())
    except payload.PayloadError as error:
        text = str(error)
        text.encode()
        assert "\0" not in text
        assert len(text) < MAX_ERROR_CHARS
    else:
        # whatever was accepted can be stored
        stored = json.dumps([dict(prepared.expected.match), dict(prepared.expected.equal)])
        assert r"\u0000" not in stored


@settings(max_examples=300, deadline=None)
@given(text=st.text('[]{}":,0123456789eE.+-tfn \\u', max_size=60) | ANY_TEXT)
def test_any_text_is_json_or_a_payload_error(text: str) -> None:
    try:
        payload.loads(text)
    except payload.PayloadError as error:
        str(error).encode()
