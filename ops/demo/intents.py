"""What became of the intents, as the database has it at the end: counted from events and nonces, not from
what anybody says of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

_INTENTS = """
SELECT
    o.id::text AS id, o.kind, o.key, o.status, o.attempts,
    coalesce(n.gas_used, 0)::bigint AS gas_used, coalesce(o.cost_wei, 0)::bigint AS cost_wei,
    extract(epoch FROM o.ended_at - o.submitted_at)::float8 AS seconds,
    (SELECT count(*) FROM intent.history h WHERE h.intent = o.id AND h.cause = %s) AS taken_out
FROM intent.overview o
LEFT JOIN intent.attempts a ON a.hash = o.hash
LEFT JOIN intent.inclusions n ON n.attempt = a.id
ORDER BY o.id
"""
_TAKEN_OUT = "its block is not canonical any more"  # as intent.note_inclusion writes it
_WHERE = "SELECT DISTINCT event_table, key_column FROM intent.intents WHERE event_table IS NOT NULL"
_EFFECTS = """
SELECT i.id::text, count(*)
FROM intent.intents i
JOIN event.{table} e ON e.{column}::text = i.key_value AND to_jsonb(e) @> i.event_match
WHERE i.event_table = {name} AND i.key_column = {key}
GROUP BY i.id
"""
_LANES = """
SELECT l.name, l.signer, count(t.id) AS transactions, min(t.nonce) AS first, max(t.nonce) AS last,
    count(t.id) FILTER (WHERE t.foreign_hash IS NOT NULL OR t.closed_block IS NULL) AS loose
FROM intent.lanes l LEFT JOIN intent.transactions t ON t.signer = l.signer
GROUP BY l.name, l.signer ORDER BY l.name
"""
_LEADERS = "SELECT epoch FROM chain.leader"


@dataclass(frozen=True)
class Intent:
    """One of them. `seconds`: from submit to its end; `taken_out`: how often a reorganisation took its
    transaction out of a block; `attempts`: how often it was signed, None: never."""

    id: str
    kind: str
    key: str
    status: str
    attempts: int | None
    gas_used: int
    cost_wei: int
    seconds: float | None
    taken_out: int


@dataclass(frozen=True)
class Lane:
    """A key and its nonces. `loose`: how many are not used up by a final transaction of ours."""

    name: str
    signer: str
    transactions: int
    first: int | None
    last: int | None
    loose: int


@dataclass(frozen=True)
class Intents:
    """All of them. `effects`: how many events on the chain are what an intent asks for, whoever sent them."""

    rows: list[Intent]
    effects: dict[str, int]
    lanes: list[Lane]


@dataclass(frozen=True)
class Summary:
    """A kind's figures, or those of all. Durations in seconds, from submit to confirmed."""

    kind: str
    count: int
    statuses: str
    effects: str
    signed: int
    gas: int
    cost_wei: int
    median_seconds: float
    longest_seconds: float


def leaders(connection: psycopg.Connection[Any]) -> int:
    """How often a daemon took the lead, or a migration ended one's: the leader's epoch."""
    with connection.transaction():
        ((epoch,),) = connection.execute(_LEADERS).fetchall()
    return int(epoch)


def read(connection: psycopg.Connection[Any]) -> Intents:
    """Everything, of one snapshot."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Intent)) as rows:
        found = rows.execute(_INTENTS, [_TAKEN_OUT]).fetchall()
        effects = {each.id: 0 for each in found}
        for table, column in connection.execute(_WHERE).fetchall():
            statement = sql.SQL(_EFFECTS).format(
                table=sql.Identifier(table), column=sql.Identifier(column),
                name=sql.Literal(table), key=sql.Literal(column),
            )  # fmt: skip
            effects.update(connection.execute(statement).fetchall())
        with connection.cursor(row_factory=class_row(Lane)) as cursor:
            lanes = cursor.execute(_LANES).fetchall()
    return Intents(found, effects, lanes)


def summaries(found: Intents) -> list[Summary]:
    """A kind each, in the order in which they were first asked for, and all together."""
    kinds = dict.fromkeys(each.kind for each in found.rows)
    parts = [(kind, [each for each in found.rows if each.kind == kind]) for kind in kinds]
    return [_summary(name, rows, found.effects) for name, rows in (*parts, ("all", found.rows))]


def _summary(name: str, rows: Sequence[Intent], effects: dict[str, int]) -> Summary:
    seconds = [each.seconds for each in rows if each.seconds is not None] or [0.0]
    counts = sorted({effects[each.id] for each in rows})
    return Summary(
        name,
        len(rows),
        ", ".join(f"{count} {status}" for status, count in Counter(each.status for each in rows).items()),
        str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}",
        sum(each.attempts or 0 for each in rows),
        sum(each.gas_used for each in rows),
        sum(each.cost_wei for each in rows),
        median(seconds),
        max(seconds),
    )
