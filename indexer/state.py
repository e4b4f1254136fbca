"""The indexer's image of the database: cursor, kept blocks, and the children of factories."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from chainfirst.indexer.announce import Announcer
from chainfirst.indexer.children import Position
from chainfirst.indexer.structs import BlockRef
from chainfirst.ops.errors import FatalError
from chainfirst.schema import layout, store
from psycopg import sql


@dataclass
class State:
    """`blocks`: the final block and all above it, ascending, the cursor's block last; empty at first.
    `syncing`: the sources that have not joined yet, by table."""

    cursor: store.Cursor
    blocks: list[BlockRef]
    announcers: Sequence[Announcer] = ()
    syncing: dict[str, store.Source] = field(default_factory=dict)

    @property
    def tip(self) -> BlockRef | None:
        """The last indexed block."""
        return self.blocks[-1] if self.blocks else None

    @property
    def final(self) -> BlockRef | None:
        """The last final block, which is the first one kept."""
        return None if self.cursor.final_number is None else self.blocks[0]

    def forget_above(self, number: int) -> None:
        """Before a replacement is read: blocks above `number`, and the children that they announced."""
        self.blocks = [block for block in self.blocks if block.number <= number]
        for announcer in self.announcers:
            announcer.children.forget_above(number)

    def keep_from(self, number: int) -> None:
        """Blocks below the final one are kept no longer."""
        self.blocks = [block for block in self.blocks if block.number >= number]


def load(conn: psycopg.Connection[Any], announcers: Sequence[Announcer]) -> State:
    """Read the state. FatalError where cursor and blocks contradict each other."""
    with conn.transaction():
        cursor = store.read_cursor(conn)
        stored = store.read_blocks(conn)
        sources = store.read_sources(conn)
        for announcer in announcers:
            announcer.children.unwind(_children(conn, announcer))
    if cursor is None:
        raise FatalError("chain.cursor is empty", "The database must be bound to a chain first.")
    blocks = [BlockRef(b.number, b.hash, b.parent_hash, int(b.time.timestamp())) for b in stored]
    first, last = (blocks[0].hash, blocks[-1].hash) if blocks else (None, None)
    if cursor.indexed_hash != last or cursor.final_hash not in (None, first):
        raise FatalError(
            f"chain.blocks holds {first} to {last}, the cursor says final {cursor.final_hash}, "
            f"indexed {cursor.indexed_hash}",
            "Somebody changed the schema chain by hand: restore it, or index into an empty database.",
        )
    syncing = {table: source for table, source in sources.items() if not source.joined}
    return State(cursor, blocks, announcers, syncing)


def _children(conn: psycopg.Connection[Any], announcer: Announcer) -> dict[str, Position]:
    statement = sql.SQL("SELECT {}, block_number, tx_index FROM {} ORDER BY block_number, tx_index").format(
        sql.Identifier(announcer.column),
        sql.Identifier(layout.SCHEMA, announcer.source.decoder.layout.table),
    )
    children: dict[str, Position] = {}
    for address, block_number, tx_index in conn.execute(statement):
        children.setdefault(address, (block_number, tx_index))
    return children
