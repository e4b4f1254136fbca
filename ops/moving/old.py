"""The old database: read as it is, in one snapshot, never written to."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops import errors, reach, values
from chainfirst.ops.moving import mapping, records
from psycopg import sql

Connection = psycopg.Connection[Any]
_COLUMNS = """
SELECT attname::text FROM pg_catalog.pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""


@dataclass(frozen=True)
class Columns:
    """Of one table: the column that each field is read from, or several; fields that have none; columns that
    no field is read from."""

    chosen: dict[str, str | list[str]]
    missing: list[str]
    unused: list[str]


@contextlib.contextmanager
def database(url: values.DatabaseUrl) -> Iterator[Connection]:
    """A transaction that reads one snapshot. DatabaseUnreachable: none can be had."""
    try:
        connection = psycopg.connect(
            url.full, connect_timeout=reach.TIMEOUT_SECONDS, application_name="chainfirst import"
        )
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise reach.DatabaseUnreachable(
            f"the old database {url} can't be reached: {said}", "See its URL."
        ) from None
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute("SET LOCAL timezone = 'UTC'")
        yield connection


def columns(connection: Connection, wanted: mapping.Mapping) -> dict[str, Columns]:
    """Those of each table that is there. ConfigError: a table isn't there that must be, or the column of a
    field that is required or that the mapping names; all of them named."""
    found: dict[str, Columns] = {}
    problems: list[str] = []
    for name, shape in records.TABLES.items():
        table = wanted.of(name)
        there = {
            row[0] for row in connection.execute(_COLUMNS, [_identifier(table, shape).as_string(connection)])
        }
        if not there and shape.optional and table.table is None:
            continue
        if not there:
            problems.append(f"{name}: there is no table {table.table or shape.table}")
            continue
        columns = found[name] = Columns({}, [], [])
        used: set[str] = set()
        for each in shape.fields:
            given = table.columns.get(each.name, each.column)
            names = [given] if isinstance(given, str) else list(given)
            missing = [column for column in names if column not in there]
            said = each.name in table.columns or (each.required and each.name not in table.defaults)
            if missing and said:
                problems.append(f"{name}.{each.name}: there is no column {', '.join(missing)}")
            if missing:
                columns.missing.append(each.name)
            else:
                columns.chosen[each.name] = given if isinstance(given, str) else names
                used.update(names)
        columns.unused.extend(sorted(there - used))
    if problems:
        lines = "".join(f"\n  {line}" for line in problems)
        raise errors.ConfigError(
            f"the old database is another than the mapping says:{lines}\n"
            "Say in the mapping's file where they are, or give a default (docs/moving-in.md)"
        )
    return found


def rows(
    connection: Connection, wanted: mapping.Mapping, name: str, chosen: Mapping[str, str | list[str]]
) -> Iterator[dict[str, Any]]:
    """The old rows by field, in the order of their ids."""
    table = _identifier(wanted.of(name), records.TABLES[name])
    names = [column for given in chosen.values() for column in ([given] if isinstance(given, str) else given)]
    first = chosen["id"]
    statement = sql.SQL('SELECT {} FROM {} ORDER BY {}::text COLLATE "C"').format(
        sql.SQL(", ").join(map(sql.Identifier, names)), table, sql.Identifier(str(first))
    )
    with connection.cursor(f"old_{name}") as found:
        found.execute(statement)
        for row in found:
            cells = iter(row)
            yield {
                field: next(cells) if isinstance(given, str) else [next(cells) for _ in given]
                for field, given in chosen.items()
            }


def _identifier(table: mapping.Table, shape: records.Shape) -> sql.Identifier:
    return sql.Identifier(*(table.table or shape.table).split("."))
