"""A lane: one key, its nonces, and the intents that it signs. One `step()` is one round.

What is in memory is only for patience; whatever else a round needs it reads from the database, so that a
start is a recovery and a recovery is a round.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from chainfirst.indexer.rpc.errors import RpcError
from chainfirst.ops import log
from chainfirst.schema import store as chain_store
from chainfirst.writers import nonces, signing, store, tending
from chainfirst.writers.answers import REACTIONS, Class, Reaction
from chainfirst.writers.desk import Connection, Desk, Settings
from chainfirst.writers.infos import Head
from chainfirst.writers.kinds import Call
from chainfirst.writers.node import Node
from chainfirst.writers.plan import Sight
from chainfirst.writers.reverts import Revert
from chainfirst.writers.signers import Signer

LONG_AGO = datetime.min.replace(tzinfo=UTC)
BALANCE_BLOCKS = 20  # so often the balance is asked for

logger = log.get("lane")


@dataclass
class _Memory:
    """When the chain's nonce last moved, and what was explained at which indexed block."""

    used: int = -1
    moved_block: int = 0
    moved_at: datetime = LONG_AGO
    explained: tuple[int, str | None] | None = None
    balance_block: int | None = None
    balance_wei: int | None = None


class Lane:
    """Signs for one key. One thread steps; the connection is the lane's own, in autocommit."""

    def __init__(
        self,
        conn: Connection,
        signer: Signer,
        settings: Settings,
        epoch: int,
        clock: Callable[[], datetime],
        on_answer: Callable[[Class], None] = lambda _: None,
    ) -> None:
        self._conn, self._signer, self._settings, self._epoch = conn, signer, settings, epoch
        self._clock, self._on_answer = clock, on_answer
        self._memory = _Memory()
        # What a crash of the server loses is found again by the next round: all but signed bytes, whose
        # transaction waits for the disk (signing, tending; PostgreSQL 28.4, Asynchronous Commit).
        conn.execute("SET synchronous_commit = off")

    def step(self, node: Node) -> bool:
        """One round; whether there may be more to do at once. Raises transient, reset and fatal errors."""
        head = node.head()
        desk = Desk(
            self._conn,
            node,
            self._signer,
            self._settings,
            self._epoch,
            head.number,
            head.base_fee_wei,
            head.gas_limit,
            self._clock(),
            self._on_answer,
        )
        lane = self._open(desk)
        if lane.first_nonce is None:
            return False
        cursor = chain_store.read_cursor(self._conn)
        indexed = None if cursor is None else cursor.indexed_number
        final = None if cursor is None else cursor.final_number
        opened = store.open_transactions(self._conn, self._signer.address, desk.now)
        tended = tending.tend(desk, opened, self._sight(desk, head, opened))
        self._report(desk, tended.alerts)
        if tended.no_signature is not None:
            raise tended.no_signature
        self._explain_failures(desk)
        if cursor is None or indexed is None or indexed < head.number - self._settings.behind_blocks:
            return False
        # a nonce that blocks it may be an open intent's after all, which was asked for later
        if lane.blocked_reason is not None and lane.blocked_hash is None:
            return False
        if self._explain(desk, indexed, cursor.indexed_hash) is not None or not self._is_alone(desk):
            return False
        with self._conn.transaction():
            desk.assert_leads()
            # no sooner: what a restored database takes for unsigned may be on the chain
            store.expire(self._conn, self._settings.own, self._settings.default, desk.now)
        room = self._settings.in_flight - len(opened)
        return tended.may_sign and room > 0 and signing.sign_new(desk, room, final) > 0

    def stop(self, why: str) -> None:
        """Sign nothing more until somebody decides; what is signed is sent all the same."""
        with self._conn.transaction():
            chain_store.assert_epoch(self._conn, self._epoch)
            stopped = store.stop_lane(self._conn, self._signer.address, why)
        if stopped:
            logger.error("lane_stopped", signer=self._signer.address, why=why)

    def _open(self, desk: Desk) -> store.Lane:
        """The lane's row. A key whose nonces this database doesn't know begins at the chain's, if nothing can
        be sent twice by that: if it is unused, or no intent is open."""
        address = self._signer.address
        with self._conn.transaction():
            desk.assert_leads()
            lane = store.open_lane(self._conn, address, self._settings.name)
            if lane.first_nonce is not None:
                return lane
            used = desk.node.nonce(address)
            if used == 0 or not store.any_open(self._conn):
                store.begin_lane(self._conn, address, used)
                return store.lane(self._conn, address)
            why = (
                f"the key {address} has sent {used} transactions before this database knew of it, and "
                "intents are open: were any of them sent already, before a backup was restored? If not: "
                f"chainfirst lanes accept {address}"
            )
            if lane.blocked_reason != why:
                store.block_lane(self._conn, address, why, used)
                logger.error("used_before", signer=address, nonce=used)
        return lane

    def _sight(self, desk: Desk, head: Head, opened: list[store.Open]) -> Sight:
        memory = self._memory
        used = desk.node.nonce(self._signer.address) if opened else memory.used
        if used != memory.used or not opened:
            memory.used, memory.moved_block, memory.moved_at = used, head.number, desk.now
        taken = (tx for tx in opened if not tx.included and tx.nonce >= used and _is_taken(tx))
        first = next(taken, None)
        missing = first is not None and desk.node.transaction(first.hash) is None
        return Sight(
            head.number, desk.now, head.base_fee_wei, used, memory.moved_block, memory.moved_at, missing
        )

    def _explain(self, desk: Desk, indexed: int, indexed_hash: str | None) -> str | None:
        if self._memory.explained == (indexed, indexed_hash):
            return None
        stop = nonces.explain(desk, indexed)
        self._memory.explained = None if stop is not None else (indexed, indexed_hash)
        return stop

    def _is_alone(self, desk: Desk) -> bool:
        """Whether the node's pool holds nothing of this key beyond the nonces that the database knows."""
        ours = store.next_nonce(self._conn, self._signer.address)
        try:
            pending = desk.node.nonce(self._signer.address, "pending")
        except RpcError as error:
            if error.code is None:
                raise
            pending = 0  # a node that doesn't tell: it is only a hint
        if pending > ours:
            # what lies in the pool may be one of the open intents, sent before a backup was restored
            self._report(
                desk, [f"the node's pool holds transactions of this key from nonce {ours} on: not ours"]
            )
            return False
        return True

    def _report(self, desk: Desk, alerts: list[str]) -> None:
        memory = self._memory
        if memory.balance_block is None or desk.head >= memory.balance_block + BALANCE_BLOCKS:
            memory.balance_block, memory.balance_wei = desk.head, desk.node.balance(self._signer.address)
        text = "; ".join(alerts[:3]) or None
        with self._conn.transaction():
            desk.assert_leads()
            store.alert_lane(self._conn, self._signer.address, text, memory.balance_wei)

    def _explain_failures(self, desk: Desk) -> None:
        """The reason of a revert, from a call on the state before its block: near enough, if not the same."""
        for intent, to, data, value, block in store.reverted_without_reason(self._conn, self._signer.address):
            try:
                result = desk.node.call(Call(to, data, value), self._signer.address, block - 1)
            except RpcError as error:
                why = f"reverted: the node can't say why ({error.text})"
            else:
                why = (
                    f"reverted: {result.text if isinstance(result, Revert) else 'it would succeed before it'}"
                )
            with self._conn.transaction():
                desk.assert_leads()
                store.explain_failure(self._conn, intent, why)


def _is_taken(tx: store.Open) -> bool:
    return tx.answer is not None and REACTIONS[Class(tx.answer)] is Reaction.SENT
