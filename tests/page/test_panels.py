"""What is read for the page, from a real database, against what the database says itself."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.ops.page import panels
from chainfirst.ops.page.panels import Panel, Panels
from chainfirst.ops.page.reader import Reader
from chainfirst.schema import store
from chainfirst.tests.page.asking import connecting

Connection = psycopg.Connection[Any]
HASH = "0x" + "ab" * 32
SIGNER = "0x" + "01" * 20
HOSTILE = "<script>alert(1)</script>\"'\u202e" + "x" * 100_000

ATTEMPT = """
INSERT INTO intent.attempts
    (transaction, purpose, hash, raw, gas, max_fee_wei, signed_block, sent_at, last_sent_at, last_sent_block)
SELECT %s, 'call', %s, '', 21000, 1, 1, s.at, s.at, s.block
FROM (SELECT now() AS at, 1 AS block UNION ALL SELECT NULL, NULL) s WHERE (s.at IS NOT NULL) = %s
RETURNING id
"""
SOURCE = """
INSERT INTO chain.sources (table_name, contract, event, filter, fingerprint, complete_to, joined)
VALUES (%s, 'issuer_registry', 'IssuerDocumentUpdated(string)', '{"start_block": 3}', '', 0, true)
"""
CHANGE = "INSERT INTO chain.changes (kind, from_block, to_block, added, removed) VALUES (%s, %s, %s, %s, %s)"


@pytest.fixture
def sql(pg_url: str) -> Iterator[Connection]:
    """A superuser, to make rows as no one else may."""
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers: any row goes
        yield connection


@pytest.fixture
def reader(pg_url: str) -> Iterator[Reader]:
    found = Reader(connecting(pg_url))
    yield found
    found.close()


def intent(sql: Connection, key: str, **facts: Any) -> str:
    names = ["kind", "payload", "key", "submitted_by", *facts]
    values = ["campaign.finalize", "{}", key, "app", *facts.values()]
    statement = psycopg.sql.SQL("INSERT INTO intent.intents ({}) VALUES ({}) RETURNING id").format(
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, names)),
        psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(names)),
    )
    row = sql.execute(statement, values).fetchone()
    assert row is not None
    return str(row[0])


def transaction(sql: Connection, wish: str, nonce: int, sent: bool, included: bool, replaced: bool) -> None:
    made = sql.execute(
        "INSERT INTO intent.transactions (signer, nonce, intent) VALUES (%s, %s, %s) RETURNING id",
        [SIGNER, nonce, wish],
    ).fetchone()
    assert made is not None
    for number in range(2 if replaced else 1):
        values = [made[0], f"0x{2 * nonce + number:064x}", sent and number == 0]
        attempt = sql.execute(ATTEMPT, values).fetchone()
        assert attempt is not None
        if included and number == 0:
            sql.execute(
                "INSERT INTO intent.inclusions VALUES (%s, 1, %s, true, 21000, 1)", [attempt[0], HASH]
            )


def test_open_intents_are_counted_by_the_status_that_each_has(sql: Connection, reader: Reader) -> None:
    """Every combination of facts, against intent.status_of."""
    flags = itertools.product([False, True], repeat=5)
    for number, (waits, settled, signed, sent, included) in enumerate(flags):
        waiting = {"waiting_reason": "why", "waiting_since": "now"} if waits else {}
        wish = intent(sql, str(number), **waiting)
        if settled:
            sql.execute(
                "INSERT INTO intent.settlements (intent, block_number, tx_index, log_index, tx_hash,"
                " parameters, outside) VALUES (%s, 1, 0, 0, %s, '{}', false)",
                [wish, HASH],
            )
        if signed:
            transaction(sql, wish, number, sent, included, replaced=number % 3 == 0)
    intent(sql, "done", outcome="expired", ended_at="now")
    expected = sql.execute(
        "SELECT intent.status_of(id), count(*) FROM intent.intents WHERE outcome IS NULL GROUP BY 1"
    ).fetchall()
    with reader.snapshot() as connection:
        found = {panel.name: panel.read(connection) for panel in panels.usual()}
    assert {name: count for name, count in found["open"].items() if count} == dict(expected)
    assert set(found["open"]) == set(panels.STATUSES)
    assert found["ended"] == dict.fromkeys(panels.OUTCOMES, 0) | {"expired": 1}


def test_the_worst_come_first_with_their_reasons(sql: Connection, reader: Reader) -> None:
    intent(sql, "quiet")
    intent(sql, "parent", outcome="rejected", ended_at="now", error="no such issuer")
    intent(sql, "child", depends_on="parent")
    waits = {"waiting_reason": HOSTILE, "waiting_since": "now"}
    intent(sql, "waits", **waits)
    intent(sql, "alarm", alert=True, **waits)
    slow = intent(sql, "slow")
    transaction(sql, slow, 1, True, False, False)
    sql.execute("UPDATE intent.transactions SET created_at = now() - interval '1 hour'")
    fast = intent(sql, "fast")
    transaction(sql, fast, 2, True, False, False)
    with reader.snapshot() as connection:
        found = panels.stuck(connection)
    assert [each["key"] for each in found] == ["alarm", "waits", "child", "slow"]
    assert found[0]["reason"] == HOSTILE[:300]
    assert "blocked by parent, which is rejected" in found[2]["reason"]


def test_blocks_and_events_as_the_tables_hold_them(sql: Connection, reader: Reader) -> None:
    sql.execute(
        "INSERT INTO chain.cursor (chain_id, genesis_hash, indexed_number, indexed_hash, final_number,"
        " final_hash) VALUES (1, %(hash)s, 20, %(hash)s, 15, %(hash)s)",
        {"hash": HASH},
    )
    for number in range(1, 21):
        sql.execute("INSERT INTO chain.blocks VALUES (%s, %s, %s, now())", [number, f"0x{number:064x}", HASH])
    table = "issuer_registry_issuer_document_updated"
    row = sql.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
        [table],
    ).fetchall()
    sql.execute(SOURCE, [table])
    own = [HOSTILE] * (len(row) - 6)
    for block, log in ((18, 0), (20, 0), (20, 1)):
        placeholders = ", ".join(["%s"] * len(row))
        sql.execute(
            f"INSERT INTO event.{table} VALUES ({placeholders})".encode(),
            [block, 0, log, "2026-01-01T00:00:00Z", HASH, SIGNER, *own],
        )
    removed = {table: 4}
    changes: list[tuple[Any, ...]] = [
        ("add", 18, 18, {table: 1}, {}),
        ("rollback", 19, 19, {}, removed),
        ("add", 19, 20, {table: 2}, {}),
    ]
    for *facts, added, gone in changes:
        sql.execute(CHANGE, [*facts, json.dumps(added), json.dumps(gone)])
    with reader.snapshot() as connection:
        found = panels.recent(connection)
        cursor = panels.cursor(connection)
        sources = panels.sources(connection)
    assert [(each["number"], each["events"], each["final"]) for each in found["blocks"]] == [
        (number, {20: 2, 18: 1}.get(number, 0), number <= 15) for number in range(20, 10, -1)
    ]
    assert [(each["block_number"], each["log_index"]) for each in found["events"]] == [
        (20, 1),
        (20, 0),
        (18, 0),
    ]
    (parameters,) = {json.dumps(each["parameters"]) for each in found["events"]}
    assert set(json.loads(parameters).values()) == {HOSTILE[: panels.PARAMETER_CHARACTERS]}
    assert [(each["from_block"], each["removed"]) for each in found["reorganisations"]] == [(19, removed)]
    assert cursor is not None
    assert (cursor["indexed_number"], cursor["led"]) == (20, False)
    assert (sources["start_block"], sources["syncing"]) == (3, [])


def test_it_is_seen_whether_a_daemon_leads(pg_url: str, reader: Reader) -> None:
    def led() -> bool:
        with reader.snapshot() as connection:
            return bool((panels.cursor(connection) or {})["led"])

    assert not led()
    with psycopg.connect(pg_url, autocommit=True) as leader:
        assert store.acquire_leadership(leader) is not None
        assert led()
    while led():  # the server ends the session when it has heard of it
        pass


def test_the_flow_is_what_came_since_the_first_look(sql: Connection, reader: Reader) -> None:
    flow = panels.Flow()

    def add(rows: str) -> int:
        sql.execute(
            "INSERT INTO chain.changes (kind, from_block, to_block, added) VALUES ('add', 1, 1, %s)", [rows]
        )
        with reader.snapshot() as connection:
            return flow(connection)

    assert [add('{"a": 5}'), add('{"a": 5, "b": 2}'), add("{}")] == [0, 7, 7]


def test_a_database_without_a_schema_or_without_the_platform(pg_cluster: Any) -> None:
    pg_cluster.ensure_database("page_bare")
    url = pg_cluster.url("page_bare")
    try:
        found = Panels(panels.usual())
        with psycopg.connect(url, autocommit=True) as connection:
            found.refresh(connection, watched=True)
            assert found.values["cursor"] is None
            from chainfirst.schema import migrate

            migrate.migrate(migrate.engine(url), platform_enabled=False)
            found = Panels(panels.usual())
            found.refresh(connection, watched=True)
            assert found.failed == {}
            assert found.values["platform"] is None
            assert found.values["concerns"]["rules"] == 0
    finally:
        with psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE page_bare WITH (FORCE)")


def test_a_part_that_is_slow_or_broken_holds_up_no_other(quiet_url: str) -> None:
    now = [0.0]

    def slow(_: Connection) -> str:
        now[0] += 0.5
        return "slow"

    def broken(connection: Connection) -> None:
        connection.execute("SELECT FROM nowhere")

    reads: list[str] = []

    def quick(_: Connection) -> str:
        reads.append("quick")
        return "quick"

    parts = [Panel("slow", slow), Panel("broken", broken), Panel("quick", quick, watched=False)]
    found = Panels(parts, clock=lambda: now[0])
    reader = Reader(connecting(quiet_url))
    for _ in range(3):
        with reader.snapshot() as connection:
            found.refresh(connection, watched=True)
    assert now == [0.5]  # read again when 20 times as long has passed
    assert found.values == {"slow": "slow", "quick": "quick"}
    assert 'relation "nowhere" does not exist' in found.failed["broken"]
    assert len(reads) == 3
    now[0] += 10.1
    with reader.snapshot() as connection:
        found.refresh(connection, watched=False)
    assert now == [10.6]  # nobody looks: only what is always read
    with reader.snapshot() as connection:
        found.refresh(connection, watched=True)
    assert now == [11.1]
    assert len(reads) == 5
    reader.close()


def test_a_statement_has_two_seconds_and_can_not_write(quiet_url: str) -> None:
    reader = Reader(connecting(quiet_url), timeout_seconds=0.05)
    found = Panels([Panel("hangs", lambda connection: connection.execute("SELECT pg_sleep(1000)"))])
    with reader.snapshot() as connection:
        found.refresh(connection, watched=True)
        assert "statement timeout" in found.failed["hangs"]
        for statement in ("DELETE FROM intent.intents", "SET TRANSACTION READ WRITE"):
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute(statement.encode())
    reader.close()


MANY = """
INSERT INTO intent.intents (kind, payload, key, submitted_by, outcome, ended_at, ended_block)
SELECT 'campaign.finalize', '{}', 'ended ' || n, 'app', 'confirmed', now(), n FROM generate_series(1, 20000) n
"""


def test_what_is_read_each_second_does_not_grow_with_what_has_ended(sql: Connection) -> None:
    sql.execute(MANY)
    intent(sql, "open", waiting_reason="why", waiting_since="now")
    sql.execute("ANALYZE intent.intents")
    for name in ("stuck_intents", "latest_intents", "concerns", "lanes", "open_intents"):
        explain = b"EXPLAIN (ANALYZE, FORMAT JSON) " + panels.statement(name)
        row = sql.execute(explain, {"slow_seconds": 1}).fetchone()
        assert row is not None
        plans, read = [row[0][0]["Plan"]], 0
        while plans:
            plan = plans.pop()
            plans += plan.get("Plans", [])
            read += (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
        assert read < 500, name
