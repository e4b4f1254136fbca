"""What the database knows of a key: its lane's row, and whose its nonces are; the caller's transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from chainfirst.ops.errors import FatalError
from chainfirst.schema import queries
from chainfirst.writers import rows, store
from chainfirst.writers.infos import TransactionInfo
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
_SQL = queries.load("account.sql", "chainfirst.writers")


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
class Foreign:
    """Somebody else's transaction that has used a nonce, and the final block that holds it."""

    nonce: int
    hash: str
    block: int
    what: str


def next_nonce(conn: Connection, signer: str) -> int:
    """The first nonce that is nobody's."""
    return int(rows.value(conn.execute(_SQL["next_nonce"], [signer])))


def open_lane(conn: Connection, signer: str, name: str) -> Lane:
    """The lane's row, made if there is none."""
    conn.execute(_SQL["open_lane"], {"signer": signer, "name": name})
    return lane(conn, signer)


def lane(conn: Connection, signer: str) -> Lane:
    """The lane's row. FatalError: it has none."""
    with conn.cursor(row_factory=rows.exact(Lane)) as cursor:
        found = cursor.execute(_SQL["lane"], [signer]).fetchone()
    if found is None:
        raise FatalError(
            f"intent.lanes has no row for {signer}", "Was it deleted by hand? Restart the daemon."
        )
    return found


def first_open_nonce(conn: Connection, signer: str) -> int | None:
    """The lowest nonce that was taken and isn't used up by a final block, or else the one after the last;
    None: none was ever taken."""
    found = rows.value(conn.execute(_SQL["first_open_nonce"], [signer]))
    return None if found is None else int(found)


def is_nobodys(conn: Connection, signer: str, used: int, ours: int) -> bool:
    """Whether the nonce `used`, below the next one, `ours`, has no transaction of ours that could be sent."""
    return bool(rows.value(conn.execute(_SQL["is_nobodys"], {"signer": signer, "used": used, "ours": ours})))


def begin_lane(conn: Connection, signer: str, nonce: int) -> None:
    """Count nonces from this one on: those below are of a time before this database."""
    conn.execute(_SQL["begin_lane"], {"signer": signer, "nonce": nonce})


def block_lane(
    conn: Connection, signer: str, reason: str, foreign: Sequence[Foreign] = (), *, begin: int | None = None
) -> bool:
    """Stop the lane until somebody decides (operate.accept) about `foreign` nonces, or the one to `begin` at.
    False: it is stopped for that already."""
    first = foreign[0] if foreign else None
    values = {
        "signer": signer,
        "reason": reason,
        "nonce": first.nonce if first else begin,
        "hash": first and first.hash,
        "block": first and first.block,
        "more": Jsonb([asdict(each) for each in foreign[1:]]),
    }
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
    found = rows.value(conn.execute(_SQL["own_attempt"], [transaction_hash]))
    return None if found is None else int(found)


def equal_intent(conn: Connection, signer: str, nonce: int, info: TransactionInfo) -> uuid.UUID | None:
    """An open intent with just this transaction's call, and with no other nonce than its one."""
    values = _call_of(info) | {"signer": signer, "nonce": nonce}
    found: uuid.UUID | None = rows.value(conn.execute(_SQL["equal_intent"], values))
    return found


def settled_by(conn: Connection, info: TransactionInfo) -> uuid.UUID | None:
    """The intent with just this transaction's call that an event of it has settled."""
    found: uuid.UUID | None = rows.value(conn.execute(_SQL["settled_by"], _call_of(info)))
    return found


def intent_at(conn: Connection, signer: str, nonce: int) -> uuid.UUID | None:
    """The intent that has a nonce, and has not ended."""
    found: uuid.UUID | None = rows.value(conn.execute(_SQL["intent_at"], [signer, nonce]))
    return found


def adopt(
    conn: Connection,
    signer: str,
    nonce: int,
    intent: uuid.UUID,
    info: TransactionInfo,
    block: int,
    *,
    purpose: store.Purpose = "call",
) -> int:
    """Take a transaction that was found on the chain for an intent's attempt; its number. Another intent that
    had the nonce is free for another one."""
    row = conn.execute(_SQL["transaction_at"], [signer, nonce]).fetchone()
    if row is not None and row[1] != intent:
        accept(conn, signer, nonce, info.hash, f"nobody: it is the intent {intent}'s", block)
        row = None
    transaction = store.take_nonce(conn, signer, nonce, intent) if row is None else int(row[0])
    values = {
        "transaction": transaction,
        "purpose": purpose,
        "hash": info.hash,
        "max_fee_wei": info.fees.max_fee_wei if info.fees else 0,
        "priority_fee_wei": info.fees.max_priority_fee_wei if info.fees else None,
        "block": block,
    }
    return rows.identity(conn.execute(_SQL["adopt_attempt"], values))


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
    found = rows.value(conn.execute(_SQL["held_block"], [number]))
    return None if found is None else str(found)


def included_block(conn: Connection, signer: str, below_nonce: int) -> int | None:
    """The block of the highest nonce below that one of which it is known."""
    found = rows.value(conn.execute(_SQL["included_block"], [signer, below_nonce]))
    return None if found is None else int(found)


def _call_of(info: TransactionInfo) -> dict[str, Any]:
    return {"hash": info.hash, "to": info.to, "data": info.data, "value": info.value}
