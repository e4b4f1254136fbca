"""How large the tables are, and what a year will need: today's sizes beside those noted once a day.

The time between two looks is the clock's, or the chain's where that is longer: a backfill does years in a
day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from chainfirst.schema import queries, store
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]
SCHEMAS = ("chain", "event", "ledger", "intent", "platform")
RATE_DAYS = 30
KEEP_DAYS = 400
LEAST = timedelta(hours=1)
"""What a shorter time says of a year is nothing."""
YEAR = timedelta(days=365)
_SQL = queries.load("sizes.sql")


@dataclass(frozen=True)
class Size:
    """A table: bytes on disk with its indexes, rows as far as PostgreSQL's statistics know, its bytes at the
    look that is compared with (0: it wasn't there), and the time since; None: there was no look yet."""

    relation: str
    bytes: int
    rows: int
    bytes_then: int
    elapsed: timedelta | None

    @property
    def year_bytes(self) -> int | None:
        """What it grows by in a year at that rate; None: not known yet."""
        return growth(self.bytes_then, self.bytes, self.elapsed)


def growth(before: int, now: int, elapsed: timedelta | None) -> int | None:
    """Bytes a year; one that shrank needs none. None: too short a time to tell."""
    if elapsed is None or elapsed < LEAST:
        return None
    return max(0, now - before) * (YEAR // timedelta(seconds=1)) // (elapsed // timedelta(seconds=1))


def note(connection: Connection, epoch: int, now: datetime) -> int:
    """Note today's sizes unless they are noted, or nothing is indexed yet; how many tables.
    LeadershipLost as any writer."""
    with connection.transaction():
        store.assert_epoch(connection, epoch)
        connection.execute(_SQL["forget"], [now - timedelta(days=KEEP_DAYS)])
        return connection.execute(_SQL["note"], {"now": now, "schemas": list(SCHEMAS)}).rowcount


def read(connection: Connection, now: datetime) -> list[Size]:
    """All tables, the largest first, compared with 30 days ago, or else with the first look."""
    values = {"now": now, "since": now - timedelta(days=RATE_DAYS), "schemas": list(SCHEMAS)}
    with connection.cursor(row_factory=class_row(Size)) as rows:
        return rows.execute(_SQL["read"], values).fetchall()
