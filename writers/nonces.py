"""Whose the nonces are that the chain has seen of a key, before the lane takes the next one.

A nonce that is used up in the indexed blocks and that no attempt of ours accounts for is explained by the
transaction itself, found in a block's body: a restored backup forgot it, or somebody else has the key. Never
by absence: a missing receipt proves nothing.
"""

from dataclasses import dataclass

from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.settler import Inclusion
from chainfirst.ops import log
from chainfirst.ops.errors import TransientError
from chainfirst.writers import settle, store
from chainfirst.writers.desk import Desk
from chainfirst.writers.infos import TransactionInfo

NOTHING_SENT = "nobody: a transfer of nothing to itself"

logger = log.get("lane")


@dataclass(frozen=True)
class Found:
    """A transaction in a block's body."""

    info: TransactionInfo
    block_number: int
    block_hash: str


def explain(desk: Desk, indexed: int) -> str | None:
    """Account for every nonce that the indexed blocks used up; why the lane must stop, None: all are known.

    TransientError: the node can't show a transaction, or chain and index differ for now.
    """
    used = desk.node.nonce(desk.signer.address)
    missing = store.unexplained(desk.conn, desk.signer.address, used)
    if missing:  # blocks between the indexed one and the head may hold them
        try:
            used = desk.node.nonce(desk.signer.address, indexed)
        except rpc_errors.RpcError as error:
            if error.code is None:
                raise
            return (
                f"nonce {missing[0]} is used up; whether by an indexed block the node can't say: {error.text}"
            )
    for nonce in (each for each in missing if each < used):
        found = _find(desk, nonce, indexed)
        stop = _account_for(desk, nonce, found)
        if stop is not None:
            return stop
    with desk.conn.transaction():
        desk.assert_leads()
        store.explain_to(desk.conn, desk.signer.address, used)
    return None


def _account_for(desk: Desk, nonce: int, found: Found) -> str | None:
    """Why the lane must wait or stop; None: the nonce is accounted for. The cases, in order:

    1. it is one of our attempts, whose inclusion was missed      -> included
    2. its block is not final yet                                 -> wait: it may go again
    3. it equals exactly one open intent, with no other nonce     -> adopted as that intent's attempt
    4. it is a transfer of nothing to itself, as we cancel        -> accepted: it had no effect
    5. anything else: somebody else has the key                   -> the lane stops for `lanes accept`
    """
    info, signer = found.info, desk.signer.address
    with desk.conn.transaction():
        desk.assert_leads()
        _, final = store.hold_cursor(desk.conn)
        if not _is_held(desk, found, final):
            raise TransientError(
                f"block {found.block_number} {found.block_hash} is not the indexed one (yet)"
            )
        attempt = store.own_attempt(desk.conn, info.hash)
        if attempt is not None:
            settle.include(desk.conn, _inclusion(desk, attempt, found))
            return None
        if final is None or found.block_number > final:
            return f"nonce {nonce} was used by {info.hash}, which is none of ours; its block is not final yet"
        equal = store.equal_intents(desk.conn, info.to or "", info.data, info.value)
        if len(equal) == 1 and equal[0][1] in (None, nonce):
            intent = equal[0][0]
            logger.warning("adopted", intent=str(intent), nonce=nonce, hash=info.hash)
            attempt = store.adopt(desk.conn, signer, nonce, intent, info, found.block_number)
            settle.include(desk.conn, _inclusion(desk, attempt, found))
            settle.already_true(desk.conn, [intent], found.block_number, found.block_number, final)
            return None
        if info.to == signer and not info.data:
            store.accept(desk.conn, signer, nonce, info.hash, NOTHING_SENT, found.block_number)
            return None
        what = f"to {info.to}, {len(info.data)} bytes of data" if info.to else "a new contract"
        why = (
            f"nonce {nonce} was used by {info.hash} in block {found.block_number} ({what}), none of ours. "
            f"Who else has this key? Then: chainfirst lanes accept {signer}"
        )
        store.block_lane(desk.conn, signer, why, nonce, info.hash, found.block_number)
    logger.error("foreign_nonce", nonce=nonce, hash=info.hash, block=found.block_number, to=info.to)
    return why


def _find(desk: Desk, nonce: int, indexed: int) -> Found:
    """The transaction of a nonce that is used up at the indexed block."""
    low = store.included_block(desk.conn, desk.signer.address, nonce) or 0
    try:
        block = _bisect(desk, nonce, low, indexed)
    except rpc_errors.RpcFatalError:  # no state that old: look through the bodies
        return _search(desk, nonce, low, indexed)
    found = _in_body(desk, nonce, block)
    return found or _search(desk, nonce, low, indexed)


def _bisect(desk: Desk, nonce: int, low: int, high: int) -> int:
    """The first block after which the nonce is used up; `low` may be that block, `high` is at or after it."""
    while low < high:
        middle = (low + high) // 2
        if desk.node.nonce(desk.signer.address, middle) > nonce:
            high = middle
        else:
            low = middle + 1
    return low


def _search(desk: Desk, nonce: int, low: int, high: int) -> Found:
    for block in range(high, low - 1, -1):
        found = _in_body(desk, nonce, block)
        if found is not None:
            return found
    raise TransientError(
        f"nonce {nonce} of {desk.signer.address} is used up, and no block from {low} to {high} holds it",
        "The node contradicts itself: name another endpoint first if it stays.",
    )


def _in_body(desk: Desk, nonce: int, block: int) -> Found | None:
    for info in desk.node.block_transactions(block):
        if info.sender == desk.signer.address and info.nonce == nonce and info.block_hash is not None:
            return Found(info, block, info.block_hash)
    return None


def _is_held(desk: Desk, found: Found, final: int | None) -> bool:
    """Whether the block is the indexed one; below the final block there is one chain alone."""
    held = store.held_block(desk.conn, found.block_number)
    return held == found.block_hash or (held is None and final is not None and found.block_number < final)


def _inclusion(desk: Desk, attempt: int, found: Found) -> Inclusion:
    receipt = Client(desk.node.endpoint).transaction_receipt(found.info.hash)
    if receipt is None or receipt.block_hash != found.block_hash:
        raise TransientError(f"the node has no receipt of {found.info.hash}, which its block holds")
    return settle.inclusion(attempt, receipt)
