"""What the indexer tells whoever counts: batches, reorganisations, answers believed by a second one.

Called from the indexer's thread, after the commit; an observer must be quick and must not raise.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

Mode = Literal["backfill", "follow"]
"""backfill: a range at or below the final block; follow: linked blocks."""


class Observer(Protocol):
    """Hears of what was done."""

    def committed(
        self,
        mode: Mode,
        rows: Mapping[str, int],
        undecoded: int,
        not_ours: int,
        seconds: float,
        *,
        indexed: int,
        final: int | None,
        head: int,
        write_seconds: float,
        indexed_time: int,
    ) -> None:
        """A batch was committed: rows added by event table; logs stored raw; logs of address "any" that
        are nobody's; seconds from the first question to the commit, `write_seconds` of them in the database's
        transaction. `indexed` and `final` are the block numbers that the cursor has now, `indexed_time` the
        timestamp of the block, `head` is the node's."""

    def saw(self, head: int, block_time: int) -> None:
        """The node in use has this block as its head; it may be the same as before."""

    def reorganised(self, depth_blocks: int) -> None:
        """A batch took this many blocks out (their replacement is reported as `committed` too)."""

    def second_answer(self, block_number: int, block_hash: str) -> None:
        """The block's bloom matched, no log came, the node has no receipts by block: an empty answer of
        another time or endpoint was believed."""


class Silent:
    """Nobody listens."""

    def committed(
        self,
        mode: Mode,
        rows: Mapping[str, int],
        undecoded: int,
        not_ours: int,
        seconds: float,
        *,
        indexed: int,
        final: int | None,
        head: int,
        write_seconds: float,
        indexed_time: int,
    ) -> None:
        """Nothing."""

    def saw(self, head: int, block_time: int) -> None:
        """Nothing."""

    def reorganised(self, depth_blocks: int) -> None:
        """Nothing."""

    def second_answer(self, block_number: int, block_hash: str) -> None:
        """Nothing."""
