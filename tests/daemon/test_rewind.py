"""rewind as the operator does it, between two runs of the daemon; and the reset of a development chain."""

import http.server
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst import daemon
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import config, values
from chainfirst.ops.commands import rewind
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.errors import ChainfirstError, ConfigError, TransientError
from eth_hash.auto import keccak
from typer.testing import CliRunner

ROOT = Path(__file__).parent.parent.parent
BURST = ROOT / "contracts" / "artifacts" / "Burst.json"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
SELECTOR = keccak(b"emitBurst(uint256)")[:4].hex()
ROWS = "SELECT * FROM event.token_transfer ORDER BY 1, 2, 3"
CURSOR = "SELECT indexed_number, indexed_hash, final_number, final_hash FROM chain.cursor"
KEPT = "SELECT number, hash FROM chain.blocks ORDER BY 1"


@dataclass(frozen=True)
class Answer:
    """Of a command, as `daemon.main` would end the process."""

    returncode: int
    stdout: str
    stderr: str


class World:
    """A node with an emitter, a database, a config file, and the program."""

    def __init__(self, node: Anvil, url: str, directory: Path) -> None:
        self.endpoint, self.url, self.file = Endpoint(node.url), url, directory / "config.toml"
        self.call("evm_setAutomine", [False])
        artifact = json.loads(BURST.read_text())
        sent = self.send({"data": artifact["bytecode"]})
        receipt = self.call("eth_getTransactionReceipt", [sent])
        self.emitter = str(receipt["contractAddress"]).lower()
        self.configure(node.url)

    def configure(self, endpoint: str, chain_id: int = 31337) -> None:
        self.file.write_text(
            f'[platform]\nenabled = false\n[database]\nurl = "{self.url}"\n'
            f'[chain]\nchain_id = {chain_id}\nfinality = 3\nendpoints = ["{endpoint}"]\n'
            f'[contracts.token]\nabi = "{BURST}"\naddress = "{self.emitter}"\n'
        )

    def call(self, method: str, params: list[Any]) -> Any:
        return self.endpoint.call_optional(method, params, object)

    def send(self, fields: dict[str, str]) -> str:
        sent = str(self.call("eth_sendTransaction", [{"from": SENDER, "gas": hex(5_000_000), **fields}]))
        self.call("anvil_mine", ["0x1"])
        return sent

    def emit(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.send({"to": self.emitter, "data": f"0x{SELECTOR}{2:064x}"})

    def head(self) -> tuple[int, str]:
        block = self.call("eth_getBlockByNumber", ["latest", False])
        return int(block["number"], 16), block["hash"]

    def chainfirst(self, *arguments: str) -> Answer:
        done = CliRunner().invoke(daemon.app, ["--config", str(self.file), *arguments], input="n\n")
        if isinstance(done.exception, ChainfirstError):
            return Answer(done.exception.exit_code, done.stdout, str(done.exception))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Answer(done.exit_code, done.stdout, done.stderr)

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "chainfirst.daemon", "--config", str(self.file), "run"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_for_head(self, running: "subprocess.Popen[str]") -> None:
        """Until the database is at the node's head; the test's own time-out is the limit."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while running.poll() is None:
                try:
                    row = connection.execute(
                        "SELECT indexed_number, indexed_hash FROM chain.cursor"
                    ).fetchone()
                except psycopg.errors.UndefinedTable:
                    row = None
                if row == self.head():
                    return
                connection.execute("SELECT pg_sleep(0.02)")
        raise AssertionError(f"the daemon ended: {running.communicate()}")

    def run_to_head(self) -> None:
        running = self.start()
        try:
            self.wait_for_head(running)
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=20)
        finally:
            running.kill()
            running.wait()
        assert running.returncode == 0, said

    def ask(self, *statements: str) -> list[list[tuple[Any, ...]]]:
        with psycopg.connect(self.url) as connection:
            return [connection.execute(statement).fetchall() for statement in statements]

    def truth(self) -> list[tuple[int, str, int]]:
        wanted = {"address": self.emitter, "fromBlock": "0x0", "toBlock": "latest"}
        return [
            (int(log["blockNumber"], 16), log["transactionHash"], int(log["data"], 16))
            for log in self.call("eth_getLogs", [wanted])
        ]

    def found(self) -> list[tuple[Any, ...]]:
        (rows,) = self.ask(
            "SELECT block_number, tx_hash, value FROM event.token_transfer ORDER BY block_number, log_index"
        )
        return rows


@pytest.fixture
def world(fresh_anvil: Anvil, pg_url: str, tmp_path: Path) -> World:
    return World(fresh_anvil, pg_url, tmp_path)


def test_after_a_rewind_a_run_makes_the_same_tables(world: World) -> None:
    world.emit(3)
    world.call("anvil_mine", [hex(80)])
    world.emit(6)
    world.run_to_head()
    head = world.head()[0]
    before = world.ask(ROWS, CURSOR, KEPT)
    assert len(before[0]) == 18

    asked = world.chainfirst("rewind", "--to", str(head - 1))
    assert asked.returncode == 1
    assert "event.token_transfer: 2" in asked.stdout
    assert world.ask(ROWS, CURSOR, KEPT) == before, "nothing without a yes"

    for number, rows in ((head - 1, 16), (head - 50, 6), (-1, 0)):
        done = world.chainfirst("rewind", "--to", str(number), "--yes")
        assert done.returncode == 0, done.stderr
        left, cursor, kept = world.ask(ROWS, CURSOR, KEPT)
        assert len(left) == rows
        if number < 0:
            assert (cursor, kept) == ([(None, None, None, None)], [])
        else:
            block_hash = world.call("eth_getBlockByNumber", [hex(number), False])["hash"]
            final = min(number, head - 3)
            assert cursor[0][:3] == (number, block_hash, final)
            assert (kept[0][0], kept[-1]) == (final, (number, block_hash))
        kinds = world.ask("SELECT kind, from_block, to_block FROM chain.changes ORDER BY seq DESC LIMIT 1")
        assert kinds == [[("rewind", number + 1, head)]]
        world.run_to_head()
        assert world.ask(ROWS, CURSOR, KEPT) == before
    assert world.chainfirst("verify", "--all").returncode == 0


def test_it_repairs_what_a_deep_reorganisation_broke(world: World) -> None:
    world.emit(3)
    world.call("anvil_mine", [hex(20)])
    world.emit(10)
    world.run_to_head()
    head = world.head()[0]
    transaction = {
        "from": SENDER,
        "to": world.emitter,
        "data": f"0x{SELECTOR}{3:064x}",
        "gas": hex(5_000_000),
    }
    world.call("anvil_reorg", [8, [[transaction, 0], [transaction, 4]]])
    world.call("anvil_mine", ["0x2"])
    running = world.start()
    try:
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 1
    assert "finality violated" in said

    found = world.chainfirst("verify")
    assert found.returncode == 1
    assert found.stdout.startswith("chain.cursor: changed")

    common = head - 8
    refused = world.chainfirst("rewind", "--to", str(head - 4), "--yes")
    assert refused.returncode == 1
    assert f"--to {common}" in refused.stderr
    assert world.found()[-1][0] == head, "nothing was taken away"
    done = world.chainfirst("rewind", "--to", str(common), "--yes")
    assert done.returncode == 0, done.stderr
    world.run_to_head()
    assert world.found() == world.truth()
    assert world.chainfirst("verify", "--all").returncode == 0


def test_what_is_refused(world: World, server_dir: Path) -> None:
    world.emit(4)
    for command in (("rewind", "--to", "1", "--yes"), ("verify",)):
        unused = world.chainfirst(*command)
        assert (unused.returncode, "chainfirst migrate" in unused.stderr) == (78, True)
    world.chainfirst("migrate")
    nothing = world.chainfirst("rewind", "--to", "1", "--yes")
    assert (nothing.returncode, "no block is indexed" in nothing.stderr) == (1, True)
    assert "no block is indexed yet" in world.chainfirst("verify").stdout
    running = world.start()
    try:
        world.wait_for_head(running)
        led = world.chainfirst("rewind", "--to", "1", "--yes")
        assert (led.returncode, "Stop it first" in led.stderr) == (75, True)
        assert world.chainfirst("verify", "--all").returncode == 0, "beside a daemon"
    finally:
        running.terminate()
        running.communicate()
    beyond = world.chainfirst("rewind", "--to", "99", "--yes")
    assert (beyond.returncode, "no way back to block 99" in beyond.stderr) == (1, True)
    world.configure(world_url(world), chain_id=5)
    assert world.chainfirst("rewind", "--to", "1", "--yes").returncode == 76
    installed = ROOT / ".chainfirst" / "node" / "anvil"
    foreign = Anvil(
        server_dir / "other", arguments=("--timestamp", "1700000000"), install_directory=installed
    )
    foreign.start()
    world.configure(foreign.url)
    other = world.chainfirst("rewind", "--to", "1", "--yes")
    assert (other.returncode, "--reset-dev" in other.stderr) == (1, True), other.stderr


def world_url(world: World) -> str:
    return config.load(world.file, {}).chain.endpoints[0].full


def reset(world: World) -> str:
    with psycopg.connect(world.url, autocommit=True) as connection:
        return rewind.reset_dev(connection, config.load(world.file, {}))


def test_a_development_chain_that_began_anew_is_indexed_anew(
    world: World, fresh_anvil: Anvil, tmp_path: Path
) -> None:
    world.emit(4)
    world.run_to_head()
    before = world.ask(ROWS, CURSOR)
    assert reset(world) == "the chain is the same: nothing was reset"
    assert world.ask(ROWS, CURSOR) == before
    fresh_anvil.stop()
    fresh_anvil.start()
    world = World(fresh_anvil, world.url, tmp_path)
    world.emit(2)
    with psycopg.connect(world.url, autocommit=True) as leader:
        rewind._lead(leader)
        with pytest.raises(TransientError, match="a daemon leads"):
            reset(world)
    assert world.ask(ROWS, CURSOR) == before
    assert reset(world).startswith("the development chain began anew: 8 rows")
    assert world.ask(ROWS, CURSOR, KEPT, "SELECT 1 FROM chain.sources") == [[], [], [], []]
    assert reset(world) == "nothing is indexed yet: nothing to reset"
    world.run_to_head()
    assert world.found() == world.truth()


def test_a_stored_final_block_that_is_gone_is_a_new_chain_too(world: World) -> None:
    world.emit(10)
    world.run_to_head()
    world.call("anvil_reorg", [8, []])
    assert reset(world).startswith("the development chain began anew")


class Named(http.server.BaseHTTPRequestHandler):
    """A node that only says who it is."""

    name = ""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": self.name}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def named() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Named)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nothing_else_is_ever_reset(
    world: World, named: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Named, "name", "Geth/v1.15.0-stable/linux-amd64/go1.24")
    url = f"http://127.0.0.1:{named.server_port}"
    world.configure(url)
    with pytest.raises(ConfigError, match="calls itself 'Geth"):
        reset(world)
    world.configure("https://rpc.example.org/key")
    with pytest.raises(ConfigError, match="not on this machine"):
        reset(world)


@pytest.mark.parametrize(
    ("endpoint", "version", "is_one"),
    [
        ("dev", "", True),
        ("http://127.0.0.1:8545", "anvil/v1.7.1", True),
        ("http://localhost:8545", "HardhatNetwork/2.22.0/@nomicfoundation", True),
        ("http://[::1]:8545", "Ganache/v7.9.2/EthereumJS TestRPC/v7.9.2/ethereum-js", True),
        ("http://127.0.0.1:8545", "Geth/v1.15.0", False),
        ("http://127.0.0.1:8545", "", False),
        ("http://10.0.0.7:8545", "anvil/v1.7.1", False),
        ("https://anvil.example.org", "anvil/v1.7.1", False),
        ("http://127.0.0.1.example.org", "anvil/v1.7.1", False),
    ],
)
def test_which_node_is_a_development_node(endpoint: str, version: str, is_one: bool) -> None:
    assert rewind.is_development(values.Endpoint(endpoint), version) is is_one
