"""Which block is final: by depth, by the node's tag, or at once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from chainfirst.indexer.structs import BlockRef


@dataclass(frozen=True, slots=True)
class Depth:
    """Final once `blocks` more blocks stand on top. Clique: at least signers / 2 + 1."""

    blocks: int


@dataclass(frozen=True, slots=True)
class Tag:
    """The node's own word (`finalized`, `safe`); a depth where the node knows no such tag."""

    tag: str
    fallback_depth: int | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """Every block is final when it appears: IBFT, QBFT and PolyBFT only."""


Policy = Depth | Tag | Instant


def final_number(
    policy: Policy, head: int, tagged: int | None, tag_known: bool, stored: int | None
) -> int | None:
    """The number of the last final block, or None while there is none; never below `stored`.

    `tagged` is the number that the node gives for a Tag policy (None: not yet, as on a young chain), believed
    only up to `head`: above it, tag and head are of two nodes behind a balancer, and the head's one lags.
    `tag_known` is False where the node has no such tag. A node that lags names an older final block
    than one seen before; final never goes back, so the stored one stands.
    """
    match policy:
        case Instant():
            candidate: int | None = head
        case Depth(blocks):
            candidate = head - blocks
        case Tag(_, fallback) if not tag_known:
            candidate = None if fallback is None else head - fallback
        case Tag():
            candidate = tagged if tagged is not None and tagged <= head else None
    if candidate is not None and candidate < 0:
        candidate = None
    if candidate is None or stored is None:
        return stored if candidate is None else candidate
    return max(candidate, stored)


def final_block(
    blocks: Sequence[BlockRef], number: int | None, tagged: BlockRef | None, stored: int | None
) -> BlockRef | None:
    """The last of `blocks` (ascending, linked) that is final by `number`; None: none of them.

    A number that is a tag's counts only once `tagged` itself is among them. Behind a balancer the tag may
    be of one node and the blocks of another that lags, on a branch that is dead already: until then no
    more is final than was (`stored`).
    """
    if tagged is not None and all(block.hash != tagged.hash for block in blocks):
        number = stored
    return next((block for block in reversed(blocks) if number is not None and block.number <= number), None)
