"""The operator's hand on the lanes: what they do now, pausing and resuming, accepting what blocks one.

The daemon may run meanwhile. Whatever is changed here is found in the state that was shown, or nothing is.
"""

from collections.abc import Iterator, Sequence
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
    - `hash` is there: somebody else's transaction, in the final block `block`, has used up `nonce`, and so it
      is with `more` after it. It is noted as that; an intent that had a nonce gets another one.
    - neither: the node refuses a transaction in a way that no time mends. The lane goes on and tries again.
    """

    signer: str
    name: str
    first_nonce: int | None
    reason: str | None
    nonce: int | None
    hash: str | None
    block: int | None
    more: list[dict[str, Any]]

    @property
    def foreign(self) -> list[account.Foreign]:
        """Somebody else's transactions, lowest nonce first."""
        if self.nonce is None or self.hash is None or self.block is None:
            return []
        first = account.Foreign(self.nonce, self.hash, self.block, "")
        return [first, *(account.Foreign(**each) for each in self.more)]


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


def accept(conn: Connection, shown: State, who: str, *, alone: bool = False) -> str:
    """Let a blocked lane go on, by one of State's three cases; what was done, a line for each nonce.
    `alone`: of the nonces of others the first one only.

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
        elif shown.foreign:
            did = "\n".join(_accept_all(conn, signer, shown.foreign[: 1 if alone else None], who, final))
        else:
            did = f"the lane of {signer} tries again"
        conn.execute(_SQL["unblock"], {"signer": signer, "who": who})
        conn.execute(_SQL["wake"])
    return did


def _accept_all(
    conn: Connection, signer: str, foreign: Sequence[account.Foreign], who: str, final: int | None
) -> Iterator[str]:
    """Up to the first that an intent had: that is free then, and one of the next may be its own, sent by
    whoever sent these. The lane looks at them again."""
    for each in foreign:
        if final is None or each.block > final:
            raise TransientError(
                f"block {each.block} isn't final in the database (any more): final is {final}",
                "Accept it when it is.",
            )
        found = conn.execute(_SQL["nonce"], [signer, each.nonce]).fetchone()
        intent, closed = found or (None, False)
        if closed:
            yield f"nonce {each.nonce} of {signer} was accounted for meanwhile"
            continue
        account.accept(conn, signer, each.nonce, each.hash, who, each.block)
        did = f"nonce {each.nonce} of {signer} is somebody else's: {each.hash} in block {each.block}"
        if intent is not None:
            left = len(foreign) - foreign.index(each) - 1
            again = f"; {left} after it are looked at again" if left else ""
            yield f"{did}; the intent {intent}, which had it, gets another one{again}"
            return
        yield did


def _state(conn: Connection, statement: str, signer: str) -> State | None:
    with conn.cursor(row_factory=class_row(State)) as cursor:
        return cursor.execute(_SQL[statement], [signer]).fetchone()
