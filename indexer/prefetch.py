"""Ranges of final blocks, fetched ahead on a few threads and handed out in order.

What waits in memory is bounded: by the number of ranges, and by their bytes as the node sent them.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chainfirst.indexer import fetch, window
from chainfirst.indexer.rpc import errors, wording
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import Header
from chainfirst.ops.errors import TransientError

T = TypeVar("T")


class Reader(fetch.Reader, Protocol):
    """What is asked of one endpoint, by several threads at once."""

    def headers_by_number(self, numbers: Sequence[int]) -> list[Header]:
        """The headers in the order asked."""


@dataclass(frozen=True)
class Fetched:
    """A range, what it was asked for, and the hash of the block before it (None before block 0)."""

    range: fetch.Range
    wanted: LogFilter
    before: str | None


@dataclass(frozen=True)
class _Ahead:
    first: int
    last: int
    future: "Future[Fetched]"


class Prefetch:
    """Takes ranges in order from a position to a final block. One thread calls; `window` adapts.

    `ahead` ranges at most are fetched or wait, and no more than `limit_bytes` of answers (a range not
    yet here counts as the window's target). With `ahead` 1 nothing is fetched before it is asked for.
    """

    def __init__(self, ranges: window.Window, *, ahead: int = 4, limit_bytes: int = 32 << 20) -> None:
        self.window = ranges
        self._ahead, self._limit = ahead, limit_bytes
        self._queue: deque[_Ahead] = deque()
        self._reader: Reader | None = None

    def forget(self) -> None:
        """Throw away what was fetched ahead."""
        self._queue.clear()

    def take(
        self, reader: Reader, wanted: Callable[[int], LogFilter], position: int, final: int
    ) -> Fetched | None:
        """The next range above `position` (which is below `final`); None: the node refused it as too
        large, and the window is smaller now. Raises what the fetch raised."""
        if reader is not self._reader or (self._queue and self._queue[0].first != position + 1):
            self.forget()
            self._reader = reader
        self._fill(reader, wanted, position, final)
        head = self._queue.popleft()
        try:
            found = head.future.result()
        except errors.RpcError as error:
            self.refused(error, head.first, head.last)
            return None
        except BaseException:
            self.forget()
            raise
        self.window = self.window.after_answer(head.last - head.first + 1, found.range.received_bytes)
        if self._ahead > 1:
            self._fill(reader, wanted, head.last, final)
        return found

    def refused(self, error: errors.RpcError, first: int, last: int) -> None:
        """A smaller window where that is the cure; at one block, or for another failure, raise. What was
        fetched ahead is thrown away."""
        self.forget()
        asked = last - first + 1
        if error.kind not in errors.SHRINK or asked == 1:
            raise error
        if error.kind is Kind.RANGE_TOO_LARGE:
            self.window = self.window.after_range_refused(asked, wording.range_limit(error.text))
            return
        suggested = wording.suggested_range(error.text, first, last)
        smaller = None if suggested is None else suggested[1] - suggested[0] + 1
        self.window = self.window.after_result_refused(asked, smaller)

    def _fill(self, reader: Reader, wanted: Callable[[int], LogFilter], position: int, final: int) -> None:
        if self._queue:
            position = self._queue[-1].last
        while len(self._queue) < self._ahead and self._bytes() < self._limit:
            span = window.next_range(position, final, self.window)
            if span is None:
                return
            self._queue.append(_Ahead(*span, _start(reader, wanted(span[1]), *span)))
            position = span[1]

    def _bytes(self) -> int:
        total = 0
        for each in self._queue:
            here = each.future.done() and each.future.exception() is None
            total += each.future.result().range.received_bytes if here else self.window.target_bytes
        return total


def in_background(name: str, work: Callable[[], T]) -> "Future[T]":
    """Work on a thread of its own; what hangs there never holds up the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _start(reader: Reader, wanted: LogFilter, first: int, last: int) -> "Future[Fetched]":
    return in_background(f"range {first}-{last}", lambda: _fetch(reader, wanted, first, last))


def _fetch(reader: Reader, wanted: LogFilter, first: int, last: int) -> Fetched:
    before = None
    if first > 0:
        header = reader.header_by_number(first - 1)
        if header is None:
            raise TransientError(f"the endpoint has no block {first - 1}, though it is said to be final")
        before = header.hash
    return Fetched(fetch.final_range(reader, wanted, first, last), wanted, before)
