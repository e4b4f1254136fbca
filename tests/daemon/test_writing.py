"""The daemon as its user runs it, with a key: from SQL to the chain and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from psycopg.types.json import Jsonb

# anvil's second account, for development alone
KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
WRITER = '[writer]\nsigner = "env:WRITING_TEST_KEY"\ncalls = ["token.emitBurst"]\n'


@pytest.fixture
def address(node: Endpoint) -> str:
    return emit(node, None)


@pytest.fixture
def config(
    pg_url: str, fresh_anvil: Anvil, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("WRITING_TEST_KEY", KEY)
    return processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address, more=WRITER)


@pytest.fixture
def app(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def submit(app: psycopg.Connection[Any], key: str, count: int = 3) -> str:
    wanted = {"contract": "token", "function": "emitBurst", "arguments": [str(count)], "event": "Transfer"}
    row = app.execute("SELECT intent.submit('contract.call', %s, %s)", [Jsonb(wanted), key]).fetchone()
    assert row is not None
    return str(row[0])


def reaches(app: psycopg.Connection[Any], status: str, count: int, daemon: Running) -> None:
    """Wait until so many intents have the status; the test's own time-out is the limit."""
    statement = "SELECT count(*) FROM intent.overview WHERE status = %s"
    while app.execute(statement, [status]).fetchone() != (count,):
        assert daemon.process.poll() is None, "".join(daemon.lines)
        app.execute("SELECT pg_sleep(0.02)")


def test_from_sql_to_the_chain_and_back(config: Path, node: Endpoint, app: psycopg.Connection[Any]) -> None:
    with Running(config) as daemon:
        daemon.hears("leading")
        for number in range(5):
            submit(app, f"burst {number}")
        reaches(app, "sent", 5, daemon)
        node.call_optional("anvil_mine", ["0x1"], object)
        reaches(app, "included", 5, daemon)
        node.call_optional("anvil_mine", ["0x3"], object)
        reaches(app, "confirmed", 5, daemon)
        assert daemon.stops() == 0
        assert KEY[2:] not in "".join(daemon.lines)
    assert app.execute("SELECT count(*) FROM event.token_transfer").fetchone() == (15,)
