"""What statements give back, as values."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from chainfirst.ops.errors import FatalError
from psycopg.rows import dict_row

T = TypeVar("T")


def value(cursor: psycopg.Cursor[Any]) -> Any:
    """The first column of the row; None: there is none."""
    row = cursor.fetchone()
    return None if row is None else row[0]


def identity(cursor: psycopg.Cursor[Any]) -> int:
    """The number that an INSERT gave its row. FatalError: none."""
    found = value(cursor)
    if found is None:
        raise FatalError(
            "an INSERT gave no row back", "The database's rights or triggers were changed by hand."
        )
    return int(found)


def dicts(conn: psycopg.Connection[Any], statement: bytes, values: Any = None) -> list[dict[str, Any]]:
    """All rows, by the columns' names."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def exact(kind: Callable[..., T]) -> Callable[[psycopg.Cursor[Any]], Callable[[Sequence[Any]], T]]:
    """Rows as dataclasses, with integers where PostgreSQL's numeric makes Decimals."""

    def of_cursor(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], T]:
        names = [column.name for column in cursor.description or ()]

        def of_row(row: Sequence[Any]) -> T:
            values = (int(each) if isinstance(each, Decimal) else each for each in row)
            return kind(**dict(zip(names, values, strict=True)))

        return of_row

    return of_cursor
