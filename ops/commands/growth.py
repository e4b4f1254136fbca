"""How large the database is, and what a year will need, as `chainfirst status` shows it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from chainfirst.ops import errors
from chainfirst.schema import sizes

SHOWN = 8
UNITS = ("bytes", "kB", "MB", "GB", "TB")
STEP = 1000
_DATABASE = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True)
class Growth:
    """The database on disk, and its tables, the largest first."""

    database_bytes: int
    tables: Sequence[sizes.Size]

    @property
    def year_bytes(self) -> int | None:
        """What all tables together grow by in a year; None: not known yet."""
        known = [each.year_bytes for each in self.tables if each.year_bytes is not None]
        return sum(known) if known else None

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "database_bytes": self.database_bytes,
            "year_bytes": self.year_bytes,
            "tables": [
                {
                    "relation": each.relation,
                    "bytes": each.bytes,
                    "rows": each.rows,
                    "year_bytes": each.year_bytes,
                }
                for each in self.tables
            ],
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """For people: a name and what there is to say."""
        yield "database", f"{amount(self.database_bytes)}, {_year(self.year_bytes)}"
        for each in self.tables[:SHOWN]:
            yield "", f"{each.relation:42} {amount(each.bytes):>9}, {_year(each.year_bytes)}"
        rest = self.tables[SHOWN:]
        if rest:
            yield "", f"{f'{len(rest)} smaller tables':42} {amount(sum(each.bytes for each in rest)):>9}"


def read(connection: psycopg.Connection[Any], now: datetime) -> Growth:
    """ConfigError: the database is of an older version."""
    row = connection.execute(_DATABASE).fetchone()
    assert row is not None
    try:
        return Growth(row[0], sizes.read(connection, now))
    except psycopg.errors.UndefinedTable as error:
        raise errors.ConfigError(
            "the database has the schema of an older version",
            "Run chainfirst migrate; chainfirst run does it too.",
        ) from error


def amount(count: int) -> str:
    """Bytes in the largest unit of which there is one (IEC 80000-13's decimal prefixes)."""
    value, unit = float(count), 0
    while value >= STEP and unit + 1 < len(UNITS):
        value, unit = value / STEP, unit + 1
    return f"{value:.1f} {UNITS[unit]}" if unit else f"{count} bytes"


def _year(count: int | None) -> str:
    return "a year's need isn't known yet" if count is None else f"{amount(count)} more in a year"
