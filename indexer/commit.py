"""The one database transaction of a batch (law 1): rollback, rows, blocks, cursor and change together."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from chainfirst.indexer.router import Rows
from chainfirst.indexer.structs import BlockRef
from chainfirst.schema import folds, layout, store
from chainfirst.schema.store import Cursor
from psycopg import sql

Connection = psycopg.Connection[Any]
Tables = Mapping[str, Sequence[str]]
"""The event tables that take part, each with its columns in order."""


@dataclass(frozen=True)
class Batch:
    """What changes at once. `ancestor`: everything above it goes first (a reorganisation).

    `blocks` are those to keep, linked, the last of them the new tip; `first` is the first block that
    `rows` cover. `final` is the last final block afterwards.
    """

    first: int
    blocks: Sequence[BlockRef]
    rows: Rows
    final: BlockRef | None
    ancestor: BlockRef | None = None


def apply(
    conn: Connection,
    epoch: int,
    expected: Cursor,
    batch: Batch,
    tables: Tables,
    kept: Sequence[folds.Fold] = (),
) -> Cursor:
    """Write a batch in one transaction and return the new cursor; `kept` folds are refreshed in it.

    FatalError when another daemon leads; ResetError when the cursor is not the expected one.
    """
    tip = batch.blocks[-1]
    new = moved(expected, tip, batch.final)
    with conn.transaction():
        store.assert_epoch(conn, epoch)
        store.advance_cursor(conn, expected, new)
        removed = {}
        keys: list[set[folds.Key]] = [set() for _ in kept]
        if batch.ancestor is not None:
            for fold, touched in zip(kept, keys, strict=True):
                touched |= folds.touched(conn, fold, batch.ancestor.number + 1)
            removed = store.delete_above(conn, tables, batch.ancestor.number)
        store.insert_blocks(conn, [_block(ref) for ref in batch.blocks])
        if batch.final is not None:
            store.prune_blocks(conn, batch.final.number)
        for table, lines in batch.rows.lines.items():
            _copy(conn, table, tables[table], lines)
        if batch.rows.undecoded:
            columns = [name for name, _ in layout.UNDECODED_COLUMNS]
            _copy(conn, layout.UNDECODED, columns, batch.rows.undecoded)
        for fold, touched in zip(kept, keys, strict=True):
            fed = [source for source in fold.sources if source[0] in batch.rows.lines]
            touched |= folds.touched(
                conn, dataclasses.replace(fold, sources=tuple(fed)), batch.first, tip.number
            )
            folds.refresh(conn, fold, touched)
        added = {table: len(lines) for table, lines in batch.rows.lines.items()}
        if batch.rows.undecoded:
            added[layout.UNDECODED] = len(batch.rows.undecoded)
        kind: store.ChangeKind = "add" if batch.ancestor is None else "rollback"
        store.record_change(conn, kind, batch.first, tip.number, added, removed)
    return new


def finalize(conn: Connection, epoch: int, expected: Cursor, final: BlockRef | None) -> Cursor:
    """Move only the final block (None: leave it) and drop a suspicion, in one transaction; as `apply`."""
    new = dataclasses.replace(expected, reorg_suspected=None)
    if final is not None:
        new = dataclasses.replace(new, final_number=final.number, final_hash=final.hash)
    with conn.transaction():
        store.assert_epoch(conn, epoch)
        store.advance_cursor(conn, expected, new)
        if final is not None:
            store.prune_blocks(conn, final.number)
    return new


def suspect(conn: Connection, epoch: int, expected: Cursor, why: str) -> Cursor:
    """Note, in a transaction of its own, that the tip may have been replaced by what can't be read yet."""
    new = dataclasses.replace(expected, reorg_suspected=why)
    with conn.transaction():
        store.assert_epoch(conn, epoch)
        store.advance_cursor(conn, expected, new)
    return new


def moved(cursor: Cursor, tip: BlockRef, final: BlockRef | None) -> Cursor:
    """The cursor at another tip; a final block that is not known (None) stays as it was."""
    new = dataclasses.replace(cursor, indexed_number=tip.number, indexed_hash=tip.hash, reorg_suspected=None)
    if final is None:
        return new
    return dataclasses.replace(new, final_number=final.number, final_hash=final.hash)


def _block(ref: BlockRef) -> store.Block:
    return store.Block(ref.number, ref.hash, ref.parent_hash, datetime.fromtimestamp(ref.time, UTC))


def _copy(conn: Connection, table: str, columns: Sequence[str], lines: Sequence[str]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(layout.SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(lines))
