"""The one table of what nodes say to eth_sendRawTransaction, and how the lane reacts to each class.

The order is text, then code, and a code counts only where it has one meaning everywhere: Besu's -32001 to
-32009 mean other things elsewhere. What is in no row is UNKNOWN, whose reaction is always safe. Rows are
tried in order: reverts first (their text is the contract's), "known" before "underpriced", replacements
before prices. Texts are lower case.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Class(Enum):
    """What an answer says about the transaction that was sent."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"  # in the pool by an earlier send
    NONCE_TOO_LOW = "nonce_too_low"  # that nonce is mined, by one of ours or somebody else's
    NONCE_TOO_HIGH = "nonce_too_high"  # one before it isn't in this node's pool
    REPLACEMENT_UNDERPRICED = "replacement_underpriced"  # another one holds the nonce in the pool
    UNDERPRICED = "underpriced"  # below the base fee or the node's least price
    POOL_FULL = "pool_full"  # the pool, or this sender's part of it
    INSUFFICIENT_FUNDS = "insufficient_funds"
    GAS = "gas"  # intrinsic gas too low, over the block's limit, too much data
    FEE_CAP = "fee_cap"  # more than the node lets a transaction cost
    WRONG_CHAIN = "wrong_chain"  # chain id, type or signature: no node of this chain takes it
    NOT_PERMITTED = "not_permitted"  # the chain doesn't let this sender send
    REVERTED = "reverted"  # the node executed it first, or mined it at once
    UNKNOWN = "unknown"  # it may be in the pool or not


class Reaction(Enum):
    """What the lane does next; see `REACTIONS`."""

    SENT = "sent"  # it is on its way
    LOOK_FOR_OWN = "look_for_own"  # find the receipt of one of the nonce's attempts, else whose nonce it is
    RESEND_LOWEST = "resend_lowest"  # the stored bytes again, from the lowest open nonce
    BUMP = "bump"  # sign again at the same nonce with fees.bump, once a block at most
    WAIT = "wait"  # the same bytes again at a later block
    REFUEL_ALERT = "refuel_alert"  # the lane waits and alerts; the same bytes when there are funds
    NEW_GAS = "new_gas"  # estimate and sign again at the same nonce
    LOWER_FEE = "lower_fee"  # sign again at the same nonce with fees.lower
    STOP_LANE = "stop_lane"  # a wrong setting: the lane signs nothing until its operator says so
    FREE_NONCE = (
        "free_nonce"  # look for a receipt first; then a self-transfer, or it holds up those behind it
    )
    SAME_BYTES_AGAIN = "same_bytes_again"  # after a wait; never a new transaction


REACTIONS: Mapping[Class, Reaction] = {
    Class.ACCEPTED: Reaction.SENT,
    Class.ALREADY_KNOWN: Reaction.SENT,
    Class.NONCE_TOO_LOW: Reaction.LOOK_FOR_OWN,
    Class.NONCE_TOO_HIGH: Reaction.RESEND_LOWEST,
    Class.REPLACEMENT_UNDERPRICED: Reaction.BUMP,
    Class.UNDERPRICED: Reaction.BUMP,
    Class.POOL_FULL: Reaction.WAIT,
    Class.INSUFFICIENT_FUNDS: Reaction.REFUEL_ALERT,
    Class.GAS: Reaction.NEW_GAS,
    Class.FEE_CAP: Reaction.LOWER_FEE,
    Class.WRONG_CHAIN: Reaction.STOP_LANE,
    Class.NOT_PERMITTED: Reaction.STOP_LANE,
    Class.REVERTED: Reaction.FREE_NONCE,
    Class.UNKNOWN: Reaction.SAME_BYTES_AGAIN,
}


@dataclass(frozen=True)
class Answer:
    """A node's answer to a send. `text` is its own, cleaned; "" where it accepted.

    `retry_after_seconds`: how long it asked to be left alone (HTTP Retry-After)."""

    cls: Class
    text: str = ""
    retry_after_seconds: float | None = None

    @property
    def reaction(self) -> Reaction:
        """What the lane does next."""
        return REACTIONS[self.cls]


TABLE: tuple[tuple[Class, str], ...] = (
    (Class.REVERTED, r"execution reverted|vm exception while processing|transaction reverted|^reverted"),
    (Class.ALREADY_KNOWN, r"\bknown transaction|already[ _]?known|existing txn? with same hash"),
    (Class.ALREADY_KNOWN, r"same hash was already imported|already ?imported|already (been )?submitted"),
    (Class.ALREADY_KNOWN, r"(tx|txn|transaction) already (exists|in )|already (exists )?in (the )?mempool"),
    (Class.ALREADY_KNOWN, r"already have transaction|is already in the system"),
    (
        Class.REPLACEMENT_UNDERPRICED,
        r"replacement (transaction|tx|fee)|replace existing|replacementnotallowed|replaced by transaction",
    ),
    (
        Class.REPLACEMENT_UNDERPRICED,
        r"another (transaction|tx)\b.* same nonce|same nonce is already present|own ?nonce ?already ?used",
    ),
    (Class.REPLACEMENT_UNDERPRICED, r"transaction had higher priority|pool\(toolowpriority"),
    (Class.FEE_CAP, r"exceeds the configured cap|fee ?cap exceeded|upfront.fee.too.high|higher than 2\^"),
    (Class.UNDERPRICED, r"underpriced|fee ?too ?low|(gas|transaction) ?(price|fee) (is )?too low"),
    (Class.UNDERPRICED, r"(less than|below) (the )?(current )?block base fee|insufficient fee"),
    (Class.UNDERPRICED, r"(price|fee|tip|cap)\b.*\bbelow|(price|fee) is less than|minimal gas price"),
    (Class.UNDERPRICED, r"priority fee per gas (higher than|exceeds) max fee|^rejected$"),
    (Class.NONCE_TOO_LOW, r"nonce[ _](is )?too[ _]low|old ?nonce|nonce (has )?already (been )?used"),
    (Class.NONCE_TOO_LOW, r"invalid transaction nonce|lower than the current nonce|[(:]stale\)"),
    (Class.NONCE_TOO_LOW, r"transaction already (mined|finalized)|^mined$"),
    (Class.NONCE_TOO_HIGH, r"nonce[ _](is )?too[ _]high|nonce ?gap|gapped.nonce|nonce too far"),
    (Class.NONCE_TOO_HIGH, r"too distant from current|exceeds next nonce|nonce out of range|[(:]future\)"),
    # geth's full pool, and a nonce with a gap before it: a higher fee wouldn't help, those before it would
    (Class.NONCE_TOO_HIGH, r"future transaction tries to replace"),
    (Class.POOL_FULL, r"(pool|queue)( is)? full|too many transactions|enqueued transactions reached"),
    (Class.POOL_FULL, r"low slots|account limit exceeded|pool size constraints|spammer|immediatelydropped"),
    # no fee helps against these either: what the account has in the pool must be mined first
    (Class.POOL_FULL, r"in-flight transaction limit|(address|authority) already reserved"),
    (Class.POOL_FULL, r"authority has pending|conflicts with existing|type conflict|replace blob"),
    (Class.INSUFFICIENT_FUNDS, r"insufficient ?(funds|balance)|enough (funds|balance)|overdraft"),
    (Class.INSUFFICIENT_FUNDS, r"cost exceeds (account )?balance|\(payment\)"),
    (Class.GAS, r"intrinsic ?gas|exceeds (the )?(block|current|per-transaction).*gas limit|floor data"),
    (Class.GAS, r"gas ?limit ?(exceeded|reached)|gas limit (is )?too (high|low)|gas is too low|out of gas"),
    (Class.GAS, r"oversized|(transaction|tx|data|code) (is )?too (big|large)|rlptoolong"),
    (
        Class.GAS,
        r"init[ _]?code[ _]size|gas ?uint(64)? ?overflow|gas required exceeds|supplied gas is beyond",
    ),
    (Class.WRONG_CHAIN, r"(invalid|wrong|incorrect|incompatible)\w* ?chain ?id|chain ?id\b.*\bmatch"),
    (Class.WRONG_CHAIN, r"replay.?protect|(transaction|tx) type|dynamic tx not allowed"),
    (Class.WRONG_CHAIN, r"fee params .*not supported|invalid (sender|signature)|\brlp:|invalid rlp"),
    (Class.WRONG_CHAIN, r"decode (signed |raw )*(transaction|tx)\b|(recover|resolve) sender"),
    (Class.WRONG_CHAIN, r"extract signature"),
    (Class.NOT_PERMITTED, r"(sender|account|signer)\b.*not (authori[sz]ed|permitted|allowed|an eoa)"),
    (Class.NOT_PERMITTED, r"transaction is not permitted|is banned|blacklist|forbidden sender|disallowed"),
    (Class.NOT_PERMITTED, r"not authorized to send|senderiscontract"),
)
_ROWS = tuple((cls, re.compile(pattern)) for cls, pattern in TABLE)

# one text for both sides of the nonce that it expects: the numbers decide, and equal ones mean neither
_NONCES = (
    re.compile(r"account has nonce of: (?P<account>\d+) tx has nonce of: (?P<tx>\d+)"),
    re.compile(r"nonce (?P<tx>\d+) does not match sender account nonce (?P<account>\d+)"),
    re.compile(r"invalid nonce; got (?P<tx>\d+), expected (?P<account>\d+)"),
)

# The groups of the Ethereum execution APIs, and geth's -380xx. Left out: 3, which Alchemy gives to much else;
# 4, which is "invalid opcode" there and "sent, but not mined in time" at geth; everything from -32000 on.
CODES = {
    1: Class.NONCE_TOO_LOW, 2: Class.NONCE_TOO_HIGH,
    800: Class.GAS, 801: Class.GAS, 802: Class.UNDERPRICED, 803: Class.GAS, 804: Class.UNDERPRICED,
    805: Class.GAS, 806: Class.UNDERPRICED, 807: Class.FEE_CAP, 808: Class.FEE_CAP,
    809: Class.INSUFFICIENT_FUNDS, 1000: Class.ALREADY_KNOWN, 1001: Class.WRONG_CHAIN,
    -38010: Class.NONCE_TOO_LOW, -38011: Class.NONCE_TOO_HIGH, -38012: Class.UNDERPRICED,
    -38013: Class.GAS, -38014: Class.INSUFFICIENT_FUNDS, -38015: Class.GAS,
    -38024: Class.NOT_PERMITTED, -38025: Class.GAS,
}  # fmt: skip


def classify(text: str, code: int = 0) -> Class:
    """The class of an error object's text and code; UNKNOWN where neither says it."""
    lowered = text.lower().strip().rstrip(".")
    for pattern in _NONCES:
        if found := pattern.search(lowered):
            account, sent = int(found["account"][:30]), int(found["tx"][:30])
            if account != sent:
                return Class.NONCE_TOO_LOW if sent < account else Class.NONCE_TOO_HIGH
    spoken = next((cls for cls, pattern in _ROWS if pattern.search(lowered)), None)
    return spoken or CODES.get(code, Class.UNKNOWN)
