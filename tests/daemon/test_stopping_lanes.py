"""SIGTERM while a lane works, or hangs: it ends in time, and what it began is finished later, once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from chainfirst.tests.daemon.test_writing import KEY, submit
from chainfirst.tests.indexer.served import Proxy
from chainfirst.tests.writers.web3signer_server import Web3SignerServer
from eth_account import Account

pytestmark = pytest.mark.apps  # each waits out the time that a stop may take
SIGNER = Account.from_key(KEY).address.lower()
SIZES = (2, 3, 5, 7)


@pytest.fixture
def address(node: Endpoint) -> str:
    return emit(node, None)


@pytest.fixture
def app(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def configured(
    pg_url: str, fresh_anvil: Anvil, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """The settings with this node and this signer."""
    monkeypatch.setenv("STOPPING_TEST_KEY", KEY)

    def write(url: str = fresh_anvil.url, signer: str = "env:STOPPING_TEST_KEY") -> Path:
        more = f'[writer]\nsigner = "{signer}"\ncalls = ["token.emitBurst"]\n'
        return processes.write_config(tmp_path, pg_url, [url, fresh_anvil.ws_url], address, more=more)

    return write


@pytest.fixture
def proxy(fresh_anvil: Anvil) -> Iterator[Proxy]:
    made = Proxy(fresh_anvil.url)
    try:
        yield made
    finally:
        made.close()


def wish(app: psycopg.Connection[Any]) -> None:
    with app.transaction():
        for size in SIZES:
            submit(app, f"burst {size}", size)


def is_done_once(file: Path, app: psycopg.Connection[Any], node: Endpoint, address: str) -> None:
    """Another daemon finishes all of it, and each is there once."""
    with Running(file) as daemon:
        while app.execute("SELECT FROM intent.intents WHERE outcome IS NULL").fetchone() is not None:
            assert daemon.process.poll() is None, "".join(daemon.lines)
            if is_seen(app, node):
                node.call_optional("anvil_mine", ["0x1"], object)
            app.execute("SELECT pg_sleep(0.02)")
        assert daemon.stops() == 0
    assert app.execute("SELECT DISTINCT outcome FROM intent.intents").fetchall() == [("confirmed",)]
    logs: Any = node.call("eth_getLogs", [{"fromBlock": "0x0", "address": address}], object)
    assert sorted(Counter(each["transactionHash"] for each in logs).values()) == list(SIZES)
    assert node.call("eth_getTransactionCount", [SIGNER, "latest"], str) == hex(len(SIZES))
    nonces = app.execute("SELECT nonce FROM intent.transactions ORDER BY nonce").fetchall()
    assert [nonce for (nonce,) in nonces] == list(range(len(SIZES)))


def is_seen(app: psycopg.Connection[Any], node: Endpoint) -> bool:
    """The index is at the head, and nothing is left to send."""
    head = int(node.call("eth_blockNumber", [], str), 16)
    row = app.execute(
        "SELECT indexed_number FROM chain.cursor WHERE NOT EXISTS"
        " (SELECT FROM intent.overview WHERE status IN ('pending', 'signed'))"
    ).fetchone()
    return row == (head,)


@pytest.mark.parametrize(
    ("method", "nth"),
    [
        ("eth_call", 2),
        ("eth_sendRawTransaction", 1),
        ("eth_sendRawTransaction", 3),
    ],
)
def test_sigterm_while_a_node_hangs_in_the_middle_of_a_batch(
    proxy: Proxy,
    configured: Callable[..., Path],
    app: psycopg.Connection[Any],
    node: Endpoint,
    address: str,
    method: str,
    nth: int,
) -> None:
    """What it hangs in has its effect all the same."""
    asked, release, left = threading.Event(), threading.Event(), [nth]

    def hang(_: object, forward: Callable[[], Any]) -> Any:
        found = forward()
        left[0] -= 1
        if left[0] <= 0:
            asked.set()
            release.wait()
        return found

    proxy.rules = {method: hang}
    try:
        with Running(configured(proxy.url)) as daemon:
            daemon.hears("caught_up")
            wish(app)
            asked.wait()
            assert daemon.stops() == 0
            assert daemon.named("abandoned")[0]["threads"] == ["lane default"]
    finally:
        release.set()
    if method != "eth_sendRawTransaction":
        assert app.execute("SELECT count(*) FROM intent.transactions").fetchone() == (0,)
    is_done_once(configured(), app, node, address)


def test_sigterm_while_a_remote_signer_hangs(
    configured: Callable[..., Path], app: psycopg.Connection[Any], node: Endpoint, address: str
) -> None:
    with Web3SignerServer(KEY) as remote, Running(configured(signer=at(remote))) as daemon:
        daemon.hears("caught_up")
        remote.mode = "hang"
        wish(app)
        while "eth_signTransaction" not in {each["method"] for each in remote.requests}:
            app.execute("SELECT pg_sleep(0.02)")
        # it holds no lock meanwhile, and the indexer goes on
        assert sessions(app) == [("idle", None)]
        node.call_optional("anvil_mine", ["0x1"], object)
        head = int(node.call("eth_blockNumber", [], str), 16)
        while app.execute("SELECT indexed_number FROM chain.cursor").fetchone() != (head,):
            app.execute("SELECT pg_sleep(0.02)")
        assert daemon.stops() == 0
        assert daemon.named("abandoned")[0]["threads"] == ["lane default"]
    assert app.execute("SELECT count(*) FROM intent.transactions").fetchone() == (0,)
    with Web3SignerServer(KEY) as remote:
        is_done_once(configured(signer=at(remote)), app, node, address)


def at(remote: Web3SignerServer) -> str:
    return f"web3signer:{remote.url}#{SIGNER}"


def sessions(app: psycopg.Connection[Any]) -> list[Any]:
    """The lane's: what it does, and what it waits for."""
    return app.execute(
        "SELECT state, CASE WHEN state = 'active' THEN wait_event_type END FROM pg_stat_activity"
        " WHERE application_name LIKE '%: lane default' AND datname = current_database()"
    ).fetchall()


@pytest.mark.parametrize(
    ("lock", "prepared"),
    [
        ("SELECT 1 FROM chain.cursor FOR UPDATE", 0),
        ("LOCK TABLE intent.transactions IN SHARE MODE", len(SIZES)),
    ],
)
def test_sigterm_while_a_lane_waits_for_a_lock(
    pg_url: str,
    configured: Callable[..., Path],
    app: psycopg.Connection[Any],
    node: Endpoint,
    address: str,
    lock: str,
    prepared: int,
) -> None:
    """Nothing is half-written, and nobody is left behind."""
    with Running(configured()) as daemon, psycopg.connect(pg_url) as blocker:
        daemon.hears("caught_up")
        app.execute("INSERT INTO intent.pauses (subject) VALUES ('*')")
        wish(app)
        blocker.execute(lock.encode())
        app.execute("DELETE FROM intent.pauses")
        while sessions(app) != [("active", "Lock")]:
            app.execute("SELECT pg_sleep(0.02)")
        assert daemon.stops() == 0
        assert daemon.named("abandoned") == []
    assert app.execute("SELECT count(call_to) FROM intent.intents").fetchone() == (prepared,)
    assert app.execute("SELECT count(*) FROM intent.transactions").fetchone() == (0,)
    is_done_once(configured(), app, node, address)


def test_sigterm_while_a_lane_is_busy(
    configured: Callable[..., Path], app: psycopg.Connection[Any], node: Endpoint, address: str
) -> None:
    """What it hasn't sent yet is stored."""
    with Running(configured()) as daemon:
        daemon.hears("caught_up")
        wish(app)
        daemon.hears("sent")
        assert daemon.stops() == 0
        assert daemon.named("abandoned") == []
    assert app.execute("SELECT count(*) FROM intent.transactions").fetchone() == (len(SIZES),)
    is_done_once(configured(), app, node, address)
