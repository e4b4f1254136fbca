"""The chain as the platform's users reach it: raw JSON-RPC, and accounts that the node signs for."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chainfirst.contracts.build import ARTIFACTS
from chainfirst.ops import errors

if TYPE_CHECKING:
    from web3.contract import Contract

GAS = 800_000
FUNDS_WEI = 10**20  # for a signer's gas
MINED_SECONDS = 20.0


@dataclass(frozen=True)
class Call:
    """A transaction to send: who calls what, with which encoded arguments."""

    sender: str
    to: str
    data: str

    @property
    def request(self) -> dict[str, str]:
        """As the node takes it."""
        return {"from": self.sender, "to": self.to, "data": self.data, "gas": hex(GAS)}


class Chain:
    """Blocks are made when this says so, not when a transaction comes."""

    def __init__(self, url: str) -> None:
        from web3 import Web3

        self.web3: Web3 = Web3(Web3.HTTPProvider(url))

    def rpc(self, method: str, *parameters: Any) -> Any:
        """The node's answer. FatalError: it refuses."""
        answer: Any = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        if "error" in answer:
            raise errors.FatalError(f"the node refuses {method}: {answer['error'].get('message')}")
        return answer["result"]

    def accounts(self) -> list[str]:
        """The accounts that the node signs for."""
        return [str(address) for address in self.web3.eth.accounts]

    def head(self) -> int:
        """The newest block's number."""
        return int(self.rpc("eth_blockNumber"), 16)

    def header(self, number: int | None = None) -> dict[str, Any]:
        """A block's header, the newest one's by default."""
        wanted = "latest" if number is None else hex(number)
        header: dict[str, Any] = self.rpc("eth_getBlockByNumber", wanted, False)
        return header

    def contract(self, name: str, address: str) -> "Contract":
        """One of the platform's contracts."""
        abi = json.loads((ARTIFACTS / f"{name}.json").read_text())["abi"]
        found: Contract = self.web3.eth.contract(address=self.web3.to_checksum_address(address), abi=abi)
        return found

    def call(self, sender: str, contract: "Contract", function: str, *arguments: Any) -> Call:
        """What `block` sends."""
        return Call(sender, contract.address, contract.encode_abi(function, list(arguments)))

    def fund(self, address: str) -> None:
        """Ether for gas."""
        self.rpc("anvil_setBalance", address, hex(FUNDS_WEI))

    def nonce(self, address: str) -> int:
        """How many transactions of that account are in blocks."""
        return int(self.rpc("eth_getTransactionCount", address, "latest"), 16)

    def mine_on_demand(self) -> None:
        """From now on no block comes by itself."""
        self.rpc("evm_setAutomine", False)

    def block(self, *calls: Call) -> list[dict[str, Any]]:
        """One block with these calls in it, all of which must succeed; their receipts."""
        sent = [self.rpc("eth_sendTransaction", call.request) for call in calls]
        self.mine(1)
        receipts = [self._receipt(each) for each in sent]
        for call, receipt in zip(calls, receipts, strict=True):
            if receipt["status"] != "0x1":
                number = int(receipt["blockNumber"], 16)
                raise errors.FatalError(
                    f"a call of {call.sender} to {call.to} was reverted in block {number}: {call.data}"
                )
        return receipts

    def mine(self, blocks: int) -> None:
        """Blocks from what waits, empty ones after that."""
        self.rpc("anvil_mine", hex(blocks))

    def pass_time(self, until: int) -> None:
        """A block at that time, in seconds of the epoch."""
        self.rpc("evm_setNextBlockTimestamp", until)
        self.mine(1)

    def replace(self, depth: int, kept: Sequence[tuple[Call, int]]) -> None:
        """Replace the last `depth` blocks by others in which only `kept` happen, each in the replacement
        with its index. FatalError: one of them didn't, for the node drops what it can't repeat."""
        first = self.head() - depth + 1
        self.rpc("anvil_reorg", depth, [[call.request, at] for call, at in kept])
        numbers = range(first, first + depth)
        receipts = [each for number in numbers for each in self.rpc("eth_getBlockReceipts", hex(number))]
        if [receipt["status"] for receipt in receipts] != ["0x1"] * len(kept):
            raise errors.FatalError(
                f"{len(receipts)} transactions are in the replacing blocks, {len(kept)} were to be"
            )

    def _receipt(self, sent: str) -> dict[str, Any]:
        limit = time.monotonic() + MINED_SECONDS
        while time.monotonic() < limit:
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
            time.sleep(0.01)
        raise errors.FatalError(f"the transaction {sent} was not mined in {MINED_SECONDS:g} s")
