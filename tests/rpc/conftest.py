"""A scripted node: a real HTTP server on 127.0.0.1 that answers what a test puts into it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Reply = tuple[int, dict[str, str], bytes]


class ScriptedNode:
    """`results` answers by method; `script` (first in, first out) overrides it with raw HTTP replies."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.script: list[Callable[[Any], Reply | None]] = []
        self.requests: list[Any] = []
        self.paths: list[tuple[str, str | None]] = []
        self.connections = 0
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                node.connections += 1

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                node.requests.append(request)
                node.paths.append((self.path, self.headers["authorization"]))
                reply = node.script.pop(0)(request) if node.script else node.answer(request)
                if reply is None:
                    self.close_connection = True
                    return
                status, headers, body = reply
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()

    def answer(self, request: Any) -> Reply:
        if isinstance(request, list):
            return 200, {}, json.dumps([self.one(each) for each in reversed(request)]).encode()
        return 200, {}, json.dumps(self.one(request)).encode()

    def one(self, request: Any) -> Any:
        found = self.results[request["method"]]
        if callable(found):
            found = found(request["params"])
        key = "error" if isinstance(found, dict) and "code" in found else "result"
        return {"jsonrpc": "2.0", "id": request["id"], key: found}

    def say(self, body: bytes | str, status: int = 200, **headers: str) -> None:
        """The next reply, as it is; %ID% becomes the request's id."""
        raw = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(lambda request: (status, named, raw.replace(b"%ID%", str(_id(request)).encode())))

    def hang_up(self) -> None:
        """Close the connection instead of the next reply."""
        self.script.append(lambda request: None)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def _id(request: Any) -> Any:
    return request["id"] if isinstance(request, dict) else request[0]["id"]


@pytest.fixture
def new_node() -> Iterator[Callable[[], ScriptedNode]]:
    """Makes scripted nodes, closed after the test."""
    nodes: list[ScriptedNode] = []

    def make() -> ScriptedNode:
        nodes.append(ScriptedNode())
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()


@pytest.fixture
def node(new_node: Callable[[], ScriptedNode]) -> ScriptedNode:
    """One scripted node."""
    return new_node()


def block_hash(number: int, fork: int = 0) -> str:
    return f"0x{fork:02x}{number:062x}"


def make_header(number: int, fork: int = 0) -> dict[str, Any]:
    return {
        "number": hex(number),
        "hash": block_hash(number, fork),
        "parentHash": block_hash(max(number - 1, 0), fork),
        "timestamp": hex(1_700_000_000 + number),
    }


def make_log(number: int, index: int = 0, **changes: Any) -> dict[str, Any]:
    log = {
        "address": "0x" + "aa" * 20,
        "topics": ["0x" + "11" * 32],
        "data": "0x",
        "blockNumber": hex(number),
        "blockHash": block_hash(number),
        "transactionHash": "0x" + "22" * 32,
        "transactionIndex": hex(index // 10),
        "logIndex": hex(index),
        "removed": False,
    }
    return {**log, **changes}


@pytest.fixture(name="header")
def header_() -> Callable[..., dict[str, Any]]:
    """Makes a header's JSON."""
    return make_header


@pytest.fixture(name="log")
def log_() -> Callable[..., dict[str, Any]]:
    """Makes a log's JSON."""
    return make_log
