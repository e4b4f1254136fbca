"""Is a rewind to a block right? Decided with the node, before anything is changed.

The block must lie on what the tables and the node's chain have in common: else indexing would go on from
rows of another chain.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from chainfirst.indexer import audit, fetch
from chainfirst.indexer.engine import Setup
from chainfirst.indexer.scope import Reader
from chainfirst.ops.errors import FatalError, TransientError
from chainfirst.schema import layout, rewind, store
from psycopg import sql

Connection = psycopg.Connection[Any]
BLOCKS_WITH_ROWS = 1_000
"""So many blocks with rows below the target must agree with the node."""
LONGEST_SPAN = 100_000
"""But no block is read that lies deeper than that below it."""


class Refused(FatalError):
    """This rewind would not lead to the node's chain."""


@dataclass(frozen=True)
class Plan:
    """What `schema.rewind.to_block` will do. `block` None: everything goes. `rows`: what goes, by table."""

    cursor: store.Cursor
    number: int
    block: store.Block | None
    rows: dict[str, int]


def plan(
    connection: Connection,
    reader: Reader,
    setup: Setup,
    number: int,
    *,
    checked: bool,
    pause: Callable[[float], None],
) -> Plan:
    """The rewind to block `number`; -1, or the one before the first indexed block: to nothing.

    `checked`: the rows below must agree with the node. Refused: they don't, or the number is none to go
    back to, or the node is on another chain. TransientError: the node reorganised meanwhile.
    """
    held = audit.hold(connection, setup)
    cursor = held.cursor
    if cursor is None or cursor.indexed_number is None:
        raise Refused("no block is indexed: there is nothing to take back")
    _same_chain(reader, cursor)
    start = start_block(connection)
    if number > cursor.indexed_number or (number < start - 1 and number != -1):
        raise Refused(
            f"there is no way back to block {number}: the first indexed block is {start}, the last one "
            f"{cursor.indexed_number}",
            f"Choose one from {start} to {cursor.indexed_number}, or {start - 1} to begin anew.",
        )
    if number < start:
        return Plan(cursor, number, None, rewind.count_above(connection, number))
    block = _block(reader, number)
    common = _highest_kept(reader, held, number)
    if checked:
        common = _highest_agreeing(connection, reader, setup, held, common, start, pause)
    if common < number:
        raise Refused(
            f"block {common + 1} is not the node's: the tables and the node agree up to block {common} only",
            f"Rewind to it, or to one below: --to {common}.",
        )
    if _block(reader, number) != block:
        raise TransientError(f"the node replaced block {number} meanwhile", "Try again.")
    return Plan(cursor, number, block, rewind.count_above(connection, number))


def start_block(connection: Connection) -> int:
    """The first block that is indexed, by the sources."""
    starts = [source.filter.get("start_block") or 0 for source in store.read_sources(connection).values()]
    return min(starts, default=0)


def _same_chain(reader: Reader, cursor: store.Cursor) -> None:
    genesis = reader.header_by_number(0)
    if genesis is not None and genesis.hash != cursor.genesis_hash:
        raise Refused(
            f"the node's genesis block is {genesis.hash}, the database's {cursor.genesis_hash}: "
            "another chain, and nothing of it is here",
            "A development chain that began anew: chainfirst run --reset-dev. Else give that chain a "
            "database of its own, or correct chain.endpoints.",
        )


def _block(reader: Reader, number: int) -> store.Block:
    header = reader.header_by_number(number)
    if header is None:
        raise TransientError(f"the node has no block {number}", "It lags: try again, or another endpoint.")
    found = fetch.ref(header)
    return store.Block(found.number, found.hash, found.parent_hash, datetime.fromtimestamp(found.time, UTC))


def _highest_kept(reader: Reader, held: audit.Held, number: int) -> int:
    """The highest kept block at or below `number` that the node has too; the one below all of them if it
    has none, and `number` if none is kept so low."""
    kept = sorted((n for n in held.kept if n <= number), reverse=True)
    for each in kept:
        header = reader.header_by_number(each)
        if header is not None and header.hash == held.kept[each]:
            return each
    return kept[-1] - 1 if kept else number


def _highest_agreeing(
    connection: Connection,
    reader: Reader,
    setup: Setup,
    held: audit.Held,
    number: int,
    start: int,
    pause: Callable[[float], None],
) -> int:
    """The highest block at or below `number` below which tables and node agree, as deep as is looked."""
    while number >= start:
        first = _look_from(connection, number, start)
        run = audit.Run(connection, reader, setup, 0, pause)
        with connection.transaction():
            for part in audit.segments(held.limits, first, number):
                run.ranges(part, to_first_difference=True)
        if run.report.lowest is None:
            return number
        number = run.report.lowest - 1
    return number


def _look_from(connection: Connection, number: int, start: int) -> int:
    """The lowest of the last blocks with rows at or below `number`, none too deep."""
    newest = sql.SQL(
        "SELECT DISTINCT block_number FROM {} WHERE block_number <= %s ORDER BY block_number DESC LIMIT %s"
    )
    found: set[int] = set()
    for table in rewind.event_tables(connection):
        statement = newest.format(sql.Identifier(layout.SCHEMA, table))
        found.update(block for (block,) in connection.execute(statement, [number, BLOCKS_WITH_ROWS]))
    blocks = list(itertools.islice(sorted(found, reverse=True), BLOCKS_WITH_ROWS))
    return max(start, number - LONGEST_SPAN, min(blocks, default=start))
