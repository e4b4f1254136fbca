"""What a node answers, as typed structs; quantities stay the node's hex until they are used.

Field names follow the JSON-RPC of the Ethereum execution APIs; unknown fields are ignored.
"""

import msgspec


class Log(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One event log. `block_timestamp` is hex, a JSON number or missing, as the node likes."""

    address: str
    topics: list[str]
    data: str
    block_number: str
    block_hash: str
    transaction_hash: str
    transaction_index: str
    log_index: str
    block_timestamp: str | int | None = None
    removed: bool = False


class Header(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A block's header, with its transaction hashes where the call gives them."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str | int
    logs_bloom: str | None = None
    receipts_root: str | None = None
    base_fee_per_gas: str | None = None
    transactions: list[str] = []


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of a transaction. `gas_price_wei` is missing where the node has no effectiveGasPrice."""

    block_number: int
    block_hash: str
    ok: bool
    gas_used: int
    gas_price_wei: int | None


class BlockRef(msgspec.Struct, frozen=True, gc=False):
    """A block as chainfirst remembers it: enough to link it and to roll it back. `time`: Unix seconds."""

    number: int
    hash: str
    parent_hash: str
    time: int


def place(log: Log) -> tuple[int, int, int]:
    """Block number, transaction index and log index: the order of the chain."""
    return int(log.block_number, 16), int(log.transaction_index, 16), int(log.log_index, 16)
