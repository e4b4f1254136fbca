"""Answers are checked before they are believed: each function raises ValueError saying what was found."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from chainfirst.indexer.rpc import quantity
from chainfirst.indexer.structs import Header, Log


@dataclass(frozen=True)
class LogFilter:
    """Which logs: addresses and first topics, lower-case hex. None means any, an empty tuple none."""

    addresses: tuple[str, ...] | None = None
    topics0: tuple[str, ...] | None = None

    @functools.cached_property
    def address_set(self) -> frozenset[str]:
        """The addresses for lookups."""
        return frozenset(address.lower() for address in self.addresses or ())

    @functools.cached_property
    def topic_set(self) -> frozenset[str]:
        """The first topics for lookups."""
        return frozenset(topic.lower() for topic in self.topics0 or ())

    @property
    def is_empty(self) -> bool:
        """Nothing can match; nodes would read an empty list as "any"."""
        return self.addresses == () or self.topics0 == ()

    def params(self) -> dict[str, Any]:
        """The filter's part of eth_getLogs."""
        found: dict[str, Any] = {}
        if self.addresses is not None:
            found["address"] = sorted(self.address_set)
        if self.topics0 is not None:
            found["topics"] = [sorted(self.topic_set)]
        return found


def header(found: Header, *, number: int | None = None, block_hash: str | None = None) -> Header:
    """The header, if its shape is right and it is the one asked for."""
    if not quantity.is_hash(found.hash) or not quantity.is_hash(found.parent_hash):
        raise ValueError(f"a header's hash is {found.hash[:80]!r}, its parent's {found.parent_hash[:80]!r}")
    is_number = quantity.parse(found.number)
    quantity.parse(found.timestamp)
    if number is not None and is_number != number:
        raise ValueError(f"header {is_number} instead of {number}")
    if block_hash is not None and found.hash != block_hash.lower():
        raise ValueError(f"header {found.hash} instead of {block_hash}")
    return found


def logs(
    found: list[Log],
    wanted: LogFilter,
    *,
    first: int = 0,
    last: int | None = None,
    block_hash: str | None = None,
) -> tuple[list[Log], int]:
    """The logs in order of (block, transaction, log), and how many removed ones were dropped.

    Each lies in first..last, in `block_hash` if given, matches the filter; a number has one hash.
    Several logs at one place stay: who turns logs into rows drops repeats and refuses contradictions.
    """
    any_address, addresses = wanted.addresses is None, wanted.address_set
    any_topic, topics = wanted.topics0 is None, wanted.topic_set
    hashes: dict[int, str] = {}
    number_hex = hash_hex = tx_hex = ""
    number = transaction = position = -1
    in_order, unusual = True, False
    for log in found:
        if log.block_hash != hash_hex or log.block_number != number_hex:
            number_hex, hash_hex = log.block_number, log.block_hash
            before, number = number, _block(log, hashes, first, last, block_hash)
            in_order = in_order and number > before
            tx_hex, transaction, position = "", -1, -1
        if log.transaction_index != tx_hex:
            tx_hex = log.transaction_index
            before, transaction = transaction, quantity.parse(tx_hex)
            in_order = in_order and transaction > before
        log_hex = log.log_index
        before, position = position, 0 if log_hex == "0x" else int(log_hex, 16)
        if position < before:
            in_order = False
        if not (any_address or log.address in addresses):
            unusual = True
        if not any_topic and (not log.topics or log.topics[0] not in topics):
            unusual = True
        if log.removed:
            unusual = True
    kept = found
    if unusual:
        kept = [_normal(log, wanted) for log in found if not log.removed]
    if not in_order:
        kept = _sorted(kept)
    return kept, len(found) - len(kept)


def _block(log: Log, hashes: dict[int, str], first: int, last: int | None, block_hash: str | None) -> int:
    number = quantity.parse(log.block_number)
    if number < first or (last is not None and number > last):
        raise ValueError(f"a log of block {number}, asked for {first} to {last}")
    if not quantity.is_hash(log.block_hash):
        raise ValueError(f"a log's block hash is {log.block_hash[:80]!r}")
    if block_hash is not None and log.block_hash != block_hash:
        raise ValueError(f"a log of block {log.block_hash}, asked for {block_hash}")
    if hashes.setdefault(number, log.block_hash) != log.block_hash:
        raise ValueError(f"block {number} has two hashes: {hashes[number]} and {log.block_hash}")
    return number


def _normal(log: Log, wanted: LogFilter) -> Log:
    """The log in lower case, if it matches the filter."""
    address, topics = log.address.lower(), [topic.lower() for topic in log.topics]
    if wanted.addresses is not None and address not in wanted.address_set:
        raise ValueError(f"a log of {address[:80]}, which was not asked for")
    if wanted.topics0 is not None and (not topics or topics[0] not in wanted.topic_set):
        raise ValueError(f"a log with topics {str(topics)[:300]}, which were not asked for")
    return msgspec.structs.replace(log, address=address, topics=topics)


def _sorted(found: Iterable[Log]) -> list[Log]:
    """By block, transaction and log."""
    parse = quantity.parse
    return sorted(
        found, key=lambda log: (parse(log.block_number), parse(log.transaction_index), parse(log.log_index))
    )
