"""A fatal end stays to be seen by Prometheus, leads no more, and is over at once when it is asked to be."""

import urllib.request
from pathlib import Path

import psycopg
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.schema import store
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit

FINAL = "SELECT final_number FROM chain.cursor"


def test_finality_violated_is_shown(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path, free_port: int
) -> None:
    address = emit(node, None)
    emit(node, address, 2)
    more = f"[metrics]\nport = {free_port}\n"
    file = processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address, more=more)
    with Running(file) as daemon, psycopg.connect(pg_url, autocommit=True) as connection:
        daemon.has_rows(pg_url, 2)
        node.call_optional("anvil_mine", ["0x8"], object)
        head = int(node.call("eth_blockNumber", [], str), 16)
        while connection.execute(FINAL).fetchone() != (head - 3,):
            assert daemon.process.poll() is None, "".join(daemon.lines)
        node.call_optional("anvil_reorg", [6, []], object)
        node.call_optional("anvil_mine", ["0x1"], object)
        daemon.hears("stopping")
        text = ""
        while 'chainfirst_fatal_error{error="FinalityViolated"} 1.0' not in text:
            with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
                text = answer.read().decode()
        while store.acquire_leadership(connection) is None:  # a stand-by needn't wait for its end
            assert daemon.process.poll() is None, "".join(daemon.lines)
        assert daemon.stops() == 1
        assert "finality violated" in daemon.named("part_stopped")[0]["error"]
