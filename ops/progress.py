"""The indexer's progress as an operator reads it: numbers for Prometheus, few lines in the log."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from chainfirst.ops import metrics

LINE_SECONDS = 10.0


class Progress:
    """An `indexer.observe.Observer`: a line at most every `LINE_SECONDS` while catching up, one when the
    head is reached, one for each reorganisation."""

    def __init__(
        self,
        numbers: metrics.Metrics,
        logger: Any,
        clock: Callable[[], float] = time.monotonic,
        on_block: Callable[[int, int], None] = lambda _indexed, _head: None,
    ) -> None:
        """`on_block` hears, after each batch, where the cursor is and where the head."""
        self._numbers, self._logger, self._clock, self._on_block = numbers, logger, clock, on_block
        self._said_at = clock()
        self._events = 0
        self._caught_up = False

    def committed(
        self,
        mode: str,
        rows: Mapping[str, int],
        undecoded: int,
        not_ours: int,
        seconds: float,
        *,
        indexed: int,
        final: int | None,
        head: int,
        write_seconds: float = 0.0,
        indexed_time: float | None = None,
    ) -> None:
        """A batch of the indexer."""
        self._numbers.committed(
            mode, rows, undecoded, not_ours, seconds, indexed=indexed, final=final, head=head,
            write_seconds=write_seconds, indexed_time=indexed_time,
        )  # fmt: skip
        self._on_block(indexed, head)
        self._events += sum(rows.values()) + undecoded
        if undecoded:
            self._logger.warning("undecoded_logs", block=indexed, count=undecoded)
        if indexed >= head:
            if not self._caught_up:
                self._line("caught_up", indexed, head)
            self._caught_up = True
        elif self._clock() - self._said_at >= LINE_SECONDS:
            self._caught_up = False
            self._line("catching_up", indexed, head)

    def _line(self, event: str, indexed: int, head: int) -> None:
        now = self._clock()
        rate = self._events / max(now - self._said_at, 0.001)
        percent = 100 * indexed / max(head, 1)
        self._logger.info(
            event, block=indexed, head=head, percent=round(percent, 1), events_per_second=round(rate)
        )
        self._said_at, self._events = now, 0

    def saw(self, head: int, block_time: float) -> None:
        """The node's head."""
        self._numbers.head(head, block_time)

    def reorganised(self, depth_blocks: int) -> None:
        """Blocks were replaced."""
        self._numbers.reorganised(depth_blocks)
        self._logger.info("reorganised", depth_blocks=depth_blocks)

    def second_answer(self, block_number: int, block_hash: str) -> None:
        """An empty answer was believed by a second one."""
        self._numbers.second_answer(block_number, block_hash)
        self._logger.info("second_answer", block=block_number, hash=block_hash)
