"""A bad line to the real node: answers that get lost after they took effect, replicas that lag and forget."""

import json
import random
from typing import Any

from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.http import Endpoint

FORGOTTEN = frozenset({"eth_getBlockByHash", "eth_getTransactionReceipt", "eth_getTransactionByHash"})


class Line(Endpoint):
    """Bad while `bad`. It never lies about what is: only that something isn't there, or isn't there yet."""

    def __init__(self, url: str, dice: random.Random) -> None:
        super().__init__(url)
        self._dice = dice
        self.bad = False

    def _post(self, method: str, body: bytes, largest: int) -> tuple[int, bytes, float | None]:
        if not self.bad:
            return super()._post(method, body, largest)
        if self._dice.random() < 0.03:
            raise self._error(Kind.TRANSPORT, method, "nothing came through")
        if self._dice.random() < 0.1 and b'"latest"' in body:
            body = body.replace(b'"latest"', json.dumps(self._earlier()).encode())
        if method == "eth_sendRawTransaction" and self._dice.random() < 0.1:
            super()._post(method, body, largest)  # and once more
        status, answer, wait = super()._post(method, body, largest)
        if self._dice.random() < 0.04:
            raise self._error(Kind.TIMEOUT, method, "the answer got lost")
        if method in FORGOTTEN and self._dice.random() < 0.1:
            answer = _with(answer, None)
        elif b'"blockHash"' in body and method == "eth_getLogs" and self._dice.random() < 0.2:
            answer = _with(answer, [])
        return status, answer, wait

    def _earlier(self) -> str:
        _, answer, _ = super()._post("eth_blockNumber", _ASK, 1000)
        return hex(int(json.loads(answer)["result"], 16) - self._dice.randint(1, 3))


_ASK = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'


def _with(answer: bytes, result: Any) -> bytes:
    found = json.loads(answer)
    if isinstance(found, dict) and "result" in found:
        found["result"] = result
    return json.dumps(found).encode()
