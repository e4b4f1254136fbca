"""JSON-RPC over real HTTP on 127.0.0.1: a node that serves one true block, and a proxy that plays faults."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from chainfirst.indexer.rpc.http import Endpoint

DATA = Path(__file__).parent.parent / "data"
EMPTY_ROOT = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"


class Fault(Exception):
    """Answered as a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """Answers each call with what `answer(method, parameters)` returns; `calls` remembers. A batch larger
    than `largest_batch` is refused as Polygon Edge does it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []
        self.largest_batch = 1000
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(server._answers(asked)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result, or a Fault."""
        raise Fault(-32601, f"the method {method} does not exist/is not available")

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def asked(self, method: str) -> list[list[Any]]:
        """The parameters of each call of this method."""
        return [params for name, params in self.calls if name == method]

    def _answers(self, asked: Any) -> Any:
        if not isinstance(asked, list):
            return self._one(asked)
        if len(asked) > self.largest_batch:
            return {"jsonrpc": "2.0", "id": None, "error": _refused(-32600, "Batch request length too long")}
        return [self._one(each) for each in asked]

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        method, params = request["method"], request["params"]
        self.calls.append((method, params))
        try:
            found = {"result": self.answer(method, params)}
        except Fault as fault:
            found = {"error": _refused(fault.code, str(fault))}
        return {"jsonrpc": "2.0", "id": request["id"], **found}


Rule = Callable[[list[Any], Callable[[], Any]], Any]


class Proxy(Server):
    """In front of a real node. `rules[method](parameters, forward)` answers instead of it; `forward()` is
    the node's own result."""

    def __init__(self, upstream_url: str) -> None:
        self.rules: dict[str, Rule] = {}
        self._upstream = Endpoint(upstream_url)
        super().__init__()

    def answer(self, method: str, params: list[Any]) -> Any:
        def forward() -> Any:
            return self._upstream.call_optional(method, params, object)

        rule = self.rules.get(method)
        return forward() if rule is None else rule(params, forward)

    def close(self) -> None:
        super().close()
        self._upstream.close()


class MainnetBlock(Server):
    """Ethereum's block 18,500,000 with its receipts, among empty blocks made up around it.

    `head` and `final` are numbers that a test moves. `block_timestamps`: whether logs carry them, as newer
    nodes' do.
    """

    number = 18_500_000

    def __init__(self, *, block_timestamps: bool = True) -> None:
        self.block = json.loads((DATA / "ethereum-18500000.block.json").read_text())
        self.block["transactions"] = []  # the calls of the indexer ask for hashes alone
        self.receipts = json.loads((DATA / "ethereum-18500000.receipts.json").read_text())
        self.logs = [log for receipt in self.receipts for log in receipt["logs"]]
        if not block_timestamps:
            for log in self.logs:
                del log["blockTimestamp"]
        self.hash, self.time = self.block["hash"], int(self.block["timestamp"], 16)
        self.head = self.final = self.number
        super().__init__()

    def answer(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return "0x1"
            case "eth_blockNumber":
                return hex(self.head)
            case "eth_getBlockByNumber":
                named = {"latest": self.head, "finalized": self.final}
                number = named[params[0]] if params[0] in named else int(params[0], 16)
                return self.header(number) if number <= self.head else None
            case "eth_getBlockByHash":
                return next(
                    (self.header(n) for n in self._numbers() if self.block_hash(n) == params[0]), None
                )
            case "eth_getLogs":
                return self._logs(**params[0])
            case "eth_getBlockReceipts":
                return self.receipts if params[0] == self.hash else []
        return super().answer(method, params)

    def block_hash(self, number: int) -> str:
        """Made up, but for the true block's and its parent's."""
        known = {self.number: self.hash, self.number - 1: self.block["parentHash"]}
        return str(known.get(number, f"0x{number:064x}"))

    def header(self, number: int) -> dict[str, Any]:
        if number == self.number:
            return dict(self.block)
        return {
            "number": hex(number),
            "hash": self.block_hash(number),
            "parentHash": self.block_hash(number - 1) if number else "0x" + "00" * 32,
            "timestamp": hex(self.time + 12 * (number - self.number)),
            "logsBloom": "0x" + "00" * 256,
            "receiptsRoot": EMPTY_ROOT,
            "transactions": [],
        }

    def _numbers(self) -> range:
        return range(self.number - 200, self.head + 1)

    def _logs(
        self,
        address: str | list[str] | None = None,
        topics: list[str | list[str] | None] | None = None,
        **where: str,
    ) -> list[dict[str, Any]]:
        if "blockHash" in where:
            if where["blockHash"] not in {self.block_hash(n) for n in self._numbers()}:
                raise Fault(-32000, "unknown block")
            held = where["blockHash"] == self.hash
        else:
            held = int(where["fromBlock"], 16) <= self.number <= min(int(where["toBlock"], 16), self.head)
        addresses = [address] if isinstance(address, str) else address
        return [
            log
            for log in self.logs
            if held
            and (addresses is None or log["address"] in addresses)
            and _fits(log["topics"], topics or [])
        ]


def _refused(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _fits(topics: list[str], wanted: list[str | list[str] | None]) -> bool:
    if len(topics) < len(wanted):
        return False
    return all(
        each is None or topic == each or (isinstance(each, list) and (not each or topic in each))
        for topic, each in zip(topics, wanted, strict=False)
    )
