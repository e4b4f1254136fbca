"""The running daemon when things go wrong around it: another daemon, no database, a node that hangs."""

import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from chainfirst.tests.indexer.served import Proxy


@pytest.fixture
def address(node: Endpoint) -> str:
    """An emitter that has emitted two transfers."""
    found = emit(node, None)
    emit(node, found, 2)
    return found


@pytest.fixture
def config(pg_url: str, fresh_anvil: Anvil, address: str, tmp_path: Path) -> Path:
    return processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address)


def test_a_second_daemon_stands_by_and_takes_over(
    pg_url: str, config: Path, node: Endpoint, address: str
) -> None:
    with Running(config) as leader:
        leader.has_rows(pg_url, 2)
        with Running(config) as second, Running(config) as third:
            for each in (second, third):
                each.hears("standing_by")
            assert third.stops() == 0
            leader.process.kill()
            assert second.hears("leading")["epoch"] == leader.hears("leading")["epoch"] + 1
            emit(node, address, 3)
            second.has_rows(pg_url, 5)
            assert len(second.named("standing_by")) == 1
            assert second.stops() == 0


def test_a_leader_that_lost_its_epoch_writes_nothing_and_ends_with_75(
    pg_url: str, config: Path, node: Endpoint, address: str
) -> None:
    with Running(config) as daemon, psycopg.connect(pg_url, autocommit=True) as connection:
        daemon.has_rows(pg_url, 2)
        connection.execute("UPDATE chain.leader SET epoch = epoch + 1")
        emit(node, address, 3)
        assert daemon.ends() == 75
        assert "another daemon leads" in daemon.named("part_stopped")[0]["error"]
        assert connection.execute("SELECT count(*) FROM event.token_transfer").fetchone() == (2,)


def test_a_terminated_session_is_opened_again(
    pg_url: str, config: Path, node: Endpoint, address: str
) -> None:
    with Running(config) as daemon, psycopg.connect(pg_url, autocommit=True) as connection:
        daemon.has_rows(pg_url, 2)
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'chainfirst indexer' AND datname = current_database()"
        ).fetchall()
        assert ended == [(True,)]
        daemon.hears("leading", times=2)
        emit(node, address, 3)
        daemon.has_rows(pg_url, 5)
        assert [line["failing"] for line in daemon.named("recovered")] == ["database_lost"]
        assert daemon.stops() == 0


def test_it_waits_for_a_database_that_is_gone(
    server_dir: Path, fresh_anvil: Anvil, node: Endpoint, address: str, tmp_path: Path
) -> None:
    cluster = Cluster(server_dir, {"fsync": "off"})
    cluster.start()
    file = processes.write_config(tmp_path, cluster.url(), [fresh_anvil.url], address)
    with Running(file) as daemon:
        daemon.has_rows(cluster.url(), 2)
        cluster.stop()
        daemon.hears("database_lost")
        emit(node, address, 3)
        cluster.start()
        daemon.has_rows(cluster.url(), 5)
        daemon.hears("recovered")
        assert len(daemon.named("database_lost")) == 1  # one line for the outage, not one for each try
        cluster.stop()
        daemon.hears("database_lost", times=2)
        assert daemon.stops() == 0


def waiting_for_a_lock(connection: psycopg.Connection[Any], daemon: Running) -> None:
    """Until the daemon's session waits for a lock."""
    while daemon.process.poll() is None:
        row = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'chainfirst indexer'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        if row:
            return
        connection.execute("SELECT pg_sleep(0.02)")
    raise AssertionError("".join(daemon.lines))


def test_sigterm_in_the_middle_of_a_batch_leaves_nothing_half_written(
    pg_url: str, config: Path, node: Endpoint, address: str
) -> None:
    with (
        Running(config) as daemon,
        psycopg.connect(pg_url, autocommit=True) as observer,
        psycopg.connect(pg_url) as blocker,
    ):
        daemon.has_rows(pg_url, 2)
        before = observer.execute("SELECT * FROM chain.cursor").fetchall()
        blocker.execute("SELECT 1 FROM chain.cursor FOR UPDATE")
        emit(node, address, 3)
        waiting_for_a_lock(observer, daemon)
        assert daemon.stops() == 0
        assert daemon.named("abandoned") == []
        blocker.rollback()
        assert observer.execute("SELECT * FROM chain.cursor").fetchall() == before
        assert observer.execute("SELECT count(*) FROM event.token_transfer").fetchone() == (2,)


@pytest.fixture
def hanging(fresh_anvil: Anvil) -> "Iterator[tuple[Proxy, threading.Semaphore]]":
    """A proxy that answers neither the indexer's eth_getLogs nor the checks' eth_blockNumber; the
    semaphore counts who asked."""
    proxy, asked, release = Proxy(fresh_anvil.url), threading.Semaphore(0), threading.Event()

    def hang(_: object, forward: Any) -> Any:
        asked.release()
        release.wait()
        return []

    proxy.rules = {"eth_getLogs": hang, "eth_blockNumber": hang}
    try:
        yield proxy, asked
    finally:
        release.set()
        proxy.close()


def test_sigterm_while_a_node_hangs(
    pg_url: str, hanging: tuple[Proxy, threading.Semaphore], address: str, tmp_path: Path
) -> None:
    proxy, asked = hanging
    file = processes.write_config(tmp_path, pg_url, [proxy.url], address)
    with Running(file) as daemon:
        for _ in range(2):
            asked.acquire()
        assert daemon.stops() == 0
        assert daemon.named("abandoned")[0]["threads"] == ["indexer", "jobs"]
    with Running(file) as impatient:
        for _ in range(2):
            asked.acquire()
        impatient.process.send_signal(signal.SIGINT)
        impatient.hears("stopping")
        assert impatient.stops(signal.SIGINT) == -signal.SIGINT
        assert impatient.named("stopped") == []


def test_a_bug_ends_the_process_with_1_and_a_traceback(
    pg_url: str, config: Path, node: Endpoint, address: str
) -> None:
    with Running(config) as daemon, psycopg.connect(pg_url, autocommit=True) as connection:
        daemon.has_rows(pg_url, 2)
        connection.execute("ALTER TABLE event.token_transfer RENAME TO gone")
        emit(node, address, 3)
        assert daemon.ends() == 1
        (died,) = daemon.named("part_died")
        assert died["exception"][0]["exc_type"] == "UndefinedTable"
        assert pg_url not in "".join(daemon.lines)


def test_metrics_are_served_and_jobs_run(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, address: str, tmp_path: Path, free_port: int
) -> None:
    more = f"[metrics]\nport = {free_port}\n"
    endpoints = [fresh_anvil.url, fresh_anvil.ws_url]
    file = processes.write_config(tmp_path, pg_url, endpoints, address, more=more)
    with Running(file) as daemon:
        daemon.has_rows(pg_url, 2)
        daemon.hears("caught_up")
        text = ""
        while 'chainfirst_last_job_timestamp_seconds{task="check_endpoints"}' not in text:
            with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
                text = answer.read().decode()
        for line in (
            'chainfirst_events_total{contract="token",event="transfer"} 2.0',
            f"chainfirst_indexed_block {int(node.call('eth_blockNumber', [], str), 16)}.0",
            "chainfirst_leader 1.0",
            "chainfirst_database_reachable 1.0",
            f'chainfirst_endpoint_usable{{endpoint="{fresh_anvil.url}"}} 1.0',
            'chainfirst_build_info{chain_id="31337",name="",version="0.1.0"} 1.0',
        ):
            assert line in text.splitlines()
        with Running(file) as second:  # the port is taken
            assert second.ends() == 78
            assert "metrics.port" in second.lines[-1]
        assert daemon.stops() == 0
