"""What a person or an app asks and reads of intents, through the functions and views of the schema intent.

The connection is the asker's own: who it is decides what it may, and whose name stands in the history.
"""

import contextlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg
from chainfirst.schema import queries
from chainfirst.writers import rows

Connection = psycopg.Connection[Any]
OPEN = ("pending", "waiting", "signed", "sent", "included")
ENDED = ("confirmed", "failed", "rejected", "cancelled", "expired")
STATUSES = (*OPEN, *ENDED)
_SQL = queries.load("intents.sql", "chainfirst.writers")


def submit(
    conn: Connection,
    kind: str,
    payload: str,
    key: str,
    *,
    depends_on: str | None = None,
    not_before: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int = 0,
) -> uuid.UUID:
    """Ask for something, in the caller's transaction; the same key is the same intent. `payload`: JSON."""
    values = {
        "kind": kind,
        "payload": payload,
        "key": key,
        "depends_on": depends_on,
        "not_before": not_before,
        "expires_at": expires_at,
        "priority": priority,
    }
    found: uuid.UUID = rows.value(conn.execute(_SQL["submit"], values))
    return found


def cancel(conn: Connection, intent: uuid.UUID) -> str:
    """Take it back; its status now."""
    return str(rows.value(conn.execute(_SQL["cancel"], [intent])))


def retry(conn: Connection, intent: uuid.UUID, expires_at: datetime | None = None) -> uuid.UUID:
    """Ask again for what ended badly; the next generation's id."""
    found: uuid.UUID = rows.value(conn.execute(_SQL["retry"], [intent, expires_at]))
    return found


def approve(conn: Connection, intent: uuid.UUID) -> None:
    """Approve what another role asked."""
    conn.execute(_SQL["approve"], [intent])


def find(conn: Connection, reference: str) -> uuid.UUID | None:
    """The intent of that id, or else the latest generation of that key; None: there is none."""
    found: uuid.UUID | None = None
    with contextlib.suppress(ValueError):
        found = rows.value(conn.execute(_SQL["by_id"], [uuid.UUID(reference)]))
    # a key may look like an id
    return found or latest(conn, reference)


def latest(conn: Connection, key: str) -> uuid.UUID | None:
    """The latest generation of a key; None: there is none."""
    found: uuid.UUID | None = rows.value(conn.execute(_SQL["by_key"], [key]))
    return found


def listed(
    conn: Connection,
    *,
    statuses: Sequence[str] = (),
    kind: str | None = None,
    key: str | None = None,
    alert: bool = False,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Intents, the newest first. A `*` at the end of `kind` or `key`: whatever begins so; `alert`: only those
    that somebody must look at."""
    values = {
        "statuses": list(statuses) or None,
        "kind": kind,
        "key": key,
        "alert": alert,
        "limit": limit,
    }
    return rows.dicts(conn, _SQL["listed"], values)


def overview(conn: Connection, intent: uuid.UUID) -> dict[str, Any]:
    """Its row of intent.overview; LookupError: there is none."""
    found = rows.dicts(conn, _SQL["overview"], [intent])
    if not found:
        raise LookupError(intent)
    return found[0]


def generations(conn: Connection, intent: uuid.UUID) -> list[dict[str, Any]]:
    """All generations of its key, from the first one: id, generation, status."""
    return rows.dicts(conn, _SQL["generations"], [intent])


def attempts(conn: Connection, intent: uuid.UUID) -> list[dict[str, Any]]:
    """What was signed for it, nonce by nonce, with the block that holds it; never the signed bytes."""
    return rows.dicts(conn, _SQL["attempts"], [intent])


def history(conn: Connection, intent: uuid.UUID) -> list[dict[str, Any]]:
    """Every change of its facts: at, status, cause, block_number."""
    return rows.dicts(conn, _SQL["history"], [intent])


def listen(conn: Connection) -> None:
    """Be woken by whatever ends or is in a block; only on a connection in autocommit."""
    conn.execute(_SQL["listen"])
