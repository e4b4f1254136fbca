"""What is read of the database for the status page, part by part; a part that costs much is read seldom."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from chainfirst.ops.page.reader import Connection
from chainfirst.schema import queries, store
from psycopg import sql
from psycopg.rows import dict_row

Row = dict[str, Any]
SHARE = 20  # a part that took 10 ms is not read again for 200 ms
SLOW_SECONDS = 120  # a transaction that is in no block for so long is shown
LATEST_EVENTS = 8
TABLES_ASKED = 12
PARAMETER_CHARACTERS = 120
STATUSES = ("pending", "waiting", "signed", "sent", "included")
OUTCOMES = ("confirmed", "failed", "rejected", "cancelled", "expired")
_SQL = queries.load("page.sql", "chainfirst.ops.page")
_COMMON = ("block_number", "tx_index", "log_index", "block_time", "tx_hash", "address")
_EVENT = sql.SQL("""
(
    SELECT {name} AS "table", e.block_number, e.tx_index, e.log_index, e.block_time, e.tx_hash, e.address, (
        SELECT jsonb_object_agg(p.key, left(p.value, {characters}))
        FROM jsonb_each_text(to_jsonb(e) - {common}::text[]) p
    ) AS parameters
    FROM {table} e ORDER BY e.block_number DESC, e.tx_index DESC, e.log_index DESC LIMIT {latest}
)""")


@dataclass(frozen=True)
class Panel:
    """A part and how it is read. `watched`: only while somebody looks; else always. `seconds`: at most so
    often, however little it costs."""

    name: str
    read: Callable[[Connection], Any]
    watched: bool = True
    seconds: float = 0.0


@dataclass
class Panels:
    """The parts as they were last read, and why one can't be. For one thread."""

    panels: Sequence[Panel]
    clock: Callable[[], float] = time.monotonic
    values: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def refresh(self, connection: Connection, watched: bool) -> None:
        """Read what is due. A part that can't be read is no reason to leave out the others; a session that
        is lost is."""
        for panel in self.panels:
            began = self.clock()
            if (panel.watched and not watched) or began < self._due.get(panel.name, began):
                continue
            try:
                with connection.transaction():
                    self.values[panel.name] = panel.read(connection)
            except psycopg.Error as error:
                if connection.closed or connection.broken:
                    raise
                self.failed[panel.name] = " ".join(str(error).split())
            else:
                self.failed.pop(panel.name, None)
            now = self.clock()
            self._due[panel.name] = now + max(panel.seconds, SHARE * (now - began))


def usual() -> tuple[Panel, ...]:
    """The parts of the page."""
    return (
        Panel("cursor", cursor, watched=False),
        Panel("flow", Flow(), watched=False),
        Panel("sources", sources, watched=False),
        Panel("recent", recent),
        Panel("open", lambda connection: _counts(connection, "open_intents", STATUSES)),
        Panel("ended", lambda connection: _counts(connection, "ended_intents", OUTCOMES)),
        Panel("stuck", stuck),
        Panel("latest", lambda connection: rows(connection, "latest_intents")),
        Panel("lanes", lanes),
        Panel("concerns", concerns, watched=False, seconds=2.0),
        Panel("platform", platform),
        Panel("tables", lambda connection: rows(connection, "tables"), seconds=5.0),
        Panel("size", lambda connection: rows(connection, "size")[0]["bytes"], seconds=60.0),
    )


def statement(name: str) -> bytes:
    """A statement of page.sql."""
    return _SQL[name]


def rows(connection: Connection, name: str, values: Any = None) -> list[Row]:
    """What a statement of page.sql gives."""
    with connection.cursor(row_factory=dict_row) as found:
        return found.execute(statement(name), values).fetchall()


def cursor(connection: Connection) -> Row | None:
    """The cursor, and who leads; None: this database has no schema yet."""
    (schema,) = connection.execute("SELECT to_regclass('chain.leader') IS NOT NULL").fetchone() or (False,)
    return rows(connection, "cursor", {"lock": store.LEADER_LOCK})[0] if schema else None


class Flow:
    """How many rows came since the first look."""

    def __init__(self) -> None:
        self._seq: int | None = None
        self._rows = 0

    def __call__(self, connection: Connection) -> int:
        if self._seq is None:
            self._seq = rows(connection, "newest_change")[0]["seq"]
        (found,) = rows(connection, "changed_since", {"seq": self._seq})
        self._seq, self._rows = found["seq"], self._rows + found["rows"]
        return self._rows


def sources(connection: Connection) -> Row:
    """How many tables, from which block on, and those that still catch up alone."""
    return rows(connection, "sources")[0] | {"syncing": rows(connection, "syncing")}


def recent(connection: Connection) -> Row:
    """The last blocks, events and reorganisations. Which tables to look into, the batches say."""
    changes, blocks = rows(connection, "changes"), rows(connection, "blocks")
    named = list(dict.fromkeys(name for each in changes for name in each["added"]))[:TABLES_ASKED]
    tables = {each["table_name"]: each for each in rows(connection, "columns", [named])}
    counts = _counted(connection, tables, blocks[-1]["number"]) if tables and blocks else {}
    return {
        "blocks": [each | {"events": counts.get(each["number"], 0)} for each in blocks],
        "events": _newest(connection, tables) if tables else [],
        "reorganisations": [each for each in changes if each["kind"] in ("rollback", "rewind")][:5],
    }


def _counted(connection: Connection, tables: Iterable[str], from_block: int) -> dict[int, int]:
    """Events by block, from this one on."""
    every = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT block_number FROM {} WHERE block_number >= {}").format(
            sql.Identifier("event", name), sql.Literal(from_block)
        )
        for name in sorted(tables)
    )
    statement = sql.SQL("SELECT block_number, count(*) FROM ({}) n GROUP BY 1").format(every)
    return dict(connection.execute(statement).fetchall())


def _newest(connection: Connection, tables: Mapping[str, Row]) -> list[Row]:
    """The newest rows of these tables of the schema event, with their parameters as short texts."""
    every = sql.SQL("\nUNION ALL").join(
        _EVENT.format(
            name=sql.Literal(name), table=sql.Identifier("event", name), common=sql.Literal(list(_COMMON)),
            characters=sql.Literal(PARAMETER_CHARACTERS), latest=sql.Literal(LATEST_EVENTS),
        )
        for name in sorted(tables)
    )  # fmt: skip
    statement = sql.SQL("SELECT * FROM ({}) n ORDER BY 2 DESC, 3 DESC, 4 DESC LIMIT {}").format(
        every, sql.Literal(LATEST_EVENTS)
    )
    with connection.cursor(row_factory=dict_row) as found:
        return [
            each | {name: tables[each["table"]][name] for name in ("contract", "event")}
            for each in found.execute(statement)
        ]


def stuck(connection: Connection) -> list[Row]:
    """Intents that somebody may have to look at, with the reason; the worst first."""
    return rows(connection, "stuck_intents", {"slow_seconds": SLOW_SECONDS})


def lanes(connection: Connection) -> Row:
    """The keys that sign, and what is paused."""
    return {"lanes": rows(connection, "lanes"), "pauses": rows(connection, "pauses")}


def concerns(connection: Connection) -> Row:
    """Counts that should be 0 (each up to 1000), and lanes that stand still."""
    found = rows(connection, "concerns")[0] | {"rules": 0}
    if rows(connection, "has_platform")[0]["yes"]:
        found["rules"] = rows(connection, "rules")[0]["stuck"]
    return found | {
        "lanes": [each for each in rows(connection, "lanes") if each["blocked_reason"] or each["alert"]]
    }


def platform(connection: Connection) -> Row | None:
    """Campaigns and what they hold; None: this database is without the platform."""
    if not rows(connection, "has_platform")[0]["yes"]:
        return None
    return {"campaigns": rows(connection, "campaigns"), "totals": rows(connection, "totals")[0]}


def _counts(connection: Connection, name: str, names: Sequence[str]) -> dict[str, int]:
    return dict.fromkeys(names, 0) | {each["status"]: each["count"] for each in rows(connection, name)}
