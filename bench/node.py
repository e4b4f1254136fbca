"""A chain to measure on: a node that mines only when told, and contracts that emit on demand."""

import http.client
import json
from pathlib import Path
from typing import Any

from chainfirst.ops.dev.node import Anvil
from eth_hash.auto import keccak

ARTIFACTS = Path(__file__).parent.parent / "contracts" / "artifacts"
SENDER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"  # anvil's first unlocked account
GAS = 25_000_000


class Node:
    """One kept connection; calls go one after another (anvil runs a batch's calls side by side)."""

    def __init__(self, anvil: Anvil) -> None:
        self.url, self.ws_url = anvil.url, anvil.ws_url
        self._http = http.client.HTTPConnection("127.0.0.1", int(self.url.rsplit(":", 1)[1]))
        self.call("evm_setAutomine", False)

    def call(self, method: str, *params: Any) -> Any:
        """The result; RuntimeError for an error."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self._http.request("POST", "/", body, {"content-type": "application/json"})
        answer = json.loads(self._http.getresponse().read())
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Mine what waits into one block, and empty blocks after it."""
        self.call("anvil_mine", hex(blocks))

    def head(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def deploy(self, name: str, *arguments: int) -> str:
        """The address, lower-case, of a new contract; RuntimeError unless it is there."""
        code = json.loads((ARTIFACTS / f"{name}.json").read_text())["bytecode"] + words(arguments)
        sent = self.call("eth_sendTransaction", {"from": SENDER, "data": code, "gas": hex(GAS)})
        self.mine()
        receipt = self.call("eth_getTransactionReceipt", sent)
        if receipt["status"] != "0x1":
            raise RuntimeError(f"{name} was not deployed: {receipt}")
        return str(receipt["contractAddress"]).lower()

    def send(self, to: str, signature: str, *arguments: int) -> str:
        """Put a call into the pool, unmined; its hash."""
        data = "0x" + keccak(signature.encode())[:4].hex() + words(arguments)
        call = {"from": SENDER, "to": to, "data": data, "gas": hex(GAS)}
        return str(self.call("eth_sendTransaction", call))

    def check(self, sent: str) -> None:
        """RuntimeError unless this transaction is mined and did what it should."""
        receipt = self.call("eth_getTransactionReceipt", sent)
        if receipt is None or receipt["status"] != "0x1":
            raise RuntimeError(f"{sent} failed: {receipt}")

    def bursts(self, emitter: str, blocks: int, events: int) -> tuple[int, int]:
        """`blocks` blocks with `events` transfers each; the first and the last of them."""
        first = self.head() + 1
        for _ in range(blocks):
            sent = self.send(emitter, "emitBurst(uint256)", events)
            self.mine()
        self.check(sent)
        return first, self.head()


def words(arguments: tuple[int, ...]) -> str:
    """Static arguments as the ABI encodes them, without 0x."""
    return "".join(f"{argument:064x}" for argument in arguments)
