"""Intents, and what is signed for them, in small functions; the caller's transaction.

Locks go in one order everywhere: leader, cursor, transactions, intents by id. Statements find their row in
the state that they expect, or nothing happens and the caller hears of it.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from chainfirst.ops.errors import ResetError
from chainfirst.schema import queries
from chainfirst.writers import rows
from chainfirst.writers.answers import Answer
from chainfirst.writers.kinds import Prepared
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
Purpose = Literal["call", "cancel"]
NEVER = 2**63 - 1  # as a block number
_SQL = queries.load("store.sql", "chainfirst.writers")


@dataclass(frozen=True)
class Refusal:
    """A block after which a call was reverted, as it was after each one since that was tried."""

    block: int
    hash: str


@dataclass(frozen=True)
class Candidate:
    """An intent that nothing is signed for. `payload`: JSON text, for `payload.loads` alone to read."""

    id: uuid.UUID
    kind: str
    payload: str
    submitted_at: datetime
    waiting_block: int | None
    waiting_hash: str | None
    approved_at: datetime | None

    @property
    def refused(self) -> Refusal | None:
        """Since when its call is reverted, as far as that is known."""
        if self.waiting_block is None or self.waiting_hash is None:
            return None
        return Refusal(self.waiting_block, self.waiting_hash)


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
    with conn.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(_SQL["candidates"], values).fetchall()


def expire(conn: Connection, kinds: Sequence[str], default: bool, now: datetime) -> int:
    """End what of a lane's kinds expired before it was signed, or was to be taken back and lost its nonce;
    how many. `default` as `candidates`."""
    return conn.execute(_SQL["expire"], {"kinds": list(kinds), "default": default, "now": now}).rowcount


def any_due(conn: Connection, kinds: Sequence[str], default: bool, now: datetime) -> bool:
    """Whether `expire` would find any."""
    return bool(
        rows.value(conn.execute(_SQL["any_due"], {"kinds": list(kinds), "default": default, "now": now}))
    )


def hold_cursor(conn: Connection) -> tuple[int | None, int | None]:
    """The indexed and the final block, which stay so until the transaction ends."""
    row = conn.execute(_SQL["hold_cursor"]).fetchone()
    return (None, None) if row is None else (row[0], row[1])


def lock_free(conn: Connection, intents: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Lock those that go on and that nobody else holds, in their order."""
    return [found for (found,) in conn.execute(_SQL["lock_free"], [list(intents)])]


def prepare(conn: Connection, intent: uuid.UUID, signer: str, prepared: Prepared, *, once: bool) -> bool:
    """Note an intent's call and its event; whether they are others than before."""
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
    return conn.execute(_SQL["prepare"], values).rowcount > 0


def unsettled(conn: Connection, intents: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the intents that go on and have no event yet."""
    return {found for (found,) in conn.execute(_SQL["unsettled"], [list(intents)])}


def wait(
    conn: Connection,
    intent: uuid.UUID,
    reason: str,
    head: int,
    *,
    refused: Refusal | None = None,
    alert: bool = False,
) -> bool:
    """Note why an intent isn't signed at this head; whether it waits for something else than before. Nothing
    happens if it ended or was signed meanwhile. `alert`: it waits for what doesn't come by itself."""
    block, hash_ = (refused.block, refused.hash) if refused else (None, None)
    values = {"id": intent, "reason": reason, "head": head, "block": block, "hash": hash_, "alert": alert}
    return bool(rows.value(conn.execute(_SQL["wait"], values)))


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
        return rows.identity(conn.execute(_SQL["take_nonce"], [signer, nonce, intent]))
    except psycopg.errors.UniqueViolation as error:
        raise ResetError(
            f"nonce {nonce} of {signer}, or the intent {intent}, is taken: {error.diag.message_detail}",
            "Another daemon signs for this key?",
        ) from error


def ready(conn: Connection, intents: Sequence[uuid.UUID]) -> None:
    """Nothing stands in the way of these any more."""
    conn.execute(_SQL["ready"], [list(intents)])


def add_attempt(conn: Connection, transaction: int, attempt: NewAttempt) -> int:
    """Store signed bytes; the attempt's number."""
    values = dataclasses.asdict(attempt) | {"transaction": transaction}
    return rows.identity(conn.execute(_SQL["add_attempt"], values))


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
    return bool(rows.value(conn.execute(_SQL["was_signed"], values)))


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
    with conn.cursor(row_factory=rows.exact(Open)) as cursor:
        return cursor.execute(_SQL["open_transactions"], {"signer": signer, "now": now}).fetchall()


def calm_since(conn: Connection) -> int | None:
    """The last block that holds anything of ours; None: something is on its way to one."""
    found = int(rows.value(conn.execute(_SQL["calm_since"])))
    return None if found == NEVER else found


def spent(conn: Connection, signer: str, kind: str, since: datetime) -> int:
    """What a lane signed of a kind since then."""
    return int(rows.value(conn.execute(_SQL["spent"], {"signer": signer, "kind": kind, "since": since})))


def incomplete(conn: Connection, tables: Iterable[str]) -> list[str]:
    """Those of the event tables that are not indexed up to the cursor yet."""
    return [name for (name,) in conn.execute(_SQL["incomplete"], [sorted(set(tables))])]


def any_open(conn: Connection) -> bool:
    """Whether any intent has not ended."""
    return bool(rows.value(conn.execute(_SQL["any_open"])))


def unprepared(conn: Connection, kinds: Sequence[str], default: bool) -> list[tuple[uuid.UUID, str, str]]:
    """The open intents of a lane whose call isn't known yet: id, kind, payload; `default` as `candidates`."""
    return conn.execute(_SQL["unprepared"], {"kinds": list(kinds), "default": default}).fetchall()


def reverted_without_reason(
    conn: Connection, signer: str, since: datetime
) -> list[tuple[uuid.UUID, str, bytes, int, int]]:
    """Intents that failed since then and whose reason nobody asked for yet: id, to, data, value, block."""
    found = conn.execute(_SQL["reverted_without_reason"], {"signer": signer, "since": since})
    return [(intent, to, data, int(value), block) for intent, to, data, value, block in found]


def explain_failure(conn: Connection, intent: uuid.UUID, error: str) -> None:
    """Say why it was reverted."""
    conn.execute(_SQL["explain_failure"], {"id": intent, "error": error})
