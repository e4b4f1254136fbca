"""A node's front door that plays faults: it passes on what comes, but for what a test says about sends."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import urllib3
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.errors import TransientError
from chainfirst.tests.contracts.conftest import Platform
from chainfirst.tests.writers.world import World
from chainfirst.writers import transaction
from chainfirst.writers.node import Node
from chainfirst.writers.transaction import Signed


@dataclass(frozen=True)
class Fault:
    """What becomes of one request: how often the node gets it, and what the caller hears.

    "own": the node's last answer; "close": the connection ends without one; "hang": nothing until the server
    is closed; "status": an HTML page with `status`; "error": the JSON-RPC error `text`, `code`; "hash": as if
    it were accepted.
    """

    times: int = 1
    reply: Literal["own", "close", "hang", "status", "error", "hash"] = "own"
    status: int = 502
    text: str = ""
    code: int = -32000


NONE = Fault()


def says(text: str, code: int = -32000, *, forward: bool = False) -> Fault:
    """Answered with this error; `forward`: the node gets it all the same."""
    return Fault(int(forward), "error", text=text, code=code)


class FrontDoor:
    """`on_send(transaction)` decides about each send, `on_call(method)` about all else; `sent` are the raw
    transactions that came."""

    def __init__(self, upstream_url: str) -> None:
        self.on_send: Callable[[Signed], Fault] = lambda _: NONE
        self.on_call: Callable[[str], Fault] = lambda _: NONE
        self.sent: list[str] = []
        self._closed = threading.Event()
        self._upstream = urllib3.connection_from_url(upstream_url, maxsize=8, retries=False, timeout=30)
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked = json.loads(body)
                fault = door._decide(asked)
                answer = b""
                for _ in range(fault.times):
                    answer = door._pass_on(body)
                if fault.reply == "hang":
                    door._closed.wait()
                if fault.reply in ("hang", "close"):
                    self.close_connection = True
                    return
                failed = fault.reply == "status"
                if failed:
                    answer = b"<h1>Bad gateway</h1>"
                elif fault.reply != "own":
                    answer = json.dumps(door._made_up(asked, fault)).encode()
                self.send_response(fault.status if failed else 200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._upstream.close()

    def be_well(self) -> None:
        """Pass everything on from now on."""
        self.on_send, self.on_call = lambda _: NONE, lambda _: NONE

    def _decide(self, asked: Any) -> Fault:
        if isinstance(asked, list):
            return self.on_call(asked[0]["method"])
        if asked["method"] != "eth_sendRawTransaction":
            return self.on_call(asked["method"])
        raw = asked["params"][0]
        self.sent.append(raw)
        return self.on_send(transaction.decode(bytes.fromhex(raw[2:])))

    def _pass_on(self, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        return bytes(self._upstream.urlopen("POST", "/", body=body, headers=headers).data)

    def _made_up(self, asked: Any, fault: Fault) -> dict[str, Any]:
        if fault.reply == "hash":
            raw = bytes.fromhex(asked["params"][0][2:])
            found: dict[str, Any] = {"result": transaction.decode(raw).hash}
        else:
            found = {"error": {"code": fault.code, "message": fault.text}}
        return {"jsonrpc": "2.0", "id": asked["id"] if isinstance(asked, dict) else None} | found


class FaultyWorld(World):
    """A world behind a front door. Its clock stands still: only blocks pass."""

    def __init__(
        self, database: str, platform: Platform, door: FrontDoor, *, seconds: float = 10, calm: bool = True
    ) -> None:
        self.door, self._seconds, self._began = door, seconds, datetime.now(UTC)
        super().__init__(database, platform, door.url)
        if calm:
            self.calm()  # a test before may have left a high base fee
        self.first = self.nonce()

    def start(self) -> None:
        super().start()
        endpoint = Endpoint(self.url, read_timeout_seconds=self._seconds)
        self.node = Node(endpoint, self.decoder)
        self.indexer.use(Client(endpoint))

    def now(self) -> datetime:
        return self._began + self.time_passed

    def calm(self) -> None:
        """A block after which a unit of gas costs one gwei."""
        self.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        self.mine()

    def forget_sending(self) -> None:
        """As if the daemon had died between its sends and its notes of them."""
        with self.app.transaction():
            self.app.execute("SET LOCAL session_replication_role = replica")  # no trigger expects that
            self.app.execute(
                "UPDATE intent.attempts SET sent_at = NULL, last_sent_at = NULL, last_sent_block = NULL,"
                " answer = NULL, answer_text = NULL"
            )

    def verify(self, count: int = 1) -> list[uuid.UUID]:
        """So many intents, each for an investor of its own."""
        return [
            self.submit("investor.set_verified", investor=f"0x{uuid.uuid4().int >> 8:040x}", verified=True)
            for _ in range(count)
        ]

    def bear(self, rounds: int = 1, *, mine: bool = True) -> None:
        """Rounds of work, each with a block; what the daemon's loop bears is borne."""
        for _ in range(rounds):
            with contextlib.suppress(TransientError):
                self.round()
            if mine:
                self.mine()

    def attempts(self, intent: uuid.UUID) -> list[dict[str, Any]]:
        """Of its nonces, oldest first."""
        return [
            row[0]
            for row in self.all(
                "SELECT to_jsonb(a) - 'raw' FROM intent.attempts a"
                " JOIN intent.transactions t ON t.id = a.transaction WHERE t.intent = %s ORDER BY a.id",
                intent,
            )
        ]

    def lane_row(self) -> dict[str, Any]:
        """The lane's row, as apps see it."""
        found: dict[str, Any] = self.one("SELECT to_jsonb(l) FROM intent.lanes l")
        return found

    def assert_whole(self, *intents: uuid.UUID) -> None:
        """Every intent has one nonce, no nonce was lost, and those that are confirmed have one event each."""
        self.assert_consistent()
        nonces = self.own_nonces()
        assert nonces == list(range(self.first, self.nonce())), "a nonce was lost, or taken twice"
        rows = self.all(
            "SELECT i.id, i.outcome, count(DISTINCT t.nonce), count(e.tx_hash) FROM intent.intents i"
            " JOIN intent.transactions t ON t.intent = i.id JOIN intent.attempts a ON a.transaction = t.id"
            " LEFT JOIN event.issuer_registry_investor_status_changed e ON e.tx_hash = a.hash"
            " WHERE i.id = ANY (%s) GROUP BY i.id",
            list(intents),
        )
        assert len(rows) == len(intents)
        for intent, outcome, own, effects in rows:
            assert (own, effects) == (1, int(outcome == "confirmed")), (intent, outcome, own, effects)
