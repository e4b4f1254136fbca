"""How a new block meets the blocks that the database holds: pure decisions, no I/O.

`held` is always the last final block and all above it (all indexed ones while none is final), in
ascending order and parent-linked. What a node claims is compared with it; the outcome is one of a few
cases, each a value.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from chainfirst.indexer.structs import BlockRef
from chainfirst.ops.errors import FatalError, TransientError

FINALITY_ADVICE = (
    "Nothing was changed here. Find out which chain is true: is the endpoint right, is the finality of the "
    "settings deep enough? If the node's is: chainfirst rewind --to N, N the last block that both have "
    "(the command says which). A development chain that was begun anew: chainfirst run --reset-dev."
)


class FinalityViolated(FatalError):
    """The chain replaced a block that was final: nothing here may guess which side is true."""


@dataclass(frozen=True, slots=True)
class Extends:
    """The claimed blocks continue the tip."""

    blocks: tuple[BlockRef, ...]


@dataclass(frozen=True, slots=True)
class Replaces:
    """The blocks `removed`, the tip among them, stopped being canonical; `blocks` stand in their place."""

    removed: tuple[BlockRef, ...]
    blocks: tuple[BlockRef, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """The claimed head is a block already held: nothing new, or a node that lags."""

    behind: int


@dataclass(frozen=True, slots=True)
class NeedsParent:
    """No decision yet: the block with this hash must be fetched and put before the claimed ones."""

    parent_hash: str
    number: int


Outcome = Extends | Replaces | Known | NeedsParent


def check_linked(blocks: Sequence[BlockRef]) -> None:
    """Raise TransientError unless every block follows the one before it by number and parent hash.

    A node that reorganises between two answers produces such a pair; asking again mends it.
    """
    for before, after in itertools.pairwise(blocks):
        if after.number != before.number + 1 or after.parent_hash != before.hash:
            raise TransientError(
                f"block {after.number} {after.hash} names parent {after.parent_hash}, "
                f"expected block {before.number} {before.hash}"
            )


def reconcile(held: Sequence[BlockRef], claimed: Sequence[BlockRef], final_number: int | None) -> Outcome:
    """Decide what `claimed` (ascending, linked, not empty) means for `held` (ascending, linked, not empty).

    The cases, in order:
    1. the last claimed block is held                      -> Known
    2. the first claimed block's parent is the tip         -> Extends
    3. that parent is held below the tip                   -> Replaces (a same-height swap, a shorter
       chain and a longer chain are all this case)
    4. that parent is not held, and it is above the final
       block                                               -> NeedsParent: fetch it, ask again
    5. that parent is not held, at or below the final one  -> FinalityViolated
    6. that parent is below all held blocks, and none of
       them is final (`final_number` None; block 0 always
       is)                                                 -> Replaces, all of them

    Invariant: applying the outcome leaves `held` linked, and never removes a block at or below
    `final_number`.
    """
    check_linked(claimed)
    by_hash = {block.hash: index for index, block in enumerate(held)}
    tip, last, first = held[-1], claimed[-1], claimed[0]
    if last.hash in by_hash:
        return Known(behind=tip.number - last.number)
    # A claim may begin with blocks that are held: only what comes after them is news.
    news = next(i for i, block in enumerate(claimed) if block.hash not in by_hash)
    fresh, first = tuple(claimed[news:]), claimed[news]
    index = by_hash.get(first.parent_hash)
    if index is None:
        return _unlinked(held, fresh, final_number)
    ancestor = held[index]
    if first.number != ancestor.number + 1:
        raise TransientError(
            f"block {first.hash} says number {first.number} and parent {ancestor.hash}, "
            f"whose number is {ancestor.number}"
        )
    if index == len(held) - 1:
        return Extends(fresh)
    if final_number is not None and ancestor.number < final_number:
        raise _violated(held[0], first, final_number)
    return Replaces(tuple(held[index + 1 :]), fresh)


def _unlinked(
    held: Sequence[BlockRef], fresh: tuple[BlockRef, ...], final_number: int | None
) -> NeedsParent | Replaces:
    oldest, first = held[0], fresh[0]
    nothing_final = final_number is None and oldest.number > 0
    if nothing_final and first.number == oldest.number:
        return Replaces(tuple(held), fresh)
    lowest = oldest.number if nothing_final else max(oldest.number, final_number or 0) + 1
    if first.number - 1 < lowest:
        raise _violated(oldest, first, final_number)
    return NeedsParent(first.parent_hash, first.number - 1)


def _violated(oldest: BlockRef, first: BlockRef, final_number: int | None) -> FinalityViolated:
    return FinalityViolated(
        f"finality violated: the node's chain has block {first.number} {first.hash} with parent "
        f"{first.parent_hash}, which does not lead to the final block {final_number or 0} "
        f"(oldest block held: {oldest.number} {oldest.hash})",
        FINALITY_ADVICE,
    )
