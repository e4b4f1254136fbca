"""What systemd hears of a daemon: ready, block and lag, signs of life until it hangs, stopping."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.schema import migrate
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from chainfirst.tests.indexer.served import Proxy
from chainfirst.tests.ops.listening import Ear

WATCHDOG_SECONDS = 1.0


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear() as found:
        yield found


@pytest.fixture
def address(node: Endpoint) -> str:
    found = emit(node, None)
    emit(node, found, 2)
    return found


def environ(ear: Ear) -> dict[str, str]:
    return {"NOTIFY_SOCKET": ear.address, "WATCHDOG_USEC": str(round(WATCHDOG_SECONDS * 1e6))}


def test_it_is_ready_says_how_far_it_is_and_is_fed_while_the_chain_is_idle(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, address: str, tmp_path: Path, ear: Ear
) -> None:
    file = processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address)
    with Running(file, **environ(ear)) as daemon:
        ear.hears("READY=1")
        assert "STATUS=migrating the database" in ear.heard
        assert ear.heard.index("STATUS=migrating the database") < ear.heard.index("READY=1")
        assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in ear.heard)
        daemon.has_rows(pg_url, 2)
        ear.hears("STATUS=block 2, at the head")
        for _ in range(4):  # nothing happens on this chain, and it is alive
            ear.hears("WATCHDOG=1")
        with Running(file, NOTIFY_SOCKET=ear.address) as second:
            ear.hears("READY=1")
            ear.hears("STATUS=stands by: another daemon leads this database")
            assert second.stops() == 0
            ear.hears("STOPPING=1")
        assert daemon.stops() == 0
        ear.hears("STOPPING=1")


def test_a_step_that_never_ends_is_no_life_though_heads_arrive(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, address: str, tmp_path: Path, ear: Ear
) -> None:
    proxy, asked, release = Proxy(fresh_anvil.url), threading.Event(), threading.Event()

    def hang(_: object, forward: Any) -> Any:
        asked.set()
        release.wait()
        return []

    file = processes.write_config(tmp_path, pg_url, [proxy.url, fresh_anvil.ws_url], address)
    try:
        with Running(file, **environ(ear)) as daemon:
            daemon.has_rows(pg_url, 2)
            ear.hears("WATCHDOG=1")
            proxy.rules = {"eth_getLogs": hang}
            emit(node, address, 1)
            asked.wait()
            while (lines := ear.next(WATCHDOG_SECONDS)) is not None and "WATCHDOG=1" in lines:
                pass  # what was due before it hung
            fed = ear.heard.count("WATCHDOG=1")
            for behind in range(2, 5):
                emit(node, address, 1)
                ear.hears(f"STATUS=block 2, {behind} behind the head")
            assert ear.next(WATCHDOG_SECONDS * 1.5) is None
            assert ear.heard.count("WATCHDOG=1") == fed
            # as systemd does then; where it hung is in the log
            daemon.process.send_signal(6)
            assert daemon.ends() == -6
            assert any("Fatal Python error: Aborted" in line for line in daemon.lines)
    finally:
        release.set()
        proxy.close()


def test_a_lock_that_holds_up_the_migration_is_waited_for(
    pg_url: str, fresh_anvil: Anvil, address: str, tmp_path: Path, ear: Ear
) -> None:
    file = processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address)
    with psycopg.connect(pg_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [migrate.LOCK])
        with Running(file, **environ(ear)) as daemon:
            ear.hears("STATUS=migrating the database")
            assert ear.next(0.5) is None
            other.execute("SELECT pg_advisory_unlock(%s)", [migrate.LOCK])
            ear.hears("READY=1")
            assert daemon.stops() == 0


def test_why_it_did_not_start_stays_in_the_status(pg_url: str, tmp_path: Path, ear: Ear) -> None:
    file = processes.write_config(tmp_path, pg_url, ["http://127.0.0.1:1"], "any")
    with Running(file, **environ(ear)) as daemon:
        assert daemon.ends() == 68
        assert ear.until(lambda line: line.startswith("STATUS=the endpoint http://127.0.0.1:1"))
        assert "READY=1" not in ear.heard
