"""The daemon as its user runs it: a process, a config file, a real node and database."""

import json
import random
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, chainfirst, emit


def config_of(directory: Path, url: str, node: Anvil, address: str, events: str = '["Transfer"]') -> Path:
    dead = "http://127.0.0.1:1"
    return processes.write_config(directory, url, [dead, node.ws_url, node.url], address, events)


def test_it_indexes_survives_a_kill_and_stops_on_sigterm(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path
) -> None:
    address = emit(node, None)
    file = config_of(tmp_path, pg_url, fresh_anvil, address)
    emit(node, address, 3)
    with Running(file) as first:
        first.has_rows(pg_url, 3)
        first.process.kill()
    emit(node, address, 4)
    with Running(file) as second:
        second.has_rows(pg_url, 7)
        assert second.stops() == 0
    assert json.loads(second.lines[-1])["event"] == "stopped"
    asked = chainfirst(file, "status", "--json")
    answer = json.loads(asked.communicate()[0])
    assert answer["indexed_number"] == int(node.call("eth_blockNumber", [], str), 16)
    other = config_of(tmp_path, pg_url, fresh_anvil, address, events="[]")
    with Running(other) as refused:
        assert refused.ends() == 78
    assert "token_transfer" in refused.lines[-1]


def test_contracts_that_are_not_deployed_are_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    abi = processes.ABI
    file.write_text(
        '[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'
        f'deployment = "none.json"\n[contracts.token]\nabi = "{abi}"\n'.replace("deployment", "#")
    )
    refused = chainfirst(file, "run")
    _, said = refused.communicate()
    assert refused.returncode == 78
    assert "token" in said
    assert "Traceback" not in said


def indexed_hash(connection: psycopg.Connection[Any]) -> str | None:
    """The cursor's; None if the daemon has not come so far."""
    try:
        row = connection.execute("SELECT indexed_hash FROM chain.cursor").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return None if row is None else row[0]


def run_and_kill(url: str, node: Anvil, endpoint: Endpoint, tmp_path: Path, kills: int, seed: int) -> None:
    """Kill the daemon at random moments of backfill, following and reorganisations; then compare."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    address = emit(endpoint, None)
    file = config_of(tmp_path, url, node, address)
    for _ in range(20):
        emit(endpoint, address, 20)
    endpoint.call_optional("anvil_mine", ["0x96"], object)
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(kills):
            daemon = chainfirst(file, "run")
            try:
                # from before its first statement to well into following
                connection.execute("SELECT pg_sleep(%s)", (dice.uniform(0.3, 2.0),))
                emit(endpoint, address, dice.randint(1, 30))
                if dice.random() < 0.5:
                    endpoint.call_optional("anvil_reorg", [dice.randint(1, 2), []], object)
                emit(endpoint, address, dice.randint(1, 30))
                connection.execute("SELECT pg_sleep(%s)", (dice.uniform(0, 0.4),))
            finally:
                daemon.kill()
                _, said = daemon.communicate()
            assert daemon.returncode == -signal.SIGKILL, said
    wanted: Any = endpoint.call(
        "eth_getLogs", [{"address": address, "fromBlock": "0x0", "toBlock": "latest"}], object
    )
    last = chainfirst(file, "run")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            head = int(endpoint.call("eth_blockNumber", [], str), 16)
            block: Any = endpoint.call("eth_getBlockByNumber", [hex(head), False], object)
            while indexed_hash(connection) != block["hash"]:
                assert last.poll() is None, last.communicate()
                connection.execute("SELECT pg_sleep(0.02)")
            rows = connection.execute(
                "SELECT block_number, tx_hash, log_index, value FROM event.token_transfer ORDER BY 1, 3"
            ).fetchall()
    finally:
        last.kill()
        last.communicate()
    assert rows == [
        (
            int(log["blockNumber"], 16),
            log["transactionHash"],
            int(log["logIndex"], 16),
            int(log["data"], 16),
        )
        for log in wanted
    ]


def test_killed_at_random_moments_it_loses_and_repeats_nothing(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path
) -> None:
    run_and_kill(pg_url, fresh_anvil, node, tmp_path, kills=6, seed=7)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 105))
def test_killed_often(pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path, seed: int) -> None:
    run_and_kill(pg_url, fresh_anvil, node, tmp_path, kills=40, seed=seed)
