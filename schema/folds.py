"""The ledger: relations that are functions of the event tables, each defined by one view (ledger/*.sql).

Where a row gathers several events it is kept in a table and refreshed key by key from its view; the same
view rebuilds it and verifies it. Where a row is one event, the view itself serves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Fold:
    """A kept relation: its key (column, type), and which columns of which event tables hold that key."""

    name: str
    key: tuple[tuple[str, str], ...]
    sources: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier("ledger", self.name)

    @property
    def view(self) -> sql.Identifier:
        return sql.Identifier("ledger", f"{self.name}_fold")


@dataclass(frozen=True)
class Difference:
    """A row that a table has and its fold hasn't (`extra`), or the reverse (`missing`)."""

    relation: str
    kind: str
    row: dict[str, Any]


def _fold(name: str, key: dict[str, str], prefix: str, events: Iterable[str]) -> Fold:
    return Fold(name, tuple(key.items()), tuple((f"{prefix}_{event}", tuple(key)) for event in events))


_ARRAYS = {"text": sql.SQL("%s::text[]"), "numeric": sql.SQL("%s::numeric[]")}
_COMPANY = {"address": "text", "company_id": "text"}
_TOKEN = {"address": "text", "token_id": "numeric"}
_CREATED = ("campaign_factory_campaign_created", ("campaign",))
_CAMPAIGN_EVENTS = ("investment_recorded", "campaign_finalized", "campaign_cancelled", "paused", "unpaused")
_ESCROW_EVENTS = ("investment_recorded", "funds_released", "investor_refunded", "fee_withdrawn")

FOLDS = (
    _fold(
        "issuers",
        _COMPANY,
        "issuer_registry_issuer",
        ("registered", "replaced", "document_updated", "status_changed", "campaign_changed"),
    ),
    _fold(
        "investors", {"address": "text", "investor": "text"}, "issuer_registry", ("investor_status_changed",)
    ),
    Fold(
        "campaigns",
        (("address", "text"),),
        (_CREATED, *((f"campaign_{event}", ("address",)) for event in _CAMPAIGN_EVENTS)),
    ),
    Fold(
        "escrows",
        (("address", "text"),),
        (_CREATED, *((f"campaign_{event}", ("address",)) for event in _ESCROW_EVENTS)),
    ),
    _fold(
        "certificates",
        _TOKEN,
        "share_certificate",
        ("certificate_minted", "transfer", "certificate_transferred", "certificate_revoked"),
    ),
    _fold("votes", {"address": "text", "owner": "text"}, "share_certificate", ("voting_weight_changed",)),
)
# in the order of creation
RELATIONS = (*(fold.name for fold in FOLDS), "investments", "refunds", "certificate_transfers")


def present(connection: Connection) -> list[Fold]:
    """The ledger's kept relations that this database has, whatever the settings say."""
    names = [fold.table.as_string(connection) for fold in FOLDS]
    found = connection.execute(
        "SELECT to_regclass(name) IS NOT NULL FROM unnest(%s::text[]) AS name", [names]
    )
    return [fold for fold, (exists,) in zip(FOLDS, found, strict=True) if exists]


def touched(connection: Connection, fold: Fold, from_block: int, to_block: int | None = None) -> set[Key]:
    """The keys with an event in these blocks (without `to_block`: and all above). Before a rollback
    deletes the events, these are the keys to refresh after it."""
    keys: set[Key] = set()
    for table, columns in fold.sources:
        statement = sql.SQL(
            "SELECT DISTINCT {} FROM {} WHERE block_number >= %s AND (block_number <= %s) IS NOT FALSE"
        ).format(_names(columns), sql.Identifier("event", table))
        keys.update(connection.execute(statement, [from_block, to_block]))
    return keys


def refresh(connection: Connection, fold: Fold, keys: Iterable[Key]) -> int:
    """Delete these keys' rows and insert what the fold says of them; how many there are now."""
    ordered = sorted(set(keys))
    if not ordered:
        return 0
    arrays = [list(values) for values in zip(*ordered, strict=True)]
    names = [name for name, _ in fold.key]
    unnest = sql.SQL("unnest({}) AS k ({})").format(
        sql.SQL(", ").join(_ARRAYS[kind] for _, kind in fold.key),
        _names(names),
    )
    same = sql.SQL(" AND ").join(sql.SQL("r.{0} = k.{0}").format(sql.Identifier(name)) for name in names)
    delete = sql.SQL("DELETE FROM {} r USING {} WHERE {}").format(fold.table, unnest, same)
    # OFFSET 0 keeps the planner from joining the whole view: it looks up each key through the indexes
    insert = sql.SQL(
        "INSERT INTO {} SELECT f.* FROM {} CROSS JOIN LATERAL (SELECT r.* FROM {} r WHERE {} OFFSET 0) f"
    ).format(fold.table, unnest, fold.view, same)
    connection.execute(delete, arrays)
    return connection.execute(insert, arrays).rowcount


def rebuild(connection: Connection, folds: Iterable[Fold] = FOLDS) -> None:
    """Make every row again from the event tables."""
    for fold in folds:
        connection.execute(sql.SQL("DELETE FROM {}").format(fold.table))
        connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(fold.table, fold.view))


def verify_ledger(connection: Connection) -> list[Difference]:
    """Where the kept rows are not what the events say; empty when all is well."""
    statement = sql.SQL("SELECT to_jsonb(d) FROM (SELECT * FROM {} EXCEPT ALL SELECT * FROM {}) d")
    found = []
    for fold in FOLDS:
        for kind, left, right in (("extra", fold.table, fold.view), ("missing", fold.view, fold.table)):
            rows = connection.execute(statement.format(left, right))
            found += [Difference(fold.name, kind, row) for (row,) in rows]
    return found


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)
