"""A lane: one key, its nonces, and the intents that it signs. One `step()` is one round.

What is in memory is only for patience; whatever else a round needs it reads from the database, so that a
start is a recovery and a recovery is a round.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chainfirst.indexer.rpc.errors import RpcError, RpcFatalError
from chainfirst.ops import log
from chainfirst.schema import store as chain_store
from chainfirst.writers import account, nonces, pools, settle, signing, store, tending
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
SWEEP = timedelta(seconds=10)  # so often for intents that an app held when their time came
TELLABLE = timedelta(hours=1)  # so long a node is asked why it reverted

logger = log.get("lane")


@dataclass
class _Memory:
    """When the chain's nonce last moved, what was explained at which indexed block, why nothing new is
    signed, and when what apps had held was last looked for."""

    used: int = -1
    moved_block: int = 0
    moved_at: datetime = LONG_AGO
    explained: tuple[int, str | None] | None = None
    waits: str | None = None
    swept_at: datetime = LONG_AGO
    strangers: dict[int, nonces.Stranger] = field(default_factory=dict)
    balance_block: int | None = None
    balance_wei: int | None = None


class Lane:
    """Signs for one key. One thread steps; the connection is the lane's own, in autocommit. `everyone`: the
    endpoints whose pools are asked when it starts."""

    def __init__(
        self,
        conn: Connection,
        signer: Signer,
        settings: Settings,
        epoch: int,
        clock: Callable[[], datetime],
        everyone: pools.Everyone,
        on_answer: Callable[[Class], None] = lambda _: None,
    ) -> None:
        self._conn, self._signer, self._settings, self._epoch = conn, signer, settings, epoch
        self._clock, self._on_answer = clock, on_answer
        self._memory, self._pools = _Memory(), pools.Pools(everyone)
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
            head.hash,
            head.base_fee_wei,
            head.gas_limit,
            self._clock(),
            self._on_answer,
        )
        cursor = chain_store.read_cursor(self._conn)
        indexed = None if cursor is None else cursor.indexed_number
        final = None if cursor is None else cursor.final_number
        lane = self._open(desk, final)
        if lane.first_nonce is None:
            return False
        opened = store.open_transactions(self._conn, self._signer.address, desk.now)
        tended = tending.tend(desk, opened, self._sight(desk, head, opened))
        self._report(desk, tended.alerts)
        self._sweep(desk, final)
        if tended.no_signature is not None:
            raise tended.no_signature
        self._explain_failures(desk)
        if cursor is None or indexed is None or indexed < head.number - self._settings.behind_blocks:
            return False
        # a nonce that blocks it may be an open intent's after all, which was asked for later
        if lane.blocked_reason is not None and lane.blocked_hash is None:
            return False
        waits = self._explain(desk, indexed, cursor.indexed_hash) or self._not_alone(desk)
        if waits != self._memory.waits:
            self._memory.waits = waits
            self._report(desk, tended.alerts)
            if waits is not None:
                logger.warning("signs_nothing", signer=self._signer.address, why=waits)
        if waits is not None:
            return False
        # no sooner: what a restored database takes for unsigned may be on the chain
        self._expire(desk)
        # what is in a block waits for nothing but finality, which may be far: no node's pool holds it
        room = self._settings.in_flight - sum(not tx.included for tx in opened)
        return tended.may_sign and room > 0 and signing.sign_new(desk, room, final) > 0

    def stop(self, why: str) -> None:
        """Sign nothing more until somebody decides; what is signed is sent all the same."""
        with self._conn.transaction():
            chain_store.assert_epoch(self._conn, self._epoch)
            stopped = account.stop_lane(self._conn, self._signer.address, why)
        if stopped:
            logger.error("lane_stopped", signer=self._signer.address, why=why)

    def _open(self, desk: Desk, final: int | None) -> account.Lane:
        """The lane's row. Where that was lost, the lane goes on at the nonces that it had taken. A key whose
        nonces this database doesn't know begins at the chain's, if nothing can be sent twice by that: if it
        is unused, or no intent is open; and if it is known that no reorganisation takes them away."""
        address = self._signer.address
        with self._conn.transaction():
            desk.assert_leads()
            lane = account.open_lane(self._conn, address, self._settings.name)
            own = account.first_open_nonce(self._conn, address) if lane.first_nonce is None else None
            if own is not None:
                account.begin_lane(self._conn, address, own)
                return account.lane(self._conn, address)
        if lane.first_nonce is not None:
            return lane
        used = desk.node.nonce(address)
        settled = used == 0 or self._all_final(desk, used, final)
        with self._conn.transaction():
            desk.assert_leads()
            if not settled:
                why = f"{address} has sent {used} transactions, some of them in blocks that aren't final yet"
                account.alert_lane(self._conn, address, why)
                return lane
            if used == 0 or not store.any_open(self._conn):
                account.alert_lane(self._conn, address, None)
                account.begin_lane(self._conn, address, used)
                return account.lane(self._conn, address)
            why = (
                f"the key {address} has sent {used} transactions before this database knew of it, and "
                "intents are open: were any of them sent already, before a backup was restored? If not: "
                f"chainfirst lanes accept {address}"
            )
            if lane.blocked_reason != why:
                account.block_lane(self._conn, address, why, begin=used)
                logger.error("used_before", signer=address, nonce=used)
        return lane

    def _all_final(self, desk: Desk, used: int, final: int | None) -> bool:
        """Whether so many nonces are used up in final blocks: else there could be a gap below the first."""
        if final is None:
            return False
        try:
            return desk.node.nonce(self._signer.address, final) >= used
        except RpcFatalError:  # no state that old
            return True

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
        stop = nonces.explain(desk, indexed, self._memory.strangers)
        self._memory.explained = None if stop is not None else (indexed, indexed_hash)
        return stop

    def _not_alone(self, desk: Desk) -> str | None:
        """Why no nonce may be taken: the newest blocks or a node's pool hold transactions of this key beyond
        those that the database knows, or one before them lacks. None: it may."""
        address = self._signer.address
        ours = account.next_nonce(self._conn, address)
        used = desk.node.nonce(address)
        if account.is_nobodys(self._conn, address, used, ours):
            return (
                f"the chain waits for nonce {used} of {address}, for which nothing is left to send: nothing "
                "after it can be mined. Send a transfer of 0 from that account to itself with this nonce"
            )
        where = "blocks that aren't indexed yet hold" if used > ours else self._pools.beyond(desk, ours)
        if where is None:
            return None
        # it may be one of the open intents, sent before a backup was restored
        return (
            f"{where} transactions of {address} from nonce {ours} on that aren't ours: nothing is signed "
            "until they are final, or gone"
        )

    def _expire(self, desk: Desk) -> None:
        kinds = self._settings.own, self._settings.default, desk.now
        if not store.any_due(self._conn, *kinds):
            return
        with self._conn.transaction():
            # what an app has seen as ended stays so, whatever happens to the server
            self._conn.execute("SET LOCAL synchronous_commit = on")
            desk.assert_leads()
            store.hold_cursor(self._conn)  # a batch may just settle one of them
            store.expire(self._conn, *kinds)

    def _sweep(self, desk: Desk, final: int | None) -> None:
        if desk.now < self._memory.swept_at + SWEEP:
            return
        self._memory.swept_at = desk.now
        if not settle.anything_overdue(self._conn, final):
            return
        with self._conn.transaction():
            desk.assert_leads()
            _, final = store.hold_cursor(self._conn)
            settle.end(self._conn, final)

    def _report(self, desk: Desk, alerts: list[str]) -> None:
        memory = self._memory
        if memory.balance_block is None or desk.head >= memory.balance_block + BALANCE_BLOCKS:
            memory.balance_block, memory.balance_wei = desk.head, desk.node.balance(self._signer.address)
        text = "; ".join([*alerts[:3], *([memory.waits] if memory.waits else [])]) or None
        with self._conn.transaction():
            desk.assert_leads()
            account.alert_lane(self._conn, self._signer.address, text, memory.balance_wei)

    def _explain_failures(self, desk: Desk) -> None:
        failed = store.reverted_without_reason(self._conn, self._signer.address, desk.now - TELLABLE)
        for intent, to, data, value, block in failed:
            try:
                why = _why_reverted(desk, Call(to, data, value), block)
            except RpcError as error:
                if error.code is None:  # the line's fault: asked again in the next round
                    continue
                why = f"the node can't say why ({error.text})"
            with self._conn.transaction():
                desk.assert_leads()
                store.explain_failure(self._conn, intent, f"reverted: {why}")


def _why_reverted(desk: Desk, call: Call, block: int) -> str:
    """From calls on the states before and after its block: near enough, if not the same."""
    for state in (block - 1, block):
        result = desk.node.call(call, desk.signer.address, state)
        if isinstance(result, Revert):
            return result.text
    return "it would succeed before its block and after it"


def _is_taken(tx: store.Open) -> bool:
    return tx.answer is not None and REACTIONS[Class(tx.answer)] is Reaction.SENT
