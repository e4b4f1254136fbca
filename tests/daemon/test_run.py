"""The daemon as its user runs it: a process, a config file, a real node and database."""

import json
from pathlib import Path

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
