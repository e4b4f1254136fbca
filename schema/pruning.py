"""Taking away by age what nothing needs any more, some rows at a time; the leader alone does it.

Blocks are no part of it: each batch drops those below the final one. Nor are intents, nonces, hashes of
attempts, inclusions and settlements: what was asked once is never done twice, and what used a nonce stays
known.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from chainfirst.schema import queries, store

Connection = psycopg.Connection[Any]
BATCH_ROWS = 5_000
_SQL = queries.load("pruning.sql")


@dataclass(frozen=True)
class Keep:
    """For how many days what is kept.

    `changes`: the list of changes, whatever it says. `history`: each step of intents that are over, counted
    from their end. `signed`: the signed bytes of intents that are over, counted so too. An intent is over
    when it has ended and final blocks have used up all its nonces.
    """

    changes: int
    history: int
    signed: int


def prune(
    connection: Connection,
    epoch: int,
    now: datetime,
    keep: Keep,
    go_on: Callable[[], bool],
    places: dict[str, int],
    batch_rows: int = BATCH_ROWS,
) -> dict[str, int]:
    """Prune in transactions of `batch_rows` rows each while `go_on` says so; the rows by what they were,
    where there were some. `connection`: autocommit, as chainfirst_daemon. `places`: where the last run came
    to, empty at first: however much must stay, what lies behind it has its turn. LeadershipLost as any
    writer."""
    pruned: dict[str, int] = {}
    for name, days in dataclasses.asdict(keep).items():
        came_to: int | None = places.pop(name, 0)
        while came_to is not None and go_on():
            with connection.transaction():
                store.assert_epoch(connection, epoch)
                gone, came_to = _batch(connection, name, now - timedelta(days=days), came_to, batch_rows)
            if gone:
                pruned[name] = pruned.get(name, 0) + gone
        if came_to is not None:
            places[name] = came_to
    return pruned


def _batch(
    connection: Connection, name: str, before: datetime, after: int, at_most: int
) -> tuple[int, int | None]:
    """How many rows went, and the last one that was looked at; None: there are no more."""
    if name == "changes":
        gone = store.prune_changes(connection, before, at_most)
        return gone, after if gone == at_most else None
    gone, came_to = _row(
        connection.execute(_SQL[name], {"before": before, "after": after, "at_most": at_most})
    )
    return gone, came_to


def without_bytes(connection: Connection, number: int) -> int:
    """How many nonces that blocks above `number` used up have lost their signed bytes: after a rewind to it
    they can be found on the chain again, but not be sent again."""
    count: int = _row(connection.execute(_SQL["without_bytes"], [number]))[0]
    return count


def _row(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
