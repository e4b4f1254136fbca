"""What changed since a cursor, who is told, and waiting for one's own wish."""

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.schema import store
from chainfirst.tests.platform.chain_rows import Chain, account
from chainfirst.tests.platform.records import Records
from psycopg import errors

FOLLOW = Path(__file__).parents[2] / "docs" / "examples" / "follow.py"
REGISTERED = "issuer_registry_issuer_registered"
CHANGES = "SELECT seq, kind, from_block, to_block, table_name, added, removed FROM api.changes(%s)"


@pytest.fixture
def chain(records: Records) -> Chain:
    return Chain(records.connection)


@pytest.fixture
def followed(pg_url: str) -> Iterator[tuple[Chain, psycopg.Connection[Any]]]:
    """A chain whose blocks are committed one by one, and a session that may follow."""
    with psycopg.connect(pg_url, autocommit=True) as writer, psycopg.connect(pg_url) as reader:
        reader.execute("SET SESSION ROLE chainfirst_reader")
        reader.commit()
        reader.autocommit = True
        yield Chain(writer), reader


def _changes(records: Records, since: int, most: int = 1000) -> list[Any]:
    return records.connection.execute(
        "SELECT seq - %s, kind, from_block, to_block, table_name, added, removed FROM api.changes(%s, %s)",
        [since, since, most],
    ).fetchall()


def _newest(records: Records) -> int:
    row = records.connection.execute("SELECT last_change FROM api.chain_status").fetchone()
    assert row is not None
    return int(row[0])


def test_what_came_since_a_cursor(records: Records, chain: Chain) -> None:
    chain.block()
    start = _newest(records)
    chain.register(uuid.uuid4(), account("issuer"))
    chain.block()
    campaign = chain.create(uuid.uuid4(), uuid.uuid4(), account("issuer"))
    assert _changes(records, start) == [
        (1, "add", 2, 2, REGISTERED, 1, 0),
        (2, "add", 3, 3, None, 0, 0),
        (3, "add", 4, 4, "campaign_factory_campaign_created", 1, 0),
        (3, "add", 4, 4, "issuer_registry_issuer_campaign_changed", 1, 0),
    ]
    assert len(_changes(records, start, 1)) == 1  # changes, not rows
    assert _changes(records, start + 3) == []
    assert campaign


def test_a_reorganisation_shows_as_removed_rows(records: Records, chain: Chain) -> None:
    chain.block()
    start = _newest(records)
    for name in ("one", "two"):
        chain.register(uuid.uuid4(), account(name))
    chain.roll_back(1)
    assert _changes(records, start)[2:] == [(3, "rollback", 2, 2, REGISTERED, 0, 2)]


def test_a_cursor_that_is_too_old(records: Records, chain: Chain) -> None:
    for _ in range(3):
        chain.block()
    newest = _newest(records)
    with chain.as_daemon():
        assert store.prune_changes(records.connection, datetime.now(UTC) + timedelta(days=1)) == 3
    chain.block()
    assert [change[0] for change in _changes(records, newest)] == [1]
    with pytest.raises(errors.InvalidParameterValue, match="is too old") as caught:
        _changes(records, newest - 1)
    assert "last_change" in (caught.value.diag.message_hint or "")


def test_changes_that_never_were_are_not_missed(records: Records, chain: Chain) -> None:
    """A batch that is rolled back leaves a gap in the numbers."""
    start = _newest(records)
    records.chain("SELECT nextval('chain.changes_seq_seq')")
    chain.block()
    assert [change[1] for change in _changes(records, start)] == ["add"]


def test_a_cursor_of_another_database(records: Records, chain: Chain) -> None:
    chain.block()
    with pytest.raises(errors.InvalidParameterValue, match="is ahead: the newest change is"):
        _changes(records, _newest(records) + 1)


def test_no_cursor(records: Records) -> None:
    with pytest.raises(errors.NullValueNotAllowed):
        records.connection.execute("SELECT * FROM api.changes(NULL)")


def test_who_listens_is_told(followed: tuple[Chain, psycopg.Connection[Any]]) -> None:
    chain, reader = followed
    reader.execute("LISTEN chainfirst_block")
    chain.register(uuid.uuid4(), account("issuer"))
    chain.block()
    chain.roll_back(0)
    said = [json.loads(note.payload) for note in reader.notifies(timeout=30, stop_after=3)]
    assert [(one["kind"], one["from_block"], one["to_block"], one["tables"]) for one in said] == [
        ("add", 1, 1, [REGISTERED]),
        ("add", 2, 2, []),
        ("rollback", 1, 1, [REGISTERED]),
    ]
    rows = reader.execute(CHANGES.encode(), [said[0]["seq"] - 1]).fetchall()
    assert [row[0] for row in rows] == [one["seq"] for one in said]


def test_more_tables_than_a_notification_holds(followed: tuple[Chain, psycopg.Connection[Any]]) -> None:
    chain, reader = followed
    reader.execute("LISTEN chainfirst_block")
    tables = {f"table_{number:060}": 1 for number in range(200)}
    with chain.as_daemon():
        seq = store.record_change(chain.connection, "add", 1, 1, tables, {})
    (note,) = reader.notifies(timeout=30, stop_after=1)
    assert json.loads(note.payload)["tables"] is None
    assert len(reader.execute(CHANGES.encode(), [seq - 1]).fetchall()) == 200


def test_the_example_in_python(followed: tuple[Chain, psycopg.Connection[Any]], pg_url: str) -> None:
    chain, _ = followed
    chain.block()
    with psycopg.connect(pg_url, autocommit=True) as admin:
        (cursor,) = admin.execute("SELECT last_change FROM api.chain_status").fetchone() or (0,)
    environment = os.environ | {"DATABASE_URL": f"{pg_url}&options=-crole%3Dchainfirst_reader"}
    chain.register(uuid.uuid4(), account("before"))
    with subprocess.Popen(
        [sys.executable, FOLLOW, str(cursor)], env=environment, stdout=subprocess.PIPE, text=True
    ) as example:
        try:
            assert example.stdout is not None
            first = json.loads(example.stdout.readline())
            chain.register(uuid.uuid4(), account("after"))
            second = json.loads(example.stdout.readline())
            chain.roll_back(2)
            third = json.loads(example.stdout.readline())
        finally:
            example.kill()
    assert [(row["kind"], row["added"], row["removed"]) for row in (first, second, third)] == [
        ("add", 1, 0), ("add", 1, 0), ("rollback", 0, 1)
    ]  # fmt: skip
    with chain.as_daemon():
        store.prune_changes(chain.connection, datetime.now(UTC) + timedelta(days=1))
    done = subprocess.run(
        [sys.executable, FOLLOW, str(cursor)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "too old" in done.stderr and "Read the tables anew" in done.stderr


@pytest.fixture
def waiting(pg_url: str) -> Iterator[tuple[psycopg.Connection[Any], uuid.UUID, str]]:
    """An app's session, a company that asks for its registration, and the key of that."""
    with psycopg.connect(pg_url, autocommit=True) as app:
        app.execute("SET ROLE chainfirst_app")
        company = Records(app).verified_company(on_chain=False)
        row = app.execute("SELECT intent_key FROM api.companies WHERE id = %s", [company]).fetchone()
        assert row is not None
        yield app, company, row[0]


def _end(url: str, key: str) -> None:
    with psycopg.connect(url) as daemon:
        daemon.execute(
            "UPDATE intent.intents SET outcome = 'confirmed', ended_at = now(), ended_block = 1"
            " WHERE key = %s",
            [key],
        )


@pytest.mark.parametrize("by_row", [True, False])
def test_waiting_for_ones_own_wish(
    waiting: tuple[psycopg.Connection[Any], uuid.UUID, str], pg_url: str, by_row: bool
) -> None:
    app, company, key = waiting
    # it sees what others commit, whatever the session's transactions see otherwise
    app.execute("SET default_transaction_isolation = 'repeatable read'")
    found: list[Any] = []
    subject = str(company) if by_row else key
    waiter = threading.Thread(
        target=lambda: found.extend(app.execute("CALL api.wait(%s, '1 minute')", [subject]).fetchall())
    )
    waiter.start()
    with psycopg.connect(pg_url, autocommit=True) as other:
        waits = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s"
        while other.execute(waits, [app.info.backend_pid]).fetchone() != (True,):
            pass
    _end(pg_url, key)
    waiter.join()
    assert found == [("confirmed",)]
    assert app.execute("SELECT intent_status FROM api.companies WHERE id = %s", [company]).fetchone() == (
        "confirmed",
    )


def test_waiting_in_vain(waiting: tuple[psycopg.Connection[Any], uuid.UUID, str]) -> None:
    app, company, key = waiting
    assert app.execute("CALL api.wait(%s, '0')", [key]).fetchone() == ("pending",)
    assert app.execute("CALL api.wait(%s, '200 ms')", [str(company)]).fetchone() == ("pending",)
    for nothing in (str(uuid.uuid4()), "no such key"):
        with pytest.raises(errors.NoDataFound, match="nothing was asked of the chain for"):
            app.execute("CALL api.wait(%s)", [nothing])
    with pytest.raises(errors.InvalidTransactionTermination), app.transaction():
        app.execute("CALL api.wait(%s)", [key])
    app.execute("RESET ROLE")
    app.execute("SET ROLE chainfirst_reader")
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("CALL api.wait(%s)", [key])
