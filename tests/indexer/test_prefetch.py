"""Ranges ahead: in order, bounded, and thrown away when what they were fetched for has passed."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from chainfirst.indexer import prefetch, window
from chainfirst.indexer.rpc import errors
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import Header, Log
from chainfirst.ops.errors import TransientError

HERE = LogFilter(("0x" + "ab" * 20,))
RANGES = window.Window(10, 10, 1_000_000)


def block_hash(number: int) -> str:
    return f"0x{number:064x}"


class Node:
    """Headers of an endless chain without logs; answers to ranges wait for `gate` and weigh `size` bytes."""

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[tuple[int, int]] = []
        self.failures: dict[int, Exception] = {}

    def header_by_number(self, block: int | str) -> Header | None:
        number = int(block)
        return Header(hex(number), block_hash(number), block_hash(number - 1), "0x1")

    def headers_by_number(self, numbers: Sequence[int]) -> list[Header]:
        raise AssertionError

    def logs_by_range(self, wanted: LogFilter, first: int, last: int) -> tuple[list[Log], int]:
        self.asked.append((first, last))
        self.gate.wait()
        if first in self.failures:
            raise self.failures.pop(first)
        return [], self.size

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        raise AssertionError

    def receipts_by_hash(self, block_hash: str) -> list[Any]:
        raise AssertionError


def take(ranges: prefetch.Prefetch, node: Node, position: int, final: int = 1_000) -> tuple[int, int]:
    found = ranges.take(node, lambda _: HERE, position, final)
    assert found is not None
    assert found.before == (block_hash(position) if position >= 0 else None)
    assert found.range.tip.hash == block_hash(found.range.last)
    return found.range.first, found.range.last


def settle(ranges: prefetch.Prefetch) -> None:
    """Until nothing is under way."""
    for ahead in ranges._queue:
        ahead.future.exception()


def test_ranges_come_in_order_to_the_final_block_and_not_beyond() -> None:
    ranges, node = prefetch.Prefetch(RANGES, ahead=3), Node()
    assert [take(ranges, node, at, 25) for at in (-1, 9, 19)] == [(0, 9), (10, 19), (20, 25)]
    settle(ranges)
    assert sorted(node.asked) == [(0, 9), (10, 19), (20, 25)]


def test_no_more_are_fetched_ahead_than_allowed() -> None:
    ranges, node = prefetch.Prefetch(RANGES, ahead=3), Node()
    take(ranges, node, -1)
    settle(ranges)
    assert max(node.asked) == (30, 39)  # one taken, three wait


def test_with_one_nothing_is_fetched_before_it_is_asked_for() -> None:
    ranges, node = prefetch.Prefetch(RANGES, ahead=1), Node()
    take(ranges, node, -1)
    assert node.asked == [(0, 9)]


def test_what_waits_is_bounded_by_bytes() -> None:
    # a range under way counts as the target of 1 MB, one that is here as what it weighs
    ranges, node = prefetch.Prefetch(RANGES, ahead=100, limit_bytes=4_000_000), Node(size=900_000)
    take(ranges, node, -1)
    settle(ranges)
    assert len(node.asked) <= 6
    heavy = Node(size=10_000_000)
    ranges = prefetch.Prefetch(RANGES, ahead=100, limit_bytes=4_000_000)
    take(ranges, heavy, -1)
    settle(ranges)
    take(ranges, heavy, 9)
    settle(ranges)
    assert len(heavy.asked) <= 8


def test_a_jump_and_another_endpoint_throw_away_what_waits() -> None:
    ranges, node, other = prefetch.Prefetch(RANGES, ahead=2), Node(), Node()
    take(ranges, node, -1)
    assert take(ranges, node, 499) == (500, 509)
    assert take(ranges, other, 509) == (510, 519)
    assert (510, 519) in other.asked


def test_an_error_comes_in_its_turn_and_the_range_is_asked_again() -> None:
    ranges, node = prefetch.Prefetch(RANGES, ahead=3), Node()
    node.failures[10] = TransientError("lost")
    assert take(ranges, node, -1) == (0, 9)
    with pytest.raises(TransientError, match="lost"):
        take(ranges, node, 9)
    assert take(ranges, node, 9) == (10, 19)


def test_a_refusal_makes_smaller_ranges() -> None:
    ranges, node = prefetch.Prefetch(RANGES, ahead=2), Node()
    node.failures[0] = errors.make(Kind.TOO_MANY_RESULTS, "too many", text="too many")
    assert ranges.take(node, lambda _: HERE, -1, 1_000) is None
    assert take(ranges, node, -1) == (0, 4)
    at_one_block = prefetch.Prefetch(window.Window(1, 10, 1_000_000), ahead=1)
    node.failures[0] = errors.make(Kind.TOO_MANY_RESULTS, "too many", text="too many")
    with pytest.raises(errors.RpcError, match="too many"):
        at_one_block.take(node, lambda _: HERE, -1, 1_000)
