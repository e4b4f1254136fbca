"""What a lane does next with a nonce that it has signed for. Pure.

A nonce, once taken, must be used up by something of ours: what is sent again and again until then is always
one of the stored attempts, or a new one at the same nonce, never another nonce.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from chainfirst.writers import fees
from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.store import Open

MOST_REFUSALS = 2
"""So many attempts that no node takes for their gas: then the nonce is freed."""
HOPELESS = 10
"""So many times as long as a transaction may lie: then somebody must look why no block takes it."""


class Do(Enum):
    """One step with one nonce."""

    NOTHING = "nothing"  # it is on its way, or in a block
    SEND = "send"  # the newest attempt's bytes again
    BUMP = "bump"  # sign again with higher fees
    LOWER = "lower"  # sign again with lower fees
    NEW_GAS = "new_gas"  # estimate and sign again
    TAKE_BACK = "take_back"  # sign a transfer of nothing to the signer itself in its place


@dataclass(frozen=True)
class Sight:
    """What the lane sees now. `used`: the chain's nonce at its head: all below are in a block, maybe not
    an indexed one yet. `moved_block`, `moved_at`: the head and the time when that last grew, or when nothing
    was open. `missing`: the node doesn't know the lowest one that it said it took."""

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
    4. the node's last answer asks for something                    -> that
    5. the node lost the lowest one, so also those above it         -> SEND; if the lowest is stuck and was
       sent again since, the node takes it and drops it             -> BUMP
    6. the lowest one lies too long, or the base fee left it behind -> BUMP, if a block has come since it was
       signed: on a chain that stands still no fee is high enough

    From case 4 on the same bytes go once a block, or each `again_seconds`; other bytes are signed once a
    block at most, or, where the node asks for them, each `stuck_seconds` while no block comes.
    """
    do = needs(tx, lowest, sight, patience)
    if do is Do.NOTHING or tx.last_sent_at is None or tx.last_sent_block is None:
        return do
    if do is Do.TAKE_BACK and tx.take_back:
        return do
    if sight.head <= tx.last_sent_block and _since(tx.last_sent_at, sight) < patience.again_seconds:
        return Do.NOTHING
    signed_now = sight.head <= tx.signed_block and _since(tx.signed_at, sight) < patience.stuck_seconds
    return Do.NOTHING if signed_now and do is not Do.SEND else do


def alert(
    tx: Open,
    lowest: bool,
    sight: Sight,
    patience: Patience,
    limits: fees.Limits,
    balance_wei: int | None = None,
) -> str | None:
    """What somebody must see to before this nonce goes on; None: nothing, or it is too early to say."""
    if tx.included or tx.nonce < sight.used or tx.answer is None:
        return None
    reaction = REACTIONS[Class(tx.answer)]
    said = f"the node says {tx.answer}" + (f": {tx.answer_text[:200]}" if tx.answer_text else "")
    if reaction is Reaction.REFUEL_ALERT:
        return f"nonce {tx.nonce} waits for funds; {said}"
    price = fees.Fees(tx.max_fee_wei, tx.priority_fee_wei)
    do = needs(tx, lowest, sight, patience)
    raised, value = fees.bump(price, price, limits), tx.call_value if tx.purpose == "call" else 0
    if do is Do.BUMP and raised is None:
        return (
            f"nonce {tx.nonce}: the fee cap leaves no room above {tx.max_fee_wei} wei a gas; "
            "raise writer.fees.fee_cap_wei, or wait"
        )
    if do is Do.BUMP and raised is not None and not raised.affordable(tx.gas, value, balance_wei):
        return f"nonce {tx.nonce}: {balance_wei} wei don't pay more than {tx.max_fee_wei} wei a gas; {said}"
    if do is Do.LOWER and fees.lower(price, fees.Market(sight.base_fee_wei)) is None:
        return f"nonce {tx.nonce}: the node's own cap is below {tx.max_fee_wei} wei a gas; raise it, or wait"
    if lowest and reaction is not Reaction.SENT and _is_stuck(tx, sight, patience, left_behind=False):
        return f"nonce {tx.nonce} doesn't go on; {said}"
    if lowest and _has_passed(sight.moved_block, sight.moved_at, sight, patience, HOPELESS):
        return f"nonce {tx.nonce} lies since block {sight.moved_block}: no block takes it; {said}"
    return None


def needs(tx: Open, lowest: bool, sight: Sight, patience: Patience) -> Do:
    """`decide` without its last paragraph: what is to be done, be it now or later."""
    if tx.included or tx.nonce < sight.used:
        return Do.NOTHING
    if tx.take_back and tx.purpose == "call":
        return Do.TAKE_BACK
    if tx.last_sent_at is None or tx.last_sent_block is None or tx.answer is None:
        return Do.SEND
    reaction = REACTIONS[Class(tx.answer)]
    if reaction is not Reaction.SENT:
        return _react(reaction, tx)
    left_behind = sight.base_fee_wei is not None and tx.max_fee_wei < sight.base_fee_wei
    passed_over = sight.head > tx.signed_block
    stuck = passed_over and (lowest or left_behind) and _is_stuck(tx, sight, patience, left_behind)
    sent_lately = not _has_passed(tx.last_sent_block, tx.last_sent_at, sight, patience)
    if sight.missing and not (lowest and stuck and sent_lately):
        return Do.SEND
    return Do.BUMP if stuck else Do.NOTHING


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
    return Do.SEND


def _is_stuck(tx: Open, sight: Sight, patience: Patience, left_behind: bool) -> bool:
    """Counted from its own signing, and from when the one before it was mined: it couldn't be sooner."""
    since_block, since = tx.signed_block, tx.signed_at
    if not left_behind:
        since_block, since = max(since_block, sight.moved_block), max(since, sight.moved_at)
    return _has_passed(since_block, since, sight, patience)


def _has_passed(block: int, moment: datetime, sight: Sight, patience: Patience, times: int = 1) -> bool:
    """Whether that was longer ago than a transaction may lie."""
    blocks, seconds = sight.head - block, _since(moment, sight)
    return blocks >= times * patience.stuck_blocks or seconds >= times * patience.stuck_seconds


def _since(moment: datetime, sight: Sight) -> float:
    return (sight.now - moment).total_seconds()
