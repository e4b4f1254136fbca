"""All logs of Ethereum's block 18,500,000, over HTTP, through the whole engine, against eth-abi's values."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import finality, wiring
from chainfirst.indexer.rpc.client import Client, LogFilter
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.tests.indexer import served, wired
from eth_abi import abi as eth_abi
from eth_utils.abi import event_abi_to_log_topic

ABIS = served.DATA / "abi"
KEYS = ("erc20", "erc721", "weth", "uniswap_v2_pair", "uniswap_v3_pool")
NUMBER = served.MainnetBlock.number
# as the block's receipts hold them, counted by the first 4 bytes of topic 0 and the number of topics alone
COUNTS = {
    "erc20_transfer": ("0xddf252ad", 3, 161),
    "erc20_approval": ("0x8c5be1e5", 3, 24),
    "erc721_transfer": ("0xddf252ad", 4, 17),
    "erc721_approval": ("0x8c5be1e5", 4, 2),
    "weth_deposit": ("0xe1fffcc4", 2, 18),
    "weth_withdrawal": ("0x7fcf532c", 2, 14),
    "uniswap_v2_pair_swap": ("0xd78ad95f", 3, 34),
    "uniswap_v2_pair_sync": ("0x1c411e9a", 1, 33),
    "uniswap_v2_pair_mint": ("0x4c209b5f", 2, 0),
    "uniswap_v2_pair_burn": ("0xdccd412f", 3, 0),
    "uniswap_v3_pool_swap": ("0xc42079f9", 3, 22),
    "uniswap_v3_pool_mint": ("0x7a53080b", 4, 1),
    "uniswap_v3_pool_burn": ("0x0c396cd9", 4, 1),
}
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


@pytest.fixture
def serve() -> Iterator[Callable[..., served.MainnetBlock]]:
    """Makes nodes, closed after the test."""
    nodes: list[served.MainnetBlock] = []

    def make(**options: Any) -> served.MainnetBlock:
        nodes.append(served.MainnetBlock(**options))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()


@pytest.fixture
def connection(pg_url: str) -> Iterator[wired.Connection]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute("SET timezone TO 'UTC'")
        yield connection


def contracts(start_block: int) -> list[wiring.Contract]:
    return [wired.contract(key, ABIS / f"{key}.json", start_block=start_block) for key in KEYS]


def events() -> dict[tuple[str, int], tuple[str, list[dict[str, Any]]]]:
    """Table and inputs by topic 0 and number of topics, from the ABIs by eth-utils."""
    found = {}
    for key in KEYS:
        for entry in json.loads((ABIS / f"{key}.json").read_text()):
            if entry["type"] != "event":
                continue
            topics = 1 + sum(each["indexed"] for each in entry["inputs"])
            topic0 = "0x" + event_abi_to_log_topic(entry).hex()
            found[topic0, topics] = (f"{key}_{entry['name'].lower()}", entry["inputs"])
    return found


def decoded(log: dict[str, Any], inputs: list[dict[str, Any]]) -> list[Any]:
    """The parameters in the ABI's order; all of these ABIs' types are one word."""
    topics = iter(log["topics"][1:])
    data = bytes.fromhex(log["data"][2:])
    plain = iter(eth_abi.decode([each["type"] for each in inputs if not each["indexed"]], data))
    return [
        eth_abi.decode([each["type"]], bytes.fromhex(next(topics)[2:]))[0] if each["indexed"] else next(plain)
        for each in inputs
    ]


def expected(logs: list[dict[str, Any]], seconds: int) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table."""
    found: dict[str, list[tuple[Any, ...]]] = {table: [] for table in COUNTS}
    known = events()
    for log in logs:
        fits = known.get((log["topics"][0], len(log["topics"])))
        if fits is None:
            continue
        table, inputs = fits
        place = (int(log[key], 16) for key in ("blockNumber", "transactionIndex", "logIndex"))
        common = (*place, datetime.fromtimestamp(seconds, UTC), log["transactionHash"], log["address"])
        found[table].append((*common, *decoded(log, inputs)))
    return found


def stored(connection: wired.Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {table: wired.rows(connection, table) for table in COUNTS}


def assert_true(connection: wired.Connection, node: served.MainnetBlock) -> None:
    """Counts as in the table above, every value as eth-abi reads it, nothing undecoded."""
    found = stored(connection)
    assert {table: len(rows) for table, rows in found.items()} == {
        table: count for table, (_, _, count) in COUNTS.items()
    }
    assert found == expected(node.logs, node.time)
    assert wired.rows(connection, "undecoded") == []


def test_the_counts_are_those_of_the_receipts() -> None:
    receipts = json.loads((served.DATA / "ethereum-18500000.receipts.json").read_text())
    topics = [log["topics"] for receipt in receipts for log in receipt["logs"]]
    for start, number, count in COUNTS.values():
        assert sum(each[0].startswith(start) and len(each) == number for each in topics) == count
    assert {table for table, _ in events().values()} >= COUNTS.keys()


@pytest.mark.parametrize("block_timestamps", [True, False])
def test_as_history(
    serve: Callable[..., served.MainnetBlock], connection: wired.Connection, block_timestamps: bool
) -> None:
    node = serve(block_timestamps=block_timestamps)
    node.head = node.final = NUMBER + 150
    running = wired.indexer(connection, node.url, contracts(NUMBER - 100), finality.Tag("finalized"), 150)
    wired.drain(running)
    assert_true(connection, node)
    assert any("fromBlock" in params[0] for params in node.asked("eth_getLogs"))
    assert node.hash not in {params[0].get("blockHash") for params in node.asked("eth_getLogs")}
    assert wired.cursor(connection).indexed_number == node.head


def test_as_a_linked_block_at_the_head(
    serve: Callable[..., served.MainnetBlock], connection: wired.Connection
) -> None:
    node = serve()
    node.final = NUMBER - 3
    running = wired.indexer(connection, node.url, contracts(NUMBER - 5), finality.Tag("finalized"))
    node.head = NUMBER - 1
    wired.drain(running)
    node.head = NUMBER
    wired.drain(running)
    assert_true(connection, node)
    assert all("blockHash" in params[0] for params in node.asked("eth_getLogs"))
    assert wired.cursor(connection).indexed_hash == node.hash
    node.head = NUMBER + 5
    node.final = NUMBER + 2
    wired.drain(running)
    assert_true(connection, node)


def test_logs_that_the_node_forgets_come_from_the_receipts(
    serve: Callable[..., served.MainnetBlock], connection: wired.Connection
) -> None:
    """Over real HTTP, with the true receipts root: no log by hash, all of them by the receipts."""
    node = serve()
    forgetful = served.Proxy(node.url)
    forgetful.rules["eth_getLogs"] = lambda params, forward: []
    try:
        running = wired.indexer(connection, forgetful.url, contracts(NUMBER - 5), finality.Depth(64))
        wired.drain(running)
        assert_true(connection, node)
        assert forgetful.asked("eth_getBlockReceipts") == [[node.hash]]
    finally:
        forgetful.close()


def test_what_fits_no_abi_is_not_ours_at_any_address_and_undecoded_at_a_configured_one(
    serve: Callable[..., served.MainnetBlock], connection: wired.Connection
) -> None:
    """The block has both kinds of Transfer; an ABI of one alone leaves the other over."""
    node = serve()
    abi = ABIS / "erc20.json"
    setup, _ = wiring.build([wired.contract("erc20", abi)], finality.Depth(64))
    client = Client(Endpoint(node.url))
    logs, _ = client.logs_by_range(LogFilter(), NUMBER, NUMBER)
    routed = setup.router.rows(logs, {hex(NUMBER): "2023-11-04 16:58:07+00"})
    client.close()
    assert len(routed.lines["erc20_transfer"]) == COUNTS["erc20_transfer"][2]
    assert routed.not_ours == len(node.logs) - COUNTS["erc20_transfer"][2] - COUNTS["erc20_approval"][2]
    assert routed.undecoded == []

    misfits = [
        log for log in node.logs if log["topics"][0].startswith("0xddf252ad") and len(log["topics"]) == 4
    ]
    addresses = frozenset([WETH, *(log["address"] for log in misfits)])
    here = wired.contract("erc20", abi, addresses, start_block=NUMBER - 5, events=("Transfer",))
    wired.drain(wired.indexer(connection, node.url, [here], finality.Depth(64)))
    undecoded = wired.rows(connection, "undecoded")
    assert [(row[2], row[4], row[5], row[6], row[7]) for row in undecoded] == [
        (
            int(log["logIndex"], 16),
            log["transactionHash"],
            log["address"],
            log["topics"],
            bytes.fromhex(log["data"][2:]),
        )
        for log in misfits
    ]
    assert {row[8] for row in undecoded} == {"erc20.Transfer: 4 topics, expected 3"}
    weth = sum(
        log["address"] in addresses and log["topics"][0].startswith("0xddf252ad") and len(log["topics"]) == 3
        for log in node.logs
    )
    assert len(wired.rows(connection, "erc20_transfer")) == weth > 0


def test_by_the_daemon(
    serve: Callable[..., served.MainnetBlock], connection: wired.Connection, pg_url: str, tmp_path: Path
) -> None:
    node = serve()
    node.head, node.final = NUMBER + 70, NUMBER + 68
    file = tmp_path / "config.toml"
    tables = "".join(
        f'[contracts.{key}]\nabi = "{ABIS / key}.json"\naddress = "any"\nstart_block = {NUMBER - 40}\n'
        for key in KEYS
    )
    file.write_text(
        f'[platform]\nenabled = false\n[database]\nurl = "{pg_url}"\n'
        f'[chain]\nchain_id = 1\nendpoints = ["{node.url}"]\nfinality = {{ tag = "finalized" }}\n{tables}'
    )
    command = [sys.executable, "-m", "chainfirst.daemon", "--config", str(file), "run"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while wired_to(connection) != node.head:
            assert daemon.poll() is None, daemon.communicate()
            connection.execute("SELECT pg_sleep(0.02)")
        assert_true(connection, node)
        daemon.terminate()
        daemon.communicate(timeout=5)
    finally:
        daemon.kill()
        daemon.communicate()
    assert daemon.returncode == 0


def wired_to(connection: wired.Connection) -> int | None:
    """The indexed block; None if the daemon has not come so far."""
    row = connection.execute("SELECT indexed_number FROM chain.cursor").fetchone()
    return None if row is None else row[0]
