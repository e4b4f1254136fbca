"""Receipts of a block: their root, as the header commits to it, and the logs in them."""

from collections.abc import Sequence

import msgspec
import rlp
from chainfirst.indexer.rpc import quantity
from chainfirst.indexer.structs import Log
from trie.hexary import HexaryTrie

DEPOSIT = 0x7E


class Receipt(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A receipt of eth_getBlockReceipts; before Byzantium it has a state root instead of a status.

    The last two fields are those of the OP Stack's deposits.
    """

    transaction_index: str
    block_hash: str
    cumulative_gas_used: str
    logs_bloom: str
    logs: list[Log]
    status: str | None = None
    root: str | None = None
    type: str | int | None = None
    deposit_nonce: str | int | None = None
    deposit_receipt_version: str | int | None = None


def encode(receipt: Receipt) -> bytes:
    """The receipt's consensus bytes (Yellow Paper 4.3.1; EIP-658 status; EIP-2718 type byte).

    An OP Stack deposit's nonce is in them since Canyon, which gave it a version.
    """
    if receipt.status is not None:
        outcome = b"\x01" if quantity.parse(receipt.status) else b""
    elif receipt.root is not None:
        outcome = _bytes(receipt.root)
    else:
        raise ValueError("a receipt with neither status nor root")
    logs = [
        [_bytes(log.address), [_bytes(topic) for topic in log.topics], _bytes(log.data)]
        for log in receipt.logs
    ]
    gas = quantity.parse(receipt.cumulative_gas_used)
    kind = 0 if receipt.type is None else quantity.parse(receipt.type)
    more = []
    if kind == DEPOSIT and receipt.deposit_receipt_version is not None:
        more = [quantity.parse(receipt.deposit_nonce), quantity.parse(receipt.deposit_receipt_version)]
    body: bytes = rlp.encode([outcome, gas, _bytes(receipt.logs_bloom), logs, *more])
    return bytes([kind]) + body if kind else body


def root(receipts: Sequence[Receipt]) -> str:
    """The receipts root in hex; ValueError for a malformed or incomplete list."""
    ordered = _ordered(receipts)
    trie = HexaryTrie({}, prune=True)
    for index, receipt in enumerate(ordered):
        trie[rlp.encode(index)] = encode(receipt)
    return "0x" + bytes(trie.root_hash).hex()


def logs_from_receipts(receipts: Sequence[Receipt]) -> list[Log]:
    """All logs of the block, in order."""
    return [log for receipt in _ordered(receipts) for log in receipt.logs]


def _ordered(receipts: Sequence[Receipt]) -> list[Receipt]:
    indexed = sorted(
        ((quantity.parse(each.transaction_index), each) for each in receipts), key=lambda pair: pair[0]
    )
    if [index for index, _ in indexed] != list(range(len(indexed))):
        raise ValueError("the receipts are not those of transactions 0, 1, 2 …")
    return [receipt for _, receipt in indexed]


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))
