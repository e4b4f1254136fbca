"""How many blocks to ask for in one eth_getLogs: adapts to the node's limits and to what comes back.

A result-size limit shrinks the window for now; a range limit is deterministic, so it is kept as the
ceiling (field practice: graph-node divides by ten, safe-transaction-service halves and doubles).
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Window:
    """`blocks` to ask for next, never over `ceiling`; aims at `target_bytes` an answer."""

    blocks: int
    ceiling: int
    target_bytes: int

    def after_answer(self, asked: int, received_bytes: int) -> "Window":
        """After a good answer: scale towards the target, at most doubling, at least halving.

        A range shorter than the window (the last one before the final block) teaches only that the
        window is too large, never that it could grow.
        """
        wanted = 2 * self.blocks if received_bytes == 0 else asked * self.target_bytes // received_bytes
        bounded = max(self.blocks // 2, min(2 * self.blocks, wanted))
        if asked < self.blocks and bounded > self.blocks:
            return self
        return replace(self, blocks=max(1, min(self.ceiling, bounded)))

    def after_range_refused(self, asked: int, limit: int | None) -> "Window":
        """The node allows only so many blocks: `limit` from its text, else half; remembered for good."""
        ceiling = max(1, min(limit if limit is not None and limit < asked else asked // 2, self.ceiling))
        return replace(self, blocks=min(self.blocks, ceiling), ceiling=ceiling)

    def after_result_refused(self, asked: int, suggested: int | None) -> "Window":
        """Too many logs in the range: the suggested number of blocks if it is smaller, else half."""
        smaller = suggested if suggested is not None and 0 < suggested < asked else asked // 2
        return replace(self, blocks=max(1, min(smaller, self.blocks)))


def next_range(cursor: int, final: int, window: Window) -> tuple[int, int] | None:
    """The next range (inclusive) above `cursor`, at or below `final`; None when there is none."""
    if cursor >= final:
        return None
    return cursor + 1, min(final, cursor + window.blocks)
