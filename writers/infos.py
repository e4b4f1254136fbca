"""What nodes answer about blocks and transactions, validated into what a writer needs.

The raw shapes are those of the Ethereum execution APIs, as tolerant as nodes differ; what is read from them
raises ValueError, saying what was found.
"""

import re
from dataclasses import dataclass

import msgspec
from chainfirst.indexer.rpc import quantity
from chainfirst.writers import fees

Quantity = str | int | float
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True)
class Head:
    """A head as a writer needs it. `time`: Unix seconds; `base_fee_wei`: None where the chain has none."""

    number: int
    hash: str
    parent_hash: str
    time: int
    gas_limit: int
    base_fee_wei: int | None


@dataclass(frozen=True)
class TransactionInfo:
    """A transaction as a node has it; hashes and addresses lower-case. The block's fields: None in the pool.

    `to`: None for a creation. `fees`: what it was signed with; None where the node doesn't say.
    """

    hash: str
    sender: str
    nonce: int
    to: str | None
    data: bytes
    value: int
    fees: fees.Fees | None
    block_number: int | None
    block_hash: str | None
    index: int | None


@dataclass(frozen=True)
class FeeHistory:
    """eth_feeHistory, oldest first. `base_fees_wei`: one more than blocks, the last is the next block's;
    empty where the node gives none. `tips_wei`: of the percentile asked for."""

    base_fees_wei: tuple[int, ...]
    tips_wei: tuple[int, ...]


class RawHead(msgspec.Struct, rename="camel"):
    number: Quantity
    hash: str
    parent_hash: str
    timestamp: Quantity
    gas_limit: Quantity
    base_fee_per_gas: Quantity | None = None


class RawFeeHistory(msgspec.Struct, rename="camel"):
    base_fee_per_gas: list[Quantity] | None = None
    reward: list[list[Quantity] | None] | None = None


class RawTransaction(msgspec.Struct, rename="camel"):
    hash: str
    nonce: Quantity
    value: Quantity
    sender: str = msgspec.field(name="from")
    to: str | None = None
    input: str | None = None
    data: str | None = None
    gas_price: Quantity | None = None
    max_fee_per_gas: Quantity | None = None
    max_priority_fee_per_gas: Quantity | None = None
    block_number: Quantity | None = None
    block_hash: str | None = None
    transaction_index: Quantity | None = None


class RawBlock(msgspec.Struct, rename="camel"):
    number: Quantity
    hash: str
    transactions: list[RawTransaction]


def head(found: RawHead) -> Head:
    """The head, checked."""
    return Head(
        number=quantity.parse(found.number),
        hash=to_hash(found.hash),
        parent_hash=to_hash(found.parent_hash),
        time=quantity.parse(found.timestamp),
        gas_limit=quantity.parse(found.gas_limit),
        base_fee_wei=_optional(found.base_fee_per_gas),
    )


def fee_history(found: RawFeeHistory) -> FeeHistory:
    """The fee history; what a node leaves out is left out."""
    base_fees = tuple(quantity.parse(fee) for fee in found.base_fee_per_gas or ())
    return FeeHistory(base_fees, tuple(quantity.parse(reward[0]) for reward in found.reward or () if reward))


def block_transactions(found: RawBlock, wanted: int) -> list[TransactionInfo]:
    """The transactions of block `wanted`, each with its number and hash."""
    if quantity.parse(found.number) != wanted:
        raise ValueError(f"block {found.number} instead of {wanted}")
    block = wanted, to_hash(found.hash)
    return [_transaction(each, block, index) for index, each in enumerate(found.transactions)]


def transaction(found: RawTransaction, wanted: str) -> TransactionInfo:
    """The transaction of the hash `wanted`, mined or in the pool."""
    _same_hash(found.hash, wanted)
    return _transaction(found, _block_of(found), _optional(found.transaction_index))


def to_hash(value: str) -> str:
    """32 bytes as lower-case hex."""
    if not quantity.is_hash(value.lower()):
        raise ValueError(f"a hash of {value[:80]!r}")
    return value.lower()


def to_bytes(value: object) -> bytes:
    """The bytes of 0x hex."""
    if not isinstance(value, str) or value[:2] not in {"0x", "0X"}:
        raise ValueError(f"no bytes but {str(value)[:80]!r}")
    return bytes.fromhex(value[2:])


def _transaction(found: RawTransaction, block: tuple[int, str] | None, index: int | None) -> TransactionInfo:
    own = _block_of(found)
    if own not in (None, block):
        raise ValueError(f"a transaction of block {own} in block {block}")
    number, block_hash = block or (None, None)
    return TransactionInfo(
        hash=to_hash(found.hash),
        sender=_address(found.sender),
        nonce=quantity.parse(found.nonce),
        to=_address(found.to) if found.to and found.to != "0x" else None,
        data=to_bytes(found.input if found.input is not None else found.data or "0x"),
        value=quantity.parse(found.value),
        fees=_fees(found),
        block_number=number,
        block_hash=block_hash,
        index=None if block is None else index,
    )


def _block_of(found: RawTransaction) -> tuple[int, str] | None:
    """Number and hash; None in the pool, where some nodes give a hash of zeros."""
    if found.block_hash is None or found.block_number is None or not int(found.block_hash, 16):
        return None
    return quantity.parse(found.block_number), to_hash(found.block_hash)


def _fees(found: RawTransaction) -> fees.Fees | None:
    """A mined transaction's gas price is what it paid, so its own two fees go first."""
    try:
        if found.max_fee_per_gas is not None and found.max_priority_fee_per_gas is not None:
            max_fee, tip = found.max_fee_per_gas, found.max_priority_fee_per_gas
            return fees.Fees(quantity.parse(max_fee), quantity.parse(tip))
        return None if found.gas_price is None else fees.Fees(quantity.parse(found.gas_price))
    except ValueError:  # of a kind of transaction that isn't ours
        return None


def _same_hash(found: str, wanted: str) -> str:
    if to_hash(found) != wanted.lower():
        raise ValueError(f"transaction {found} instead of {wanted}")
    return wanted.lower()


def _address(value: str) -> str:
    if _ADDRESS.fullmatch(value.lower()) is None:
        raise ValueError(f"an address of {value[:80]!r}")
    return value.lower()


def _optional(value: Quantity | None) -> int | None:
    return None if value is None else quantity.parse(value)
