"""What the demonstration reads from the database, on a connection of its own that can only read."""

from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.schema import folds, store
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]

_TOTALS = """
SELECT
    count(*) FILTER (WHERE kind = 'rollback') AS rollbacks,
    coalesce(sum(a.rows), 0)::bigint AS events_added,
    coalesce(sum(r.rows), 0)::bigint AS events_removed
FROM chain.changes
CROSS JOIN LATERAL (SELECT sum(value::bigint) AS rows FROM jsonb_each_text(added)) a
CROSS JOIN LATERAL (SELECT sum(value::bigint) AS rows FROM jsonb_each_text(removed)) r
"""
_STATUSES = "SELECT status, count(*) AS rows FROM intent.overview GROUP BY status"
_LATEST = """
SELECT i.block_number, i.investor, i.payer, i.amount, c.issuer
FROM ledger.investments i JOIN ledger.campaigns c USING (address)
ORDER BY i.block_number DESC, i.tx_index DESC, i.log_index DESC LIMIT %s
"""
_CAMPAIGNS = """
SELECT
    c.*, (c.terms ->> 'fundingGoal')::numeric AS goal, e.escrow_balance, e.released_amount,
    coalesce(i.amount, 0) AS invested, coalesce(r.amount, 0) AS refunded, coalesce(w.amount, 0) AS fee_paid
FROM ledger.campaigns c
JOIN ledger.escrows e USING (address)
LEFT JOIN (SELECT address, sum(amount) AS amount FROM ledger.investments GROUP BY address) i USING (address)
LEFT JOIN (SELECT address, sum(amount) AS amount FROM ledger.refunds GROUP BY address) r USING (address)
LEFT JOIN (SELECT address, sum(amount) AS amount FROM event.campaign_fee_withdrawn GROUP BY address) w
    USING (address)
ORDER BY c.created_block
"""
_INVESTMENTS = """
SELECT i.*, c.issuer FROM ledger.investments i JOIN ledger.campaigns c USING (address)
ORDER BY c.created_block, i.block_number, i.tx_index, i.log_index
"""
_REFUNDS = """
SELECT r.*, c.issuer FROM ledger.refunds r JOIN ledger.campaigns c USING (address)
ORDER BY c.created_block, r.block_number, r.tx_index, r.log_index
"""
_CERTIFICATES = """
SELECT t.*, c.issuer FROM ledger.certificates t JOIN ledger.campaigns c USING (campaign_id)
ORDER BY t.token_id
"""
_ISSUERS = "SELECT * FROM ledger.issuers ORDER BY registered_block"
_VOTES = "SELECT * FROM ledger.votes ORDER BY weight DESC, owner"
_UNDECODED = "SELECT count(*) AS rows FROM event.undecoded"


@dataclass(frozen=True)
class Glance:
    """The live view's data, of one snapshot of the database. `intents`: how many, by status."""

    cursor: store.Cursor | None
    counts: dict[str, int]
    intents: dict[str, int]
    rollbacks: int
    events_added: int
    events_removed: int
    latest: list[Row]


@dataclass(frozen=True)
class Ledger:
    """The whole ledger, of one snapshot of the database; rows as the relations have them, and whose
    campaign it is (`issuer`)."""

    campaigns: list[Row]
    investments: list[Row]
    issuers: list[Row]
    certificates: list[Row]
    refunds: list[Row]
    votes: list[Row]
    undecoded: int


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection that sees one snapshot in each transaction, and can't write."""
    connection = psycopg.connect(url)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def cursor(connection: psycopg.Connection[Any]) -> store.Cursor | None:
    """How far the daemon is; None: it has not begun."""
    with connection.transaction():
        return store.read_cursor(connection)


def glance(connection: psycopg.Connection[Any], latest: int) -> Glance:
    """How it stands, with the `latest` investments."""
    with connection.transaction():
        counts = {name: _count(connection, name) for name in folds.RELATIONS}
        (totals,) = _rows(connection, _TOTALS)
        return Glance(
            cursor=store.read_cursor(connection),
            counts=counts,
            intents={row["status"]: row["rows"] for row in _rows(connection, _STATUSES)},
            latest=_rows(connection, _LATEST, latest),
            **totals,
        )


def read(connection: psycopg.Connection[Any]) -> Ledger:
    """Everything."""
    with connection.transaction():
        return Ledger(
            campaigns=_rows(connection, _CAMPAIGNS),
            investments=_rows(connection, _INVESTMENTS),
            issuers=_rows(connection, _ISSUERS),
            certificates=_rows(connection, _CERTIFICATES),
            refunds=_rows(connection, _REFUNDS),
            votes=_rows(connection, _VOTES),
            undecoded=_rows(connection, _UNDECODED)[0]["rows"],
        )


def _rows(connection: psycopg.Connection[Any], statement: str, *values: object) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), values).fetchall()


def _count(connection: psycopg.Connection[Any], relation: str) -> int:
    statement = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("ledger", relation))
    row = connection.execute(statement).fetchone()
    return 0 if row is None else int(row[0])
