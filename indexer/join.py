"""Sources that came later catch up alone, up to the final block, and then join those that follow.

The group that is furthest behind goes first, up to where the next one is; there they go on together.
So a factory and its children, added at once, read every block once and in order.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chainfirst.indexer.commit import Joining
from chainfirst.indexer.fetch import SecondReader
from chainfirst.indexer.prefetch import Fetched
from chainfirst.indexer.scope import Reader, Scope, block_logs
from chainfirst.indexer.structs import BlockRef, Log
from chainfirst.ops.errors import TransientError
from chainfirst.schema.folds import Fold
from chainfirst.schema.store import Source


@dataclass(frozen=True)
class Group:
    """Sources that are complete to `complete_to` at least; `limit`: how far the next are, None: no others."""

    sources: Sequence[Source]
    complete_to: int
    limit: int | None

    @property
    def tables(self) -> frozenset[str]:
        """Their event tables."""
        return frozenset(source.table_name for source in self.sources)


def next_group(syncing: Iterable[Source], final: int | None) -> Group | None:
    """The sources that are furthest behind; None when all have joined.

    One that starts above `final` (None: nothing is) lacks nothing below it: it holds nobody up, and joins
    with the last ones, since a factory and its children must join at once.
    """
    held = list(syncing)
    if not held:
        return None
    lowest = min(source.complete_to for source in held)
    above = [source.complete_to for source in held if source.complete_to > lowest]
    limits = [height for height in above if final is not None and height <= final]
    if not limits:
        return Group(held, lowest, None)
    return Group([source for source in held if source.complete_to == lowest], lowest, min(limits))


def range_end(group: Group, final: int | None) -> int | None:
    """The last block that the group may read in ranges now; None: it is as far as it can."""
    ends = [end for end in (group.limit, final) if end is not None]
    if final is None or min(ends) <= group.complete_to:
        return None
    return min(ends)


def may_join(group: Group, blocks: Sequence[BlockRef]) -> bool:
    """Whether all that the group lacks lies in the kept `blocks`."""
    return group.limit is None and bool(blocks) and group.complete_to >= blocks[0].number - 1


def completed(folds: Sequence[Fold], syncing: Iterable[str], joining: frozenset[str]) -> list[Fold]:
    """The folds that wait for nothing but `joining`."""
    waiting = frozenset(syncing) - joining
    return [
        fold
        for fold in folds
        if not waiting.intersection(table for table, _ in fold.sources)
        and joining.intersection(table for table, _ in fold.sources)
    ]


def of_range(scope: Scope, reader: Reader, group: Group, found: Fetched, logs: Sequence[Log]) -> Joining:
    """What a range with these logs brings to the group."""
    rows = scope.rows(logs, reader)
    return Joining(found.range.first, found.range.last, rows, group.sources, logs)


def the_rest(
    scope: Scope,
    reader: Reader,
    group: Group,
    blocks: Sequence[BlockRef],
    second: SecondReader | None,
    doubted: Callable[[BlockRef], None],
) -> Joining:
    """What the kept blocks above the group hold for it: with that it joins."""
    logs: list[Log] = []
    for block in blocks:
        if block.number > group.complete_to:
            header = reader.header_by_hash(block.hash)
            if header is None:
                raise TransientError(f"block {block.number} {block.hash} is gone: nothing can join at it")
            logs += block_logs(scope, reader, header, second, doubted)
    rows, tip = scope.rows(logs, reader), blocks[-1].number
    return Joining(min(group.complete_to + 1, tip), tip, rows, group.sources, logs, joined=True)
