"""Whose the nonces are that the chain has seen of a key, before the lane takes the next one.

A nonce that is used up in the indexed blocks and that no attempt of ours accounts for is explained by the
transaction itself, found in a block's body: a restored backup forgot it, or somebody else has the key. Never
by absence: a missing receipt proves nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.settler import Inclusion
from chainfirst.indexer.structs import Receipt
from chainfirst.ops import failpoint, log
from chainfirst.ops.errors import TransientError
from chainfirst.writers import account, payload, settle, store
from chainfirst.writers.desk import Desk
from chainfirst.writers.infos import TransactionInfo
from chainfirst.writers.kinds import Kind, Prepared

NOTHING_SENT = "nobody: a transfer of nothing to itself"
TAKEN_BACK = "taken back by a transfer of nothing that this database doesn't know"
PREPARED_AT_ONCE = 500
MOST_STRANGERS = 50  # so many are looked for before somebody decides


logger = log.get("lane")


@dataclass(frozen=True)
class Found:
    """A transaction in a block's body."""

    info: TransactionInfo
    block_number: int
    block_hash: str


@dataclass(frozen=True)
class Stranger:
    """Somebody else's transaction, in a final block."""

    nonce: int
    found: Found

    @property
    def what(self) -> str:
        """What it does, in words."""
        info = self.found.info
        return f"to {info.to}, {len(info.data)} bytes of data" if info.to else "a new contract"


def explain(desk: Desk, indexed: int, known: dict[int, Stranger]) -> str | None:
    """Account for every nonce that the indexed blocks used up; why the lane must stop, None: all are known.

    Somebody else's are looked for to the end, to be accepted together. `known`: those that were found before,
    which need no search, and afterwards those that are found now.

    TransientError: the node can't show a transaction, or chain and index differ for now.
    """
    try:
        # not at the newest block, which is an older one to a replica that lags
        used = desk.node.nonce(desk.signer.address, indexed)
    except rpc_errors.RpcFatalError as error:  # no state even of so new a block
        used = desk.node.nonce(desk.signer.address)
        if missing := account.unexplained(desk.conn, desk.signer.address, used):
            return (
                f"nonce {missing[0]} is used up; whether by an indexed block the node can't say: {error.text}"
            )
    missing = account.unexplained(desk.conn, desk.signer.address, used)
    if missing and (unknown := _prepare_all(desk)) is not None:
        return unknown
    strangers: list[Stranger] = []
    for nonce in missing:
        outcome: Stranger | str | None = known.get(nonce)
        if not isinstance(outcome, Stranger) or not _is_still_strange(desk, outcome):
            after = strangers[-1].found.block_number if strangers else 0
            outcome = _account_for(desk, nonce, _find(desk, nonce, after, indexed))
        if isinstance(outcome, Stranger):
            strangers.append(outcome)
        elif outcome is None:
            failpoint.reach("adopt.committed")
        elif not strangers:
            return outcome
        if isinstance(outcome, str) or len(strangers) == MOST_STRANGERS:
            break
    known.clear()
    known.update({each.nonce: each for each in strangers})
    if strangers:
        return _block(desk, strangers)
    with desk.conn.transaction():
        desk.assert_leads()
        account.explain_to(desk.conn, desk.signer.address, used)
        if account.unblock_lane(desk.conn, desk.signer.address):
            logger.info("unblocked", signer=desk.signer.address)
    return None


def _prepare_all(desk: Desk) -> str | None:
    """Note the calls of all open intents, those that wait for whatever too: a transaction of the chain may be
    any one's. Why they can't be told yet; None: they are noted, but for those that can't be on the chain."""
    book = desk.settings.book(desk.conn)
    ready: list[tuple[uuid.UUID, Kind[Any], Prepared]] = []
    for intent, name, data in store.unprepared(desk.conn, desk.settings.own, desk.settings.default):
        kind = desk.settings.kinds.get(name)
        if kind is None:
            continue
        missing = store.incomplete(desk.conn, kind.tables)
        if not missing:
            try:
                ready.append((intent, kind, kind.read(payload.loads(data), book)))
            except payload.PayloadError:
                continue
            missing = store.incomplete(desk.conn, [ready[-1][2].expected.table])
        if missing:
            return f"these tables are not indexed to the head yet: {', '.join(missing)}"
    for start in range(0, len(ready), PREPARED_AT_ONCE):
        part = ready[start : start + PREPARED_AT_ONCE]
        with desk.conn.transaction():
            desk.assert_leads()
            indexed, final = store.hold_cursor(desk.conn)
            for intent, kind, prepared in part:
                store.prepare(desk.conn, intent, desk.signer.address, prepared, once=kind.once)
            if indexed is not None:
                once = [intent for intent, kind, _ in part if kind.once]
                settle.already_true(desk.conn, once, 0, indexed, final)
    return None


def _block(desk: Desk, strangers: Sequence[Stranger]) -> str:
    """Stop the lane for `lanes accept`; why."""
    first, signer = strangers[0], desk.signer.address
    more = f", nor are those of {len(strangers) - 1} nonces after it" if len(strangers) > 1 else ""
    why = (
        f"nonce {first.nonce} was used by {first.found.info.hash} in block {first.found.block_number} "
        f"({first.what}), none of ours{more}. "
        "Who else has this key? After a restored backup, let apps ask again first. Then: "
        f"chainfirst lanes accept {signer}"
    )
    foreign = [
        account.Foreign(each.nonce, each.found.info.hash, each.found.block_number, each.what)
        for each in strangers
    ]
    with desk.conn.transaction():
        desk.assert_leads()
        new = account.block_lane(desk.conn, signer, why, foreign)
    if new:
        for each in foreign:
            logger.error("foreign_nonce", nonce=each.nonce, hash=each.hash, block=each.block, what=each.what)
    return why


def _is_still_strange(desk: Desk, stranger: Stranger) -> bool:
    """Whether nobody has asked for it meanwhile."""
    info = stranger.found.info
    equal = account.equal_intent(desk.conn, desk.signer.address, stranger.nonce, info)
    return equal is None and account.settled_by(desk.conn, info) is None


def _account_for(desk: Desk, nonce: int, found: Found) -> Stranger | str | None:
    """Why the lane must wait; None: the nonce is accounted for. The cases, in order:

    1. it is one of our attempts, whose inclusion was missed      -> included
    2. its block is not final yet                                 -> wait: it may go again
    3. it was accepted before the operator rewound                -> accepted
    4. it equals an open intent that has no other nonce           -> adopted as that intent's attempt
    5. an event of it has settled an equal intent                 -> accepted: nothing is asked twice by that
    6. it is a transfer of nothing to itself, as we cancel        -> adopted: it took back the intent that has
       the nonce, which must not go on by itself; accepted where none has: it had no effect
    7. anything else: somebody else has the key                   -> a Stranger
    """
    info, signer = found.info, desk.signer.address
    # before the transaction, which holds the indexer up
    receipt = Client(desk.node.endpoint).transaction_receipt(info.hash)
    with desk.conn.transaction():
        desk.assert_leads()
        _, final = store.hold_cursor(desk.conn)
        if not _is_held(desk, found, final):
            raise TransientError(
                f"block {found.block_number} {found.block_hash} is not the indexed one (yet)"
            )
        attempt = account.own_attempt(desk.conn, info.hash)
        if attempt is not None:
            account.reclaim(desk.conn, attempt)
            settle.include(desk.conn, _inclusion(attempt, found, receipt))
            return None
        if final is None or found.block_number > final:
            return f"nonce {nonce} was used by {info.hash}, which is none of ours; its block is not final yet"
        if account.accept_again(desk.conn, signer, nonce, info.hash, found.block_number):
            return None
        intent = account.equal_intent(desk.conn, signer, nonce, info)
        if intent is not None:
            logger.warning("adopted", intent=str(intent), nonce=nonce, hash=info.hash)
            attempt = account.adopt(desk.conn, signer, nonce, intent, info, found.block_number)
            settle.include(desk.conn, _inclusion(attempt, found, receipt))
            settle.already_true(desk.conn, [intent], found.block_number, found.block_number, final)
            failpoint.reach("adopt.written")
            return None
        intent = account.settled_by(desk.conn, info)
        if intent is not None:
            who = f"nobody: it settled the intent {intent}"
            account.accept(desk.conn, signer, nonce, info.hash, who, found.block_number)
            return None
        if info.to == signer and not info.data:
            intent = account.intent_at(desk.conn, signer, nonce)
            if intent is not None:
                logger.warning("taken_back", intent=str(intent), nonce=nonce, hash=info.hash)
                store.give_up(desk.conn, intent, TAKEN_BACK, desk.now)
                attempt = account.adopt(
                    desk.conn, signer, nonce, intent, info, found.block_number, purpose="cancel"
                )
                settle.include(desk.conn, _inclusion(attempt, found, receipt))
                settle.end(desk.conn, final)
                return None
            account.accept(desk.conn, signer, nonce, info.hash, NOTHING_SENT, found.block_number)
            return None
    return Stranger(nonce, found)


def _find(desk: Desk, nonce: int, after: int, indexed: int) -> Found:
    """The transaction of a nonce that is used up at the indexed block; `after`: where one before it is."""
    low = max(after, account.included_block(desk.conn, desk.signer.address, nonce) or 0)
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
    """Upwards from the nonce before it, which is near; downwards where that is not known."""
    blocks = range(low, high + 1)
    for block in blocks if low else reversed(blocks):
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
    held = account.held_block(desk.conn, found.block_number)
    return held == found.block_hash or (held is None and final is not None and found.block_number < final)


def _inclusion(attempt: int, found: Found, receipt: Receipt | None) -> Inclusion:
    if receipt is None or receipt.block_hash != found.block_hash:
        raise TransientError(f"the node has no receipt of {found.info.hash}, which its block holds")
    return settle.inclusion(attempt, receipt)
