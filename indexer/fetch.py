"""Blocks and their logs from one endpoint, checked until they can be believed.

Two ways, by the third law: a range at or below the final block, held together by its last block's hash
before and after; and a single block above it, by its hash, with the bloom rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chainfirst.indexer import bloom, receipts
from chainfirst.indexer.rpc import errors, quantity, validate
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import BlockRef, Header, Log
from chainfirst.ops.errors import TransientError


class Reader(Protocol):
    """What is asked of one endpoint (`rpc.client.Client`)."""

    def header_by_number(self, block: int | str) -> Header | None:
        """The header at a number or tag; None if the node hasn't got it."""

    def logs_by_range(self, wanted: LogFilter, first: int, last: int) -> tuple[list[Log], int]:
        """Logs of a range, and the answer's size in bytes."""

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        """Logs of one block."""

    def receipts_by_hash(self, block_hash: str) -> list[receipts.Receipt]:
        """All receipts of one block."""


class SecondReader(Protocol):
    """What is asked of another endpoint (`rpc.pool.Pool.second`)."""

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        """Logs of one block."""


@dataclass(frozen=True)
class Range:
    """The logs of `first` to `last` (inclusive) in chain order; `tip` is the block `last`."""

    first: int
    last: int
    tip: BlockRef
    logs: tuple[Log, ...]
    received_bytes: int


@dataclass(frozen=True)
class Block:
    """One block and its logs. `proof` says why an empty answer was believed (see `block`)."""

    ref: BlockRef
    logs: tuple[Log, ...]
    proof: str = "answer"


def ref(header: Header) -> BlockRef:
    """The header as it is remembered."""
    return BlockRef(
        quantity.parse(header.number),
        header.hash,
        header.parent_hash,
        quantity.parse(header.timestamp),
    )


def final_range(reader: Reader, wanted: LogFilter, first: int, last: int) -> Range:
    """The logs of a range at or below the final block.

    TransientError when the endpoint's block `last` changes meanwhile, is missing (a replica that lags
    answers an empty list for a range beyond its head), or a log of it names another hash.
    """
    before = _header(reader, last)
    logs, size = reader.logs_by_range(wanted, first, last)
    after = _header(reader, last)
    if before.hash != after.hash:
        raise TransientError(
            f"block {last} was {before.hash} before its logs were read and {after.hash} afterwards"
        )
    if logs and quantity.parse(logs[-1].block_number) == last and logs[-1].block_hash != before.hash:
        raise TransientError(
            f"a log of block {last} names the hash {logs[-1].block_hash}, the header is {before.hash}"
        )
    return Range(first, last, ref(before), tuple(logs), size)


def block(reader: Reader, wanted: LogFilter, header: Header, second: SecondReader | None = None) -> Block:
    """The logs of one block by its hash, under the bloom rule.

    The cases, in order:
    1. the answer has logs, or the filter can match nothing     -> "answer"
    2. empty, and the header's bloom excludes a match           -> "bloom"
    3. empty although the bloom may match: the block's receipts, if their root is the header's,
       say which logs there are                                 -> "receipts"
    4. the node has no receipts by block, or headers have no root to prove them by: asked once more,
       of `second` if there is one
                                                                -> "second answer"
       where there is none, or it can't answer, of the same endpoint
                                                                -> "asked twice"
    TransientError where the receipts contradict the header: that endpoint isn't to be believed now; and
    where `second` hasn't got the block yet.
    """
    logs = reader.logs_by_hash(wanted, header.hash)
    if logs or wanted.is_empty:
        return Block(ref(header), tuple(logs))
    if header.logs_bloom is not None and not bloom.might_contain(
        header.logs_bloom, wanted.addresses, wanted.topics0
    ):
        return Block(ref(header), (), "bloom")
    if header.receipts_root is None:
        return _again(reader, wanted, header, second)
    try:
        found = reader.receipts_by_hash(header.hash)
    except errors.RpcError as error:
        if error.kind is not Kind.METHOD_MISSING:
            raise
        return _again(reader, wanted, header, second)
    return Block(ref(header), _proven(found, wanted, header), "receipts")


def _again(reader: Reader, wanted: LogFilter, header: Header, second: SecondReader | None) -> Block:
    if second is not None:
        try:
            logs = second.logs_by_hash(wanted, header.hash)
            return Block(ref(header), tuple(logs), "second answer")
        except errors.RpcError as error:
            if error.kind in {Kind.BLOCK_UNKNOWN, Kind.LAG}:
                # not as it came: the endpoint in use isn't to blame
                number = quantity.parse(header.number)
                raise TransientError(
                    f"block {number} {header.hash}: no logs by hash, though its bloom may match, and the "
                    f"second endpoint hasn't got it yet: {error.message}"
                ) from None
    return Block(ref(header), tuple(reader.logs_by_hash(wanted, header.hash)), "asked twice")


def _proven(found: Sequence[receipts.Receipt], wanted: LogFilter, header: Header) -> tuple[Log, ...]:
    try:
        root = receipts.root(found)
        if root != header.receipts_root:
            raise ValueError(f"their root is {root}, the header's {header.receipts_root}")
        logs = [
            log
            for log in receipts.logs_from_receipts(found)
            if (wanted.addresses is None or log.address.lower() in wanted.address_set)
            and (wanted.topics0 is None or (log.topics and log.topics[0].lower() in wanted.topic_set))
        ]
        return tuple(validate.logs(logs, wanted, block_hash=header.hash)[0])
    except ValueError as error:
        number = quantity.parse(header.number)
        raise TransientError(
            f"block {number} {header.hash}: no logs by hash, though its bloom may match, and its receipts "
            f"don't prove it: {error}",
            "If it stays, this endpoint's receipts can't be trusted: name another one first.",
        ) from None


def _header(reader: Reader, number: int) -> Header:
    header = reader.header_by_number(number)
    if header is None:
        raise TransientError(f"the endpoint has no block {number} yet, though it is said to be final")
    return header
