"""Do the event tables hold what the node says? The comparison behind `verify` and `rewind`.

The node's logs become rows by the same decoders as when indexing, go into temporary tables like the event
tables, and the two are compared as multisets. At or below the final block the logs are read by ranges,
above it by the hashes of the kept blocks, so that a reorganisation is never taken for a difference.
The caller opens the transaction: REPEATABLE READ, where a daemon may write meanwhile.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from chainfirst.indexer import prefetch, window
from chainfirst.indexer.engine import Setup
from chainfirst.indexer.rpc.errors import Kind, RpcError
from chainfirst.indexer.scope import Reader, Scope, block_logs, next_range
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import ConfigError, TransientError
from chainfirst.schema import layout, store
from psycopg import sql

Connection = psycopg.Connection[Any]
LINKED_BLOCKS = 64
"""Blocks above the final one whose rows are compared at once."""
TRIES = 5
PAUSE_SECONDS = 1.0
HIGHEST = 2**63 - 1
WAIT = (
    "It lags, or reorganised and that is not indexed yet: let the daemon run and try again, or compare up to "
    "the final block only (--to)."
)


class Moved(TransientError):
    """The node's blocks are not those that the tables were read at: a reorganisation, or a node that lags."""


@dataclass(frozen=True)
class Difference:
    """`missing`: the node has this row, the table hasn't. `extra`: the reverse. `changed`: `row` is the
    table's, `node` what the node says in its stead, where they differ."""

    relation: str
    kind: Literal["missing", "extra", "changed"]
    row: dict[str, Any]
    node: dict[str, Any] | None = None


@dataclass
class Report:
    """`first` to `last` (inclusive; None: no block) of `tables` were compared, with `logs` logs of the node.

    `count` is all differences, `differences` some of them, `lowest` the first block that has one. `notes`
    says what was not compared, and why.
    """

    first: int | None = None
    last: int | None = None
    tables: int = 0
    logs: int = 0
    count: int = 0
    lowest: int | None = None
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Held:
    """What the database says of itself. `limits`: the last complete block of each table to compare."""

    cursor: store.Cursor | None
    kept: Mapping[int, str]
    limits: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """Blocks (inclusive) in which the same tables are complete."""

    first: int
    last: int
    tables: frozenset[str]


def hold(connection: Connection, setup: Setup) -> Held:
    """Read the database's own account; the factories' children become those of their event tables."""
    cursor = store.read_cursor(connection)
    kept = {block.number: block.hash for block in store.read_blocks(connection)}
    stored = store.read_sources(connection)
    indexed = None if cursor is None else cursor.indexed_number
    limits: dict[str, int] = {}
    notes: list[str] = []
    for table in setup.tables:
        source = stored.get(table)
        if source is None or indexed is None:
            notes.append(f"event.{table} is not indexed yet")
            continue
        limits[table] = indexed if source.joined else min(source.complete_to, indexed)
        if limits[table] < indexed:
            notes.append(f"event.{table} is complete to block {limits[table]} only")
    strangers = sorted(stored.keys() - setup.tables.keys())
    notes += [f"event.{table} is not configured any more: not compared" for table in strangers]
    if strangers:
        notes.append(f"event.{layout.UNDECODED} may hold logs of those: not compared")
    elif indexed is not None:
        limits[layout.UNDECODED] = indexed
    for announcer in setup.announcers:
        table = announcer.source.decoder.layout.table
        announcer.children.unwind(_children(connection, table, announcer.column) if table in stored else {})
    return Held(cursor, kept, limits, tuple(notes))


def segments(limits: Mapping[str, int], first: int, last: int) -> list[Segment]:
    """`first` to `last`, cut where a table ends: what is not complete yet is compared as far as it is."""
    found, at = [], first
    for bound in sorted({min(limit, last) for limit in limits.values() if limit >= first}):
        tables = frozenset(table for table, limit in limits.items() if limit >= bound)
        found.append(Segment(at, bound, tables))
        at = bound + 1
    return found


def compare(
    connection: Connection,
    reader: Reader,
    setup: Setup,
    choose: Callable[[int], tuple[int, int]],
    *,
    limit: int,
    pause: Callable[[float], None],
) -> Report:
    """Compare the blocks that `choose` picks, knowing the last indexed one. `limit`: differences to keep.

    Moved: the node's blocks above the final one are others than the kept ones, or its final block changed
    meanwhile; begin again with a new snapshot. Where its final block is another one from the beginning,
    that is a difference, and everything is compared by number.
    """
    held = hold(connection, setup)
    if held.cursor is None or held.cursor.indexed_number is None:
        return Report(notes=["no block is indexed yet"])
    first, last = choose(held.cursor.indexed_number)
    run = Run(connection, reader, setup, limit, pause)
    run.report.notes += held.notes
    final, known = held.cursor.final_number, held.cursor.final_hash
    says = None if final is None else _hash(reader, final)
    if final is not None and says is None:
        raise Moved(f"the node has no block {final}, which is final here", "It lags: try another endpoint.")
    if says != known:
        row = {"final_number": final, "final_hash": known}
        run.add(1, [Difference("chain.cursor", "changed", row, {"final_hash": says})])
        final = max(held.kept, default=last)
    linked = {n: h for n, h in held.kept.items() if first <= n <= last and (final is None or n > final)}
    lowest = max(first, min(held.kept, default=first) if final is None else final + 1)
    gaps = [n for n in range(lowest, last + 1) if n not in held.kept]
    run.add(len(gaps), [Difference("chain.blocks", "missing", {"number": n}) for n in gaps])
    top = min(last, last if final is None else final)
    parts = segments(held.limits, first, last)
    # first what a reorganisation can spoil, so that beginning again costs little
    for part in parts:
        run.blocks(part, {n: h for n, h in linked.items() if part.first <= n <= part.last})
    if last == held.cursor.indexed_number:
        run.beyond(held.limits)
    for part in parts:
        if final is not None and part.first <= top:
            run.ranges(Segment(part.first, min(part.last, top), part.tables))
    if final is not None and held.cursor.final_number == final and _hash(reader, final) != says:
        raise Moved(f"the node's final block {final} was {says} and is another one now")
    run.report.first, run.report.last = first, last
    run.report.tables = len({table for part in parts for table in part.tables})
    return run.report


class Run:
    """One comparison, inside the caller's transaction; what it finds gathers in `report`."""

    def __init__(
        self, connection: Connection, reader: Reader, setup: Setup, limit: int, pause: Callable[[float], None]
    ) -> None:
        self._connection, self._reader, self._setup = connection, reader, setup
        self._limit, self._pause = limit, pause
        self._columns = {**setup.tables, layout.UNDECODED: [name for name, _ in layout.UNDECODED_COLUMNS]}
        self._temporary: dict[str, sql.Identifier] = {}
        self._window = window.Window(1_000, 10_000, 8_000_000)
        self.report = Report()

    def blocks(self, part: Segment, kept: Mapping[int, str]) -> None:
        """Compare kept blocks of `part`, by their hashes. Moved: the node has others."""
        scope = self._scope(part)
        numbers = sorted(kept)
        for start in range(0, len(numbers), LINKED_BLOCKS):
            some = numbers[start : start + LINKED_BLOCKS]
            try:
                logs = self._logs_of(scope, some, kept)
            except RpcError as error:
                if error.kind is not Kind.BLOCK_UNKNOWN:
                    raise
                raise Moved(error.message, WAIT) from error
            self._compare(part.tables, scope, logs, some[0], some[-1])

    def _logs_of(self, scope: Scope, numbers: Sequence[int], kept: Mapping[int, str]) -> list[Log]:
        logs: list[Log] = []
        for number, header in zip(numbers, self._reader.headers_by_number(numbers), strict=True):
            if header.hash != kept[number]:
                raise Moved(f"block {number} is {kept[number]} here, the node has {header.hash}", WAIT)
            logs += block_logs(scope, self._reader, header)
        return logs

    def ranges(self, part: Segment, *, to_first_difference: bool = False) -> None:
        """Compare all of `part` by ranges of numbers; or the ranges until one differs."""
        scope, ranges = self._scope(part), prefetch.Prefetch(self._window)
        position, tip, tries = part.first - 1, None, 0
        while position < part.last and not (to_first_difference and self.report.count):
            try:
                taken = next_range(ranges, scope, self._reader, position, part.last)
            except TransientError as error:
                tries += 1
                if tries == TRIES:
                    raise
                self._pause(error.retry_after_seconds or PAUSE_SECONDS)
                continue
            if taken is None:
                continue  # the node wants smaller ranges, and the next one is
            found, logs = taken
            if tip is not None and found.before != tip:
                raise Moved(f"the node's block {position} was {tip} and is {found.before} now")
            self._compare(part.tables, scope, logs, found.range.first, found.range.last)
            position, tip, tries = found.range.last, found.range.tip.hash, 0
        self._window = ranges.window

    def beyond(self, limits: Mapping[str, int]) -> None:
        """What lies above a table's last complete block can't be true."""
        for table, last in limits.items():
            self._compare_table(table, (), last + 1, HIGHEST)

    def add(self, count: int, found: Iterable[Difference]) -> None:
        """Note `count` differences, some of which are `found`."""
        self.report.count += count
        free = self._limit - len(self.report.differences)
        self.report.differences += list(found)[: max(0, free)]

    def _scope(self, part: Segment) -> Scope:
        return Scope.of(self._setup.router, self._setup.announcers, part.tables)

    def _compare(
        self, tables: frozenset[str], scope: Scope, logs: Sequence[Log], first: int, last: int
    ) -> None:
        rows = scope.rows(logs, self._reader)
        self.report.logs += len(logs) - rows.not_ours
        for table in sorted(tables):
            lines = rows.undecoded if table == layout.UNDECODED else rows.lines.get(table, ())
            self._compare_table(table, lines, first, last)

    def _compare_table(self, table: str, lines: Sequence[str], first: int, last: int) -> None:
        temporary = self._temporary.get(table)
        if temporary is None:
            temporary = self._temporary[table] = sql.Identifier(f"audit_{len(self._temporary)}")
            create = sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP")
            self._connection.execute(create.format(temporary, _table(table)))
        if lines:
            names = sql.SQL(", ").join(map(sql.Identifier, self._columns[table]))
            copying = sql.SQL("COPY {} ({}) FROM STDIN").format(temporary, names)
            with self._connection.cursor() as cursor, cursor.copy(copying) as copy:
                copy.write("".join(lines))
        statement = _DIFFERENCES.format(node=temporary, table=_table(table))
        room = max(1, self._limit - len(self.report.differences))  # one row at least: it carries the count
        found = self._connection.execute(statement, {"first": first, "last": last, "limit": room}).fetchall()
        if found:
            differences = [_difference(table, held, node) for held, node, _ in found]
            self.add(found[0][2], differences)
            lowest = int(differences[0].row["block_number"])
            self.report.lowest = lowest if self.report.lowest is None else min(lowest, self.report.lowest)
        if lines:
            self._connection.execute(sql.SQL("TRUNCATE {}").format(temporary))


_DIFFERENCES = sql.SQL("""
WITH held AS (SELECT * FROM {table} WHERE block_number BETWEEN %(first)s AND %(last)s),
    missing AS (SELECT * FROM {node} EXCEPT ALL SELECT * FROM held),
    extra AS (SELECT * FROM held EXCEPT ALL SELECT * FROM {node})
SELECT to_jsonb(extra), to_jsonb(missing), count(*) OVER ()
FROM extra FULL JOIN missing USING (block_number, tx_index, log_index)
ORDER BY block_number, tx_index, log_index LIMIT %(limit)s
""")


def _difference(table: str, held: dict[str, Any] | None, node: dict[str, Any] | None) -> Difference:
    name = f"{layout.SCHEMA}.{table}"
    if held is None or node is None:
        return Difference(name, "extra" if held else "missing", held or node or {})
    says = {column: value for column, value in node.items() if held[column] != value}
    return Difference(name, "changed", held, says)


def choice(
    first: int | None, last: int | None, start: int, newest: int | None
) -> Callable[[int], tuple[int, int]]:
    """What to compare: `first` to `last`; without `first`, the `newest` ones (None: all), none below `start`.
    The choice raises ConfigError where nothing of that is indexed."""

    def choose(indexed: int) -> tuple[int, int]:
        to = indexed if last is None else min(last, indexed)
        begin = first if first is not None else start if newest is None else max(start, to - newest + 1)
        if begin > to:
            raise ConfigError(
                f"no block from {begin} to {to if last is None else last} is indexed; "
                f"the last one is {indexed}",
                "Choose others with --from and --to.",
            )
        return begin, to

    return choose


def _children(connection: Connection, table: str, column: str) -> dict[str, tuple[int, int]]:
    statement = sql.SQL("SELECT {}, block_number, tx_index FROM {} ORDER BY block_number, tx_index")
    found: dict[str, tuple[int, int]] = {}
    for child, block_number, tx_index in connection.execute(
        statement.format(sql.Identifier(column), _table(table))
    ):
        found.setdefault(child, (block_number, tx_index))
    return found


def _hash(reader: Reader, number: int) -> str | None:
    header = reader.header_by_number(number)
    return None if header is None else header.hash


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(layout.SCHEMA, name)
