"""What a lane does next with a nonce that it has signed for. Pure.

A nonce, once taken, must be used up by something of ours: what is sent again and again until then is always
one of the stored attempts, or a new one at the same nonce, never another nonce.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.store import Open

MOST_REFUSALS = 2
"""So many attempts that no node takes for their gas, or that revert at once: then the nonce is freed."""


class Do(Enum):
    """One step with one nonce."""

    NOTHING = "nothing"  # it is on its way, or in a block
    SEND = "send"  # the newest attempt's bytes again
    BUMP = "bump"  # sign again with higher fees
    LOWER = "lower"  # sign again with lower fees
    NEW_GAS = "new_gas"  # estimate and sign again
    TAKE_BACK = "take_back"  # sign a transfer of nothing to the signer itself in its place
    STOP = "stop"  # a wrong setting: the lane must be stopped


@dataclass(frozen=True)
class Sight:
    """What the lane sees now. `used`: the chain's nonce at its head: all below are in a block, maybe not
    an indexed one yet. `moved_block`, `moved_at`: the head and the time when that last grew. `missing`: the
    node doesn't know the lowest open transaction."""

    head: int
    now: datetime
    base_fee_wei: int | None
    used: int
    moved_block: int
    moved_at: datetime
    missing: bool


@dataclass(frozen=True)
class Patience:
    """How long a transaction may lie before it is signed again, and how soon the same bytes go again."""

    stuck_blocks: int = 3
    stuck_seconds: float = 60.0
    again_seconds: float = 2.0


def decide(tx: Open, lowest: bool, sight: Sight, patience: Patience) -> Do:
    """The cases, in order:

    1. a block holds the nonce: the index will say which attempt    -> NOTHING
    2. it is to be taken back, and the call is its newest attempt   -> TAKE_BACK
    3. it was never sent, as far as is known                        -> SEND
    4. the node's last answer asks for something                    -> that, once a block or `again_seconds`
    5. the node lost the lowest one, so also those above it         -> SEND
    6. the lowest one lies too long, or the base fee left it behind -> BUMP
    """
    if tx.included or tx.nonce < sight.used:
        return Do.NOTHING
    if tx.take_back and tx.purpose == "call":
        return Do.TAKE_BACK
    if tx.last_sent_at is None or tx.last_sent_block is None or tx.answer is None:
        return Do.SEND
    rested = sight.head > tx.last_sent_block or _since(tx.last_sent_at, sight) >= patience.again_seconds
    reaction = REACTIONS[Class(tx.answer)]
    if reaction is not Reaction.SENT:
        return _react(reaction, tx) if rested else Do.NOTHING
    if sight.missing and rested:
        return Do.SEND
    left_behind = sight.base_fee_wei is not None and tx.max_fee_wei < sight.base_fee_wei
    if (lowest or left_behind) and _is_stuck(tx, sight, patience, left_behind):
        return Do.BUMP
    return Do.NOTHING


def _react(reaction: Reaction, tx: Open) -> Do:
    match reaction:
        case Reaction.BUMP:
            return Do.BUMP
        case Reaction.LOWER_FEE:
            return Do.LOWER
        case Reaction.NEW_GAS | Reaction.FREE_NONCE:
            if tx.purpose == "cancel":
                return Do.NEW_GAS
            given_up = reaction is Reaction.FREE_NONCE or tx.refused >= MOST_REFUSALS
            return Do.TAKE_BACK if given_up else Do.NEW_GAS
        case Reaction.STOP_LANE:
            return Do.STOP
    return Do.SEND


def _is_stuck(tx: Open, sight: Sight, patience: Patience, left_behind: bool) -> bool:
    """Counted from its own signing, and from when the one before it was mined: it couldn't be sooner."""
    since_block, since = tx.signed_block, tx.signed_at
    if not left_behind:
        since_block, since = max(since_block, sight.moved_block), max(since, sight.moved_at)
    return sight.head - since_block >= patience.stuck_blocks or sight.now - since >= timedelta(
        seconds=patience.stuck_seconds
    )


def _since(moment: datetime, sight: Sight) -> float:
    return (sight.now - moment).total_seconds()
