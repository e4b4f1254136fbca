"""The engine behind a node that lags, forgets, lies and refuses: the tables stay true or it stops."""

import itertools
import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chainfirst.indexer import chain as chains
from chainfirst.indexer import engine, finality, router
from chainfirst.indexer.rpc import pool, ws
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.errors import ConfigError, TransientError
from chainfirst.tests.indexer import wired
from chainfirst.tests.indexer.served import Fault, Proxy
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

DEPTH = finality.Depth(5)
WAIT_SECONDS = 10
BURST = wired.ROOT / "contracts" / "artifacts" / "Burst.json"
OTHER_HASH = "0x" + "ab" * 32
Log = dict[str, Any]


@pytest.fixture
def proxy(chain: Any) -> Iterator[Proxy]:
    """In front of the node of `chain`."""
    proxy = Proxy(chain.endpoint_url)
    yield proxy
    proxy.close()


@pytest.fixture
def behind(database: Any, proxy: Proxy) -> Callable[..., engine.Indexer]:
    """Makes indexers that ask the proxy."""

    def make(policy: finality.Policy = DEPTH, blocks: int = 100) -> engine.Indexer:
        found: engine.Indexer = database.indexer(Client(Endpoint(proxy.url)), policy, blocks)
        return found

    return make


def assert_true(database: Any, chain: Any) -> None:
    """The rows are the canonical chain's, and the cursor is at its head."""
    assert database.rows() == chain.truth()
    assert database.cursor().indexed_hash == chain.block_hash(chain.head())


def state(database: Any) -> tuple[Any, ...]:
    """All that a stop must leave as it was."""
    kept = database.observer.execute("SELECT * FROM chain.blocks ORDER BY number").fetchall()
    changes = database.observer.execute("SELECT count(*) FROM chain.changes").fetchone()
    return database.rows(), database.cursor(), kept, changes


# what a node leaves out


def test_a_lagging_replica_throws_nothing_away(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(10)
    for _ in range(5):
        chain.emit(2)
    indexer = behind()
    wired.drain(indexer)
    before = state(database)
    late = chain.head() - 2
    held = proxy.rules
    held["eth_getBlockByNumber"] = lambda params, forward: (
        chain.call("eth_getBlockByNumber", [hex(late), False]) if params[0] == "latest" else forward()
    )
    for _ in range(3):
        assert indexer.step() is engine.Progress.IDLE
        assert state(database) == before
    late = 1  # below all that is kept: it can't be told from another chain, so it is no answer
    with pytest.raises(TransientError, match="lags, or it is another chain"):
        indexer.step()
    assert state(database) == before
    held.clear()
    chain.emit(1)
    wired.drain(indexer)
    assert_true(database, chain)
    assert set(database.observer.execute("SELECT kind FROM chain.changes")) == {("add",)}


def test_a_replica_that_says_nothing_beyond_its_head_is_not_believed(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    """Between the header before and the one after, a balancer turns to a replica that lags."""
    chain.mine(100)
    chain.emit(3)
    chain.mine(100)
    lagging = threading.Event()

    def logs(params: list[Any], forward: Callable[[], Any]) -> Any:
        lagging.set()
        return []

    proxy.rules["eth_getLogs"] = logs
    proxy.rules["eth_getBlockByNumber"] = lambda params, forward: None if lagging.is_set() else forward()
    indexer = behind(blocks=1000)
    with pytest.raises(TransientError, match="no block"):
        wired.drain(indexer)
    assert database.cursor().indexed_number is None
    proxy.rules.clear()
    wired.drain(indexer)
    assert_true(database, chain)


@pytest.mark.parametrize("receipts", [True, False])
def test_forgotten_logs_of_a_block_are_found(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer], receipts: bool
) -> None:
    """By the block's receipts; where the node has no such call, by asking again."""
    chain.mine(3)
    indexer = behind()
    wired.drain(indexer)
    answers: dict[str, int] = {}

    def logs(params: list[Any], forward: Callable[[], Any]) -> Any:
        turn = answers[params[0]["blockHash"]] = answers.get(params[0]["blockHash"], 0) + 1
        return [] if receipts or turn == 1 else forward()

    def no_receipts(params: list[Any], forward: Callable[[], Any]) -> Any:
        raise Fault(-32601, "the method eth_getBlockReceipts does not exist/is not available")

    proxy.rules["eth_getLogs"] = logs
    if not receipts:
        proxy.rules["eth_getBlockReceipts"] = no_receipts
    chain.emit(3)
    chain.mine(1)
    wired.drain(indexer)
    assert_true(database, chain)
    assert len(proxy.asked("eth_getBlockReceipts")) == 1  # the empty block's bloom excludes a match


def test_receipts_that_contradict_the_header_are_not_believed(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(3)
    indexer = behind()
    wired.drain(indexer)
    before = state(database)
    for _ in range(2):
        chain.call("eth_sendTransaction", [chain.transaction(2)])
    chain.mine(1)
    lies: list[Callable[[list[Any]], list[Any]]] = [
        lambda found: [],
        lambda found: found[:1],
        lambda found: [{**found[0], "logs": []}, *found[1:]],
    ]
    proxy.rules["eth_getLogs"] = lambda params, forward: []
    told = iter(lies)
    proxy.rules["eth_getBlockReceipts"] = lambda params, forward: next(told)(forward())
    for _ in lies:
        with pytest.raises(TransientError, match="receipts don't prove it"):
            indexer.step()
        assert state(database) == before
    del proxy.rules["eth_getBlockReceipts"]
    wired.drain(indexer)
    assert_true(database, chain)


def test_the_second_answer_is_another_endpoints(database: Any, chain: Any, proxy: Proxy) -> None:
    """One endpoint forgets a block's logs always and has no receipts; the other one knows them."""

    def no_receipts(params: list[Any], forward: Callable[[], Any]) -> Any:
        raise Fault(-32601, "the method eth_getBlockReceipts does not exist/is not available")

    proxy.rules = {"eth_getLogs": lambda params, forward: [], "eth_getBlockReceipts": no_receipts}
    endpoints = pool.Pool.from_urls([proxy.url, chain.endpoint_url], chain_id=31337, clock=lambda: 0.0)
    endpoints.check()
    chain.emit(3)
    indexer = database.indexer(policy=DEPTH)
    try:
        with endpoints.pinned() as client:
            assert client.name == proxy.url
            indexer.use(client, endpoints.second(client))
            wired.drain(indexer)
    finally:
        endpoints.close()
    assert_true(database, chain)


# what a node refuses

# code and text of the refusal, and the blocks or logs that this node allows
REFUSALS = [
    (-32602, "range 1000000 exceeds limit of 10", 10, None),
    (-32614, "eth_getLogs is limited to a 10 blocks range", 10, None),
    (-32600, "block range too high", 7, None),
    (-32005, "Requested range exceeds maximum RPC range limit", 9, None),
    (-32000, "requested too many blocks from 1 to 5000, maximum is set to 16", 16, None),
    (-32000, "query block range exceeds server limit, narrow your filter: 12", 12, None),
    (-32701, "exceed maximum block range: 13", 13, None),
    (-32602, "an unheard-of wording", 5, None),
    (-32005, "query returned more than 10 results. Try with this block range [0x1, 0x4].", None, 10),
    (-32602, "query exceeds max results 10, retry with the range 1-3", None, 10),
    (-32008, "Response is too big Exceeded max limit of 167772160", None, 10),
    (-32005, "query timeout exceeded", 20, None),
]


@pytest.mark.parametrize(("code", "text", "blocks", "logs"), REFUSALS)
def test_limits_shrink_the_window_and_the_run_completes(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer],
    code: int, text: str, blocks: int | None, logs: int | None,
) -> None:  # fmt: skip
    for _ in range(6):
        chain.emit(4)
        chain.mine(20)
    chain.mine(70)
    refused: list[int] = []

    def limited(params: list[Any], forward: Callable[[], Any]) -> Any:
        where = params[0]
        if "blockHash" in where:
            return forward()
        asked = int(where["toBlock"], 16) - int(where["fromBlock"], 16) + 1
        found = forward()
        if (blocks is not None and asked > blocks) or (logs is not None and len(found) > logs):
            refused.append(asked)
            raise Fault(code, text)
        return found

    proxy.rules["eth_getLogs"] = limited
    indexer = behind(blocks=100)
    for _ in range(200):
        try:
            if indexer.step() is engine.Progress.IDLE:
                break
        except TransientError:  # "after a wait" is the driver's
            continue
    assert_true(database, chain)
    assert refused
    # a limit in the text is kept at once, but three ranges are on their way together; without one each
    # refusal halves, and growing asks anew
    assert len(refused) <= (3 if blocks and str(blocks) in text else 40)


@pytest.mark.parametrize("policy", [finality.Instant(), finality.Tag("finalized", fallback_depth=4)])
def test_a_node_like_polygon_edge(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer], policy: finality.Policy
) -> None:
    """No tags, no receipts by block, no times in logs, logs numbered by transaction, small ranges and
    batches, answers that end silently at the head, headers without a base fee."""
    chain.emit(2)
    chain.mine(400)
    for count in (2, 3):
        chain.call("eth_sendTransaction", [chain.transaction(count)])
    chain.mine(100)
    proxy.largest_batch = 20

    def block(params: list[Any], forward: Callable[[], Any]) -> Any:
        if params[0] in {"finalized", "safe"}:
            raise Fault(-32602, "Invalid Params")
        found = forward()
        if found is not None:
            del found["baseFeePerGas"]
            found["extraData"] = "0x" + "ab" * 391
        return found

    def logs(params: list[Any], forward: Callable[[], Any]) -> Any:
        where = params[0]
        if "fromBlock" in where and int(where["toBlock"], 16) - int(where["fromBlock"], 16) > 100:
            raise Fault(-32600, "block range too high")
        found = numbered_by_transaction(forward())
        return [{key: value for key, value in log.items() if key != "blockTimestamp"} for log in found]

    def no_receipts(params: list[Any], forward: Callable[[], Any]) -> Any:
        raise Fault(-32601, "the method eth_getBlockReceipts does not exist/is not available")

    proxy.rules = {
        "eth_getBlockByNumber": block,
        "eth_getBlockByHash": block,
        "eth_getLogs": logs,
        "eth_getBlockReceipts": no_receipts,
    }
    indexer = behind(policy, blocks=400)
    wired.drain(indexer)
    for _ in range(3):
        chain.emit(2)
        wired.drain(indexer)
    expected = [(*row[:1], *row[3:]) for row in chain.truth()]
    assert [(*row[:1], *row[3:]) for row in database.rows()] == expected
    assert max(row[2] for row in database.rows()) == 2  # numbered anew in each transaction
    assert database.cursor().indexed_hash == chain.block_hash(chain.head())
    depth = 0 if isinstance(policy, finality.Instant) else 4
    assert database.cursor().final_number == chain.head() - depth


# where a node's chain goes


class Switch(Proxy):
    """A proxy whose upstream can be changed."""

    def turn_to(self, url: str) -> None:
        self._upstream = Endpoint(url)


@pytest.mark.parametrize("longer", [False, True])
def test_a_development_chain_that_was_reset_stops_with_its_name(
    database: Any, chain: Any, server_dir: Path, longer: bool
) -> None:
    chain.mine(5)
    chain.emit(2)
    switch = Switch(chain.endpoint_url)
    other = Anvil(
        server_dir / "other",
        install_directory=wired.ROOT / ".chainfirst" / "node" / "anvil",
        arguments=("--timestamp", "1700000000"),
    )
    other.start()
    try:
        indexer = database.indexer(Client(Endpoint(switch.url)), DEPTH)
        wired.drain(indexer)
        before = state(database)
        if longer:
            Endpoint(other.url).call_optional("anvil_mine", ["0x64"], object)
        switch.turn_to(other.url)
        with pytest.raises(chains.FinalityViolated, match="finality violated") as caught:
            for _ in range(3):  # a shorter chain may be a replica that lags: known at the next look
                try:
                    indexer.step()
                except TransientError as error:
                    assert "another chain" in str(error)
        fresh = database.indexer(Client(Endpoint(switch.url)), DEPTH)
        with pytest.raises(chains.FinalityViolated, match="the genesis block 0 is") as caught:
            fresh.step()
        assert "chainfirst run --reset-dev" in str(caught.value)
        assert state(database) == before
    finally:
        switch.close()
        other.stop()


def test_a_reorganisation_deeper_than_what_is_kept_stops(
    database: Any, chain: Any, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(10)
    for _ in range(6):
        chain.emit(2)
    indexer = behind()
    wired.drain(indexer)
    before = state(database)
    assert before[1].final_number == chain.head() - DEPTH.blocks
    chain.call("anvil_reorg", [DEPTH.blocks + 3, []])
    chain.mine(1)
    for _ in range(2):  # also after the state was read anew
        with pytest.raises(chains.FinalityViolated, match=r"Nothing was changed here.*chainfirst rewind"):
            wired.drain(indexer)
        assert state(database) == before


def test_a_reorganisation_between_two_ranges(
    database: Any, chain: Any, behind: Callable[..., engine.Indexer]
) -> None:
    for _ in range(20):
        chain.emit(2)
        chain.mine(9)
    indexer = behind(blocks=10)
    for _ in range(3):
        assert indexer.step() is engine.Progress.ADVANCED
    chain.call("anvil_reorg", [4, [[chain.transaction(5), 1]]])
    chain.mine(3)
    wired.drain(indexer)
    assert_true(database, chain)


def test_a_range_whose_end_was_final_and_changed_stops(
    database: Any, chain: Any, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(80)
    chain.emit(2)
    chain.mine(80)
    indexer = behind(blocks=1000)
    indexer.step()  # one range
    before = state(database)
    assert before[1].final_number == before[1].indexed_number > 80
    depth = chain.head() - before[1].final_number + 3
    chain.call("anvil_reorg", [depth, [[chain.transaction(1), 0]]])
    chain.mine(200)  # far enough for ranges again
    with pytest.raises(chains.FinalityViolated):
        wired.drain(indexer)
    assert state(database) == before


def test_a_block_replaced_at_its_height(
    database: Any, chain: Any, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(10)
    chain.emit(2)
    indexer = behind()
    wired.drain(indexer)
    head = chain.head()
    for count in (3, 1):
        chain.call("anvil_reorg", [1, [[chain.transaction(count), 0]]])
        assert chain.head() == head
        wired.drain(indexer)
        assert_true(database, chain)
        assert len(database.rows()) == count


def test_a_shorter_chain_that_grows(database: Any, chain: Any, behind: Callable[..., engine.Indexer]) -> None:
    chain.mine(10)
    for _ in range(4):
        chain.emit(2)
    indexer = behind()
    wired.drain(indexer)
    height = chain.head()
    chain.call("anvil_rollback", [4])
    for count in range(1, 7):
        chain.emit(count)
        wired.drain(indexer)
        assert_true(database, chain)
    assert chain.head() == height + 2
    assert len(database.rows()) == sum(range(1, 7))


def test_a_replacement_that_cannot_be_read_yet_is_noted_and_the_old_rows_stay(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(10)
    chain.emit(2)
    indexer = behind()
    wired.drain(indexer)
    before = database.rows()
    chain.call("anvil_reorg", [3, []])
    chain.emit(1)

    def unreadable(params: list[Any], forward: Callable[[], Any]) -> Any:
        raise Fault(-32000, "unknown block")

    for method in ("eth_getLogs", "eth_getBlockByHash"):
        proxy.rules = {method: unreadable}
        with pytest.raises(TransientError):
            indexer.step()
        assert database.rows() == before
        assert "unknown block" in (database.cursor().reorg_suspected or "")
    proxy.rules.clear()
    wired.drain(indexer)
    assert_true(database, chain)
    assert database.cursor().reorg_suspected is None


# how a node numbers its logs


def numbered_by_transaction(logs: list[Log]) -> list[Log]:
    """As Polygon Edge before 2023-05 answered eth_getLogs."""
    grouped = itertools.groupby(logs, lambda log: (log["blockNumber"], log["transactionIndex"]))
    return [{**log, "logIndex": hex(index)} for _, group in grouped for index, log in enumerate(group)]


@pytest.mark.parametrize("history", [True, False])
def test_logs_numbered_by_transaction_and_sent_twice(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer], history: bool
) -> None:
    for count in (2, 3):
        chain.call("eth_sendTransaction", [chain.transaction(count)])
    chain.mine(1)
    if history:
        chain.mine(100)
    proxy.rules["eth_getLogs"] = lambda params, forward: 2 * numbered_by_transaction(forward())
    wired.drain(behind())
    block = chain.truth()[0][0]
    assert [row[:3] for row in database.rows()] == [
        (block, 0, 0), (block, 0, 1), (block, 1, 0), (block, 1, 1), (block, 1, 2),
    ]  # fmt: skip
    assert [row[3:] for row in database.rows()] == [row[3:] for row in chain.truth()]


def test_two_logs_under_one_key_stop(
    database: Any, chain: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    chain.mine(3)
    indexer = behind()
    wired.drain(indexer)
    before = state(database)
    chain.emit(2)
    proxy.rules["eth_getLogs"] = lambda params, forward: [{**log, "logIndex": "0x0"} for log in forward()]
    with pytest.raises(router.LogIdentityQuirk, match="transaction index 0 and log index 0"):
        indexer.step()
    assert state(database) == before


# a WebSocket that says nothing


def test_a_silent_websocket_is_noticed_and_the_chain_is_followed_over_http(database: Any, chain: Any) -> None:
    """The connection is open and subscribed, and no message comes: heads over HTTP go on, it is opened
    again, and then heads come by it."""
    subscribed: queue.Queue[int] = queue.Queue()
    states: queue.Queue[ws.State] = queue.Queue()
    heads: queue.Queue[int] = queue.Queue()
    turns = itertools.count(1)

    def handler(connection: ServerConnection) -> None:
        turn = next(turns)
        connection.recv()
        connection.send('{"jsonrpc":"2.0","id":1,"result":"0xabc"}')
        subscribed.put(turn)
        if turn > 1:
            header = chain.call("eth_getBlockByNumber", ["latest", False])
            params = {"subscription": "0xabc", "result": header}
            connection.send(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))
        try:
            connection.recv()
        except ConnectionClosed:
            return

    with serve(handler, "127.0.0.1", 0, close_timeout=0.1) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        client = Client(Endpoint(chain.endpoint_url))
        listener = ws.Heads(
            f"ws://127.0.0.1:{server.socket.getsockname()[1]}",
            lambda header: heads.put(int(header.number, 16)),
            client.block_number,
            on_state=lambda found, _: states.put(found),
            silent_seconds=0.2,
            retry_seconds=(0.001, 0.01),
        )
        listener.start()
        try:
            assert subscribed.get(timeout=WAIT_SECONDS) == 1
            indexer = database.indexer(client, DEPTH)
            chain.emit(2)
            wired.drain(indexer)
            assert_true(database, chain)
            assert heads.empty()
            found = states.get(timeout=WAIT_SECONDS)
            while found is not ws.State.SILENT:
                found = states.get(timeout=WAIT_SECONDS)
            assert subscribed.get(timeout=WAIT_SECONDS) == 2
            assert heads.get(timeout=WAIT_SECONDS) == chain.head()
        finally:
            listener.close()
            server.shutdown()
            thread.join()


# what a node says is final


def test_a_tag_that_the_node_does_not_know_wants_a_depth(
    database: Any, proxy: Proxy, behind: Callable[..., engine.Indexer]
) -> None:
    def refuse(params: list[Any], forward: Callable[[], Any]) -> Any:
        if params[0] == "finalized":
            raise Fault(-32602, "Invalid Params")
        return forward()

    proxy.rules["eth_getBlockByNumber"] = refuse
    with pytest.raises(ConfigError, match=r'knows no tag "finalized".*Set a fallback_depth'):
        behind(finality.Tag("finalized")).step()
    assert database.cursor().indexed_number is None


@pytest.mark.parametrize(("above_head", "block_hash"), [(10, None), (0, OTHER_HASH), (-1, OTHER_HASH)])
def test_a_final_tag_of_another_node_than_the_head_s(
    database: Any,
    chain: Any,
    proxy: Proxy,
    behind: Callable[..., engine.Indexer],
    above_head: int,
    block_hash: str | None,
) -> None:
    """Behind a balancer: the tag is of one node, the head of another that lags, on a branch that is dead."""
    chain.mine(20)
    chain.emit(1)
    latest = chain.call("eth_getBlockByNumber", ["latest", False])
    tagged = latest | {"number": hex(chain.head() + above_head), "hash": block_hash or latest["hash"]}
    proxy.rules["eth_getBlockByNumber"] = lambda params, forward: (
        tagged if params[0] == "finalized" else forward()
    )
    indexer = behind(finality.Tag("finalized"))
    wired.drain(indexer)
    assert_true(database, chain)
    assert database.cursor().final_number is None
    chain.call("anvil_reorg", [3, []])
    chain.emit(2)
    proxy.rules.clear()
    wired.drain(indexer)
    assert_true(database, chain)
