"""Factories on a real node: whose logs are rows, from which position on, and what a reorganisation undoes.

What is expected is computed from the node's own logs: a child's events count from the transaction of its
first announcement on, those before the announcement in that transaction included.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from chainfirst.indexer import engine, finality, router, wiring
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.indexer import wired
from chainfirst.tests.indexer.served import Fault, Proxy
from eth_abi import abi as eth_abi
from eth_hash.auto import keccak

ARTIFACTS = wired.ROOT / "contracts" / "artifacts"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
DEPTH = finality.Depth(5)
Place = tuple[int, int, int]
LINKED, RANGES = "linked", "ranges"


def topic(signature: str) -> str:
    return "0x" + keccak(signature.encode()).hex()


BORN, GREW = topic("Born(address)"), topic("Grew(address,uint256)")


class Nursery:
    """A factory on a node: its children are trees, whose children are saplings."""

    def __init__(self, url: str) -> None:
        self.node = Proxy(url)
        self.call("evm_setAutomine", [False])
        self.address = self.deploy("Nursery")

    def call(self, method: str, params: list[Any]) -> Any:
        return self.node.answer(method, params)

    def deploy(self, name: str, *arguments: int) -> str:
        code = json.loads((ARTIFACTS / f"{name}.json").read_text())["bytecode"]
        sent = self.send(None, code + eth_abi.encode(["uint256"] * len(arguments), arguments).hex())
        self.mine()
        return str(self.call("eth_getTransactionReceipt", [sent])["contractAddress"]).lower()

    def send(self, to: str | None, data: str) -> str:
        call = {"from": SENDER, "data": data, "gas": hex(6_000_000)} | ({"to": to} if to else {})
        return str(self.call("eth_sendTransaction", [call]))

    def do(self, to: str, signature: str, *arguments: Any) -> None:
        """Put a call into the pool."""
        kinds = signature[signature.index("(") + 1 : -1].split(",")
        self.send(to, topic(signature)[:10] + eth_abi.encode(kinds, arguments).hex())

    def bear(self, children: int, before: int, later: int) -> None:
        self.do(self.address, "bear(uint256,uint256,uint256)", children, before, later)

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", [hex(blocks)])

    def logs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}])
        return found

    def children(self, factories: set[str] | None = None) -> list[str]:
        """The children of these factories (left out: of the nursery), in order of their announcement."""
        wanted = {self.address} if factories is None else factories
        return list(self._announced(wanted))

    def _announced(self, factories: set[str]) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for log in self.logs():
            if log["topics"][0] == BORN and log["address"] in factories:
                found.setdefault("0x" + log["topics"][1][26:], place(log)[:2])
        return found

    def truth(self) -> dict[str, list[tuple[Place, str, int]]]:
        """Place, address and size of each event that is a row, by table."""
        trees = self._announced({self.address})
        saplings: dict[str, tuple[int, int]] = {}
        for log in self.logs():
            mother = log["address"]
            if log["topics"][0] == BORN and mother in trees and place(log)[:2] >= trees[mother]:
                saplings.setdefault("0x" + log["topics"][1][26:], place(log)[:2])
        return {
            table: [
                (place(log), log["address"], int(log["data"], 16))
                for log in self.logs()
                if log["topics"][0] == GREW
                and log["address"] in members
                and place(log)[:2] >= members[log["address"]]
            ]
            for table, members in (("tree_grew", trees), ("sapling_grew", saplings))
        }


def place(log: dict[str, Any]) -> Place:
    return int(log["blockNumber"], 16), int(log["transactionIndex"], 16), int(log["logIndex"], 16)


@pytest.fixture
def nursery(fresh_anvil: Anvil) -> Iterator[Nursery]:
    nursery = Nursery(fresh_anvil.url)
    yield nursery
    nursery.node.close()


@pytest.fixture
def connection(pg_url: str) -> Iterator[wired.Connection]:
    with psycopg.connect(pg_url, autocommit=True) as connection:
        yield connection


def contracts(nursery: Nursery) -> list[wiring.Contract]:
    return [
        wired.contract("nursery", ARTIFACTS / "Nursery.json", frozenset([nursery.address])),
        wired.contract("tree", ARTIFACTS / "Tree.json", factory=("nursery", "Born", "child")),
        wired.contract("sapling", ARTIFACTS / "Sapling.json", factory=("tree", "Born", "child")),
    ]


def indexer(connection: wired.Connection, nursery: Nursery, blocks: int = 100) -> engine.Indexer:
    return wired.indexer(connection, nursery.node.url, contracts(nursery), DEPTH, blocks)


def stored(connection: wired.Connection) -> dict[str, list[tuple[Place, str, int]]]:
    return {
        table: [(row[:3], row[5], int(row[7])) for row in wired.rows(connection, table)]
        for table in ("tree_grew", "sapling_grew")
    }


def assert_true(connection: wired.Connection, nursery: Nursery) -> None:
    assert stored(connection) == nursery.truth()
    assert wired.rows(connection, "undecoded") == []


def live(nursery: Nursery, blocks_between: int) -> None:
    """A life with every kind of announcement."""
    early = nursery.deploy("Tree", 2)  # emits before it is anybody's child
    nursery.do(early, "grow(uint256)", 1)
    nursery.mine(blocks_between)
    nursery.bear(2, 2, 3)  # in one transaction: before, announced, after
    nursery.mine(blocks_between)
    nursery.do(early, "grow(uint256)", 4)  # one block, three transactions: before, the one, after
    nursery.do(nursery.address, "adopt(address)", early)
    nursery.do(early, "grow(uint256)", 5)
    nursery.mine(blocks_between)
    nursery.do(nursery.address, "adopt(address)", early)  # announced again: the first counts
    mother = nursery.children()[0]
    nursery.do(mother, "bear(uint256,uint256)", 1, 2)  # a child's child
    nursery.mine(blocks_between)
    nursery.bear(1, 0, 0)
    nursery.mine()
    youngest = nursery.children()[-1]
    nursery.do(youngest, "bear(uint256,uint256)", 2, 0)
    nursery.do(nursery.children({mother})[0], "grow(uint256)", 2)
    nursery.mine(blocks_between)


@pytest.mark.parametrize("blocks", [1000, 7])
def test_in_ranges(connection: wired.Connection, nursery: Nursery, blocks: int) -> None:
    live(nursery, 20)
    nursery.mine(150)
    running = indexer(connection, nursery, blocks)
    wired.drain(running)
    assert_true(connection, nursery)
    assert sum(map(len, nursery.truth().values())) > 15
    assert any("fromBlock" in params[0] for params in nursery.node.asked("eth_getLogs"))


def test_in_linked_blocks_and_after_a_restart(connection: wired.Connection, nursery: Nursery) -> None:
    running = indexer(connection, nursery)
    wired.drain(running)
    live(nursery, 1)
    wired.drain(running)
    assert_true(connection, nursery)
    assert all("blockHash" in params[0] for params in nursery.node.asked("eth_getLogs"))
    fresh = indexer(connection, nursery)  # knows its children by the factory's table alone
    for child in nursery.children():
        nursery.do(child, "grow(uint256)", 1)
    nursery.mine()
    wired.drain(fresh)
    assert_true(connection, nursery)


def test_born_in_the_blocks_that_are_read_together(connection: wired.Connection, nursery: Nursery) -> None:
    """A linked batch of several blocks: children of its first block emit in its last."""
    running = indexer(connection, nursery)
    wired.drain(running)
    nursery.bear(1, 1, 1)
    nursery.mine()
    child = nursery.children()[0]
    for _ in range(3):
        nursery.do(child, "grow(uint256)", 2)
        nursery.do(child, "bear(uint256,uint256)", 1, 1)
        nursery.mine()
    wired.drain(running)
    assert_true(connection, nursery)
    assert wired.cursor(connection).indexed_number == int(nursery.call("eth_blockNumber", []), 16)


@pytest.mark.parametrize("restart", [False, True])
def test_a_reorganisation_takes_an_announcement_with_rows_and_membership(
    connection: wired.Connection, nursery: Nursery, restart: bool
) -> None:
    tree = nursery.deploy("Tree", 1)
    nursery.mine(10)
    running = indexer(connection, nursery)
    wired.drain(running)
    nursery.do(nursery.address, "adopt(address)", tree)
    nursery.mine()
    nursery.do(tree, "grow(uint256)", 2)
    nursery.do(tree, "bear(uint256,uint256)", 1, 1)
    nursery.mine()
    wired.drain(running)
    assert_true(connection, nursery)
    assert [len(rows) for rows in stored(connection).values()] == [2, 2]
    sapling = nursery.children({tree})[0]

    nursery.call("anvil_reorg", [2, []])  # the announcement is gone, the tree is there
    nursery.do(tree, "grow(uint256)", 3)
    nursery.mine()
    if restart:
        running = indexer(connection, nursery)
    wired.drain(running)
    assert stored(connection) == nursery.truth() == {"tree_grew": [], "sapling_grew": []}
    assert tree not in last_asked(nursery)
    assert sapling not in last_asked(nursery)

    nursery.do(tree, "grow(uint256)", 1)
    nursery.mine()
    nursery.do(nursery.address, "adopt(address)", tree)
    nursery.do(tree, "grow(uint256)", 4)
    nursery.mine()
    wired.drain(running)
    assert_true(connection, nursery)
    assert [len(rows) for rows in stored(connection).values()] == [4, 0]
    assert tree in last_asked(nursery)


def last_asked(nursery: Nursery) -> list[str]:
    """The addresses of the last question for logs."""
    found: list[str] = nursery.node.asked("eth_getLogs")[-1][0]["address"]
    return found


@pytest.mark.parametrize("mode", [RANGES, LINKED])
def test_more_children_than_a_filter_names(
    connection: wired.Connection, nursery: Nursery, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "ADDRESSES_IN_FILTER", 4)
    stranger = nursery.deploy("Tree", 1)
    running = indexer(connection, nursery)
    if mode == LINKED:
        wired.drain(running)
    nursery.bear(2, 1, 1)
    nursery.mine(30)
    nursery.bear(6, 1, 2)  # over the limit at once
    nursery.do(stranger, "grow(uint256)", 3)
    nursery.mine(30)
    for child in nursery.children():
        nursery.do(child, "grow(uint256)", 1)
    nursery.do(nursery.children()[3], "bear(uint256,uint256)", 1, 1)
    nursery.do(stranger, "grow(uint256)", 3)
    nursery.mine(40 if mode == RANGES else 1)
    wired.drain(running)
    assert_true(connection, nursery)
    assert stranger not in {row[5] for row in wired.rows(connection, "tree_grew")}
    assert "address" not in nursery.node.asked("eth_getLogs")[-1][0]
    assert all(len(params[0].get("address", [])) <= 4 for params in nursery.node.asked("eth_getLogs"))


def test_a_node_that_refuses_the_list_is_asked_by_topics(
    connection: wired.Connection, nursery: Nursery
) -> None:
    def refuse(params: list[Any], forward: Callable[[], Any]) -> Any:
        if len(params[0].get("address", [])) > 2:
            raise Fault(-32602, "exceed max addresses or topics per search position")
        return forward()

    nursery.node.rules["eth_getLogs"] = refuse
    nursery.bear(6, 1, 2)
    nursery.mine(90)
    wired.drain(indexer(connection, nursery))
    assert_true(connection, nursery)
    assert "address" not in nursery.node.asked("eth_getLogs")[-1][0]


@pytest.mark.parametrize("joining", [False, True])
def test_a_node_s_limit_of_logs_is_hit_by_new_children_only(
    connection: wired.Connection, nursery: Nursery, joining: bool
) -> None:
    """The range's own logs are few, those of the children that it announces are too many."""
    most = 25

    def limited(params: list[Any], forward: Callable[[], Any]) -> Any:
        found = forward()
        if len(found) > most:
            raise Fault(-32005, f"query returned more than {most} results")
        return found

    nursery.node.rules["eth_getLogs"] = limited
    nursery.bear(1, 0, 1)
    nursery.mine()
    child = nursery.children()[0]
    for _ in range(10):
        nursery.do(child, "grow(uint256)", 5)
        nursery.mine(5)
    nursery.mine(90)
    first = [wired.contract("other", ARTIFACTS / "Tree.json", frozenset([SENDER]))]
    if joining:
        wired.drain(wired.indexer(connection, nursery.node.url, first, DEPTH))
    configured = contracts(nursery) + (first if joining else [])
    wired.drain(wired.indexer(connection, nursery.node.url, configured, DEPTH, 200))
    nursery.node.rules.clear()
    assert_true(connection, nursery)
    assert sum(map(len, nursery.truth().values())) > 2 * most


def test_zero_and_foreign_addresses_as_children(connection: wired.Connection, nursery: Nursery) -> None:
    """An announced address need not be a contract, nor another's: the factory itself, another's child."""
    nursery.bear(1, 0, 1)
    nursery.mine()
    for address in ("0x" + "00" * 20, nursery.address, nursery.children()[0], SENDER):
        nursery.do(nursery.address, "adopt(address)", address)
    nursery.mine(90)
    wired.drain(indexer(connection, nursery))
    assert_true(connection, nursery)
    assert len(wired.rows(connection, "nursery_born")) == 5
    # the factory is its own child now, and a tree's Born is the nursery's Born
    assert len(wired.rows(connection, "tree_born")) == 3


def test_children_of_a_range_that_is_thrown_away_with_its_endpoint(
    connection: wired.Connection, nursery: Nursery, fresh_anvil: Anvil
) -> None:
    stranger = nursery.deploy("Tree", 1)
    nursery.mine(150)
    nursery.do(nursery.address, "adopt(address)", nursery.deploy("Tree", 0))
    nursery.mine(100)
    nursery.do(stranger, "grow(uint256)", 3)
    nursery.mine(150)
    wrong = Proxy(fresh_anvil.url)
    try:

        def lie(params: list[Any], forward: Callable[[], Any]) -> Any:
            found = forward()
            for log in found:
                if log["topics"][0] == BORN:
                    log["topics"][1] = "0x" + "00" * 12 + stranger[2:]
            return found

        wrong.rules["eth_getLogs"] = lie
        running = indexer(connection, nursery, 100)
        running.use(Client(Endpoint(wrong.url)))
        running.step()  # the first range, which announces nothing; the second is being prepared
        assert wired.cursor(connection).indexed_number is not None
        running.use(Client(Endpoint(nursery.node.url)))
        wired.drain(running)
    finally:
        wrong.close()
    assert_true(connection, nursery)
