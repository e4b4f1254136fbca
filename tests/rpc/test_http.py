"""One endpoint over HTTP: what is JSON-RPC is decoded, everything else is an error with its kind."""

import contextlib
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from chainfirst.indexer.rpc import errors, http
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.structs import Header
from chainfirst.ops.errors import ConfigError


@pytest.fixture
def endpoint(node: Any) -> Any:
    found = http.Endpoint(node.url + "/v2/secret-key")
    yield found
    found.close()


def test_keeps_the_connection_and_decodes(node: Any, endpoint: http.Endpoint, header: Any) -> None:
    node.results = {"eth_getBlockByNumber": header(7), "eth_chainId": "0x1"}
    assert endpoint.call("eth_chainId", [], str) == "0x1"
    assert endpoint.call("eth_getBlockByNumber", ["0x7", False], Header).number == "0x7"
    assert node.connections == 1


def test_a_bom_is_skipped(node: Any, endpoint: http.Endpoint) -> None:
    node.say(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":%ID%,"result":"0x1"}')
    assert endpoint.call("eth_chainId", [], str) == "0x1"


def test_null_is_not_missing(node: Any, endpoint: http.Endpoint) -> None:
    node.say('{"jsonrpc":"2.0","id":%ID%,"result":null}')
    assert endpoint.call_optional("eth_getBlockByNumber", [], Header) is None
    node.say('{"jsonrpc":"2.0","id":%ID%,"result":null,"error":null}')
    assert endpoint.call_optional("eth_getBlockByNumber", [], Header) is None
    node.say('{"jsonrpc":"2.0","id":%ID%}')
    with pytest.raises(errors.RpcTransientError, match="neither result nor error") as caught:
        endpoint.call_optional("eth_getBlockByNumber", [], Header)
    assert caught.value.kind is Kind.BAD_ANSWER


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ("<html><body>Welcome</body></html>", 200, Kind.BAD_ANSWER),
        ("", 200, Kind.BAD_ANSWER),
        ('{"jsonrpc":"2.0","id":999999,"result":"0x1"}', 200, Kind.BAD_ANSWER),
        ('{"jsonrpc":"2.0","id":%ID%,"result":{"a":1}}', 200, Kind.BAD_ANSWER),
        ("error code: 1015", 200, Kind.RATE_LIMIT),
        ("<html>503 Service Unavailable</html>", 503, Kind.TRANSPORT),
        ("<html>gateway</html>", 504, Kind.TIMEOUT),
        ("moved", 301, Kind.UNKNOWN),
        ('{"id":%ID%,"error":"too many requests"}', 200, Kind.RATE_LIMIT),
        (
            '{"id":%ID%,"error":{"code":"x","message":null,"data":{"why":"missing trie node"}}}',
            200,
            Kind.PRUNED,
        ),
        ('{"id":null,"error":{"code":-32000,"message":"header not found"}}', 200, Kind.BLOCK_UNKNOWN),
        ('{"id":%ID%,"result":{"b":2},"error":{"code":-32601,"message":"no"}}', 200, Kind.METHOD_MISSING),
        (
            '{"id":%ID%,"error":{"code":-32005,"message":"Block range limit exceeded."}}',
            400,
            Kind.RANGE_TOO_LARGE,
        ),
    ],
)
def test_bad_answers(node: Any, endpoint: http.Endpoint, body: str, status: int, kind: Kind) -> None:
    node.say(body, status)
    with pytest.raises(errors.RpcError) as caught:
        endpoint.call("eth_chainId", [], str)
    assert caught.value.kind is kind
    assert isinstance(caught.value, errors.RpcFatalError) == (kind in errors.FATAL)
    assert "secret" not in str(caught.value)


def test_an_error_text_in_invalid_utf8(node: Any, endpoint: http.Endpoint) -> None:
    node.say(b'{"id":%ID%,"error":{"code":-32000,"message":"unknown block \xff\\u0000"}}')
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.call("eth_chainId", [], str)
    assert caught.value.kind is Kind.BLOCK_UNKNOWN
    assert "\x00" not in str(caught.value)


def test_an_answer_nested_without_end(node: Any, endpoint: http.Endpoint) -> None:
    node.say('{"id":%ID%,"error":{"code":1,"data":' + "[" * 5000 + "]" * 5000 + "}}")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # Python's own; web3 raises it for the whole process
    try:
        with pytest.raises(errors.RpcTransientError) as caught:
            endpoint.call("eth_chainId", [], str)
    finally:
        sys.setrecursionlimit(before)
    assert caught.value.kind is Kind.BAD_ANSWER


def test_retry_after(node: Any, endpoint: http.Endpoint) -> None:
    node.say("slow down", 429, retry_after="17")
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.call("eth_chainId", [], str)
    assert (caught.value.kind, caught.value.retry_after_seconds) == (Kind.RATE_LIMIT, 17.0)


def test_a_connection_closed_meanwhile_is_tried_once_more(node: Any, endpoint: http.Endpoint) -> None:
    node.results = {"eth_chainId": "0x1"}
    node.hang_up()
    assert endpoint.call("eth_chainId", [], str) == "0x1"
    node.hang_up()
    node.hang_up()
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.call("eth_chainId", [], str)
    assert caught.value.kind is Kind.TRANSPORT


def test_a_body_beyond_the_bound(node: Any) -> None:
    endpoint = http.Endpoint(node.url, largest_body_bytes=100)
    node.results = {"eth_chainId": "0x" + "1" * 200}
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.call("eth_chainId", [], str)
    assert caught.value.kind is Kind.TOO_MANY_RESULTS
    endpoint.close()


def test_an_answer_that_comes_byte_by_byte_without_end() -> None:
    enough = threading.Event()

    def dribble(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
            while not enough.wait(0.01):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dribble, args=(server,), daemon=True)
        thread.start()
        endpoint = http.Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}", total_seconds=0.1)
        with pytest.raises(errors.RpcTransientError) as caught:
            endpoint.call("eth_chainId", [], str)
        assert caught.value.kind is Kind.TIMEOUT
        enough.set()
        thread.join()
        endpoint.close()


def test_no_answer_and_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        endpoint = http.Endpoint(f"http://127.0.0.1:{port}", read_timeout_seconds=0.05)
        with pytest.raises(errors.RpcTransientError) as caught:
            endpoint.call("eth_chainId", [], str)
        assert caught.value.kind is Kind.TIMEOUT
        endpoint.close()
    with pytest.raises(errors.RpcTransientError) as caught:
        http.Endpoint(f"http://127.0.0.1:{port}").call("eth_chainId", [], str)
    assert caught.value.kind is Kind.TRANSPORT


def test_a_batch_answers_in_the_order_asked(node: Any, endpoint: http.Endpoint, header: Any) -> None:
    node.results = {"eth_getBlockByNumber": lambda params: header(int(params[0], 16))}
    found = endpoint.batch("eth_getBlockByNumber", [[hex(n), False] for n in (5, 3, 9)], Header)
    assert [each and each.number for each in found] == ["0x5", "0x3", "0x9"]
    node.say('{"id":null,"error":{"code":-32600,"message":"batch too large"}}')
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.batch("eth_getBlockByNumber", [["0x1", False]], Header)
    assert caught.value.kind is Kind.BATCH_TOO_LARGE
    node.say('[{"id":null,"error":{"code":-32000,"message":"batch limit 1 exceeded"}}]')
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.batch("eth_getBlockByNumber", [["0x1", False]], Header)
    assert caught.value.kind is Kind.BATCH_TOO_LARGE
    node.say("[]")
    with pytest.raises(errors.RpcTransientError, match="no answer"):
        endpoint.batch("eth_getBlockByNumber", [["0x1", False]], Header)


def test_an_error_keeps_its_code_and_data(node: Any, endpoint: http.Endpoint) -> None:
    for body, code, data in (
        (
            '{"id":%ID%,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}',
            3,
            "0x08c379a0",
        ),
        ('{"id":%ID%,"error":{"code":"x","message":"no","data":{"a":[1]}}}', 0, {"a": [1]}),
        ('{"id":%ID%,"error":"nonce too low"}', 0, None),
        ("<html>503</html>", None, None),
        ('{"id":%ID%}', None, None),
    ):
        node.say(body)
        with pytest.raises(errors.RpcError) as caught:
            endpoint.call("eth_call", [], str)
        assert (caught.value.code, caught.value.data) == (code, data)


def test_items_of_a_batch_fail_one_by_one(node: Any, endpoint: http.Endpoint) -> None:
    reverted = {"code": 3, "message": "execution reverted: no", "data": "0x1234"}
    node.results = {"eth_call": lambda params: reverted if params[0] % 2 else hex(params[0])}
    first, second, third = endpoint.batch_each("eth_call", [[0], [1], [2]], str)
    assert (first, third) == ("0x0", "0x2")
    assert isinstance(second, errors.RpcError)
    assert (second.code, second.data, second.text) == (3, "0x1234", "execution reverted: no 0x1234")
    assert endpoint.batch_each("eth_call", [], str) == []
    with pytest.raises(errors.RpcError, match="execution reverted"):
        endpoint.batch("eth_call", [[0], [1], [2]], str)
    node.say(
        '[{"id":%ID%,"result":"0x0"},{"id":null,"error":{"code":-32000,"message":"batch limit 1 exceeded"}}]'
    )
    with pytest.raises(errors.RpcTransientError) as caught:
        endpoint.batch_each("eth_call", [[0], [1]], str)
    assert caught.value.kind is Kind.BATCH_TOO_LARGE


@pytest.mark.parametrize("url", ["ws://node.example/key", "node.example", "http://", "http://host:x/key", ""])
def test_no_http_url(url: str) -> None:
    with pytest.raises(ConfigError, match="no HTTP endpoint") as caught:
        http.Endpoint(url)
    assert "key" not in str(caught.value)


def test_a_user_in_the_url_is_sent_and_not_shown(node: Any) -> None:
    node.results = {"eth_chainId": "0x1"}
    endpoint = http.Endpoint(node.url.replace("//", "//me:pass@") + "/key?a=b")
    assert endpoint.call("eth_chainId", [], str) == "0x1"
    assert node.paths == [("/key?a=b", "Basic bWU6cGFzcw==")]
    assert endpoint.name == node.url + "/…"
    endpoint.close()


BUILD_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from chainfirst.indexer.rpc import http
from chainfirst.indexer.structs import Log

start = threading.Barrier(4)
hexes = ("address", "data", "blockNumber", "blockHash", "transactionHash", "transactionIndex", "logIndex")
log = '"topics":[],' + ",".join(f'"{name}":"0x1"' for name in hexes)
body = ('{"id":1,"result":[{' + log + "}]}").encode()


def build() -> None:
    start.wait()
    decoder = http._decoder(list[Log])
    for _ in range(50):
        decoder.decode(body)


threads = [threading.Thread(target=build) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_begin_at_once_do_not_kill_the_process() -> None:
    for _ in range(15):  # without the lock about one in six died
        done = subprocess.run(
            [sys.executable, "-c", BUILD_AT_ONCE], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
