"""What moving in reads and writes in chainfirst's own database, in the caller's transaction."""

import dataclasses
import uuid
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import psycopg
from chainfirst.ops import errors
from chainfirst.ops.moving import mapping, matching
from chainfirst.schema import queries, store
from psycopg import sql

Connection = psycopg.Connection[Any]
CHUNK_ROWS = 100
"""Of a savepoint: one refused row undoes it, and the rows before are stored once more."""
_SQL = queries.load("store.sql", "chainfirst.ops.moving")
_PLACED = ("campaigns", "investments")
_REFUSED = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,  # psycopg takes it for an OperationalError
)


@dataclasses.dataclass(frozen=True)
class Request:
    """What the workflow would have asked for, had the row been made here, and why it is not asked."""

    subject: str
    row_id: uuid.UUID
    purpose: str
    error: str
    target: str | None = None


def begin(connection: Connection) -> int:
    """Act as the owner until the transaction ends: triggers ask for nothing, and keep no steps. How many
    intents there are."""
    connection.execute(_SQL["begin"])
    return count_intents(connection)


def count_intents(connection: Connection) -> int:
    """All intents, of any state."""
    row = connection.execute(_SQL["count_intents"]).fetchone()
    assert row is not None
    return int(row[0])


def final_block(connection: Connection, tables: Iterable[str]) -> int:
    """The last final block. ConfigError: there is none, or one of the event tables isn't complete to it."""
    cursor = store.read_cursor(connection)
    if cursor is None or cursor.final_number is None:
        raise errors.ConfigError(
            "no block is final yet: what is on chain can't be told from what isn't",
            "Index the chain first: chainfirst run.",
        )
    sources = store.read_sources(connection)
    for table in tables:
        source = sources.get(table)
        if source is None or not source.joined:
            raise errors.ConfigError(
                f"event.{table} is {'not indexed' if source is None else 'syncing'}",
                "Configure its contract ([contracts.*], with its ABI), and let the daemon index it first.",
            )
    return cursor.final_number


def events(connection: Connection, table: str, wanted: mapping.Mapping, final: int) -> list[matching.Event]:
    """All final events that say that something of this table is on chain. ConfigError: the mapping names a
    column that there is not."""
    found: list[matching.Event] = []
    for own, sources in ((True, mapping.OWN), (False, wanted.events)):
        for source in getattr(sources, table):
            found += _events(connection, table, source, final, own)
    return found


def event_tables(wanted: mapping.Mapping) -> list[str]:
    """All of them, by name."""
    return sorted(
        {
            source.table
            for sources in (mapping.OWN, wanted.events)
            for each in dataclasses.fields(sources)
            for source in getattr(sources, each.name)
        }
    )


def _events(
    connection: Connection, table: str, source: mapping.Source, final: int, own: bool
) -> list[matching.Event]:
    place = source.place or ("address" if table in _PLACED else None)
    columns = [
        sql.SQL("NULL") if name is None else sql.Identifier(name)
        for name in (source.id, source.wallet, source.amount, place, source.token_id)
    ]
    statement = sql.SQL(
        "SELECT block_number, tx_index, log_index, tx_hash, {} FROM {} WHERE block_number <= %s"
    ).format(sql.SQL(", ").join(columns), sql.Identifier("event", source.table))
    try:
        rows = connection.execute(statement, [final])
    except psycopg.errors.UndefinedColumn as error:
        raise errors.ConfigError(
            f"the mapping of events is wrong: {error.diag.message_primary}",
            f"See the columns of event.{source.table}.",
        ) from None
    return [
        matching.Event(
            source.table,
            block,
            tx_index,
            log_index,
            tx_hash,
            id=matching.id_of(word),
            word=word if isinstance(word, str) else None,
            wallet=wallet,
            amount=None if amount is None else Fraction(int(amount), 10**source.decimals),
            place=at,
            token_id=None if token is None else int(token),
            own=own,
        )
        for block, tx_index, log_index, tx_hash, word, wallet, amount, at, token in rows
    ]


def verified_wallets(connection: Connection) -> set[str]:
    """Those that may invest on chain."""
    return {wallet for (wallet,) in connection.execute(_SQL["verified_wallets"])}


def present(connection: Connection, table: str, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Which rows are there already."""
    statement = sql.SQL("SELECT id FROM {} WHERE id = ANY (%s)").format(sql.Identifier("platform", table))
    return {row for (row,) in connection.execute(statement, [list(ids)])}


def insert(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> dict[uuid.UUID, str]:
    """Store rows, all of the same columns; why not, of those that the database refuses, by their ids. Of two
    that hinder each other the first is stored."""
    if not rows:
        return {}
    names = list(rows[0])
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("platform", table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    refused: dict[uuid.UUID, str] = {}

    def attempt(some: Sequence[Mapping[str, Any]]) -> None:
        done = 0
        try:
            with connection.transaction():
                for done, each in enumerate(some):  # noqa: B007
                    connection.execute(statement, each)
        except _REFUSED as error:
            refused[some[done]["id"]] = reason(table, error)
            attempt(some[:done])
            attempt(some[done + 1 :])

    for start in range(0, len(rows), CHUNK_ROWS):
        attempt(rows[start : start + CHUNK_ROWS])
    return refused


def reason(table: str, error: psycopg.Error) -> str:
    """Why the database refused a row; without the value, which may be personal."""
    diag = error.diag
    rule = diag.constraint_name or ""
    column = rule.removeprefix(f"{table}_")
    if isinstance(error, psycopg.errors.UniqueViolation):
        return f"{column.removesuffix('_key')}: another row has the same"
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return f"{column.removesuffix('_fkey')}: there is no such row, or it was left out"
    if isinstance(error, psycopg.errors.NotNullViolation):
        return f"{diag.column_name}: empty"
    if isinstance(error, psycopg.errors.CheckViolation) and not diag.column_name:
        return f"breaks the rule {rule}"
    return diag.message_primary or type(error).__name__


def add_requests(connection: Connection, requests: Iterable[Request]) -> None:
    """Note that these were not asked for: as ended, so that somebody may ask again (platform.ask_again)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _SQL["add_request"],
            [
                dataclasses.asdict(each) | {"key": f"{each.subject}:{each.row_id}:{each.purpose}:1"}
                for each in requests
            ],
        )
