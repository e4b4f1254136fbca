"""The tables of the schema chain, in small functions; the caller's connection says in which transaction.

A change that finds its row in another state than expected raises ResetError: somebody else wrote.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

import psycopg
from chainfirst.ops.errors import ConfigError, FatalError, ResetError
from chainfirst.schema import layout, queries
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

LEADER_LOCK = 0x636861696E02  # "chain", 2: of this database alone, as all advisory locks
_SQL = queries.load("store.sql")

Connection = psycopg.Connection[Any]
ChangeKind = Literal["add", "rollback", "join", "rewind"]


class LeadershipLost(FatalError):
    """This session does not lead any more: nothing was written. Started again, the daemon stands by."""

    exit_code: ClassVar[int] = 75


@dataclass(frozen=True)
class Block:
    """A row of chain.blocks."""

    number: int
    hash: str
    parent_hash: str
    time: datetime


@dataclass(frozen=True)
class Cursor:
    """The row of chain.cursor. Numbers and hashes are null together."""

    chain_id: int
    genesis_hash: str
    indexed_number: int | None = None
    indexed_hash: str | None = None
    final_number: int | None = None
    final_hash: str | None = None
    reorg_suspected: str | None = None


@dataclass(frozen=True)
class Source:
    """A row of chain.sources. Once joined, it is complete to the cursor, whatever `complete_to` says."""

    table_name: str
    contract: str
    event: str
    filter: Mapping[str, Any]
    fingerprint: str
    complete_to: int = -1
    joined: bool = False


@dataclass(frozen=True)
class Change:
    """A row of chain.changes: what a transaction changed, rows by table."""

    kind: ChangeKind
    from_block: int
    to_block: int
    added: Mapping[str, int]
    removed: Mapping[str, int]


def acquire_leadership(connection: Connection) -> int | None:
    """This session's epoch, or None while another session leads: try again later.

    The lock belongs to the session, the epoch to the transaction: commit, then write as the leader.
    """
    if not _one(connection.execute(_SQL["try_lead"], [LEADER_LOCK]))[0]:
        return None
    epoch: int = _one(connection.execute(_SQL["next_epoch"]))[0]
    return epoch


def assert_epoch(connection: Connection, epoch: int) -> None:
    """Hold the leadership until the transaction ends. LeadershipLost: another daemon leads now."""
    _check_epoch(_one(connection.execute(_SQL["epoch"]))[0], epoch)


def _check_epoch(found: int, epoch: int) -> None:
    if found != epoch:
        raise LeadershipLost(
            f"another daemon leads this database: epoch {found}, ours is {epoch}",
            "Nothing was written; start this one again, and it will stand by",
        )


def open_cursor(connection: Connection, chain_id: int, genesis_hash: str) -> Cursor:
    """The cursor, made if there is none. ConfigError: the database follows another chain."""
    connection.execute(_SQL["open_cursor"], [chain_id, genesis_hash])
    cursor = read_cursor(connection)
    if cursor is None or (cursor.chain_id, cursor.genesis_hash) != (chain_id, genesis_hash):
        held = cursor and f"chain {cursor.chain_id} with genesis {cursor.genesis_hash}"
        raise ConfigError(
            f"the database follows {held}, the node is chain {chain_id} with genesis {genesis_hash}",
            "Give this chain a database of its own, or correct chain.endpoints. If it is a development chain "
            "that was begun anew: chainfirst run --reset-dev",
        )
    return cursor


def read_cursor(connection: Connection) -> Cursor | None:
    """The cursor; None: this database has followed no chain yet."""
    with connection.cursor(row_factory=class_row(Cursor)) as rows:
        return rows.execute(_SQL["read_cursor"]).fetchone()


def lead_cursor(
    connection: Connection, epoch: int, expected: Cursor, new: Cursor, *, lazily: bool = False
) -> None:
    """As `assert_epoch` and `advance_cursor`, in one statement: what every batch begins with.

    `lazily`: this transaction's commit doesn't wait for the disk (PostgreSQL 28.4, Asynchronous Commit):
    for batches of final blocks, since what a crash of the server loses is indexed again.
    """
    values = _move(expected, new) | {"epoch": epoch, "lazily": lazily}
    try:
        found, moved, _ = _one(connection.execute(_SQL["lead_cursor"], values))
    except psycopg.errors.RestrictViolation as error:
        raise _finality_violated(error) from error
    _check_epoch(found, epoch)
    if moved != 1:
        raise _cursor_moved(connection, expected)


def advance_cursor(connection: Connection, expected: Cursor, new: Cursor) -> None:
    """Move the cursor, forwards or back. `reorg_suspected` is set, never compared.

    ResetError: the cursor is not where `expected` says. FatalError: the final block would go back.
    """
    try:
        changed = connection.execute(_SQL["advance_cursor"], _move(expected, new)).rowcount
    except psycopg.errors.RestrictViolation as error:
        raise _finality_violated(error) from error
    if changed != 1:
        raise _cursor_moved(connection, expected)


def _move(expected: Cursor, new: Cursor) -> dict[str, Any]:
    return dataclasses.asdict(expected) | {f"new_{k}": v for k, v in dataclasses.asdict(new).items()}


def _finality_violated(error: psycopg.Error) -> FatalError:
    return FatalError(f"finality violated: {error.diag.message_primary}", str(error.diag.message_hint))


def _cursor_moved(connection: Connection, expected: Cursor) -> ResetError:
    return ResetError(f"the cursor is {read_cursor(connection)}, expected {expected}", "Read it again")


def end_batch(connection: Connection, blocks: Sequence[Block], final_number: int, change: Change) -> None:
    """Add blocks, none of them below the final one, drop those that are, and note what changed: what every
    batch ends with, in one statement. ResetError as `insert_blocks`."""
    values = {
        "final": final_number,
        "numbers": [block.number for block in blocks],
        "hashes": [block.hash for block in blocks],
        "parents": [block.parent_hash for block in blocks],
        "times": [block.time for block in blocks],
        "from_block": change.from_block,
        "to_block": change.to_block,
        "kind": change.kind,
        "added": Jsonb(change.added),
        "removed": Jsonb(change.removed),
    }
    try:
        connection.execute(_SQL["end_batch"], values)
    except psycopg.errors.UniqueViolation as error:
        raise ResetError(
            f"a block is kept already: {error.diag.message_detail}", "Read them again"
        ) from error


def insert_blocks(connection: Connection, blocks: Iterable[Block]) -> None:
    """Add blocks. ResetError: one of these heights or hashes is there already."""
    with connection.cursor() as rows:
        try:
            rows.executemany(
                _SQL["insert_block"], [(b.number, b.hash, b.parent_hash, b.time) for b in blocks]
            )
        except psycopg.errors.UniqueViolation as error:
            raise ResetError(
                f"a block is kept already: {error.diag.message_detail}", "Read them again"
            ) from error


def read_blocks(connection: Connection) -> list[Block]:
    """All kept blocks, lowest first."""
    with connection.cursor(row_factory=class_row(Block)) as rows:
        return rows.execute(_SQL["read_blocks"]).fetchall()


def prune_blocks(connection: Connection, final_number: int) -> int:
    """Drop the blocks below the final one; how many."""
    return connection.execute(_SQL["prune_blocks"], [final_number]).rowcount


def delete_above(connection: Connection, tables: Iterable[str], number: int) -> dict[str, int]:
    """Take every trace of the blocks above `number` out of these event tables, `undecoded`, and the
    kept blocks; the rows removed from each event table that had some."""
    statement = sql.SQL("DELETE FROM event.{} WHERE block_number > %s")
    counts = {
        table: connection.execute(statement.format(sql.Identifier(table)), [number]).rowcount
        for table in sorted({*tables, layout.UNDECODED})
    }
    connection.execute(_SQL["delete_blocks_above"], [number])
    return {table: count for table, count in counts.items() if count}


def add_source(connection: Connection, source: Source) -> Source:
    """The source as stored, added if it is new.

    ConfigError: it was indexed with another ABI or filter, so that its rows mean something else.
    """
    values = dataclasses.astuple(dataclasses.replace(source, filter={}))
    connection.execute(_SQL["add_source"], [*values[:3], Jsonb(source.filter), *values[4:]])
    stored = read_sources(connection)[source.table_name]
    if stored.fingerprint != source.fingerprint:
        raise ConfigError(
            f"event.{source.table_name} was indexed as {stored.contract}.{stored.event} with other settings"
            " or another ABI than the configuration has now",
            "Restore them; or name the contract by a new key, and it is indexed from its start block",
        )
    return stored


def read_sources(connection: Connection) -> dict[str, Source]:
    """All sources by their table."""
    with connection.cursor(row_factory=class_row(Source)) as rows:
        return {row.table_name: row for row in rows.execute(_SQL["read_sources"])}


def advance_source(
    connection: Connection, expected: Source, complete_to: int, joined: bool = False
) -> Source:
    """Note how far a source is complete, or that it joins. ResetError: it is not where `expected` says."""
    new = dataclasses.replace(expected, complete_to=complete_to, joined=joined)
    values = {
        "table_name": expected.table_name,
        "complete_to": expected.complete_to,
        "joined": expected.joined,
        "new_complete_to": complete_to,
        "new_joined": joined,
    }
    if connection.execute(_SQL["advance_source"], values).rowcount != 1:
        raise ResetError(f"the source {expected.table_name} is not as expected: {expected}", "Read it again")
    return new


def drop_source(connection: Connection, table_name: str) -> None:
    """Forget a source, and drop its table as chainfirst_owner. ConfigError: the ledger is made of it."""
    role = _one(connection.execute(_SQL["as_owner"]))[0]
    connection.execute(_SQL["remove_source"], [table_name])
    try:
        connection.execute(sql.SQL("DROP TABLE event.{}").format(sql.Identifier(table_name)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise ConfigError(
            f"event.{table_name} can't be dropped: {error.diag.message_detail}",
            "The ledger is made of it; a database without it is another database.",
        ) from error
    connection.execute(_SQL["back_to_role"], [role])


def undecoded_places(connection: Connection, first: int, last: int) -> set[tuple[int, int, int]]:
    """Block number, transaction index and log index of the undecoded logs in these blocks."""
    return set(connection.execute(_SQL["undecoded_places"], [first, last]))


def delete_undecoded(connection: Connection, places: Iterable[tuple[int, int, int]]) -> None:
    """Take these logs out of event.undecoded."""
    arrays = [list(values) for values in zip(*sorted(places), strict=True)]
    connection.execute(_SQL["delete_undecoded"], arrays)


def record_change(
    connection: Connection,
    kind: ChangeKind,
    from_block: int,
    to_block: int,
    added: Mapping[str, int],
    removed: Mapping[str, int],
) -> int:
    """Note what this transaction changed, rows by table; its sequence number."""
    values = [from_block, to_block, kind, Jsonb(added), Jsonb(removed)]
    seq: int = _one(connection.execute(_SQL["record_change"], values))[0]
    return seq


def prune_changes(connection: Connection, before: datetime, at_most: int | None = None) -> int:
    """Drop the changes older than that, the oldest first; how many. `at_most` None: all of them."""
    return connection.execute(_SQL["prune_changes"], [before, at_most]).rowcount


def create_event_tables(connection: Connection, layouts: Iterable[layout.EventLayout]) -> None:
    """Create the tables of these events unless they exist, as chainfirst_owner, which the session's
    user must be a member of; then go back to the role before."""
    role = _one(connection.execute(_SQL["as_owner"]))[0]
    for event in layouts:
        connection.execute(layout.create_table(layout.table(event), if_not_exists=True).encode())
        comment = sql.SQL("COMMENT ON TABLE event.{} IS {}").format(
            sql.Identifier(event.table), event.signature
        )
        connection.execute(comment)
    connection.execute(_SQL["back_to_role"], [role])


def _one(cursor: psycopg.Cursor[Any]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = cursor.fetchone()
    if row is None:
        raise FatalError("a row that the migration made is missing", "Restore the database from its backup")
    return row
