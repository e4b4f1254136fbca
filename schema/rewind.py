"""Taking blocks back by the operator's will: to a block, below the final one too, or all there is.

Every table of the schema event takes part, also those of sources that are configured no longer: a row
that stays behind would be of no block that is indexed. Intents that ended in a block above go on again.
"""

import dataclasses
from typing import Any

import psycopg
from chainfirst.schema import folds, layout, queries, store
from psycopg import sql

Connection = psycopg.Connection[Any]
_SQL = queries.load("rewind.sql")


def event_tables(connection: Connection) -> list[str]:
    """All tables with events, `undecoded` among them."""
    return [name for (name,) in connection.execute(_SQL["event_tables"])]


def count_above(connection: Connection, number: int) -> dict[str, int]:
    """The rows above a block by table, where there are some: what a rewind to it takes away."""
    statement = sql.SQL("SELECT count(*) FROM {} WHERE block_number > %s")
    counts: dict[str, int] = {}
    for table in event_tables(connection):
        row = connection.execute(statement.format(sql.Identifier(layout.SCHEMA, table)), [number]).fetchone()
        if row is not None and row[0]:
            counts[table] = row[0]
    return counts


def to_block(
    connection: Connection, epoch: int, expected: store.Cursor, number: int, block: store.Block | None
) -> store.Cursor:
    """In one transaction: everything above `number` goes, the ledger follows, the cursor stands at `block`.

    `block` is the chain's block `number`; None: nothing stays, and indexing begins anew. Where `number` is
    below the final block, it is the final one afterwards. FatalError when another daemon leads; ResetError
    when the cursor is not the expected one.
    """
    new = _moved(expected, block)
    with connection.transaction():
        store.assert_epoch(connection, epoch)
        kept = folds.present(connection)
        keys = [folds.touched(connection, fold, number + 1) for fold in kept]
        removed = store.delete_above(connection, event_tables(connection), number)
        for fold, touched in zip(kept, keys, strict=True):
            folds.refresh(connection, fold, touched)
        if block is not None and not any(held.number == number for held in store.read_blocks(connection)):
            store.insert_blocks(connection, [block])
        connection.execute(_SQL["lower_sources"], {"number": number, "empty": block is None})
        connection.execute(_SQL["allow"])
        for statement in (
            "unsettle",
            "unsettle_events",
            "reopen_transactions",
            "lower_lanes",
            "reopen_intents",
            "lower_rules",
        ):
            connection.execute(_SQL[statement], {"number": number})
        store.advance_cursor(connection, expected, new)
        connection.execute(_SQL["forbid"])
        to = number + 1 if expected.indexed_number is None else max(number + 1, expected.indexed_number)
        store.record_change(connection, "rewind", number + 1, to, {}, removed)
    return new


def _moved(cursor: store.Cursor, block: store.Block | None) -> store.Cursor:
    if block is None:
        return store.Cursor(cursor.chain_id, cursor.genesis_hash)
    new = dataclasses.replace(
        cursor, indexed_number=block.number, indexed_hash=block.hash, reorg_suspected=None
    )
    if cursor.final_number is None or cursor.final_number <= block.number:
        return new
    return dataclasses.replace(new, final_number=block.number, final_hash=block.hash)


def everything(connection: Connection) -> dict[str, int]:
    """In one transaction, as owner: empty all that was indexed, the binding to a chain too; the tables stay.
    The rows that went, by event table. The session's user must be a member of chainfirst_owner."""
    with connection.transaction():
        connection.execute(_SQL["as_owner"])
        removed = {}
        for fold in folds.present(connection):
            connection.execute(sql.SQL("DELETE FROM {}").format(fold.table))
        for table in event_tables(connection):
            gone = connection.execute(
                sql.SQL("DELETE FROM {}").format(sql.Identifier(layout.SCHEMA, table))
            ).rowcount
            if gone:
                removed[table] = gone
        connection.execute(_SQL["forget"])
    return removed
