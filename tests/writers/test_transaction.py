"""Transactions against eth_account, which makes the same bytes by other code; and bytes of all sorts."""

import dataclasses
from typing import Any

import coincurve
import pytest
import rlp
from chainfirst.writers import transaction
from chainfirst.writers.transaction import DynamicFee, Legacy, Unsigned
from eth_account import Account
from hypothesis import example, given
from hypothesis import strategies as st

KEY = "0x" + "5ec7e7" * 10 + "beef"
ADDRESS = Account.from_key(KEY).address.lower()
TO = "0x" + "ab" * 20
LEGACY = Legacy(chain_id=31337, nonce=7, gas_price_wei=0, gas=21_000, to=TO, value=0, data=b"")
DYNAMIC = DynamicFee(
    chain_id=31337, nonce=7, max_priority_fee_per_gas_wei=1, max_fee_per_gas_wei=2, gas=90_000, to=TO,
    value=5, data=b"\x00\x01",
)  # fmt: skip

words = st.integers(0, 2**256 - 1) | st.integers(0, 300)
common: dict[str, st.SearchStrategy[Any]] = {
    "chain_id": st.integers(1, 2**31 - 1) | st.integers(1, transaction.LARGEST_CHAIN_ID),
    "nonce": st.integers(0, transaction.LARGEST_NONCE) | st.integers(0, 300),
    "gas": st.integers(0, transaction.LARGEST_GAS),
    "to": st.binary(min_size=20, max_size=20).map(lambda raw: f"0x{raw.hex()}"),
    "value": words,
    "data": st.binary(max_size=200),
}
legacy = st.builds(Legacy, gas_price_wei=words, **common)
fees = st.tuples(words, words).map(sorted)
dynamic = st.tuples(fees, st.fixed_dictionaries(common)).map(
    lambda pair: DynamicFee(
        max_priority_fee_per_gas_wei=pair[0][0], max_fee_per_gas_wei=pair[0][1], **pair[1]
    )
)
keys = st.integers(1, transaction.GROUP_ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def as_asked(unsigned: Unsigned) -> dict[str, Any]:
    """The transaction as eth_account takes it."""
    fields = {
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "gas": unsigned.gas,
        "to": bytes.fromhex(unsigned.to[2:]),
        "value": unsigned.value,
        "data": unsigned.data,
    }
    if isinstance(unsigned, Legacy):
        return fields | {"gasPrice": unsigned.gas_price_wei}
    return fields | {
        "type": 2,
        "maxFeePerGas": unsigned.max_fee_per_gas_wei,
        "maxPriorityFeePerGas": unsigned.max_priority_fee_per_gas_wei,
    }


def sign(unsigned: Unsigned, secret: bytes) -> bytes:
    signature = coincurve.PrivateKey(secret).sign_recoverable(transaction.signing_hash(unsigned), hasher=None)
    return transaction.assemble(unsigned, signature)


@given(legacy | dynamic, keys)
@example(LEGACY, bytes.fromhex(KEY[2:]))
@example(DYNAMIC, bytes.fromhex(KEY[2:]))
def test_the_same_bytes_and_hash_as_eth_account_and_back(unsigned: Unsigned, secret: bytes) -> None:
    oracle = Account.from_key(secret)
    theirs = oracle.sign_transaction(as_asked(unsigned))
    raw = sign(unsigned, secret)
    assert raw == theirs.raw_transaction
    assert transaction.transaction_hash(raw) == theirs.hash.to_0x_hex()
    signed = transaction.decode(raw)
    assert signed.transaction == unsigned
    assert signed.sender == oracle.address.lower()
    assert (signed.hash, signed.raw) == (theirs.hash.to_0x_hex(), raw)
    assert Account.recover_transaction(raw).lower() == signed.sender
    assert theirs.s <= transaction.GROUP_ORDER // 2
    if isinstance(unsigned, Legacy):
        assert theirs.v in (35 + 2 * unsigned.chain_id, 36 + 2 * unsigned.chain_id)


def test_the_example_of_eip_155() -> None:
    """Its private key is 0x46…46; hash and bytes are those that the EIP prints."""
    unsigned = Legacy(
        chain_id=1, nonce=9, gas_price_wei=20 * 10**9, gas=21_000, to="0x" + "35" * 20, value=10**18, data=b""
    )
    expected = "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    assert transaction.signing_hash(unsigned).hex() == expected
    assert sign(unsigned, b"\x46" * 32).hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd9"
        "39bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b2"
        "97fb1966a3b6d83"
    )


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        (LEGACY, {"chain_id": 0}, "chain_id: 0"),
        (LEGACY, {"chain_id": 2**63}, "chain_id"),
        (LEGACY, {"nonce": -1}, "nonce: -1"),
        (LEGACY, {"nonce": 2**64 - 1}, "nonce"),
        (LEGACY, {"gas": 2**64}, "gas"),
        (LEGACY, {"gas_price_wei": 2**256}, "gas_price_wei"),
        (LEGACY, {"value": 2**256}, "value"),
        (LEGACY, {"to": "0x" + "AB" * 20}, "to"),
        (LEGACY, {"to": "0x"}, "to"),
        (DYNAMIC, {"max_fee_per_gas_wei": 2**256}, "max_fee_per_gas_wei"),
        (DYNAMIC, {"max_priority_fee_per_gas_wei": 3}, "max_priority_fee_per_gas_wei: 3"),
    ],
)
def test_what_no_chain_takes_is_not_made(base: Unsigned, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(base, **changes)


def high(unsigned: Unsigned) -> bytes:
    """Validly signed, but with the greater of the two possible s (EIP-2)."""
    items = rlp.decode(sign(unsigned, bytes.fromhex(KEY[2:]))[0 if isinstance(unsigned, Legacy) else 1 :])
    last = transaction.GROUP_ORDER - int.from_bytes(items[-1], "big")
    parity = int.from_bytes(items[-3], "big")
    flipped = parity ^ 1 if isinstance(unsigned, DynamicFee) else parity + (1 if parity % 2 else -1)
    body: bytes = rlp.encode([*items[:-3], flipped, items[-2], last])
    return body if isinstance(unsigned, Legacy) else b"\x02" + body


def spoilt(position: int, item: Any) -> bytes:
    """The EIP-1559 transaction with one item replaced."""
    items = rlp.decode(sign(DYNAMIC, bytes.fromhex(KEY[2:]))[1:])
    body: bytes = rlp.encode([*items[:position], item, *items[position + 1 :]])
    return b"\x02" + body


WITHOUT_CHAIN = Account.from_key(KEY).sign_transaction(
    {"nonce": 1, "gas": 21_000, "gasPrice": 1, "to": b"\xab" * 20, "value": 0, "data": b""}
)
CREATION = Account.from_key(KEY).sign_transaction(
    {"nonce": 1, "gas": 21_000, "gasPrice": 1, "to": b"", "value": 0, "data": b"", "chainId": 5}
)
BLOB_TYPE = b"\x03" + rlp.encode([b""] * 14)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "no bytes"),
        (b"\x00", "type 0"),
        (BLOB_TYPE, "type 3"),
        (b"\x02", "no RLP"),
        (b"\xc0", "not a list of 9"),
        (b"\xf8", "no RLP"),
        (b"\x02" + b"\xc1" * 5000 + b"\xc0", "no RLP|not a list"),
        (sign(LEGACY, bytes.fromhex(KEY[2:])) + b"\0", "no RLP"),
        (WITHOUT_CHAIN.raw_transaction, "no chain id"),
        (CREATION.raw_transaction, "to: '0x'"),
        (high(LEGACY), "out of range"),
        (high(DYNAMIC), "out of range"),
        (spoilt(1, b"\0\7"), "leading zeros"),
        (spoilt(1, [b"\7"]), "a list in the place of bytes"),
        (spoilt(3, b""), "max_priority_fee_per_gas_wei"),
        (spoilt(8, [[b"\1" * 20, []]]), "an access list"),
        (spoilt(9, b"\2"), "out of range"),
        (spoilt(10, b""), "out of range"),
        (spoilt(10, b"\5"), "recover"),  # no point of the curve has this r
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_that_this_module_does_not_make(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        transaction.decode(raw)


@given(st.data())
def test_there_is_one_encoding_for_one_value(data: st.DataObject) -> None:
    """What is decoded from changed bytes is encoded as these bytes again, never as others."""
    raw = sign(data.draw(legacy | dynamic), bytes.fromhex(KEY[2:]))
    position = data.draw(st.integers(0, len(raw) - 1))
    change = data.draw(st.binary(max_size=3))
    changed = raw[:position] + change + raw[position + data.draw(st.integers(0, 3)) :]
    try:
        signed = transaction.decode(changed)
    except ValueError:
        return
    *_, v, r, s = rlp.decode(changed[changed[0] == 2 :])
    parity = int.from_bytes(v, "big") if changed[0] == 2 else (int.from_bytes(v, "big") + 1) % 2
    signature = r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes([parity])
    assert transaction.assemble(signed.transaction, signature) == changed
    if signed.sender == ADDRESS:
        assert changed == raw


@pytest.mark.parametrize(
    "signature", [b"", b"\1" * 64, b"\0" * 65, b"\1" * 64 + b"\2", b"\1" * 32 + b"\xff" * 32 + b"\1"]
)
def test_no_signature(signature: bytes) -> None:
    with pytest.raises(ValueError, match="a signature"):
        transaction.assemble(DYNAMIC, signature)
