"""A remote signer on 127.0.0.1 that speaks Web3Signer's JSON-RPC, well or, by its mode, badly."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import rlp
from eth_account import Account

Mode = Literal[
    "right",
    "geth's answer",  # {"raw": …, "tx": …} as geth and clef give it
    "hang",  # the connection stays open, nothing comes until the server is closed
    "wait",  # until the test says `go`; then it is right
    "dribble",  # a byte of the body now and then, without end
    "dribble headers",
    "hang up",
    "500",
    "refusal",  # a JSON-RPC error, as for an account that it hasn't got
    "no method",
    "garbage",
    "null",
    "wrong signature",  # of another hash
    "changed field",  # the one that `changes` names
    "other account",
    "own chain",  # its own, whatever is asked: Web3Signer's --chain-id
]
OWN_CHAIN = 1
DRIBBLE_SECONDS = 0.02


class Web3SignerServer:
    """Signs with `keys`, 0x hex. `mode` may change at any time; `requests` are those that came.

    `asked` is released for each transaction that it is asked to sign; `go` lets the mode "wait" go on.
    `changes`: other values for the fields of mode "changed field", None for a field that is left out. `close`
    ends it, answers that hang too; it is a context manager.
    """

    def __init__(self, *keys: str) -> None:
        self.mode: Mode = "right"
        self.changes: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self._accounts = {account.address.lower(): account for account in map(Account.from_key, keys)}
        self._closed = threading.Event()
        self.go = threading.Event()
        self.asked = threading.Semaphore(0)
        signer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                signer.requests.append(request)
                signer.authorizations.append(self.headers["authorization"])
                if request["method"] == "eth_signTransaction":
                    signer.asked.release()
                if signer.mode == "hang":
                    signer._closed.wait()
                if signer.mode == "wait":
                    signer.go.wait()
                if signer.mode in ("dribble", "dribble headers"):
                    self._dribble()
                if signer.mode in ("hang", "hang up", "dribble", "dribble headers"):
                    self.close_connection = True
                    return
                failed = signer.mode == "500"
                answer = {"jsonrpc": "2.0", "id": request["id"]} | signer.answer(request)
                body = b"<h1>method not found</h1>" if failed else json.dumps(answer).encode()
                self.send_response(500 if failed else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _dribble(self) -> None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                if signer.mode == "dribble":
                    self.wfile.write(b"content-length: 1000000\r\n\r\n")
                with contextlib.suppress(OSError):  # the caller has had enough
                    while not signer._closed.wait(DRIBBLE_SECONDS):
                        self.wfile.write(b" " if signer.mode == "dribble" else b"x")

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Result or error."""
        if self.mode == "no method":
            return {"error": {"code": -32601, "message": "Method not found"}}
        if request["method"] == "eth_accounts":
            return {"result": list(self._accounts)}
        if request["method"] != "eth_signTransaction":
            return {"error": {"code": -32604, "message": "Method not enabled"}}
        (asked,) = request["params"]
        account = self._accounts.get(asked["from"])
        if account is None or self.mode == "refusal":
            return {"error": {"code": -32000, "message": "No unlocked account matches the Sender"}}
        if self.mode in ("garbage", "null"):
            return {"result": None if self.mode == "null" else "0xno"}
        raw = self._signed(account, asked)
        return {"result": {"raw": raw, "tx": asked} if self.mode == "geth's answer" else raw}

    def _signed(self, account: Any, asked: dict[str, str]) -> str:
        to, data = bytes.fromhex(asked["to"][2:]), asked["data"]
        numbers = {name: int(asked[name], 16) for name in asked.keys() - {"from", "to", "data"}}
        fields: dict[str, Any] = numbers | {"to": to, "data": data}
        if self.mode == "changed field":
            fields = {name: value for name, value in (fields | self.changes).items() if value is not None}
        if self.mode == "own chain":
            fields["chainId"] = OWN_CHAIN
        if self.mode == "other account":
            account = Account.create()
        signed = account.sign_transaction(fields)
        if self.mode == "wrong signature":
            return self._resigned(account, fields)
        return f"0x{bytes(signed.raw_transaction).hex()}"

    def _resigned(self, account: Any, fields: dict[str, Any]) -> str:
        """The transaction as asked, with a signature of another."""
        right = bytes(account.sign_transaction(fields).raw_transaction)
        other = account.sign_transaction(fields | {"nonce": fields["nonce"] + 1})
        skip = 1 if right[0] < 0xC0 else 0
        items = [*rlp.decode(right[skip:])[:-3], other.v, other.r, other.s]
        return f"0x{right[:skip].hex()}{rlp.encode(items).hex()}"

    def close(self) -> None:
        """Answer nothing more."""
        self._closed.set()
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Web3SignerServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
