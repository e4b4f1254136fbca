"""The calls of a writer on one endpoint: typed, validated, and what a node refuses as values.

Reads raise RpcTransientError or RpcFatalError as the indexer's do. A call that is reverted is a Revert, not
an exception: that is an answer. Nor does a send raise for anything that a node says or doesn't say.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from chainfirst.indexer.rpc import errors, http, quantity
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.ops.errors import FatalError
from chainfirst.writers import answers, fees, infos, reverts
from chainfirst.writers.answers import Answer
from chainfirst.writers.infos import FeeHistory, Head, Quantity, TransactionInfo
from chainfirst.writers.reverts import Revert
from eth_hash.auto import keccak

if TYPE_CHECKING:
    from chainfirst.writers.kinds import Call

T = TypeVar("T")
CALLS_IN_A_BATCH = 50
BLOCKS_OF_FEES = 10
_SMALLER = frozenset({Kind.BATCH_TOO_LARGE, Kind.TOO_MANY_RESULTS, Kind.BAD_ANSWER})


class Node:
    """One node; any number of threads may call."""

    def __init__(self, endpoint: http.Endpoint, decoder: reverts.Decoder | None = None) -> None:
        """`decoder`: knows the custom errors by their ABIs."""
        self.endpoint = endpoint
        self._decoder = decoder or reverts.Decoder()
        self._batch_size = CALLS_IN_A_BATCH

    @property
    def name(self) -> str:
        """The endpoint's URL, masked."""
        return self.endpoint.name

    def send(self, raw: bytes) -> Answer:
        """eth_sendRawTransaction. A time-out, a broken connection, a 5xx or unknown words: class UNKNOWN.

        The endpoint may send twice if a kept connection breaks; then the second answer is often "already
        known", which is a success. FatalError: the node took it under another hash, so it isn't ours.
        """
        expected = f"0x{keccak(raw).hex()}"
        try:
            found = self.endpoint.call_optional("eth_sendRawTransaction", [f"0x{raw.hex()}"], object)
        except errors.RpcError as error:
            cls = answers.Class.UNKNOWN if error.code is None else answers.classify(error.text, error.code)
            return Answer(cls, error.text, error.retry_after_seconds)
        if not isinstance(found, str) or not quantity.is_hash(found.lower()):
            said = errors.clean(f"no hash but {str(found)[:100]!r}")
            return Answer(answers.Class.UNKNOWN, said)
        if found.lower() != expected:
            raise FatalError(
                f"{self.name} took the transaction {expected} and answered the hash {found.lower()}",
                "It is no node of this chain, or something changes what is sent: use another endpoint.",
            )
        return Answer(answers.Class.ACCEPTED)

    def call(self, call: "Call", sender: str, block: int | str = "latest") -> bytes | Revert:
        """eth_call after `block` (number or tag). b"" where there is no code too, or not yet on this node."""
        return self._one("eth_call", [_asked(call, sender), _block(block)], self._returned)

    def estimate_gas(self, call: "Call", sender: str) -> int | Revert:
        """eth_estimateGas on what the node takes for its newest state."""
        return self._one("eth_estimateGas", [_asked(call, sender)], quantity.parse)

    def calls(
        self, wanted: Sequence[tuple["Call", str]], block: int | str = "latest"
    ) -> list[bytes | Revert | errors.RpcError]:
        """`call` for each (call, sender), in batches. An item that failed otherwise is its error; what
        concerns all of them raises."""
        params = [[_asked(call, sender), _block(block)] for call, sender in wanted]
        return self._each("eth_call", params, self._returned)

    def estimates(self, wanted: Sequence[tuple["Call", str]]) -> list[int | Revert | errors.RpcError]:
        """`estimate_gas` for each (call, sender), as `calls`."""
        params = [[_asked(call, sender)] for call, sender in wanted]
        return self._each("eth_estimateGas", params, quantity.parse)

    def nonce(self, address: str, block: int | str = "latest") -> int:
        """eth_getTransactionCount. At latest: so many are mined; "pending" is but a hint."""
        return self._quantity("eth_getTransactionCount", [address, _block(block)])

    def balance(self, address: str, block: int | str = "latest") -> int:
        """eth_getBalance, in wei."""
        return self._quantity("eth_getBalance", [address, _block(block)])

    def gas_price(self) -> int:
        """eth_gasPrice, in wei: what the node proposes."""
        return self._quantity("eth_gasPrice", [])

    def head(self) -> Head:
        """The newest block."""
        found = self.endpoint.call("eth_getBlockByNumber", ["latest", False], infos.RawHead)
        with _Checked(self, "eth_getBlockByNumber"):
            return infos.head(found)

    def fee_history(self, blocks: int, percentile: int) -> FeeHistory | None:
        """The last blocks' base fees and tips; None: the node has no such call."""
        try:
            params = [hex(blocks), "latest", [percentile]]
            found = self.endpoint.call("eth_feeHistory", params, infos.RawFeeHistory)
        except errors.RpcError as error:
            if error.kind in {Kind.METHOD_MISSING, Kind.INVALID_PARAMS}:
                return None
            raise
        with _Checked(self, "eth_feeHistory"):
            return infos.fee_history(found)

    def market(self, percentile: int, blocks: int = BLOCKS_OF_FEES) -> fees.Market:
        """What the chain asks now.

        The head decides whether there is a base fee: some nodes have a fee history without one. Where there
        is no history, the proposed gas price says what tip it holds.
        """
        base_fee = self.head().base_fee_wei
        if base_fee is None:
            return fees.Market(None, gas_price_wei=self.gas_price())
        history = self.fee_history(blocks, percentile)
        if history is None or not history.base_fees_wei:
            rising = base_fee + base_fee // 8  # the next block's at most
            return fees.Market(rising, (max(0, self.gas_price() - base_fee),))
        return fees.Market(history.base_fees_wei[-1], history.tips_wei)

    def transaction(self, transaction_hash: str) -> TransactionInfo | None:
        """eth_getTransactionByHash, mined or in the pool. None: this node hasn't got it; proves nothing."""
        method = "eth_getTransactionByHash"
        found = self.endpoint.call_optional(method, [transaction_hash], infos.RawTransaction)
        with _Checked(self, method):
            return None if found is None else infos.transaction(found, wanted=transaction_hash)

    def block_transactions(self, number: int) -> list[TransactionInfo]:
        """All transactions of a block, with their block's hash. BLOCK_UNKNOWN: the node hasn't got it."""
        found = self.endpoint.call("eth_getBlockByNumber", [hex(number), True], infos.RawBlock)
        with _Checked(self, "eth_getBlockByNumber"):
            return infos.block_transactions(found, number)

    def _quantity(self, method: str, params: Sequence[Any]) -> int:
        found: Quantity = self.endpoint.call(method, params, Quantity)  # type: ignore[arg-type]
        with _Checked(self, method):
            return quantity.parse(found)

    def _one(self, method: str, params: Sequence[Any], read: Callable[[Any], T | Revert]) -> T | Revert:
        try:
            found = self.endpoint.call(method, params, object)
        except errors.RpcError as error:
            revert = self._decoder.of_error(error)
            if revert is None:
                raise
            return revert
        with _Checked(self, method):
            return read(found)

    def _each(
        self, method: str, params: Sequence[Sequence[Any]], read: Callable[[Any], T | Revert]
    ) -> list[T | Revert | errors.RpcError]:
        results: list[T | Revert | errors.RpcError] = []
        size = self._batch_size
        while len(results) < len(params):
            part = params[len(results) : len(results) + size]
            if len(part) == 1 or size == 1:
                results.append(self._alone(method, part[0], read))
                continue
            try:
                found = self.endpoint.batch_each(method, part, object)
            except errors.RpcError as error:
                if error.kind not in _SMALLER:
                    raise
                size = max(1, size // 5)
                if error.kind is Kind.BATCH_TOO_LARGE:
                    self._batch_size = size
                continue
            results += [self._read(method, each, read) for each in found]
        return results

    def _alone(
        self, method: str, params: Sequence[Any], read: Callable[[Any], T | Revert]
    ) -> T | Revert | errors.RpcError:
        """As an item of a batch: what the node refused is the result, what broke off raises."""
        try:
            return self._one(method, params, read)
        except errors.RpcError as error:
            if error.code is None and error.kind is not Kind.BAD_ANSWER:
                raise
            return error

    def _read(
        self, method: str, found: object, read: Callable[[Any], T | Revert]
    ) -> T | Revert | errors.RpcError:
        if isinstance(found, errors.RpcError):
            return self._decoder.of_error(found) or found
        try:
            with _Checked(self, method):
                return read(found)
        except errors.RpcError as error:
            return error

    def _returned(self, found: object) -> bytes | Revert:
        data = infos.to_bytes(found)
        return self._decoder.of_result(data) or data


class _Checked:
    """Turns a ValueError about an answer into the error BAD_ANSWER."""

    def __init__(self, node: Node, method: str) -> None:
        self._where = f"{method} at {node.name}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ValueError):
            raise errors.make(Kind.BAD_ANSWER, f"{self._where}: {errors.clean(str(error))}") from error


def _asked(call: "Call", sender: str) -> dict[str, str]:
    """Without gas and price: the node takes its own bound, and no base fee."""
    asked = {"from": sender, "to": call.to, "data": f"0x{call.data.hex()}"}
    return asked | ({"value": hex(call.value)} if call.value else {})


def _block(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block
