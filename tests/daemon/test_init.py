"""chainfirst init: what it finds out of a real node, and that the file it writes is right and runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chainfirst import daemon
from chainfirst.contracts import build
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops import config, errors, reach
from chainfirst.ops.commands import probing
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon.processes import ABI, Running, emit
from chainfirst.tests.indexer.served import Fault, Proxy
from typer.testing import CliRunner

NOWHERE = "0x" + "ab" * 20
DATABASE = "postgresql://keeper:geheim@127.0.0.1:1/main"


@pytest.fixture
def proxy(anvil: Anvil) -> Iterator[Proxy]:
    found = Proxy(anvil.url)
    try:
        yield found
    finally:
        found.close()


def init(file: Path, *arguments: str) -> Any:
    return CliRunner().invoke(daemon.app, ["--config", str(file), "init", *arguments])


def refuses(done: Any, kind: type[Exception], *words: str) -> None:
    assert isinstance(done.exception, kind), (done.exception, done.output)
    for word in words:
        assert word in str(done.exception)
    assert "geheim" not in done.output + str(done.exception)


def test_what_it_writes_for_a_contract_runs(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, tmp_path: Path
) -> None:
    node.call_optional("anvil_mine", ["0x5"], object)
    address = emit(node, None)
    emit(node, address, 2)
    node.call_optional("anvil_mine", ["0x9"], object)
    file = tmp_path / "main.toml"
    done = init(
        file, "--rpc", fresh_anvil.url, "--database", pg_url, "--abi", f"{ABI}={address}",
        "--metrics-port", "9999", "--signer", "env:SOME_KEY",
    )  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    for line in (
        f"node {fresh_anvil.url}: anvil/",
        "chain 31337, head 16",
        "finality: { tag = ",
        "eth_getLogs: at least 17 blocks",
        "fees: EIP-1559",
        "block receipts: yes",
        f"WebSocket: {fresh_anvil.ws_url} sends new blocks",
        "contract burst: created in block 6",
        "PostgreSQL 18",
    ):
        assert line in done.output
    found = config.load(file, {})
    assert found.chain.chain_id == 31337
    assert [each.full for each in found.chain.endpoints] == [fresh_anvil.url, fresh_anvil.ws_url]
    assert found.chain.finality == config.FinalityTag("finalized", 64)
    assert found.contracts["burst"].addresses == (address,)
    assert found.contracts["burst"].start_block == 6
    assert (found.platform.enabled, found.metrics.port, found.deployment) == (False, 9999, None)
    assert str(found.writer.signer) == "env:SOME_KEY"
    assert json.loads((tmp_path / "abi" / "burst.json").read_text()) == json.loads(ABI.read_text())
    assert file.stat().st_mode & 0o777 == 0o640
    file.write_text(file.read_text().replace('signer = "env:', '# signer = "env:').replace("9999", "9998"))
    with Running(file) as running:
        running.hears("caught_up")
        assert running.stops() == 0
    refuses(init(file, "--rpc", fresh_anvil.url, "--database", pg_url), errors.ConfigError, "--force")


def test_the_platforms_contracts_are_those_that_ship(anvil: Anvil, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    done = init(file, "--rpc", anvil.url, "--database", DATABASE, "--page-port", "8481")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "geheim" not in done.output
    assert "not there yet" in done.output
    assert "chainfirst deploy, then" in done.output
    found, shipped = config.load(file, {}), config.load(build.FOLDER.parent / "config.toml", {})
    assert found.database.url.full == DATABASE
    assert (found.page.port, found.metrics.port) == (8481, None)
    assert found.deployment == Path("other.deployment.json")
    assert found.contracts.keys() == shipped.contracts.keys()
    for key, contract in found.contracts.items():
        assert contract.factory == shipped.contracts[key].factory
        assert (tmp_path / contract.abi).read_bytes() == (
            build.FOLDER.parent / shipped.contracts[key].abi
        ).read_bytes()
    again = init(tmp_path / "second.toml", "--rpc", anvil.url, "--database", DATABASE)
    assert again.exit_code == 0  # beside the first, with the same files
    replaced = init(file, "--rpc", anvil.url, "--database", DATABASE, "--force")
    assert replaced.exit_code == 0
    assert config.load(file, {}).page.port is None


def test_every_key_that_ships_is_explained_in_it(anvil: Anvil, tmp_path: Path) -> None:
    file = tmp_path / "main.toml"
    assert init(file, "--rpc", anvil.url, "--database", DATABASE).exit_code == 0
    text, shipped = file.read_text(), (build.FOLDER.parent / "config.toml").read_text()
    for line in shipped[shipped.index("# [writer]") : shipped.index("[dev]")].splitlines():
        assert line in text
    assert "[dev]" not in text
    assert "keep_changes_days" in text


def test_what_is_wrong_is_told_before_anything_is_written(anvil: Anvil, proxy: Proxy, tmp_path: Path) -> None:
    file, url = tmp_path / "main.toml", ["--database", DATABASE]
    rpc = ["--rpc", anvil.url]
    refuses(
        init(file, "--rpc", "http://127.0.0.1:1/geheim", *url), reach.EndpointUnreachable, "127.0.0.1:1/…"
    )
    refuses(init(file, "--rpc", anvil.ws_url, *url), errors.ConfigError, "http")
    refuses(init(file, "--rpc", "dev", *url), errors.ConfigError, "http")
    refuses(init(file, "--rpc", "ftp://h", *url), errors.ConfigError, "--rpc")
    refuses(init(file, *rpc, "--database", "mysql://u:geheim@h/d"), errors.ConfigError, "--database")
    refuses(init(file, *rpc, *url, "--abi", str(ABI)), errors.ConfigError, "doesn't say where", "=any")
    refuses(init(file, *rpc, *url, "--abi", f"gone.json={NOWHERE}"), errors.ConfigError, "does not exist")
    refuses(init(file, *rpc, *url, "--abi", f"{ABI}=0x12"), errors.ConfigError, "40 hex digits")
    twice = ["--abi", f"{ABI}=any", "--abi", f"{ABI}={NOWHERE}"]
    refuses(init(file, *rpc, *url, *twice), errors.ConfigError, "burst")
    proxy.rules = {"eth_chainId": lambda _, forward: "0x5"}
    refuses(init(file, *rpc, "--rpc", proxy.url, *url), reach.WrongChain, "chain 5")
    assert not file.exists()
    nowhere = init(file, *rpc, *url, "--abi", f"{ABI}={NOWHERE}")
    assert "NO CODE" in nowhere.output
    assert config.load(file, {}).contracts["burst"].start_block == 0


def refused(code: int, text: str) -> Any:
    def answer(_: object, forward: object) -> Any:
        raise Fault(code, text)

    return answer


MISSING = refused(-32601, "the method does not exist/is not available")


@pytest.mark.parametrize(
    ("rules", "toml"),
    [
        ({}, '{ tag = "finalized", fallback_depth = 64 }'),
        ({"qbft_getValidatorsByBlockNumber": lambda _, forward: [NOWHERE]}, '"instant"'),
        ({"ibft_getValidatorsByBlockNumber": lambda _, forward: [NOWHERE]}, '"instant"'),
        ({"web3_clientVersion": lambda _, forward: "polygon-edge [chain-id 9]"}, '"instant"'),
        ({"clique_getSigners": lambda _, forward: [NOWHERE] * 5}, "3"),
        ({"eth_getBlockByNumber": refused(-32602, "invalid argument 0: hex string without 0x prefix")}, "64"),
        (
            {"eth_getBlockByNumber": refused(-39001, "finalized block not found")},
            '{ tag = "finalized", fallback_depth = 64 }',
        ),
    ],
)
def test_what_is_final(proxy: Proxy, rules: dict[str, Any], toml: str) -> None:
    names = ("clique_getSigners", "qbft_getValidatorsByBlockNumber", "ibft_getValidatorsByBlockNumber")
    proxy.rules = dict.fromkeys(names, MISSING) | rules
    assert probing.finality(Client(Endpoint(proxy.url)), "0x0").toml == toml


def test_a_chain_that_finalizes_nothing_gets_a_depth(proxy: Proxy) -> None:
    proxy.rules = {"eth_getBlockByNumber": refused(-39001, "finalized block not found")}
    assert probing.finality(Client(Endpoint(proxy.url)), "0x2").toml == "64"  # difficulty: nobody votes here
    proxy.rules = {"eth_getBlockByNumber": lambda _, forward: None}
    assert probing.finality(Client(Endpoint(proxy.url)), "0x2").toml == "64"


def test_an_old_or_narrow_node(proxy: Proxy, tmp_path: Path) -> None:
    def header(_: object, forward: Any) -> Any:
        return {name: value for name, value in forward().items() if name != "baseFeePerGas"}

    proxy.rules = {
        "eth_getBlockByNumber": header,
        "eth_getLogs": refused(-32005, "exceed maximum block range: 500"),
        "eth_getBlockReceipts": MISSING,
        "web3_clientVersion": MISSING,
        "clique_getSigners": MISSING,
        "qbft_getValidatorsByBlockNumber": MISSING,
        "ibft_getValidatorsByBlockNumber": MISSING,
        "eth_getCode": lambda params, forward: forward() if params[1] == "latest" else None,
    }
    done = init(tmp_path / "main.toml", "--rpc", f"{proxy.url}/key", "--database", DATABASE)
    assert done.exit_code == 0, (done.output, done.exception)
    for line in (
        "a node without a name",
        "at most 500 blocks",
        "legacy gas prices",
        "a second answer",
        "WebSocket: none found",
    ):
        assert line in done.output
    assert "/key" not in done.output


def test_where_a_websocket_may_be() -> None:
    assert probing.websocket_urls("https://host/v3/key?x=1") == ["wss://host/v3/key?x=1"]
    assert probing.websocket_urls("http://u:p@host:8545/a") == [
        "ws://u:p@host:8545/a",
        "ws://u:p@host:8546/a",
    ]
    assert not probing.sends_heads("ws://127.0.0.1:1", 1)
