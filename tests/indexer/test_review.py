"""Rare orders of things in the read path."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from chainfirst.indexer import finality, router
from chainfirst.ops.dev.node import Anvil
from chainfirst.schema import store
from chainfirst.tests.indexer import test_factories as factories
from chainfirst.tests.indexer import wired


@pytest.fixture
def nursery(fresh_anvil: Anvil) -> Iterator[factories.Nursery]:
    nursery = factories.Nursery(fresh_anvil.url)
    yield nursery
    nursery.node.close()


@pytest.fixture
def connection(pg_url: str) -> Iterator[wired.Connection]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("blocks_after", [90, 1])
def test_children_are_configured_before_their_factory(
    connection: wired.Connection,
    nursery: factories.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    blocks_after: int,
) -> None:
    """By topics alone all logs come at once: a mother must be known before her children are looked for."""
    monkeypatch.setattr(router, "ADDRESSES_IN_FILTER", 0)
    mother = nursery.deploy("Tree", 1)
    nursery.do(nursery.address, "adopt(address)", mother)
    nursery.do(mother, "bear(uint256,uint256)", 2, 2)
    nursery.mine(blocks_after)
    running = wired.indexer(connection, nursery.node.url, factories.contracts(nursery)[::-1], factories.DEPTH)
    wired.drain(running)
    assert len(nursery.truth()["sapling_grew"]) > 0
    factories.assert_true(connection, nursery)


@pytest.mark.parametrize("policy", [factories.DEPTH, finality.Depth(1_000)], ids=["final", "none final"])
def test_a_source_that_starts_beyond_the_head_holds_nobody_up(
    connection: wired.Connection, nursery: factories.Nursery, policy: finality.Policy
) -> None:
    tree = nursery.deploy("Tree", 3)
    nursery.mine(30)
    first = [wired.contract("nursery", factories.ARTIFACTS / "Nursery.json", frozenset([nursery.address]))]
    wired.drain(wired.indexer(connection, nursery.node.url, first, policy))
    more = [
        *first,
        wired.contract("old", factories.ARTIFACTS / "Tree.json", frozenset([tree])),
        wired.contract(
            "planned", factories.ARTIFACTS / "Tree.json", frozenset(["0x" + "12" * 20]), start_block=100_000
        ),
    ]
    wired.drain(wired.indexer(connection, nursery.node.url, more, policy))
    assert len(wired.rows(connection, "old_grew")) == 3
    assert [s.table_name for s in store.read_sources(connection).values() if not s.joined] == []


def test_the_leader_s_row_is_held_until_the_batch_is_committed(
    connection: wired.Connection, pg_url: str
) -> None:
    held, epoch = _lead(connection)
    with psycopg.connect(pg_url, autocommit=True) as other:
        with connection.transaction():
            store.lead_cursor(connection, epoch, held, held)
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("SELECT FROM chain.leader FOR NO KEY UPDATE NOWAIT")
        other.execute("SELECT FROM chain.leader FOR NO KEY UPDATE NOWAIT")


def test_a_batch_that_waited_for_the_next_leader_writes_nothing(
    connection: wired.Connection, pg_url: str
) -> None:
    """Its statement began while its epoch was the leader's."""
    held, epoch = _lead(connection)
    moved = store.Cursor(held.chain_id, held.genesis_hash, 5, "0x" + "05" * 32)
    raised: list[BaseException] = []

    def batch() -> None:
        try:
            with connection.transaction():
                store.lead_cursor(connection, epoch, held, moved, lazily=True)
        except BaseException as error:
            raised.append(error)

    with psycopg.connect(pg_url, autocommit=True) as other:
        waiting = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        with other.transaction():
            other.execute("UPDATE chain.leader SET epoch = epoch + 1")
            thread = threading.Thread(target=batch)
            thread.start()
            while other.execute(waiting, [connection.info.backend_pid]).fetchone() != (True,):
                assert thread.is_alive()
        thread.join()
        assert [type(error) for error in raised] == [store.LeadershipLost]
        assert store.read_cursor(other) == held


def _lead(connection: wired.Connection) -> tuple[store.Cursor, int]:
    connection.execute("SET ROLE chainfirst_daemon")
    held = store.open_cursor(connection, 1, "0x" + "00" * 32)
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    return held, epoch
