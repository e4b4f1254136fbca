"""A writer's calls on the real node; what it can't produce comes from a scripted one, in recorded words."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chainfirst.contracts.build import ARTIFACTS
from chainfirst.indexer.rpc import errors
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.errors import FatalError
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.indexer.served import Fault, Proxy
from chainfirst.tests.rpc.conftest import ScriptedNode
from chainfirst.tests.writers.test_answers import CASES
from chainfirst.writers import answers, fees, reverts
from chainfirst.writers.answers import Class
from chainfirst.writers.kinds import Call
from chainfirst.writers.node import Node
from chainfirst.writers.reverts import Revert
from eth_account import Account
from eth_utils.crypto import keccak

GWEI = 10**9
KEY = Account.from_key("0x" + "11" * 32)
ME = KEY.address.lower()
OTHER = "0x" + "ab" * 20
RAW = b"\x02" + bytes(40)
HASH = "0x" + keccak(RAW).hex()


def signed(**changes: Any) -> bytes:
    """A transfer of ours; None takes a field away."""
    fields = {
        "to": bytes.fromhex(OTHER[2:]), "value": 0, "gas": 21_000, "nonce": 0, "chainId": 31337, "type": 2,
        "maxFeePerGas": 10 * GWEI, "maxPriorityFeePerGas": GWEI,
    }  # fmt: skip
    if "gasPrice" in changes:
        fields |= {"type": None, "maxFeePerGas": None, "maxPriorityFeePerGas": None}
    kept = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return bytes(KEY.sign_transaction(kept).raw_transaction)


class Chain:
    """A node whose blocks are mined only when asked for, and where we have ether."""

    def __init__(self, anvil: Anvil) -> None:
        self.url = anvil.url
        self.endpoint = Endpoint(anvil.url)
        self.node = Node(self.endpoint)
        self.rpc("evm_setAutomine", False)
        self.rpc("anvil_setBalance", ME, hex(10**20))

    def rpc(self, method: str, *params: Any) -> Any:
        return self.endpoint.call_optional(method, params, object)


@pytest.fixture
def chain(fresh_anvil: Anvil) -> Iterator[Chain]:
    found = Chain(fresh_anvil)
    yield found
    found.endpoint.close()


@pytest.fixture
def start(server_dir: Path) -> Callable[..., Chain]:
    """Starts a node with anvil's own arguments."""

    def make(*arguments: str) -> Chain:
        installed = Path(__file__).parents[2] / ".chainfirst" / "node" / "anvil"
        anvil = Anvil(server_dir / "other", install_directory=installed, arguments=arguments)
        anvil.start()
        return Chain(anvil)

    return make


@pytest.fixture
def scripted() -> Iterator[ScriptedNode]:
    node = ScriptedNode()
    yield node
    node.close()


@pytest.fixture
def reader(scripted: ScriptedNode) -> Iterator[Node]:
    endpoint = Endpoint(scripted.url)
    yield Node(endpoint)
    endpoint.close()


def test_every_class_that_the_real_node_produces(chain: Chain) -> None:
    send = chain.node.send
    first = signed()
    assert send(first) == answers.Answer(Class.ACCEPTED)
    assert send(first).cls is Class.ALREADY_KNOWN
    assert send(signed(value=1)).cls is Class.REPLACEMENT_UNDERPRICED
    assert send(signed(maxFeePerGas=9 * GWEI)).cls is Class.REPLACEMENT_UNDERPRICED
    bumped = fees.bump(fees.Fees(10 * GWEI, GWEI), fees.Fees(0, 0), fees.Limits())
    assert bumped is not None
    second = signed(maxFeePerGas=bumped.max_fee_wei, maxPriorityFeePerGas=bumped.max_priority_fee_wei)
    assert send(second).cls is Class.ACCEPTED
    assert send(signed(nonce=1, maxFeePerGas=1, maxPriorityFeePerGas=1)).cls is Class.UNDERPRICED
    assert send(signed(nonce=1, gasPrice=1)).cls is Class.UNDERPRICED
    assert send(signed(nonce=1, maxPriorityFeePerGas=11 * GWEI)).cls is Class.UNDERPRICED
    assert send(signed(nonce=9)).cls is Class.ACCEPTED  # a gap is queued without a word
    assert send(signed(nonce=1, value=10**21)).cls is Class.INSUFFICIENT_FUNDS
    assert send(signed(nonce=1, gas=10**9)).cls is Class.GAS
    assert send(signed(nonce=1, gas=2000)).cls is Class.GAS
    assert send(signed(nonce=1, chainId=5)).cls is Class.WRONG_CHAIN
    assert send(b"\x12\x34").cls is Class.WRONG_CHAIN
    chain.rpc("evm_mine")
    low = send(second)  # the very bytes that are mined
    assert low == answers.Answer(Class.NONCE_TOO_LOW, "nonce too low")
    assert low.reaction is answers.Reaction.LOOK_FOR_OWN
    assert send(first).cls is Class.NONCE_TOO_LOW


def test_a_chain_without_eip_1559_refuses_its_transactions(start: Callable[..., Chain]) -> None:
    chain = start("--hardfork", "berlin", "--gas-price", "0")
    assert chain.node.send(signed()).cls is Class.WRONG_CHAIN
    assert chain.node.send(signed(gasPrice=0)).cls is Class.ACCEPTED


def test_the_recorded_words(chain: Chain) -> None:
    proxy = Proxy(chain.url)
    node = Node(Endpoint(proxy.url))
    try:
        for text, code, cls in CASES:
            if not text:
                continue

            def say(params: list[Any], forward: Any, said: tuple[int, str] = (code, text)) -> Any:
                raise Fault(*said)

            proxy.rules["eth_sendRawTransaction"] = say
            assert node.send(RAW) == answers.Answer(cls, errors.clean(text))
        del proxy.rules["eth_sendRawTransaction"]
        assert node.send(signed()).cls is Class.ACCEPTED
    finally:
        node.endpoint.close()
        proxy.close()


def test_answers_that_get_lost(chain: Chain, scripted: ScriptedNode, reader: Node) -> None:
    def forward_and_hang_up(request: Any) -> None:
        chain.rpc(request["method"], *request["params"])

    raw = signed()
    scripted.answer = lambda request: (200, {}, _forwarded(chain, request))  # type: ignore[method-assign]
    scripted.script = [forward_and_hang_up]  # the endpoint sends the same bytes once more
    assert reader.send(raw).cls is Class.ALREADY_KNOWN
    scripted.script = [forward_and_hang_up, lambda request: None]
    assert reader.send(signed(nonce=1)).cls is Class.UNKNOWN
    assert reader.send(signed(nonce=1)).cls is Class.ALREADY_KNOWN
    chain.rpc("evm_mine")
    assert chain.node.nonce(ME) == 2


def _forwarded(chain: Chain, request: Any) -> bytes:
    try:
        result = {"result": chain.rpc(request["method"], *request["params"])}
    except errors.RpcError as error:
        result = {"error": {"code": error.code, "message": error.text}}
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], **result}).encode()


def test_no_answer_in_time_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        node = Node(Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout_seconds=0.05))
        assert node.send(RAW) == answers.Answer(Class.UNKNOWN, "no answer in time")
        node.endpoint.close()
    assert node.send(RAW).cls is Class.UNKNOWN  # nobody listens


@pytest.mark.parametrize(
    ("body", "status", "cls"),
    [
        ("<html>502 Bad Gateway: already known</html>", 502, Class.UNKNOWN),
        ("nonce too low", 200, Class.UNKNOWN),  # words, but no JSON-RPC
        ('{"id":%ID%,"error":{"code":-32603,"message":"Internal error"}}', 500, Class.UNKNOWN),
        ('{"id":%ID%,"error":{"code":-32000,"message":"already known"}}', 500, Class.ALREADY_KNOWN),
        ('{"id":%ID%,"error":"nonce too low"}', 200, Class.NONCE_TOO_LOW),
        ('{"id":%ID%,"error":{"message":"txpool is full","data":{"a":1}}}', 200, Class.POOL_FULL),
        ('{"id":%ID%,"result":null}', 200, Class.UNKNOWN),
        ('{"id":%ID%,"result":true}', 200, Class.UNKNOWN),
        ('{"id":%ID%,"result":"0x"}', 200, Class.UNKNOWN),
        ('{"id":999999,"result":"' + HASH + '"}', 200, Class.UNKNOWN),
        ('{"id":%ID%,"result":"' + HASH.upper().replace("X", "x") + '"}', 200, Class.ACCEPTED),
        ("", 401, Class.UNKNOWN),
    ],
)  # fmt: skip
def test_odd_answers_to_a_send(
    scripted: ScriptedNode, reader: Node, body: str, status: int, cls: Class
) -> None:
    scripted.say(body, status)
    assert reader.send(RAW).cls is cls


def test_a_node_that_wants_to_be_left_alone(scripted: ScriptedNode, reader: Node) -> None:
    scripted.say("slow down", 429, retry_after="17")
    found = reader.send(RAW)
    assert (found.cls, found.retry_after_seconds) == (Class.UNKNOWN, 17.0)


def test_another_hash_is_loud(scripted: ScriptedNode, reader: Node) -> None:
    other = "0x" + "77" * 32
    scripted.say('{"id":%ID%,"result":"' + other + '"}')
    with pytest.raises(FatalError, match=f"{HASH}.*{other}"):
        reader.send(RAW)


def test_reads_on_the_real_node(chain: Chain) -> None:
    node = chain.node
    code = {"to": None, "data": "0x00", "gas": 100_000}
    raws = [signed(value=5), signed(nonce=1, gasPrice=3 * GWEI), signed(nonce=2, **code)]
    hashes = ["0x" + keccak(raw).hex() for raw in raws]
    for raw in raws:
        assert node.send(raw).cls is Class.ACCEPTED
    assert (node.nonce(ME), node.nonce(ME, "pending"), node.nonce(ME, 0)) == (0, 3, 0)
    pending = node.transaction(hashes[0])
    assert pending is not None
    assert (pending.block_number, pending.block_hash, pending.index) == (None, None, None)
    chain.rpc("evm_mine")
    head = node.head()
    assert (head.number, head.base_fee_wei, head.gas_limit) == (1, GWEI, 30_000_000)
    transfer, legacy, creation = (node.transaction(each) for each in hashes)
    assert transfer is not None
    assert legacy is not None
    assert creation is not None
    assert (transfer.sender, transfer.nonce, transfer.to, transfer.value) == (ME, 0, OTHER, 5)
    assert (transfer.block_number, transfer.block_hash) == (1, head.hash)
    assert (transfer.fees, legacy.fees) == (fees.Fees(10 * GWEI, GWEI), fees.Fees(3 * GWEI))
    assert (creation.to, creation.data) == (None, b"\0")
    in_block = {each.hash: each for each in node.block_transactions(1)}
    assert in_block == {each.hash: each for each in (transfer, legacy, creation)}
    assert node.balance(OTHER) == 5
    assert node.balance(OTHER, 0) == 0
    assert node.transaction("0x" + "77" * 32) is None
    with pytest.raises(errors.RpcError) as caught:
        node.block_transactions(2)
    assert caught.value.kind is Kind.BLOCK_UNKNOWN


def test_the_market_with_and_without_a_base_fee(chain: Chain, start: Callable[..., Chain]) -> None:
    node = chain.node
    node.send(signed(maxPriorityFeePerGas=3 * GWEI))
    chain.rpc("evm_mine")
    found = node.market(50)
    target = 15_000_000
    assert (
        found.base_fee_wei == GWEI - GWEI * (target - 21_000) // target // 8
    )  # of the block to come (EIP-1559)
    assert found.tips_wei == (0, 3 * GWEI)
    wanted = fees.wanted(found, fees.Limits())
    assert wanted.max_priority_fee_wei == 3 * GWEI
    raw = signed(nonce=1, maxFeePerGas=wanted.max_fee_wei, maxPriorityFeePerGas=wanted.max_priority_fee_wei)
    assert node.send(raw).cls is Class.ACCEPTED
    chain.rpc("evm_mine")
    assert node.nonce(ME) == 2

    berlin = start("--hardfork", "berlin", "--gas-price", "0").node
    assert berlin.fee_history(3, 50) is not None  # it answers, though there is no base fee
    assert berlin.market(50) == fees.Market(None, (), 0)
    assert fees.wanted(berlin.market(50), fees.Limits()) == fees.Fees(0)


def test_a_chain_where_gas_costs_nothing(start: Callable[..., Chain]) -> None:
    node = start("--hardfork", "london", "--base-fee", "0", "--gas-price", "0").node
    assert fees.wanted(node.market(50), fees.Limits()) == fees.Fees(0, 0)
    assert node.send(signed(maxFeePerGas=0, maxPriorityFeePerGas=0)).cls is Class.ACCEPTED


BLOCK_HASH, TX_HASH = "0x" + "0b" * 32, "0x" + "0a" * 32
HEAD = {
    "number": "0x7", "hash": BLOCK_HASH, "parentHash": "0x" + "0c" * 32, "timestamp": "0x64",
    "gasLimit": "0x1312d00", "baseFeePerGas": "0x9",
}  # fmt: skip
TRANSACTION = {
    "hash": TX_HASH, "from": ME, "to": OTHER, "nonce": "0x5", "value": "0x0", "input": "0x1234",
    "gasPrice": "0x3", "blockNumber": "0x7", "blockHash": BLOCK_HASH, "transactionIndex": "0x2",
}  # fmt: skip


def without(found: dict[str, Any], *names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**found, **changes}.items() if name not in names}


def test_fields_that_nodes_leave_out_or_write_otherwise(scripted: ScriptedNode, reader: Node) -> None:
    results = scripted.results
    results["eth_getTransactionByHash"] = {
        **TRANSACTION,
        "to": None,
        "gasPrice": None,
        "from": ME.upper().replace("X", "x"),
    }
    info = reader.transaction(TX_HASH.upper().replace("X", "x"))
    assert info is not None
    assert (info.to, info.fees, info.sender, info.hash, info.index) == (None, None, ME, TX_HASH, 2)
    results["eth_getTransactionByHash"] = {
        **without(TRANSACTION, "input"),
        "data": "0x12",
        "blockHash": "0x" + "00" * 32,
    }
    info = reader.transaction(TX_HASH)
    assert info is not None
    assert (info.data, info.block_number, info.block_hash, info.index) == (b"\x12", None, None, None)

    system = {
        **TRANSACTION,
        "hash": "0x" + "0d" * 32,
        "maxFeePerGas": "0x1",
        "maxPriorityFeePerGas": "0x9",
        "type": "0x7e",
    }
    results["eth_getBlockByNumber"] = {
        **HEAD,
        "transactions": [without(TRANSACTION, "blockHash", "blockNumber"), system],
    }
    first, second = reader.block_transactions(7)
    assert (first.block_number, first.block_hash, first.index) == (7, BLOCK_HASH, 0)
    assert (second.fees, second.index) == (None, 1)

    results["eth_getBlockByNumber"] = without(HEAD, "baseFeePerGas", gasLimit=20_000_000)
    assert (reader.head().base_fee_wei, reader.head().gas_limit) == (None, 20_000_000)
    results["eth_getBlockByNumber"] = HEAD
    for history in (
        {"code": -32601, "message": "the method eth_feeHistory does not exist"},
        {},
        {"reward": None},
    ):
        results |= {"eth_feeHistory": history, "eth_gasPrice": "0xc"}
        assert reader.market(50) == fees.Market(10, (3,))
    results["eth_feeHistory"] = {"baseFeePerGas": ["0x9", 10], "reward": [["0x2"], None, []]}
    assert reader.market(50) == fees.Market(10, (2,))


ASK: dict[str, Callable[[Node], Any]] = {
    "eth_getTransactionByHash": lambda node: node.transaction(TX_HASH),
    "eth_getBlockByNumber": lambda node: node.block_transactions(7),
    "eth_getTransactionCount": lambda node: node.nonce(ME),
    "eth_getBalance": lambda node: node.balance(ME),
    "eth_feeHistory": lambda node: node.fee_history(1, 50),
    "eth_call": lambda node: node.call(Call(OTHER, b""), ME),
    "eth_estimateGas": lambda node: node.estimate_gas(Call(OTHER, b""), ME),
}


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("eth_getTransactionByHash", {**TRANSACTION, "hash": BLOCK_HASH}),
        ("eth_getTransactionByHash", {**TRANSACTION, "from": "0x12"}),
        ("eth_getTransactionByHash", without(TRANSACTION, "from")),
        ("eth_getTransactionByHash", {**TRANSACTION, "nonce": "-0x1"}),
        ("eth_getTransactionByHash", {**TRANSACTION, "input": "0x1"}),
        ("eth_getTransactionByHash", {**TRANSACTION, "blockHash": "0x12"}),
        ("eth_getBlockByNumber", {**HEAD, "number": "0x8", "transactions": []}),
        ("eth_getBlockByNumber", {**HEAD, "hash": "0x12", "transactions": []}),
        ("eth_getBlockByNumber", {**HEAD, "transactions": [TX_HASH]}),
        ("eth_getBlockByNumber", {**HEAD, "transactions": [{**TRANSACTION, "blockHash": TX_HASH}]}),
        ("eth_getTransactionCount", "soon"),
        ("eth_getBalance", None),
        ("eth_feeHistory", {"baseFeePerGas": ["x"]}),
        ("eth_call", "0x1"),
        ("eth_call", 7),
        ("eth_estimateGas", "x"),
    ],
)
def test_wrong_answers_are_never_values(
    scripted: ScriptedNode, reader: Node, method: str, answer: Any
) -> None:
    scripted.results[method] = answer
    with pytest.raises(errors.RpcTransientError) as caught:
        ASK[method](reader)
    assert caught.value.kind in {Kind.BAD_ANSWER, Kind.BLOCK_UNKNOWN}


def test_a_wrong_head(scripted: ScriptedNode, reader: Node) -> None:
    for wrong in ({"hash": "0x12"}, {"number": "x"}, {"gasLimit": None}):
        scripted.results["eth_getBlockByNumber"] = HEAD | wrong
        with pytest.raises(errors.RpcTransientError) as caught:
            reader.head()
        assert caught.value.kind is Kind.BAD_ANSWER


CODES = {
    "invalid opcode": "fe",
    "nothing returned": "60006000fd",
    "no end": "5b600056",
    "bad jump": "600556",
    "0xdeadbeef": "63deadbeef60e01b60005260046000fd",
    "a panic": "634e487b7160e01b600052601160045260246000fd",
}


def test_calls_that_fail_on_the_real_node(chain: Chain) -> None:
    found = {}
    for name, code in CODES.items():
        chain.rpc("anvil_setCode", OTHER, "0x" + code)
        called, estimated = (
            chain.node.call(Call(OTHER, b""), ME),
            chain.node.estimate_gas(Call(OTHER, b""), ME),
        )
        assert isinstance(called, Revert), name
        assert isinstance(estimated, Revert), name
        found[name] = called
    assert found["nothing returned"].data == b""
    assert found["0xdeadbeef"].data == bytes.fromhex("deadbeef")
    assert (found["a panic"].name, found["a panic"].arguments) == ("Panic", {"code": "17"})
    assert "InvalidFEOpcode" in found["invalid opcode"].text
    with pytest.raises(errors.RpcError) as caught:  # the node lags; no revert
        chain.node.call(Call(OTHER, b""), ME, 99)
    assert caught.value.kind is Kind.LAG


@pytest.fixture
def platform(fresh_anvil: Anvil, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The platform's contracts, and a node that knows their errors."""
    from web3 import Web3

    deployed = Platform(Web3(Web3.HTTPProvider(fresh_anvil.url)), tmp_path)
    names = (
        "BirrToken",
        "IssuerRegistry",
        "CampaignFactory",
        "CampaignImplementation",
        "NFTShareCertificate",
    )
    abis = [json.loads((ARTIFACTS / f"{name}.json").read_text()) for name in names]
    endpoint = Endpoint(fresh_anvil.url)
    yield SimpleNamespace(deployed=deployed, node=Node(endpoint, reverts.Decoder(abis)))
    endpoint.close()


def test_custom_errors_of_the_platform(platform: SimpleNamespace) -> None:
    deployed: Platform = platform.deployed
    node: Node = platform.node
    token, registry = deployed.token, deployed.registry
    eve, registrar = (deployed.at[name].lower() for name in ("eve", "registrar"))

    def call(contract: Any, function: str, *arguments: Any) -> Call:
        data = contract.functions[function](*arguments).build_transaction({"gas": 0, "gasPrice": 0})["data"]
        return Call(contract.address.lower(), bytes.fromhex(data[2:]))

    new = call(registry, "registerIssuer", deployed.new_id(), deployed.at["alice"], b"\x11" * 32, "ipfs://x")
    known = call(registry, "registerIssuer", deployed.company, deployed.at["alice"], b"\x11" * 32, "ipfs://x")
    dear = call(token, "transfer", deployed.at["bob"], 10**30)
    wanted = [
        (call(token, "transfer", deployed.at["bob"], 1), eve),
        (dear, eve),
        (new, eve),
        (new, registrar),
        (known, registrar),
    ]
    called, estimated = node.calls(wanted), node.estimates(wanted)
    assert called[0] == (1).to_bytes(32)
    assert called[3] == b""
    assert isinstance(estimated[0], int)
    assert isinstance(estimated[3], int)
    reasons = [each.name for each in (called[1], called[2], called[4]) if isinstance(each, Revert)]
    assert reasons[:2] == ["ERC20InsufficientBalance", "AccessControlUnauthorizedAccount"]
    assert len(reasons) == 3
    assert reasons[2]
    broke = called[1]
    assert isinstance(broke, Revert)
    assert broke.arguments == {"sender": eve, "balance": str(10**12), "needed": str(10**30)}
    assert [each for each in estimated if isinstance(each, Revert)] == [called[1], called[2], called[4]]
    assert [node.call(*each) for each in wanted] == called
    assert [node.estimate_gas(*each) for each in wanted] == estimated

    deployed.send("eve", token.functions.transfer(deployed.at["bob"], 10**12))
    now = node.calls(wanted[:1])[0]
    assert isinstance(now, Revert)
    assert now.arguments["balance"] == "0"
    block = deployed.web3.eth.block_number
    assert node.calls(wanted[:1], block - 1) == [called[0]]


def test_the_size_of_batches_is_learned(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(chain.url)
    proxy.largest_batch = 3  # Polygon Edge's words; it takes 20
    node = Node(Endpoint(proxy.url))
    sizes: list[int] = []
    batch_each = node.endpoint.batch_each

    def counted(method: str, params: Any, kind: Any) -> Any:
        sizes.append(len(params))
        return batch_each(method, params, kind)

    monkeypatch.setattr(node.endpoint, "batch_each", counted)
    try:
        wanted = [(Call(OTHER, b""), ME)] * 60
        assert node.calls(wanted) == [b""] * 60
        assert sizes == [50, 10] + [2] * 30
        sizes.clear()
        assert node.estimates(wanted[:5]) == [21_000] * 5
        assert sizes == [2, 2]  # and the last alone
    finally:
        node.endpoint.close()
        proxy.close()


def test_one_item_spoils_no_batch(scripted: ScriptedNode, reader: Node) -> None:
    calls = [(Call(OTHER, bytes([number])), ME) for number in range(6)]

    def answer(params: list[Any]) -> Any:
        number = int(params[0]["data"], 16)
        return {
            1: {"code": 3, "message": "execution reverted: no", "data": "0x"},
            2: {"code": -32000, "message": "header not found"},
            3: "no bytes",
            4: None,
        }.get(number, params[0]["data"])

    scripted.results["eth_call"] = answer
    found = reader.calls(calls)
    assert (found[0], found[5]) == (b"\0", b"\5")
    assert isinstance(found[1], Revert)
    assert found[1].text == "no"
    kinds = [each.kind for each in found if isinstance(each, errors.RpcError)]
    assert kinds == [Kind.BLOCK_UNKNOWN, Kind.BAD_ANSWER, Kind.BAD_ANSWER]
    assert len(scripted.requests) == 1
    assert reader.calls([]) == []


def test_a_reason_in_invalid_utf8_spoils_no_batch(scripted: ScriptedNode, reader: Node) -> None:
    def one(request: Any) -> bytes:
        result = b'"result":"0x01"'
        if request["params"][0]["data"] == "0x01":
            result = b'"error":{"code":3,"message":"execution reverted: \xff\\u0000"}'
        return b'{"id":%d,%b}' % (request["id"], result)

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        many = isinstance(request, list)
        return 200, {}, b"[" + b",".join(map(one, request)) + b"]" if many else one(request)

    scripted.answer = answer  # type: ignore[method-assign]
    found = reader.calls([(Call(OTHER, bytes([number])), ME) for number in range(3)])
    assert (found[0], found[2]) == (b"\1", b"\1")
    assert isinstance(found[1], Revert)
    assert found[1].text == "\ufffd"


def test_what_concerns_a_whole_batch_raises(scripted: ScriptedNode, reader: Node) -> None:
    scripted.say("<html>503</html>", 503)
    with pytest.raises(errors.RpcTransientError) as caught:
        reader.calls([(Call(OTHER, b""), ME)] * 2)
    assert caught.value.kind is Kind.TRANSPORT
    scripted.say("<html>503</html>", 503)
    with pytest.raises(errors.RpcTransientError):
        reader.calls([(Call(OTHER, b""), ME)])


def test_a_value_is_sent_along(scripted: ScriptedNode, reader: Node) -> None:
    scripted.results["eth_call"] = "0x"
    reader.call(Call(OTHER, b"\x12", 7), ME, 5)
    assert scripted.requests[-1]["params"] == [
        {"from": ME, "to": OTHER, "data": "0x12", "value": "0x7"},
        "0x5",
    ]
