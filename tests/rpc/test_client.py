"""The typed reads: right answers come through, wrong ones never do; and a real node agrees."""

from typing import Any

import msgspec
import pytest
from chainfirst.indexer.rpc import client, errors, http, quantity
from chainfirst.indexer.rpc.client import LogFilter
from chainfirst.indexer.rpc.errors import Kind

ADDRESS, TOPIC = "0x" + "aa" * 20, "0x" + "11" * 32
WANTED = LogFilter((ADDRESS,), (TOPIC,))


@pytest.fixture
def removed() -> list[int]:
    return []


@pytest.fixture
def reader(node: Any, removed: list[int]) -> Any:
    found = client.Client(http.Endpoint(node.url), removed.append)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("value", "number"),
    [("0x", 0), ("0x00", 0), ("0x1F", 31), ("1f", 31), (31, 31), (31.0, 31), ("0x001f", 31)],
)
def test_quantities(value: Any, number: int) -> None:
    assert quantity.parse(value) == number


@pytest.mark.parametrize("value", ["", "-0x1", "0x1_0", " 0x1", "0xg", None, True, -1, 1.5])
def test_no_quantities(value: Any) -> None:
    with pytest.raises(ValueError):
        quantity.parse(value)


def test_simple_reads(node: Any, reader: client.Client, header: Any) -> None:
    node.results = {
        "eth_chainId": "0x89",
        "eth_blockNumber": 12,
        "eth_getBlockByNumber": lambda params: header(12 if params[0] == "latest" else int(params[0], 16)),
        "eth_getBlockByHash": lambda params: header(7) if params[0] == header(7)["hash"] else None,
    }
    assert (reader.chain_id(), reader.block_number()) == (0x89, 12)
    for block, number in (("latest", "0xc"), (3, "0x3")):
        found = reader.header_by_number(block)
        assert found is not None and found.number == number
    assert reader.header_by_hash(header(8)["hash"]) is None
    found = reader.header_by_hash(header(7)["hash"])
    assert found is not None and found.number == "0x7"


def test_wrong_headers(node: Any, reader: client.Client, header: Any) -> None:
    for wrong in (header(4), {**header(3), "hash": "0x12"}, {**header(3), "timestamp": "soon"}):
        node.results = {"eth_getBlockByNumber": wrong, "eth_getBlockByHash": wrong}
        with pytest.raises(errors.RpcTransientError) as by_number:
            reader.header_by_number(3)
        with pytest.raises(errors.RpcTransientError) as by_hash:
            reader.header_by_hash(header(3)["hash"])
        assert by_number.value.kind is by_hash.value.kind is Kind.BAD_ANSWER


def test_a_tag_the_node_does_not_know(node: Any, reader: client.Client) -> None:
    node.results = {"eth_getBlockByNumber": {"code": -32602, "message": "Invalid Params"}}
    with pytest.raises(errors.RpcFatalError) as caught:
        reader.header_by_number("finalized")
    assert caught.value.kind is Kind.TAG_UNSUPPORTED


def test_headers_in_batches_shrink_to_what_the_node_takes(
    node: Any, reader: client.Client, header: Any
) -> None:
    whole = node.answer
    refusal = b'{"id":null,"error":{"code":-32000,"message":"batch limit 20 exceeded"}}'
    node.answer = lambda request: (200, {}, refusal) if len(request) > 20 else whole(request)
    node.results = {"eth_getBlockByNumber": lambda params: header(int(params[0], 16))}
    numbers = [*range(100, 130), 7]
    assert [int(found.number, 16) for found in reader.headers_by_number(numbers)] == numbers
    node.results = {"eth_getBlockByNumber": None}
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.headers_by_number([1])
    assert caught.value.kind is Kind.BLOCK_UNKNOWN


def test_logs_come_in_order_and_without_removed_ones(
    node: Any, reader: client.Client, log: Any, removed: list[int]
) -> None:
    gone = log(6, 3, removed=True)
    node.results = {
        "eth_getLogs": [log(7, 11), log(5, 0), gone, log(7, 2), log(6, 1, address=ADDRESS.upper())]
    }
    found, size = reader.logs_by_range(WANTED, 5, 7)
    places = [(int(each.block_number, 16), int(each.log_index, 16)) for each in found]
    assert places == [(5, 0), (6, 1), (7, 2), (7, 11)]
    assert {each.address for each in found} == {ADDRESS}
    assert removed == [1]
    assert size > 1000
    query = {"fromBlock": "0x5", "toBlock": "0x7", "address": [ADDRESS], "topics": [[TOPIC]]}
    assert node.requests[0]["params"] == [query]


@pytest.mark.parametrize(
    "change",
    [
        {"blockNumber": "0x8"},
        {"blockNumber": "0x4"},
        {"blockHash": "0x12"},
        {"blockHash": "0x" + "ff" * 32},
        {"address": "0x" + "bb" * 20},
        {"topics": ["0x" + "12" * 32]},
        {"topics": []},
        {"logIndex": "zero"},
        {"blockNumber": None, "blockHash": None},  # a pending log
    ],
)
def test_wrong_logs(node: Any, reader: client.Client, log: Any, change: dict[str, Any]) -> None:
    node.results = {"eth_getLogs": [log(5, 0), {**log(5, 1), **change}]}
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.logs_by_range(WANTED, 5, 7)
    assert caught.value.kind is Kind.BAD_ANSWER


def test_several_logs_at_one_place_are_left_to_who_makes_rows(
    node: Any, reader: client.Client, log: Any
) -> None:
    """A node may repeat itself; chains that number logs by transaction repeat only the log's index."""
    repeated = [log(5, 1), log(5, 0), log(5, 1), {**log(5, 0), "transactionIndex": "0x1"}]
    node.results = {"eth_getLogs": repeated}
    found, _ = reader.logs_by_range(WANTED, 5, 7)
    assert [(each.transaction_index, each.log_index) for each in found] == [
        ("0x0", "0x0"),
        ("0x0", "0x1"),
        ("0x0", "0x1"),
        ("0x1", "0x0"),
    ]


def test_logs_by_hash_are_of_that_block(node: Any, reader: client.Client, log: Any, header: Any) -> None:
    node.results = {"eth_getLogs": [log(5, 0)]}
    assert len(reader.logs_by_hash(WANTED, header(5)["hash"])) == 1
    assert node.requests[0]["params"][0]["blockHash"] == header(5)["hash"]
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.logs_by_hash(WANTED, header(6)["hash"])
    assert caught.value.kind is Kind.BAD_ANSWER


def test_zero_written_as_0x(node: Any, reader: client.Client, log: Any) -> None:
    node.results = {"eth_getLogs": [log(5, 1), log(5, 0, logIndex="0x", transactionIndex="0x")]}
    assert [each.log_index for each in reader.logs_by_range(WANTED, 5, 5)[0]] == ["0x", "0x1"]


def test_invalid_params_in_unknown_words(node: Any, reader: client.Client) -> None:
    node.results = {"eth_getLogs": {"code": -32602, "message": "no, thanks"}}
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.logs_by_range(WANTED, 5, 6)
    assert caught.value.kind is Kind.RANGE_TOO_LARGE
    with pytest.raises(errors.RpcFatalError):
        reader.logs_by_range(WANTED, 5, 5)


def test_an_empty_filter_is_not_any(reader: client.Client) -> None:
    assert reader.logs_by_range(LogFilter(()), 1, 2) == ([], 0)
    assert LogFilter(None, (TOPIC,)).params() == {"topics": [[TOPIC]]}


RECEIPT = {
    "transactionHash": TOPIC, "blockNumber": "0x7", "blockHash": "0x" + "0b" * 32, "status": "0x1",
    "gasUsed": "0x5208", "effectiveGasPrice": "0x3",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, (7, RECEIPT["blockHash"], True, 21_000, 3)),
        ({"effectiveGasPrice": None, "status": None}, (7, RECEIPT["blockHash"], True, 21_000, None)),
        ({"status": "0x0", "gasUsed": 21000}, (7, RECEIPT["blockHash"], False, 21_000, 3)),
        ({"blockHash": None, "blockNumber": None}, None),  # not mined
    ],
)
def test_receipts_as_nodes_write_them(
    node: Any, reader: client.Client, change: dict[str, Any], told: tuple[Any, ...] | None
) -> None:
    asked = {**RECEIPT, **change}
    left_out = {name: value for name, value in asked.items() if value is not None}
    for result in (asked, left_out):
        node.results = {"eth_getTransactionReceipt": result}
        receipt = reader.transaction_receipt(TOPIC)
        assert (None if receipt is None else msgspec.structs.astuple(receipt)) == told


@pytest.mark.parametrize(
    "change", [{"transactionHash": "0x" + "0b" * 32}, {"blockNumber": None}, {"blockHash": "0x12"}]
)
def test_wrong_receipts(node: Any, reader: client.Client, change: dict[str, Any]) -> None:
    node.results = {"eth_getTransactionReceipt": {**RECEIPT, **change}}
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.transaction_receipt(TOPIC)
    assert caught.value.kind is Kind.BAD_ANSWER


def test_a_real_node(anvil: Any) -> None:
    reader = client.Client(http.Endpoint(anvil.url))
    emitter = "0x60006000a060006000f3"  # init code: LOG0 of nothing, deploys nothing
    call = reader.endpoint.call
    sender = call("eth_accounts", [], list[str])[0]
    transaction = call("eth_sendTransaction", [{"from": sender, "data": emitter, "gas": "0x30000"}], str)
    call("evm_mine", [], str)  # returns when the transaction is surely in a block
    block = call("eth_getTransactionReceipt", [transaction], dict)["blockHash"]
    header = reader.header_by_hash(block)
    assert header is not None
    number = int(header.number, 16)
    assert reader.chain_id() == 31337
    assert reader.block_number() >= number
    assert reader.header_by_number(number) == header
    assert reader.header_by_number(10**9) is None
    assert reader.headers_by_number([number, 0])[0].hash == block
    logs = reader.logs_by_hash(LogFilter(), block)
    assert len(logs) == 1
    assert reader.logs_by_range(LogFilter(), number, number)[0] == logs
    assert len(reader.receipts_by_hash(block)[0].logs) == 1
    receipt = reader.transaction_receipt(transaction)
    assert receipt is not None
    assert (receipt.block_number, receipt.block_hash, receipt.ok) == (number, block, True)
    assert reader.transaction_receipt("0x" + "77" * 32) is None
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.logs_by_hash(LogFilter(), "0x" + "ab" * 32)
    assert caught.value.kind is Kind.BLOCK_UNKNOWN
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.logs_by_range(LogFilter(), 10**9, 10**9)
    assert caught.value.kind is Kind.LAG
    reader.close()
