"""The tables of the schema intent that lanes write, in small functions; the caller's transaction.

Locks go in one order everywhere: leader, cursor, transactions, intents by id. Statements find their row in
the state that they expect, or nothing happens and the caller hears of it.
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

import psycopg
from chainfirst.ops.errors import FatalError, ResetError
from chainfirst.schema import queries
from chainfirst.writers.answers import Answer
from chainfirst.writers.infos import TransactionInfo
from chainfirst.writers.kinds import Prepared
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
T = TypeVar("T")
Purpose = Literal["call", "cancel"]
_SQL = queries.load("store.sql", "chainfirst.writers")


@dataclass(frozen=True)
class Candidate:
    """An intent that nothing is signed for. `payload`: JSON text, for `payload.loads` alone to read;
    `waiting_block`: the head when its call reverted first; `alert`: it waits for what doesn't come by itself.
    """

    id: uuid.UUID
    kind: str
    payload: str
    submitted_at: datetime
    waiting_reason: str | None
    waiting_block: int | None
    alert: bool
    approved_at: datetime | None


@dataclass(frozen=True)
class Open:
    """A nonce that is not used up by a final block yet, with its newest attempt.

    `take_back`: the intent was cancelled, expired, or ended otherwise. `refused`: how many of its attempts
    nodes would not take for their gas. `included`: one of its attempts is in an indexed block.
    """

    id: int
    nonce: int
    intent: uuid.UUID
    call_to: str
    call_data: bytes
    call_value: int
    kind: str
    take_back: bool
    attempt: int
    purpose: Purpose
    raw: bytes
    hash: str
    gas: int
    max_fee_wei: int
    priority_fee_wei: int | None
    signed_block: int
    signed_at: datetime
    last_sent_block: int | None
    last_sent_at: datetime | None
    answer: str | None
    answer_text: str | None
    included: bool
    refused: int


@dataclass(frozen=True)
class Lane:
    """A row of intent.lanes."""

    signer: str
    name: str
    first_nonce: int | None
    explained_to: int | None
    blocked_reason: str | None
    blocked_nonce: int | None
    blocked_hash: str | None
    alert: str | None
    balance_wei: int | None


@dataclass(frozen=True)
class NewAttempt:
    """Signed bytes, to be stored before they are sent."""

    purpose: Purpose
    hash: str
    raw: bytes
    gas: int
    max_fee_wei: int
    priority_fee_wei: int | None
    head: int
    now: datetime


def candidates(
    conn: Connection,
    *,
    signer: str,
    kinds: Sequence[str],
    default: bool,
    head: int,
    now: datetime,
    limit: int,
) -> list[Candidate]:
    """The intents that may be tried at this head, in their order; `default`: all kinds but `kinds`."""
    values = {
        "signer": signer,
        "kinds": list(kinds),
        "default": default,
        "head": head,
        "now": now,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(Candidate)) as rows:
        return rows.execute(_SQL["candidates"], values).fetchall()


def expire(conn: Connection, kinds: Sequence[str], default: bool, now: datetime) -> int:
    """End what of a lane's kinds expired before it was signed, or was to be taken back and lost its nonce;
    how many. `default` as `candidates`."""
    return conn.execute(_SQL["expire"], {"kinds": list(kinds), "default": default, "now": now}).rowcount


def any_due(conn: Connection, kinds: Sequence[str], default: bool, now: datetime) -> bool:
    """Whether `expire` would find any."""
    return bool(_value(conn, "any_due", {"kinds": list(kinds), "default": default, "now": now}))


def hold_cursor(conn: Connection) -> tuple[int | None, int | None]:
    """The indexed and the final block, which stay so until the transaction ends."""
    row = conn.execute(_SQL["hold_cursor"]).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def prepare(conn: Connection, intent: uuid.UUID, signer: str, prepared: Prepared, *, once: bool) -> None:
    """Note an intent's call and its event."""
    expected = prepared.expected
    values = {
        "id": intent,
        "signer": signer,
        "to": prepared.call.to,
        "data": prepared.call.data,
        "value": prepared.call.value,
        "amount": prepared.amount,
        "once": once,
        "table": expected.table,
        "key_column": expected.key_column,
        "key": expected.key,
        "match": Jsonb(dict(expected.match)),
        "equal": Jsonb(dict(expected.equal)),
        "at_most": Jsonb(dict(expected.at_most)),
    }
    conn.execute(_SQL["prepare"], values)


def unsettled(conn: Connection, intents: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the intents that go on and have no event yet."""
    return {found for (found,) in conn.execute(_SQL["unsettled"], [list(intents)])}


def wait(
    conn: Connection,
    intent: uuid.UUID,
    reason: str,
    head: int,
    *,
    reverted: bool = False,
    alert: bool = False,
) -> None:
    """Note why an intent isn't signed at this head; nothing happens if it ended or was signed meanwhile."""
    conn.execute(
        _SQL["wait"], {"id": intent, "reason": reason, "head": head, "reverted": reverted, "alert": alert}
    )


def reject(conn: Connection, intent: uuid.UUID, error: str) -> None:
    """End an intent that can never be; nothing happens if it ended or was signed meanwhile."""
    conn.execute(_SQL["reject"], {"id": intent, "error": error})


def lock_unsigned(
    conn: Connection, signer: str, intents: Iterable[uuid.UUID], now: datetime
) -> set[uuid.UUID]:
    """Lock those that may still be signed: not ended, cancelled, expired, settled or paused meanwhile, nor
    held by an app that is about to."""
    values = {"ids": list(intents), "signer": signer, "now": now}
    return {found for (found,) in conn.execute(_SQL["lock_unsigned"], values)}


def take_nonce(conn: Connection, signer: str, nonce: int, intent: uuid.UUID) -> int:
    """A transaction's row. ResetError: the nonce, or the intent, has one already."""
    try:
        row = conn.execute(_SQL["take_nonce"], [signer, nonce, intent]).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise ResetError(
            f"nonce {nonce} of {signer}, or the intent {intent}, is taken: {error.diag.message_detail}",
            "Another daemon signs for this key?",
        ) from error
    return _id(row)


def ready(conn: Connection, intents: Sequence[uuid.UUID]) -> None:
    """Nothing stands in the way of these any more."""
    conn.execute(_SQL["ready"], [list(intents)])


def add_attempt(conn: Connection, transaction: int, attempt: NewAttempt) -> int:
    """Store signed bytes; the attempt's number."""
    values = dataclasses.asdict(attempt) | {"transaction": transaction}
    return _id(conn.execute(_SQL["add_attempt"], values).fetchone())


def give_up(conn: Connection, intent: uuid.UUID, error: str, unless_due: datetime | None = None) -> None:
    """Note why a signed intent is taken back although nobody asked for it. `unless_due`: nothing happens if
    somebody did, or if it has expired by then."""
    conn.execute(_SQL["give_up"], {"id": intent, "error": error, "unless_due": unless_due})


def was_signed(
    conn: Connection,
    transaction: int,
    purpose: Purpose,
    gas: int,
    max_fee_wei: int,
    priority_fee_wei: int | None,
) -> bool:
    """Whether there is such an attempt: its bytes, and so its hash, would be the same again."""
    values = {
        "transaction": transaction,
        "purpose": purpose,
        "gas": gas,
        "max_fee_wei": max_fee_wei,
        "priority_fee_wei": priority_fee_wei,
    }
    return bool(_value(conn, "was_signed", values))


def lock_open(conn: Connection, transaction: int) -> bool:
    """Lock a transaction; False: a final block has used its nonce meanwhile."""
    return conn.execute(_SQL["lock_open"], [transaction]).fetchone() is not None


def sent(conn: Connection, attempt: int, answer: Answer, head: int, now: datetime) -> None:
    """Note that an attempt was sent, and what the node said."""
    values = {
        "attempt": attempt,
        "answer": answer.cls.value,
        "text": answer.text or None,
        "head": head,
        "now": now,
    }
    conn.execute(_SQL["sent"], values)


def open_transactions(conn: Connection, signer: str, now: datetime) -> list[Open]:
    """The lane's open nonces, lowest first; not those of attempts that were only found on the chain."""
    with conn.cursor(row_factory=_exact(Open)) as rows:
        return rows.execute(_SQL["open_transactions"], {"signer": signer, "now": now}).fetchall()


def count_open(conn: Connection, signer: str) -> int:
    """How many nonces are open."""
    return int(_value(conn, "count_open", [signer]))


def anything_in_flight(conn: Connection) -> bool:
    """Whether any lane has an open nonce."""
    return bool(_value(conn, "anything_in_flight", []))


def next_nonce(conn: Connection, signer: str) -> int:
    """The first nonce that is nobody's."""
    return int(_value(conn, "next_nonce", [signer]))


def spent(conn: Connection, signer: str, kind: str, since: datetime) -> int:
    """What a lane signed of a kind since then."""
    return int(_value(conn, "spent", {"signer": signer, "kind": kind, "since": since}))


def incomplete(conn: Connection, tables: Iterable[str]) -> list[str]:
    """Those of the event tables that are not indexed up to the cursor yet."""
    return [name for (name,) in conn.execute(_SQL["incomplete"], [sorted(set(tables))])]


def open_lane(conn: Connection, signer: str, name: str) -> Lane:
    """The lane's row, made if there is none."""
    conn.execute(_SQL["open_lane"], {"signer": signer, "name": name})
    return lane(conn, signer)


def lane(conn: Connection, signer: str) -> Lane:
    """The lane's row. FatalError: it has none."""
    with conn.cursor(row_factory=_exact(Lane)) as rows:
        found = rows.execute(_SQL["lane"], [signer]).fetchone()
    if found is None:
        raise FatalError(
            f"intent.lanes has no row for {signer}", "Was it deleted by hand? Restart the daemon."
        )
    return found


def first_open_nonce(conn: Connection, signer: str) -> int | None:
    """The lowest nonce that was taken and isn't used up by a final block, or else the one after the last;
    None: none was ever taken."""
    found = _value(conn, "first_open_nonce", [signer])
    return None if found is None else int(found)


def is_nobodys(conn: Connection, signer: str, used: int, ours: int) -> bool:
    """Whether the nonce `used`, below the next one, `ours`, has no transaction of ours that could use it."""
    return bool(_value(conn, "is_nobodys", {"signer": signer, "used": used, "ours": ours}))


def begin_lane(conn: Connection, signer: str, nonce: int) -> None:
    """Count nonces from this one on: those below are of a time before this database."""
    conn.execute(_SQL["begin_lane"], {"signer": signer, "nonce": nonce})


def any_open(conn: Connection) -> bool:
    """Whether any intent has not ended."""
    return bool(_value(conn, "any_open", []))


def block_lane(
    conn: Connection,
    signer: str,
    reason: str,
    nonce: int | None = None,
    hash_: str | None = None,
    block: int | None = None,
) -> bool:
    """Stop the lane until somebody decides (operate.accept); `block`: the final one that holds `hash_`.
    False: it is stopped for that already."""
    values = {"signer": signer, "reason": reason, "nonce": nonce, "hash": hash_, "block": block}
    return conn.execute(_SQL["block_lane"], values).rowcount > 0


def unblock_lane(conn: Connection, signer: str) -> bool:
    """Let a lane go on whose foreign nonce is accounted for meanwhile; whether it was that."""
    return conn.execute(_SQL["unblock_lane"], {"signer": signer}).rowcount > 0


def stop_lane(conn: Connection, signer: str, reason: str) -> bool:
    """As `block_lane`, unless it is blocked already; whether it is now because of this."""
    return conn.execute(_SQL["stop_lane"], {"signer": signer, "reason": reason}).rowcount > 0


def alert_lane(conn: Connection, signer: str, alert: str | None, balance_wei: int | None = None) -> None:
    """Note what somebody must see to; None: nothing."""
    conn.execute(_SQL["alert_lane"], {"signer": signer, "alert": alert, "balance_wei": balance_wei})


def unexplained(conn: Connection, signer: str, used: int) -> list[int]:
    """The nonces below `used` that nothing of ours in an indexed block accounts for."""
    return [n for (n,) in conn.execute(_SQL["unexplained"], {"signer": signer, "used": used})]


def explain_to(conn: Connection, signer: str, used: int) -> None:
    """All nonces below `used` are accounted for; those in final blocks need not be looked at again."""
    conn.execute(_SQL["explain_to"], {"signer": signer, "used": used})


def own_attempt(conn: Connection, transaction_hash: str) -> int | None:
    """The attempt of this hash."""
    found = _value(conn, "own_attempt", [transaction_hash])
    return None if found is None else int(found)


def unprepared(conn: Connection, kinds: Sequence[str], default: bool) -> list[tuple[uuid.UUID, str, str]]:
    """The open intents of a lane whose call isn't known yet: id, kind, payload; `default` as `candidates`."""
    return conn.execute(_SQL["unprepared"], {"kinds": list(kinds), "default": default}).fetchall()


def equal_intent(conn: Connection, signer: str, nonce: int, info: TransactionInfo) -> uuid.UUID | None:
    """An open intent with just this transaction's call, and with no other nonce than its one."""
    values = _call_of(info) | {"signer": signer, "nonce": nonce}
    row: tuple[uuid.UUID] | None = conn.execute(_SQL["equal_intent"], values).fetchone()
    return None if row is None else row[0]


def settled_by(conn: Connection, info: TransactionInfo) -> uuid.UUID | None:
    """The intent with just this transaction's call that an event of it has settled."""
    row: tuple[uuid.UUID] | None = conn.execute(_SQL["settled_by"], _call_of(info)).fetchone()
    return None if row is None else row[0]


def intent_at(conn: Connection, signer: str, nonce: int) -> uuid.UUID | None:
    """The intent that has a nonce, and has not ended."""
    found: uuid.UUID | None = _value(conn, "intent_at", [signer, nonce])
    return found


def adopt(
    conn: Connection,
    signer: str,
    nonce: int,
    intent: uuid.UUID,
    info: TransactionInfo,
    block: int,
    *,
    purpose: Purpose = "call",
) -> int:
    """Take a transaction that was found on the chain for an intent's attempt; its number. Another intent that
    had the nonce is free for another one."""
    row = conn.execute(_SQL["transaction_at"], [signer, nonce]).fetchone()
    if row is not None and row[1] != intent:
        accept(conn, signer, nonce, info.hash, f"nobody: it is the intent {intent}'s", block)
        row = None
    transaction = take_nonce(conn, signer, nonce, intent) if row is None else int(row[0])
    values = {
        "transaction": transaction,
        "purpose": purpose,
        "hash": info.hash,
        "max_fee_wei": info.fees.max_fee_wei if info.fees else 0,
        "priority_fee_wei": info.fees.max_priority_fee_wei if info.fees else None,
        "block": block,
    }
    return _id(conn.execute(_SQL["adopt_attempt"], values).fetchone())


def accept(conn: Connection, signer: str, nonce: int, transaction_hash: str, who: str, block: int) -> None:
    """Note that somebody else's transaction in a final block has used a nonce; an intent that had it is free
    for another one."""
    values = {"signer": signer, "nonce": nonce, "hash": transaction_hash, "who": who, "block": block}
    if conn.execute(_SQL["accept_held"], values).rowcount == 0:
        conn.execute(_SQL["accept_unknown"], values)


def accept_again(conn: Connection, signer: str, nonce: int, transaction_hash: str, block: int) -> bool:
    """Note where somebody else's transaction is now that was accepted before blocks were taken back; False:
    it was not."""
    values = {"signer": signer, "nonce": nonce, "hash": transaction_hash, "block": block}
    return conn.execute(_SQL["accept_again"], values).rowcount > 0


def reclaim(conn: Connection, attempt: int) -> None:
    """A nonce that somebody else had used serves its intent after all: blocks were taken back, and what came
    instead holds our attempt. Unless the intent has another nonce by now."""
    conn.execute(_SQL["reclaim"], [attempt])


def held_block(conn: Connection, number: int) -> str | None:
    """The hash of an indexed block that is kept."""
    found = _value(conn, "held_block", [number])
    return None if found is None else str(found)


def included_block(conn: Connection, signer: str, below_nonce: int) -> int | None:
    """The block of the highest nonce below that one of which it is known."""
    found = _value(conn, "included_block", [signer, below_nonce])
    return None if found is None else int(found)


def reverted_without_reason(
    conn: Connection, signer: str, since: datetime
) -> list[tuple[uuid.UUID, str, bytes, int, int]]:
    """Intents that failed since then and whose reason nobody asked for yet: id, to, data, value, block."""
    rows = conn.execute(_SQL["reverted_without_reason"], {"signer": signer, "since": since}).fetchall()
    return [(intent, to, data, int(value), block) for intent, to, data, value, block in rows]


def explain_failure(conn: Connection, intent: uuid.UUID, error: str) -> None:
    """Say why it was reverted."""
    conn.execute(_SQL["explain_failure"], {"id": intent, "error": error})


def _exact(kind: Callable[..., T]) -> Callable[[psycopg.Cursor[Any]], Callable[[Sequence[Any]], T]]:
    """Rows as dataclasses, with integers where PostgreSQL's numeric makes Decimals."""

    def of_cursor(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], T]:
        names = [column.name for column in cursor.description or ()]

        def of_row(row: Sequence[Any]) -> T:
            values = (int(each) if isinstance(each, Decimal) else each for each in row)
            return kind(**dict(zip(names, values, strict=True)))

        return of_row

    return of_cursor


def _call_of(info: TransactionInfo) -> dict[str, Any]:
    return {"hash": info.hash, "to": info.to, "data": info.data, "value": info.value}


def _value(conn: Connection, statement: str, values: Any) -> Any:
    row = conn.execute(_SQL[statement], values).fetchone()
    return None if row is None else row[0]


def _id(row: tuple[Any, ...] | None) -> int:
    if row is None:
        raise FatalError(
            "an INSERT gave no row back", "The database's rights or triggers were changed by hand."
        )
    return int(row[0])
