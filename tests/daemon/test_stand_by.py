"""A second daemon takes over in time, and never do two write or send."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from chainfirst.tests.daemon.test_writing import KEY, WRITER, reaches, submit

TAKES_OVER_SECONDS = 5.0
SENDER = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"


@pytest.fixture
def config(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("WRITING_TEST_KEY", KEY)
    return processes.write_config(tmp_path, pg_url, [fresh_anvil.url], emit(node, None), more=WRITER)


@pytest.fixture
def app(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def mine(node: Endpoint, blocks: int) -> None:
    node.call_optional("anvil_mine", [hex(blocks)], object)


def nonce(node: Endpoint) -> int:
    found: Any = node.call("eth_getTransactionCount", [SENDER, "latest"], object)
    return int(found, 16)


def test_it_takes_over_from_a_killed_leader_in_time_and_sends_what_that_one_signed(
    config: Path, node: Endpoint, app: psycopg.Connection[Any]
) -> None:
    with Running(config) as leader:
        leader.hears("leading")
        with Running(config) as second:
            second.hears("standing_by")
            submit(app, "before")
            reaches(app, "sent", 1, leader)
            node.call_optional("anvil_dropAllTransactions", [], object)
            killed = time.monotonic()
            leader.process.kill()
            second.hears("leading")
            assert time.monotonic() - killed < TAKES_OVER_SECONDS
            submit(app, "after")
            reaches(app, "sent", 2, second)
            while nonce(node) < 2:  # the dropped one comes again after some blocks
                mine(node, 1)
                app.execute("SELECT pg_sleep(0.05)")
            mine(node, 3)
            reaches(app, "confirmed", 2, second)
            assert second.stops() == 0
    assert nonce(node) == 2
    assert app.execute("SELECT count(*) FROM event.token_transfer").fetchone() == (6,)


def test_a_stopped_leader_that_wakes_up_after_it_lost_the_lead_sends_and_writes_nothing(
    config: Path, node: Endpoint, app: psycopg.Connection[Any]
) -> None:
    with Running(config) as leader, Running(config) as second:
        first, then = (leader, second) if leader.hears_either("leading", "standing_by") else (second, leader)
        then.hears("standing_by")
        submit(app, "seen by both")
        reaches(app, "sent", 1, first)
        first.process.send_signal(signal.SIGSTOP)
        try:
            # the session that leads alone: its lane's is as it was, and must find out by the epoch
            ended = app.execute(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                " WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()"
            ).fetchall()
            assert ended == [(True,)]
            then.hears("leading")
            for number in range(3):
                submit(app, f"after the change {number}")
            reaches(app, "sent", 4, then)
            hashes = app.execute("SELECT hash FROM intent.attempts ORDER BY 1").fetchall()
        finally:
            first.process.send_signal(signal.SIGCONT)
        first.hears_either("database_lost", "part_stopped")  # it stands by again, or ends: both write nothing
        mine(node, 1)
        reaches(app, "included", 4, then)
        mine(node, 3)
        reaches(app, "confirmed", 4, then)
        assert app.execute("SELECT hash FROM intent.attempts ORDER BY 1").fetchall() == hashes
        assert (nonce(node), len(first.named("leading"))) == (4, 1)
        assert app.execute("SELECT epoch FROM chain.leader").fetchone() == (2,)
        assert then.stops() == 0
