"""Transactions as they are signed and sent: unsigned fields, signing hash, raw bytes, and back.

Legacy with EIP-155 (for chains whose headers have no base fee) and EIP-1559 (type 2, EIP-2718) with an
empty access list; always a call, never a creation. RLP and fields: Yellow Paper 4.2 and appendices B, F.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import coincurve
import rlp
from eth_hash.auto import keccak

DYNAMIC_FEE_TYPE = 2
LARGEST_CHAIN_ID = 2**63 - 37  # EIP-2294
LARGEST_NONCE = 2**64 - 2  # EIP-2681
LARGEST_GAS = 2**64 - 1
LARGEST_WORD = 2**256 - 1
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1. A signature's s is at most half of it (EIP-2)."""


@dataclass(frozen=True, kw_only=True)
class Legacy:
    """With one gas price; `value` is in wei, `to` lower-case 0x. ValueError for what no chain takes."""

    chain_id: int
    nonce: int
    gas_price_wei: int
    gas: int
    to: str
    value: int
    data: bytes

    def __post_init__(self) -> None:
        _check(self)
        _check_range("gas_price_wei", self.gas_price_wei, LARGEST_WORD)


@dataclass(frozen=True, kw_only=True)
class DynamicFee:
    """A transaction with a tip and a fee cap per gas (EIP-1559); otherwise as `Legacy`."""

    chain_id: int
    nonce: int
    max_priority_fee_per_gas_wei: int
    max_fee_per_gas_wei: int
    gas: int
    to: str
    value: int
    data: bytes

    def __post_init__(self) -> None:
        _check(self)
        _check_range("max_fee_per_gas_wei", self.max_fee_per_gas_wei, LARGEST_WORD)
        _check_range(
            "max_priority_fee_per_gas_wei", self.max_priority_fee_per_gas_wei, self.max_fee_per_gas_wei
        )


Unsigned = Legacy | DynamicFee


@dataclass(frozen=True)
class Signed:
    """What raw bytes say: the fields, who signed them, and the transaction's hash (lower-case 0x)."""

    transaction: Unsigned
    sender: str
    hash: str
    raw: bytes


def signing_hash(transaction: Unsigned) -> bytes:
    """The 32 bytes that are signed."""
    if isinstance(transaction, Legacy):
        return keccak(rlp.encode([*_fields(transaction), transaction.chain_id, 0, 0]))
    return keccak(_typed(_fields(transaction)))


def assemble(transaction: Unsigned, signature: bytes) -> bytes:
    """The raw bytes. The signature: r, s and y's parity, 32 + 32 + 1 bytes; ValueError if it is none."""
    if len(signature) != 65:
        raise ValueError(f"a signature of {len(signature)} bytes, not 65")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    parity = signature[64]
    _check_signature(r, s, parity)
    if isinstance(transaction, Legacy):
        raw: bytes = rlp.encode([*_fields(transaction), parity + 35 + 2 * transaction.chain_id, r, s])
        return raw
    return _typed([*_fields(transaction), parity, r, s])


def transaction_hash(raw: bytes) -> str:
    """The hash under which the chain knows these bytes, lower-case 0x."""
    return f"0x{keccak(raw).hex()}"


def address(public_key: coincurve.PublicKey) -> str:
    """The account of a public key, lower-case 0x (Yellow Paper appendix F)."""
    return f"0x{keccak(public_key.format(compressed=False)[1:])[-20:].hex()}"


def decode(raw: bytes) -> Signed:
    """The fields, the recovered sender and the hash; ValueError for anything that this module can't make."""
    if not raw:
        raise ValueError("no bytes")
    if raw[0] == DYNAMIC_FEE_TYPE:
        transaction, signature = _decode_dynamic_fee(_items(raw[1:], 12))
    elif raw[0] >= 0xC0:
        transaction, signature = _decode_legacy(_items(raw, 9))
    else:
        raise ValueError(f"a transaction of type {raw[0]}, not legacy or {DYNAMIC_FEE_TYPE}")
    key = coincurve.PublicKey.from_signature_and_message(signature, signing_hash(transaction), hasher=None)
    return Signed(transaction, address(key), transaction_hash(raw), raw)


def _fields(transaction: Unsigned) -> list[Any]:
    """What is signed, in order; for a legacy transaction without its chain id."""
    end = [transaction.gas, bytes.fromhex(transaction.to[2:]), transaction.value, transaction.data]
    if isinstance(transaction, Legacy):
        return [transaction.nonce, transaction.gas_price_wei, *end]
    fees = [transaction.max_priority_fee_per_gas_wei, transaction.max_fee_per_gas_wei]
    return [transaction.chain_id, transaction.nonce, *fees, *end, []]


def _typed(fields: Sequence[Any]) -> bytes:
    body: bytes = rlp.encode(fields)
    return bytes([DYNAMIC_FEE_TYPE]) + body


def _items(encoded: bytes, count: int) -> list[Any]:
    """The list's items; bytes or lists. Strict: one encoding for one value, nothing after it."""
    try:
        items = rlp.decode(encoded, strict=True)
    except (rlp.DecodingError, RecursionError):
        raise ValueError("no RLP") from None
    if not isinstance(items, list) or len(items) != count:
        raise ValueError(f"not a list of {count} items")
    return items


def _decode_dynamic_fee(items: list[Any]) -> tuple[Unsigned, bytes]:
    chain_id, nonce, tip, fee, gas = map(_integer, items[:5])
    if items[8] != []:
        raise ValueError("an access list")
    transaction = DynamicFee(
        chain_id=chain_id,
        nonce=nonce,
        max_priority_fee_per_gas_wei=tip,
        max_fee_per_gas_wei=fee,
        gas=gas,
        to=f"0x{_bytes(items[5]).hex()}",
        value=_integer(items[6]),
        data=_bytes(items[7]),
    )
    return transaction, _signature(_integer(items[9]), items[10], items[11])


def _decode_legacy(items: list[Any]) -> tuple[Unsigned, bytes]:
    nonce, price, gas = map(_integer, items[:3])
    v = _integer(items[6])
    if v < 37:
        raise ValueError(f"a signature with v = {v}, which holds no chain id (EIP-155)")
    transaction = Legacy(
        chain_id=(v - 35) // 2,
        nonce=nonce,
        gas_price_wei=price,
        gas=gas,
        to=f"0x{_bytes(items[3]).hex()}",
        value=_integer(items[4]),
        data=_bytes(items[5]),
    )
    return transaction, _signature((v - 35) % 2, items[7], items[8])


def _signature(parity: int, r_item: Any, s_item: Any) -> bytes:
    r, s = _integer(r_item), _integer(s_item)
    _check_signature(r, s, parity)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])


def _bytes(item: Any) -> bytes:
    if not isinstance(item, bytes):
        raise ValueError("a list in the place of bytes")
    return item


def _integer(item: Any) -> int:
    if _bytes(item)[:1] == b"\0":
        raise ValueError("a number with leading zeros")
    return int.from_bytes(item, "big")


def _check(transaction: Unsigned) -> None:
    _check_range("chain_id", transaction.chain_id, LARGEST_CHAIN_ID, 1)
    _check_range("nonce", transaction.nonce, LARGEST_NONCE)
    _check_range("gas", transaction.gas, LARGEST_GAS)
    _check_range("value", transaction.value, LARGEST_WORD)
    if not re.fullmatch("0x[0-9a-f]{40}", transaction.to):
        raise ValueError(f"to: {transaction.to[:50]!r} is no lower-case address")


def _check_range(name: str, number: int, largest: int, smallest: int = 0) -> None:
    if not smallest <= number <= largest:
        raise ValueError(f"{name}: {number} is not between {smallest} and {largest}")


def _check_signature(r: int, s: int, parity: int) -> None:
    if not (0 < r < GROUP_ORDER and 0 < s <= GROUP_ORDER // 2 and parity in (0, 1)):
        raise ValueError("a signature whose r, s or parity is out of range")
