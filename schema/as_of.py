"""The ledger as it was at a block: its own views, over the events up to that block and nothing else.

Every relation of the ledger is one view over event tables (folds.py). Here the text of that view, as the
database has it, is read with each event table's name standing for its rows up to the block (a WITH query of
the same name): one definition, one more use. Right for final blocks: those above may still be replaced.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from chainfirst.ops.errors import ConfigError
from chainfirst.schema import folds, queries, store
from psycopg import sql

Connection = psycopg.Connection[Any]
BATCH_ROWS = 10_000
_SQL = queries.load("as_of.sql")
FILES = tuple(name for name in _SQL if not name.startswith("_"))
"""The relations that there are, each with its columns, in the order of an export."""


@dataclass(frozen=True)
class Table:
    """Rows of one relation: `columns` are their names, `rows` come as they are asked for."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def check(connection: Connection, cursor: store.Cursor | None, number: int) -> store.Cursor:
    """The cursor. ConfigError: the block isn't final, or an event of the ledger isn't indexed up to it."""
    final = None if cursor is None else cursor.final_number
    if cursor is None or final is None:
        raise ConfigError(
            f"block {number} is not final: nothing is yet", "Let the daemon run: chainfirst run."
        )
    if number > final:
        raise ConfigError(
            f"block {number} is not final yet: the last final one is {final}",
            "Wait for it, or name an earlier one.",
        )
    sources = store.read_sources(connection)
    for table in _events(connection):
        source = sources.get(table)
        if source is None:
            raise ConfigError(f"event.{table} is not indexed", "Configure its contract, with all its events.")
        if not source.joined and source.complete_to < number:
            raise ConfigError(
                f"event.{table} is complete to block {source.complete_to} only, it is syncing",
                "Wait until it has joined: chainfirst sources list.",
            )
    return cursor


def read(connection: Connection, name: str, number: int) -> Table:
    """One of FILES as of a block, in a fixed order. In a transaction: its rows come from a cursor there."""
    return select(connection, _SQL[name].decode().rstrip(";"), number)


def select(connection: Connection, statement: LiteralString, number: int) -> Table:
    """The answer of a SELECT in which the names of the ledger's relations and of their event tables (without
    a schema) mean their rows up to a block."""
    events = [
        sql.SQL("{} AS NOT MATERIALIZED (SELECT * FROM {} WHERE block_number <= {})").format(
            sql.Identifier(table), sql.Identifier("event", table), sql.Literal(number)
        )
        for table in _events(connection)
    ]
    relations = [
        sql.SQL("{} AS NOT MATERIALIZED ({})").format(sql.Identifier(relation), sql.SQL(definition))
        for relation, definition in _definitions(connection)
    ]
    rows = connection.cursor("as_of")
    rows.itersize = BATCH_ROWS
    rows.execute(sql.SQL("WITH {} {}").format(sql.SQL(", ").join([*events, *relations]), sql.SQL(statement)))
    assert rows.description is not None
    return Table(tuple(column.name for column in rows.description), _until_end(rows))


def _until_end(rows: "psycopg.ServerCursor[tuple[Any, ...]]") -> Iterator[tuple[Any, ...]]:
    with rows:
        yield from rows


def _views() -> dict[str, str]:
    kept = {fold.name: f"{fold.name}_fold" for fold in folds.FOLDS}
    return {name: kept.get(name, name) for name in folds.RELATIONS}


def _events(connection: Connection) -> list[str]:
    """The event tables that the ledger's views read, and those that an export reads beside them."""
    return [name for (name,) in connection.execute(_SQL["_events"], [list(_views().values())])]


def _definitions(connection: Connection) -> list[tuple[str, str]]:
    """The relations of the ledger by their names, and what defines them."""
    views = _views()
    found = dict(connection.execute(_SQL["_definitions"], [list(views.values())]).fetchall())
    return [(name, found[view]) for name, view in views.items()]
