"""The running daemon's page: of one that leads, of one that stands by, of one whose database is away."""

import contextlib
import json
import socket
import urllib.error
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
from psycopg import sql


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Four that nothing uses at this moment."""
    with contextlib.ExitStack() as taken:
        found = [taken.enter_context(socket.socket()) for _ in range(4)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        numbers = [int(each.getsockname()[1]) for each in found]
    yield numbers


def ask(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def until(daemon: Running, port: int, path: str, **wanted: Any) -> Any:
    """Ask until the answer holds that; the test's own time-out is the limit."""
    while daemon.process.poll() is None:
        with contextlib.suppress(urllib.error.URLError):  # it is just starting
            _, found = ask(port, path)
            if wanted.items() <= found.items():
                return found
    raise AssertionError("".join(daemon.lines))


def test_the_page_of_a_leader_and_of_one_that_stands_by(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path, ports: list[int]
) -> None:
    address = emit(node, None)
    emit(node, address, 3)
    files = []
    for name, (page, metrics) in {"first": ports[:2], "second": ports[2:]}.items():
        (tmp_path / name).mkdir()
        more = f"[metrics]\nport = {metrics}\n[page]\nport = {page}\n"
        files.append(processes.write_config(tmp_path / name, pg_url, [fresh_anvil.url], address, more=more))
    with Running(files[0]) as leader, socket.socket() as hung:
        leader.has_rows(pg_url, 3)
        found = until(leader, ports[0], "/status", verdict="well", leads=True)
        assert (
            found["chain"]["indexed"]
            == found["chain"]["head"]
            == int(node.call("eth_blockNumber", [], str), 16)
        )
        assert (found["parts"]["platform"], found["led"]) == (None, True)
        assert found["parts"]["recent"]["events"][0]["event"] == "Transfer(address,address,uint256)"
        (endpoint,) = found["endpoints"]
        assert (endpoint["name"], endpoint["usable"]) == (fresh_anvil.url, True)
        assert ask(ports[0], "/readyz") == (200, {"ready": True, "reasons": []})
        assert ask(ports[1], "/healthz") == (200, {"alive": True})
        for port in ports[:2]:  # one server, whichever port
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                assert b"chainfirst_indexed_block" in answer.read()
        assert ask(ports[0], "/certificates/x")[0] == 404

        hung.connect(("127.0.0.1", ports[0]))
        hung.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert hung.recv(12) == b"HTTP/1.1 200"
        with Running(files[1]) as second:
            found = until(second, ports[2], "/status", verdict="well", leads=False)
            assert (found["led"], ask(ports[2], "/readyz")[0]) == (True, 200)
            assert leader.stops() == 0  # though somebody watches, and reads nothing
            until(second, ports[2], "/status", leads=True)
            assert second.stops() == 0


def test_a_database_that_is_away_is_said_and_logged(
    pg_cluster: Cluster, pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path, ports: list[int]
) -> None:
    address = emit(node, None)
    more = f"[page]\nport = {ports[0]}\n"
    file = processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address, more=more)
    with Running(file) as daemon, psycopg.connect(pg_cluster.url(), autocommit=True) as connection:
        daemon.hears("caught_up")
        until(daemon, ports[0], "/status", verdict="well")
        name = psycopg.conninfo.conninfo_to_dict(pg_url)["dbname"]
        assert isinstance(name, str)
        allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        found = until(daemon, ports[0], "/status", verdict="down")
        assert found["reasons"] == [found["database_error"]]
        assert ask(ports[0], "/readyz")[0] == 503
        assert ask(ports[0], "/healthz")[0] == 200
        daemon.hears("database_lost")
        while "database_lost" not in {each["event"] for each in found["troubles"]}:  # a look before that line
            found = until(daemon, ports[0], "/status", verdict="down")
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
        until(daemon, ports[0], "/readyz", ready=True)
        found = until(daemon, ports[0], "/status", verdict="well")
        assert found["troubles"][0]["event"] == "recovered"
        assert daemon.stops() == 0
