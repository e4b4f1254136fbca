"""The operator's hand on the lanes: what they do now, pausing and resuming, accepting what blocks one.

The daemon may run meanwhile. Whatever is changed here is found in the state that was shown, or nothing is.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops.errors import FatalError, TransientError
from chainfirst.schema import queries
from chainfirst.writers import account, rows, store
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
_SQL = queries.load("operate.sql", "chainfirst.writers")


@dataclass(frozen=True)
class State:
    """Whether and by what a lane is blocked. `reason` None: by nothing. What `accept` does with it:

    - `first_nonce` is None, `nonce` is there: the key was used before this database knew of it, and intents
      are open. The lane begins at `nonce`: what the key sent before is none of theirs.
    - `hash` is there: somebody else's transaction, in the final block `block`, has used up `nonce`. It is
      noted as that; an intent that had the nonce gets another one.
    - neither: the node refuses a transaction in a way that no time mends. The lane goes on and tries again.
    """

    signer: str
    name: str
    first_nonce: int | None
    reason: str | None
    nonce: int | None
    hash: str | None
    block: int | None


def lanes(conn: Connection) -> list[dict[str, Any]]:
    """Every lane that has run, with its nonces, how many are in flight, and whether its signer is paused."""
    return rows.dicts(conn, _SQL["lanes"])


def pauses(conn: Connection) -> list[dict[str, Any]]:
    """What signs nothing for now: subject, why, paused_by, paused_at."""
    return rows.dicts(conn, _SQL["pauses"])


def signers(conn: Connection, lane: str) -> list[str]:
    """The signers that a lane of this name has had."""
    return [signer for (signer,) in conn.execute(_SQL["signers"], [lane])]


def pause(conn: Connection, subject: str, why: str, who: str) -> bool:
    """Sign nothing more of a signer, a kind, a domain ("escrow.*") or all; False: it is paused already."""
    return conn.execute(_SQL["pause"], [subject, why, who]).rowcount > 0


def resume(conn: Connection, subject: str) -> bool:
    """Sign again, and wake the lanes; False: it wasn't paused."""
    with conn.transaction():
        done = conn.execute(_SQL["resume"], [subject]).rowcount > 0
        conn.execute(_SQL["wake"])
    return done


def state(conn: Connection, signer: str) -> State | None:
    """What `accept` is shown; None: there is no such lane."""
    return _state(conn, "state", signer)


def open_intents(conn: Connection) -> int:
    """How many intents have not ended."""
    return int(rows.value(conn.execute(_SQL["open_intents"])))


def session_user(conn: Connection) -> str:
    """The login, whatever role is set."""
    return str(rows.value(conn.execute(_SQL["session_user"])))


def accept(conn: Connection, shown: State, who: str) -> str:
    """Let a blocked lane go on, by one of State's three cases; what was done, in words.

    TransientError: the lane isn't any more what was shown, or the foreign transaction's block isn't final.
    """
    signer = shown.signer
    with conn.transaction():
        # before the lane: a batch of the indexer, which may take long, holds the cursor
        _, final = store.hold_cursor(conn)
        if _state(conn, "lock_state", signer) != shown:
            raise TransientError(
                f"the lane of {signer} changed while it was looked at", "Look again: chainfirst lanes list"
            )
        if shown.reason is None:
            raise FatalError(f"the lane of {signer} isn't blocked", "There is nothing to accept.")
        if shown.first_nonce is None and shown.nonce is not None:
            account.begin_lane(conn, signer, shown.nonce)
            did = f"the lane of {signer} begins at nonce {shown.nonce}"
        elif shown.nonce is not None and shown.hash is not None and shown.block is not None:
            if final is None or shown.block > final:
                raise TransientError(
                    f"block {shown.block} isn't final in the database (any more): final is {final}",
                    "Accept it when it is.",
                )
            did = _accept_foreign(conn, signer, shown.nonce, shown.hash, who, shown.block)
        else:
            did = f"the lane of {signer} tries again"
        conn.execute(_SQL["unblock"], {"signer": signer, "who": who})
        conn.execute(_SQL["wake"])
    return did


def _accept_foreign(conn: Connection, signer: str, nonce: int, hash_: str, who: str, block: int) -> str:
    did = f"nonce {nonce} of {signer} is somebody else's: {hash_} in block {block}"
    row: tuple[uuid.UUID | None, bool] | None = conn.execute(_SQL["nonce"], [signer, nonce]).fetchone()
    intent, closed = row or (None, False)
    if closed:
        return f"nonce {nonce} of {signer} was accounted for meanwhile"
    account.accept(conn, signer, nonce, hash_, who, block)
    return did if intent is None else f"{did}; the intent {intent}, which had it, gets another one"


def _state(conn: Connection, statement: str, signer: str) -> State | None:
    with conn.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(_SQL[statement], [signer]).fetchone()
