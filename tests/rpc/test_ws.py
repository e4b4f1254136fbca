"""New heads from real WebSocket servers: live, silent, closed, refused; and a close that doesn't wait."""

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from chainfirst.indexer.rpc import client, errors, http, ws
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.ws import Heads, State
from chainfirst.indexer.structs import Header
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

WAIT_SECONDS = 10
Handler = Callable[[ServerConnection], None]


class Seen:
    """What the thread told: headers and states, in queues."""

    def __init__(self) -> None:
        self.headers: queue.Queue[Header] = queue.Queue()
        self.states: queue.Queue[tuple[State, str]] = queue.Queue()

    def number(self) -> int:
        return int(self.headers.get(timeout=WAIT_SECONDS).number, 16)

    def until(self, state: State) -> str:
        while True:
            found, error = self.states.get(timeout=WAIT_SECONDS)
            if found is state:
                return error


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def listen(seen: Seen) -> Iterator[Callable[..., Heads]]:
    started: list[Heads] = []

    def start(url: str, http_head: Callable[[], int] = lambda: 1, **options: Any) -> Heads:
        settings = {"retry_seconds": (0.001, 0.01), **options}
        heads = Heads(
            url, seen.headers.put, http_head, on_state=lambda *told: seen.states.put(told), **settings
        )
        heads.start()
        started.append(heads)
        return heads

    yield start
    for heads in started:
        heads.close()


@pytest.fixture
def server() -> Iterator[Callable[[Handler], str]]:
    running: list[tuple[Server, threading.Thread]] = []

    def start(handler: Handler) -> str:
        found = serve(handler, "127.0.0.1", 0, close_timeout=0.1)
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        running.append((found, thread))
        return f"ws://127.0.0.1:{found.socket.getsockname()[1]}"

    yield start
    for found, thread in running:
        found.shutdown()
        thread.join()


def subscribe(connection: ServerConnection) -> None:
    assert json.loads(connection.recv())["params"] == ["newHeads"]
    connection.send('{"jsonrpc":"2.0","id":1,"result":"0xabc"}')


def emit(connection: ServerConnection, header: dict[str, Any]) -> None:
    params = {"subscription": "0xabc", "result": header}
    connection.send(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))


def hold(connection: ServerConnection) -> None:
    """Until the other side closes."""
    with contextlib.suppress(ConnectionClosed):
        connection.recv()


def test_heads_arrive_also_after_a_cut(listen: Any, server: Any, seen: Seen, header: Any) -> None:
    turns = iter(range(5, 100))

    def handler(connection: ServerConnection) -> None:
        subscribe(connection)
        emit(connection, header(next(turns)))

    listen(server(handler))
    assert [seen.number(), seen.number(), seen.number()] == [5, 6, 7]
    seen.until(State.LIVE)
    seen.until(State.DOWN)


def test_a_subscription_that_never_emits_is_opened_again(
    listen: Any, server: Any, seen: Seen, header: Any
) -> None:
    heights = iter(range(10, 10_000))
    first = threading.Event()

    def handler(connection: ServerConnection) -> None:
        subscribe(connection)
        if first.is_set():
            emit(connection, header(77))
        first.set()
        hold(connection)

    listen(server(handler), lambda: next(heights), silent_seconds=0.05)
    assert "no head for 0.05 s" in seen.until(State.SILENT)
    assert seen.number() == 77


def test_silence_is_fine_while_nothing_happens(listen: Any, server: Any, seen: Seen, header: Any) -> None:
    asked = threading.Semaphore(0)

    def handler(connection: ServerConnection) -> None:
        subscribe(connection)
        for _ in range(4):
            asked.acquire(timeout=WAIT_SECONDS)
        emit(connection, header(11))
        hold(connection)

    def http_head() -> int:
        asked.release()
        if asked._value % 2:
            raise errors.make(Kind.TRANSPORT, "no connection")
        return 10

    heads = listen(server(handler), http_head, silent_seconds=0.02)
    assert seen.number() == 11
    assert heads.state is State.LIVE
    heads.close()
    assert [state for state, _ in seen.states.queue] == [State.LIVE]


def test_no_websocket_here(listen: Any, new_node: Any, seen: Seen) -> None:
    node = new_node()  # answers 501 to GET
    heads = listen(node.url.replace("http", "ws") + "/secret")
    assert "HTTP 501" in seen.until(State.UNSUPPORTED)
    assert "secret" not in heads.name


def test_405_at_connect(listen: Any, seen: Seen) -> None:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(405, "no")

    with serve(hold, "127.0.0.1", 0, process_request=refuse) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        listen(f"ws://127.0.0.1:{found.socket.getsockname()[1]}")
        assert "HTTP 405" in seen.until(State.UNSUPPORTED)
        found.shutdown()
        thread.join()


def test_no_subscriptions_here(listen: Any, server: Any, seen: Seen) -> None:
    def handler(connection: ServerConnection) -> None:
        connection.recv()
        error = {"code": -32601, "message": "the method eth_subscribe does not exist"}
        connection.send(json.dumps({"id": 1, "error": error}))
        hold(connection)

    listen(server(handler))
    assert "does not exist" in seen.until(State.UNSUPPORTED)


def test_nonsense_and_a_failing_callback_are_states(server: Any, header: Any) -> None:
    turns = iter([{"number": "0x5"}, header(5), header(6)])
    told: queue.Queue[str] = queue.Queue()
    arrived = threading.Event()

    def handler(connection: ServerConnection) -> None:
        subscribe(connection)
        emit(connection, next(turns))
        hold(connection)

    def on_header(found: Header) -> None:
        if found.number == "0x5":
            raise RuntimeError("a fault of the callback")
        arrived.set()

    heads = Heads(
        server(handler),
        on_header,
        lambda: 1,
        on_state=lambda _, error: told.put(error),
        retry_seconds=(0.001, 0.01),
    )
    heads.start()
    assert arrived.wait(WAIT_SECONDS)
    heads.close()
    said = list(told.queue)
    assert any("missing required field" in each for each in said)
    assert any("a fault of the callback" in each for each in said)


def test_close_takes_less_than_a_second(listen: Any, server: Any, seen: Seen) -> None:
    stuck = threading.Event()

    def handler(connection: ServerConnection) -> None:
        subscribe(connection)
        stuck.wait(WAIT_SECONDS)

    heads = listen(server(handler))
    seen.until(State.LIVE)
    started = time.monotonic()
    heads.close()
    assert time.monotonic() - started < 1
    assert heads.state is State.CLOSED
    stuck.set()
    nobody = Heads("ws://127.0.0.1:9", lambda found: None, lambda: 1)
    nobody.close()


def test_a_real_node(anvil: Any, listen: Any, seen: Seen) -> None:
    reader = client.Client(http.Endpoint(anvil.url))
    listen(anvil.ws_url, reader.block_number)
    seen.until(State.LIVE)
    reader.endpoint.call("evm_mine", [], str)
    assert seen.number() == reader.block_number()
    assert ws.SILENT_SECONDS == 30
    reader.close()
