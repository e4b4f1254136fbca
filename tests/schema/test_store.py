"""Leadership, the guarded cursor, blocks, sources and changes, on a real PostgreSQL."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from chainfirst.ops.errors import ConfigError, FatalError, ResetError
from chainfirst.schema import layout, store

HASHES = [f"0x{number:064x}" for number in range(10)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY = store.Cursor(31337, HASHES[0])
SOURCE = store.Source("token_transfer", "token", "Transfer()", {"address": ["0x1"]}, "f1")


def _block(number: int) -> store.Block:
    return store.Block(number, HASHES[number], HASHES[number - 1], NOW)


def _at(indexed: int, final: int) -> store.Cursor:
    return store.Cursor(31337, HASHES[0], indexed, HASHES[indexed], final, HASHES[final])


@pytest.fixture
def other(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A second daemon's session."""
    with psycopg.connect(pg_url) as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        connection.commit()
        yield connection
        connection.rollback()


def test_one_session_leads(connection: store.Connection, other: store.Connection) -> None:
    assert store.acquire_leadership(connection) == 1
    connection.commit()
    assert store.acquire_leadership(other) is None
    store.assert_epoch(connection, 1)
    connection.commit()
    connection.execute("SELECT pg_advisory_unlock_all()")  # as when its connection breaks
    connection.commit()
    assert store.acquire_leadership(other) == 2
    other.commit()
    with pytest.raises(FatalError, match="epoch 2, ours is 1"):
        store.assert_epoch(connection, 1)


def test_a_new_leader_waits_for_the_old_ones_transaction(
    connection: store.Connection, other: store.Connection
) -> None:
    store.assert_epoch(connection, 0)
    other.execute("SET lock_timeout = '50ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        store.acquire_leadership(other)
    other.rollback()
    connection.commit()
    assert store.acquire_leadership(other) == 1


def test_the_cursor_moves_from_where_it_is_expected(connection: store.Connection) -> None:
    assert store.read_cursor(connection) is None
    assert store.open_cursor(connection, 31337, HASHES[0]) == EMPTY
    store.advance_cursor(connection, EMPTY, _at(5, 3))
    store.advance_cursor(connection, _at(5, 3), _at(4, 3))  # a reorg
    suspected = dataclasses.replace(_at(4, 3), reorg_suspected="parent of 5")
    store.advance_cursor(connection, _at(4, 3), suspected)
    assert store.read_cursor(connection) == suspected
    assert store.open_cursor(connection, 31337, HASHES[0]) == suspected
    store.advance_cursor(connection, _at(4, 3), _at(6, 4))
    assert store.read_cursor(connection) == _at(6, 4)


@pytest.mark.parametrize(
    "expected",
    [
        EMPTY,
        _at(4, 3),
        _at(5, 2),
        dataclasses.replace(_at(5, 3), indexed_hash=HASHES[6]),
        dataclasses.replace(_at(5, 3), final_hash=HASHES[6]),
        dataclasses.replace(_at(5, 3), chain_id=1),
        dataclasses.replace(_at(5, 3), genesis_hash=HASHES[1]),
    ],
)
def test_a_cursor_elsewhere_resets(connection: store.Connection, expected: store.Cursor) -> None:
    store.open_cursor(connection, 31337, HASHES[0])
    store.advance_cursor(connection, EMPTY, _at(5, 3))
    with pytest.raises(ResetError, match="expected"):
        store.advance_cursor(connection, expected, _at(6, 4))
    assert store.read_cursor(connection) == _at(5, 3)


def test_two_writers_move_it_once(connection: store.Connection, other: store.Connection) -> None:
    store.open_cursor(connection, 31337, HASHES[0])
    connection.commit()
    store.advance_cursor(connection, EMPTY, _at(5, 3))
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(store.advance_cursor, other, EMPTY, _at(6, 3))
        connection.commit()
        with pytest.raises(ResetError):
            late.result()


def test_a_final_block_that_would_go_back_is_fatal(connection: store.Connection) -> None:
    store.open_cursor(connection, 31337, HASHES[0])
    store.advance_cursor(connection, EMPTY, _at(5, 3))
    with pytest.raises(FatalError, match="finality violated"):
        store.advance_cursor(connection, _at(5, 3), _at(2, 2))


def test_another_chain_needs_another_database(connection: store.Connection) -> None:
    store.open_cursor(connection, 31337, HASHES[0])
    for chain_id, genesis in ((1, HASHES[0]), (31337, HASHES[1])):
        with pytest.raises(ConfigError, match="a database of its own"):
            store.open_cursor(connection, chain_id, genesis)


def test_blocks_are_kept_from_the_final_one(connection: store.Connection) -> None:
    blocks = [_block(number) for number in range(1, 8)]
    store.insert_blocks(connection, blocks)
    assert store.prune_blocks(connection, 3) == 2
    assert store.delete_above(connection, [], 5) == {}
    assert store.read_blocks(connection) == blocks[2:5]
    with pytest.raises(ResetError, match="kept already"):
        store.insert_blocks(connection, [_block(5)])


def _layout() -> layout.EventLayout:
    inputs = [{"name": "from", "type": "address", "indexed": True}, {"name": "value", "type": "uint256"}]
    return layout.event_layouts("token", [{"type": "event", "name": "Transfer", "inputs": inputs}])[0]


def test_a_rollback_takes_every_event_above(connection: store.Connection) -> None:
    for _ in range(2):  # the second time they exist
        store.create_event_tables(connection, [_layout()])
    assert connection.execute("SELECT current_user").fetchone() == ("chainfirst_daemon",)
    insert = "INSERT INTO event.token_transfer VALUES (%s, 0, 0, now(), '0x', '0x', '0x', %s)"
    for number in range(1, 6):
        connection.execute(insert, [number, 2**256 - 1])
    connection.execute("INSERT INTO event.undecoded VALUES (4, 1, 0, now(), '0x', '0x', '{}', '', 'test')")
    assert store.delete_above(connection, ["token_transfer"], 3) == {"token_transfer": 2, "undecoded": 1}
    rows = connection.execute("SELECT max(block_number), max(value) FROM event.token_transfer").fetchone()
    assert rows == (3, 2**256 - 1)
    owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'token_transfer'"
    assert connection.execute(owner).fetchone() == ("chainfirst_owner",)


def test_table_names_are_only_names(connection: store.Connection) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        store.delete_above(connection, ['undecoded" WHERE true; --'], 0)


def test_sources_advance_and_join(connection: store.Connection) -> None:
    assert store.add_source(connection, SOURCE) == SOURCE
    source = store.advance_source(connection, SOURCE, 100)
    assert store.add_source(connection, SOURCE) == source  # how far it came stays
    with pytest.raises(ResetError):
        store.advance_source(connection, SOURCE, 200)
    joined = store.advance_source(connection, source, 120, joined=True)
    assert store.read_sources(connection) == {"token_transfer": joined}


def test_a_source_that_is_dropped_takes_its_table_along(pg_url: str) -> None:
    with psycopg.connect(pg_url) as owner:
        store.create_event_tables(owner, [_layout()])
        store.add_source(owner, SOURCE)
        store.drop_source(owner, SOURCE.table_name)
        assert store.read_sources(owner) == {}
        assert owner.execute("SELECT to_regclass('event.token_transfer')").fetchone() == (None,)


def test_a_changed_source_says_what_to_do(connection: store.Connection) -> None:
    store.add_source(connection, SOURCE)
    with pytest.raises(ConfigError, match="name the contract by a new key"):
        store.add_source(connection, dataclasses.replace(SOURCE, fingerprint="f2"))


def test_changes_are_numbered_and_pruned(connection: store.Connection) -> None:
    first = store.record_change(connection, "add", 1, 5, {"token_transfer": 5}, {})
    second = store.record_change(connection, "rollback", 4, 5, {}, {"token_transfer": 2})
    assert second > first
    rows = connection.execute("SELECT kind, added, removed FROM chain.changes ORDER BY seq").fetchall()
    assert rows == [("add", {"token_transfer": 5}, {}), ("rollback", {}, {"token_transfer": 2})]
    assert store.prune_changes(connection, NOW) == 0
    assert store.prune_changes(connection, datetime(2100, 1, 1, tzinfo=UTC)) == 2
