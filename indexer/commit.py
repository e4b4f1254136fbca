"""The one database transaction of a batch (law 1): rollback, rows, blocks, cursor and change together."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from chainfirst.indexer.router import Rows
from chainfirst.indexer.settler import Inclusion, Settler, Settling
from chainfirst.indexer.structs import BlockRef, Log, place
from chainfirst.ops import failpoint
from chainfirst.schema import folds, layout, store
from chainfirst.schema.store import Cursor
from psycopg import sql

Connection = psycopg.Connection[Any]
Tables = Mapping[str, Sequence[str]]
"""The event tables that take part, each with its columns in order."""


@dataclass(frozen=True)
class Batch:
    """What changes at once. `replaces`: everything from `first` on goes first (a reorganisation).

    `blocks` are those to keep, linked, the last of them the new tip; `first` is the first block that
    `rows` cover. `final` is the last final block afterwards. `durable` False: a server that crashes at
    once may lose the batch, cursor and all, and it is indexed again.
    """

    first: int
    blocks: Sequence[BlockRef]
    rows: Rows
    final: BlockRef | None
    replaces: bool = False
    durable: bool = True
    inclusions: Sequence[Inclusion] = ()


@dataclass(frozen=True)
class Joining:
    """Rows of `sources`, which have not joined yet, from `first` to `last`; `joined`: now they do.

    `logs` are all that were read: which of them are undecoded is decided anew, since that depends on all
    sources of a log.
    """

    first: int
    last: int
    rows: Rows
    sources: Sequence[store.Source]
    logs: Sequence[Log] = ()
    joined: bool = False


def apply(
    conn: Connection,
    epoch: int,
    expected: Cursor,
    batch: Batch,
    tables: Tables,
    kept: Sequence[folds.Fold] = (),
    settler: Settler | None = None,
) -> Cursor:
    """Write a batch in one transaction and return the new cursor; `kept` folds are refreshed in it, and
    `settler` settles what is open.

    FatalError when another daemon leads; ResetError when the cursor is not the expected one.
    """
    tip = batch.blocks[-1]
    new = moved(expected, tip, batch.final)
    with conn.transaction():
        store.lead_cursor(conn, epoch, expected, new, lazily=not batch.durable)
        removed = {}
        keys: list[set[folds.Key]] = [set() for _ in kept]
        if batch.replaces:
            for fold, touched in zip(kept, keys, strict=True):
                touched |= folds.touched(conn, fold, batch.first)
            removed = store.delete_above(conn, tables, batch.first - 1)
        _add(conn, batch.rows, tables)
        for fold, touched in zip(kept, keys, strict=True):
            fed = [source for source in fold.sources if source[0] in batch.rows.lines]
            touched |= folds.touched(
                conn, dataclasses.replace(fold, sources=tuple(fed)), batch.first, tip.number
            )
            folds.refresh(conn, fold, touched)
        kind: store.ChangeKind = "rollback" if batch.replaces else "add"
        final = -1 if batch.final is None else batch.final.number
        if settler is not None:
            settled = Settling(
                batch.first, tip.number, new.final_number, batch.rows.lines, batch.inclusions, batch.replaces
            )
            settler.settle(conn, settled)
        kept_blocks = [_block(ref) for ref in batch.blocks if ref.number >= final]
        # a shorter chain takes away more blocks than it brings
        last = max(tip.number, expected.indexed_number or 0) if batch.replaces else tip.number
        change = store.Change(kind, batch.first, last, _added(batch.rows), removed)
        store.end_batch(conn, kept_blocks, final, change)
        failpoint.reach("batch.written")
    failpoint.reach("batch.committed")
    return new


def join(
    conn: Connection,
    epoch: int,
    expected: Cursor,
    batch: Joining,
    tables: Tables,
    complete: Sequence[folds.Fold] = (),
    settler: Settler | None = None,
) -> list[store.Source]:
    """Write rows of sources that catch up, in one transaction; the cursor must be `expected` and stays.
    Returns the sources as they are then.

    `complete` folds have all their sources by now and are made from all of their events. Raises as `apply`.
    """
    with conn.transaction():
        store.lead_cursor(conn, epoch, expected, expected, lazily=not batch.joined)
        _forget_undecoded(conn, batch)
        _add(conn, batch.rows, tables)
        moved_on = [
            # one that starts above the tip joins as it is
            store.advance_source(conn, source, max(batch.last, source.complete_to), batch.joined)
            for source in batch.sources
        ]
        folds.rebuild(conn, complete)
        if batch.joined and settler is not None:
            joined = [source.table_name for source in batch.sources]
            settler.settle(conn, Settling(0, batch.last, expected.final_number, joined))
        if batch.joined:
            store.record_change(conn, "join", batch.first, batch.last, _added(batch.rows), {})
        elif batch.rows.lines or batch.rows.undecoded:
            store.record_change(conn, "add", batch.first, batch.last, _added(batch.rows), {})
    return moved_on


def finalize(
    conn: Connection, epoch: int, expected: Cursor, final: BlockRef | None, settler: Settler | None = None
) -> Cursor:
    """Move only the final block (None: leave it) and drop a suspicion, in one transaction; as `apply`."""
    new = dataclasses.replace(expected, reorg_suspected=None)
    if final is not None:
        new = dataclasses.replace(new, final_number=final.number, final_hash=final.hash)
    with conn.transaction():
        store.lead_cursor(conn, epoch, expected, new)
        if final is not None:
            store.prune_blocks(conn, final.number)
            if settler is not None and new.indexed_number is not None:
                settler.settle(conn, Settling(final.number, new.indexed_number, final.number))
    return new


def suspect(conn: Connection, epoch: int, expected: Cursor, why: str) -> Cursor:
    """Note, in a transaction of its own, that the tip may have been replaced by what can't be read yet."""
    new = dataclasses.replace(expected, reorg_suspected=why)
    with conn.transaction():
        store.lead_cursor(conn, epoch, expected, new)
    return new


def moved(cursor: Cursor, tip: BlockRef, final: BlockRef | None) -> Cursor:
    """The cursor at another tip; a final block that is not known (None) stays as it was."""
    new = dataclasses.replace(cursor, indexed_number=tip.number, indexed_hash=tip.hash, reorg_suspected=None)
    if final is None:
        return new
    return dataclasses.replace(new, final_number=final.number, final_hash=final.hash)


def _block(ref: BlockRef) -> store.Block:
    return store.Block(ref.number, ref.hash, ref.parent_hash, datetime.fromtimestamp(ref.time, UTC))


def _add(conn: Connection, rows: Rows, tables: Tables) -> None:
    for table, lines in rows.lines.items():
        _copy(conn, table, tables[table], lines)
    if rows.undecoded:
        _copy(conn, layout.UNDECODED, [name for name, _ in layout.UNDECODED_COLUMNS], rows.undecoded)


def _added(rows: Rows) -> dict[str, int]:
    added = {table: len(lines) for table, lines in rows.lines.items()}
    if rows.undecoded:
        added[layout.UNDECODED] = len(rows.undecoded)
    return added


def _forget_undecoded(conn: Connection, batch: Joining) -> None:
    """Other sources may have left the same logs in event.undecoded."""
    held = store.undecoded_places(conn, batch.first, batch.last)
    if held and (again := held.intersection(map(place, batch.logs))):
        store.delete_undecoded(conn, again)


def _copy(conn: Connection, table: str, columns: Sequence[str], lines: Sequence[str]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(layout.SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(lines))
