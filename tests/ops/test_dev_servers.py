"""The development servers as real processes: start twice, stale notes, deep folders, kills."""

import json
import os
import pwd
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest
from chainfirst.ops import errors
from chainfirst.ops.dev import processes
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster

INSTALLATION = Path(__file__).parents[2] / ".chainfirst" / "node" / "anvil"


def rpc(url: str, method: str, *params: object) -> object:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["result"]


def test_a_fresh_database_for_each_test(pg_url: str) -> None:
    with psycopg.connect(pg_url) as connection:
        connection.execute("CREATE TABLE t ()")
        assert connection.info.server_version >= 180000
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_cluster_keeps_its_data_and_starts_once(server_dir: Path) -> None:
    deep = server_dir / "it's, odd" / ("deep" * 20)
    cluster = Cluster(deep, {"fsync": "off"})
    assert cluster.stop() is None
    assert cluster.start()
    assert not Cluster(deep).start()
    assert cluster.ensure_database("kept")
    assert cluster.pid() is not None
    assert cluster.stop() is not None
    assert cluster.pid() is None
    # the pid file of a crash, whose pid now belongs to another program
    (deep / "pg" / "postmaster.pid").write_text(f"{os.getpid()}\n{deep}/pg\n")
    assert cluster.pid() is None
    assert cluster.start()
    assert not cluster.ensure_database("kept")
    cluster.stop()


def test_servers_outlive_a_killed_starter(server_dir: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
Cluster(Path({str(server_dir)!r}), {{"fsync": "off"}}).start()
Anvil(Path({str(server_dir)!r}), install_directory=Path({str(INSTALLATION)!r})).start()
os.killpg(0, signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], start_new_session=True, check=False)
    assert done.returncode == -signal.SIGKILL
    cluster, node = Cluster(server_dir), Anvil(server_dir, install_directory=INSTALLATION)
    assert not cluster.start()
    assert not node.start()
    assert cluster.ensure_database("x")
    assert rpc(node.url, "eth_chainId") == hex(31337)
    assert cluster.stop()
    assert node.stop()
    assert node.stop() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_cluster_of_an_ordinary_user(server_dir: Path, pg_cluster: Cluster) -> None:
    # Python itself may lie where only root can read: import first, then become somebody else
    nobody = pwd.getpwnam("nobody")
    os.chown(server_dir, nobody.pw_uid, nobody.pw_gid)
    script = f"""
import os, psycopg
from pathlib import Path
from chainfirst.ops.dev.postgres import Cluster
psycopg.connect({pg_cluster.url()!r}).close()
os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})
cluster = Cluster(Path({str(server_dir)!r}), {{"fsync": "off"}})
assert cluster.start()
assert cluster.ensure_database("x")
assert cluster.stop()
"""
    command, environ = [sys.executable, "-c", script], os.environ | {"HOME": str(server_dir)}
    done = subprocess.run(command, env=environ, cwd=server_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_anvil_finality_follows_the_slots(fresh_anvil: Anvil) -> None:
    rpc(fresh_anvil.url, "anvil_mine", "0x5")
    block = rpc(fresh_anvil.url, "eth_getBlockByNumber", "finalized", False)
    assert isinstance(block, dict)
    assert block["number"] == "0x3"


def test_anvil_makes_blocks_by_itself_and_at_once_for_a_transaction(server_dir: Path) -> None:
    node = Anvil(server_dir, block_time_seconds=3600, install_directory=INSTALLATION)
    node.start()
    accounts = rpc(node.url, "eth_accounts")
    assert isinstance(accounts, list)
    sent = rpc(node.url, "eth_sendTransaction", {"from": accounts[0], "to": accounts[1]})
    while rpc(node.url, "eth_getTransactionReceipt", sent) is None:
        pass
    node.stop()
    node = Anvil(server_dir, block_time_seconds=0.2, install_directory=INSTALLATION)
    node.start()
    while rpc(node.url, "eth_getBlockByNumber", "0x4", False) is None:
        pass
    assert re.fullmatch("0x[0-9a-f]{64}", node.writer_key)
    node.stop()
    with pytest.raises(errors.ConfigError, match="dev up"):
        _ = node.writer_key


def test_anvil_comes_back_at_its_port_and_ignores_a_recycled_pid(server_dir: Path) -> None:
    node = Anvil(server_dir, chain_id=7, block_time_seconds=0.5, install_directory=INSTALLATION)
    node.start()
    url = node.url
    assert rpc(url, "eth_chainId") == "0x7"
    node.stop()
    note = json.loads((server_dir / "dev.json").read_text())
    note["anvil"]["pid"] = os.getpid()
    (server_dir / "dev.json").write_text(json.dumps(note))
    assert node.stop() is None
    with pytest.raises(errors.ConfigError, match="dev up"):
        _ = node.url
    assert node.start()
    assert node.url == url
    taken = Anvil(server_dir / "other", port=int(url.rsplit(":", 1)[1]), install_directory=INSTALLATION)
    with pytest.raises(errors.ConfigError, match="is taken"):
        taken.start()


def test_anvil_that_cannot_start_says_why(server_dir: Path) -> None:
    node = Anvil(server_dir, arguments=["--no-such-option"], install_directory=INSTALLATION)
    with pytest.raises(errors.FatalError, match="anvil ended at once"):
        node.start()
    assert node.running() is None


def test_find_wants_the_whole_command_line() -> None:
    me = psutil.Process()
    assert processes.find(me.pid, me.cmdline()[0]) == me
    assert processes.find(me.pid, "another program") is None
    assert processes.find(me.pid, me.cmdline()[0], directory=Path("/elsewhere")) is None
