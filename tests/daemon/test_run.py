"""The daemon as its user runs it: a process, a config file, a real node and database."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil

ROOT = Path(__file__).parent.parent.parent
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def write_config(directory: Path, url: str, node: Anvil, address: str, events: str = '["Transfer"]') -> Path:
    file = directory / "config.toml"
    abi = ROOT / "contracts" / "artifacts" / "Burst.json"
    file.write_text(
        f'[platform]\nenabled = false\n[database]\nurl = "{url}"\n'
        f"[chain]\nchain_id = 31337\nfinality = 3\n"
        f'endpoints = ["http://127.0.0.1:1", "{node.ws_url}", "{node.url}"]\n'  # the first is dead
        f'[contracts.token]\nabi = "{abi}"\naddress = "{address}"\nevents = {events}\n'
    )
    return file


def chainfirst(file: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "chainfirst.daemon", "--config", str(file), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def emit(node: Endpoint, emitter: str | None, count: int = 0) -> str:
    """Deploy the emitter, or emit `count` transfers; mined when it returns."""
    artifact = json.loads((ROOT / "contracts" / "artifacts" / "Burst.json").read_text())
    data = artifact["bytecode"] if emitter is None else f"0x{SELECTOR}{count:064x}"
    call = {"from": SENDER, "data": data, "gas": hex(5_000_000)} | ({"to": emitter} if emitter else {})
    sent: Any = node.call_optional("eth_sendTransaction", [call], object)
    node.call_optional("anvil_mine", ["0x1"], object)
    receipt: Any = node.call("eth_getTransactionReceipt", [sent], object)
    return str(receipt["contractAddress"]).lower()


def selector() -> str:
    from eth_hash.auto import keccak

    return keccak(b"emitBurst(uint256)")[:4].hex()


SELECTOR = selector()


@pytest.fixture
def node(fresh_anvil: Anvil) -> Endpoint:
    endpoint = Endpoint(fresh_anvil.url)
    endpoint.call_optional("evm_setAutomine", [False], object)
    return endpoint


def wait_for_rows(url: str, daemon: "subprocess.Popen[str]", wanted: int) -> None:
    """Until the table holds `wanted` rows; the test's own time-out is the limit."""
    with psycopg.connect(url, autocommit=True) as connection:
        while daemon.poll() is None:
            try:
                row = connection.execute("SELECT count(*) FROM event.token_transfer").fetchone()
            except psycopg.errors.UndefinedTable:
                row = None
            if row == (wanted,):
                return
            connection.execute("SELECT pg_sleep(0.02)")
    raise AssertionError(f"the daemon ended: {daemon.communicate()}")


def test_it_indexes_survives_a_kill_and_stops_on_sigterm(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path
) -> None:
    address = emit(node, None)
    file = write_config(tmp_path, pg_url, fresh_anvil, address)
    emit(node, address, 3)
    first = chainfirst(file, "run")
    try:
        wait_for_rows(pg_url, first, 3)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    emit(node, address, 4)
    second = chainfirst(file, "run")
    try:
        wait_for_rows(pg_url, second, 7)
        second.send_signal(signal.SIGTERM)
        _, said = second.communicate(timeout=5)
    finally:
        second.kill()
        second.wait()
    assert second.returncode == 0
    assert json.loads(said.splitlines()[-1])["event"] == "stopped"
    asked = chainfirst(file, "status", "--json")
    answer = json.loads(asked.communicate()[0])
    assert answer["indexed_number"] == int(node.call("eth_blockNumber", [], str), 16)
    other = write_config(tmp_path, pg_url, fresh_anvil, address, events="[]")
    refused = chainfirst(other, "run")
    assert "token_transfer" in refused.communicate()[1]
    assert refused.returncode == 78


def test_contracts_that_are_not_deployed_are_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    abi = ROOT / "contracts" / "artifacts" / "Burst.json"
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
    file = write_config(tmp_path, url, node, address)
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
