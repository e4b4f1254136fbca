"""The typed reads of the indexer on one endpoint; every answer is validated before it is returned."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from chainfirst.indexer import receipts
from chainfirst.indexer.rpc import errors, http, quantity, validate
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.validate import LogFilter as LogFilter
from chainfirst.indexer.structs import Header, Log, Receipt

HEADERS_IN_A_BATCH = 50
LARGEST_RANGE_BYTES = 24 << 20  # several are in memory at once, some times as large as structs


class _Receipt(msgspec.Struct, rename="camel", frozen=True, gc=False):
    transaction_hash: str
    gas_used: str | int
    block_number: str | int | None = None
    block_hash: str | None = None
    status: str | int | None = None
    effective_gas_price: str | int | None = None


class Client:
    """One node. Methods raise RpcTransientError or RpcFatalError; `kind` says what to do."""

    def __init__(self, endpoint: http.Endpoint, on_removed: Callable[[int], None] | None = None) -> None:
        """`on_removed` hears how many logs with `removed: true` an answer had; they are dropped."""
        self.endpoint = endpoint
        self._on_removed = on_removed

    @property
    def name(self) -> str:
        """The endpoint's URL, masked."""
        return self.endpoint.name

    def close(self) -> None:
        """Close the idle connections."""
        self.endpoint.close()

    def chain_id(self) -> int:
        """eth_chainId."""
        return self._quantity("eth_chainId")

    def block_number(self) -> int:
        """eth_blockNumber: the node's head."""
        return self._quantity("eth_blockNumber")

    def header_by_number(self, block: int | str) -> Header | None:
        """The header at a number or tag (latest, finalized, safe); None if the node hasn't got it."""
        asked = hex(block) if isinstance(block, int) else block
        try:
            found = self.endpoint.call_optional("eth_getBlockByNumber", [asked, False], Header)
        except errors.RpcError as error:
            if error.kind is Kind.INVALID_PARAMS and asked in {"finalized", "safe"}:
                raise errors.make(Kind.TAG_UNSUPPORTED, error.message, text=error.text) from error
            raise
        return self._header(found, number=block if isinstance(block, int) else None)

    def header_by_hash(self, block_hash: str) -> Header | None:
        """The header with this hash; None if the node hasn't got it (any more)."""
        found = self.endpoint.call_optional("eth_getBlockByHash", [block_hash, False], Header)
        return self._header(found, block_hash=block_hash)

    def headers_by_number(self, numbers: Sequence[int]) -> list[Header]:
        """The headers in the order asked, in batches. One that is missing is BLOCK_UNKNOWN."""
        size, found = HEADERS_IN_A_BATCH, list[Header]()
        while len(found) < len(numbers):
            part = numbers[len(found) : len(found) + size]
            params = [[hex(number), False] for number in part]
            try:
                answers = self.endpoint.batch("eth_getBlockByNumber", params, Header)
            except errors.RpcError as error:
                if size == 1 or error.kind not in {
                    Kind.BATCH_TOO_LARGE,
                    Kind.TOO_MANY_RESULTS,
                    Kind.BAD_ANSWER,
                }:
                    raise
                size = max(1, size // 5)
                continue
            for number, answer in zip(part, answers, strict=True):
                header = self._header(answer, number=number)
                if header is None:
                    raise errors.make(Kind.BLOCK_UNKNOWN, f"block {number} at {self.name} is null")
                found.append(header)
        return found

    def logs_by_range(self, wanted: LogFilter, first: int, last: int) -> tuple[list[Log], int]:
        """Logs of first..last in order, and the answer's bytes; some nodes say [] beyond the head."""
        where = {"fromBlock": hex(first), "toBlock": hex(last)}
        try:
            return self._logs(wanted, where, first=first, last=last)
        except errors.RpcError as error:
            if error.kind is Kind.INVALID_PARAMS and last > first:
                # -32602 in unknown words is most often a range; one block that fails so is a real fault
                raise errors.make(Kind.RANGE_TOO_LARGE, error.message, text=error.text) from error
            raise

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        """The logs of one block, in order; BLOCK_UNKNOWN if the node hasn't got it."""
        return self._logs(wanted, {"blockHash": block_hash}, block_hash=block_hash)[0]

    def receipts_by_hash(self, block_hash: str) -> list[receipts.Receipt]:
        """All receipts of the block; METHOD_MISSING where the node has no such call."""
        found = self.endpoint.call("eth_getBlockReceipts", [block_hash], list[receipts.Receipt])
        for receipt in found:
            if receipt.block_hash != block_hash:
                raise self._bad(f"a receipt of block {receipt.block_hash[:80]}, asked for {block_hash}")
        return found

    def transaction_receipt(self, transaction_hash: str) -> Receipt | None:
        """What became of a transaction; None: no block of the node's chain holds it (yet)."""
        found = self.endpoint.call_optional("eth_getTransactionReceipt", [transaction_hash], _Receipt)
        if found is None:
            return None
        if found.transaction_hash.lower() != transaction_hash:
            raise self._bad(f"the receipt of {found.transaction_hash[:80]}, asked for {transaction_hash}")
        if found.block_hash is None:  # of one that isn't mined, as some nodes had
            return None
        if not quantity.is_hash(found.block_hash.lower()):
            raise self._bad(f"a receipt of block {found.block_hash[:80]}")
        try:
            return Receipt(
                quantity.parse(found.block_number),
                found.block_hash.lower(),
                found.status is None or quantity.parse(found.status) == 1,
                quantity.parse(found.gas_used),
                None if found.effective_gas_price is None else quantity.parse(found.effective_gas_price),
            )
        except ValueError as error:
            raise self._bad(str(error)) from error

    def _logs(self, wanted: LogFilter, where: dict[str, Any], **bounds: Any) -> tuple[list[Log], int]:
        if wanted.is_empty:
            return [], 0
        params = [{**where, **wanted.params()}]
        # a range can be asked for again in parts; one block can't
        largest = LARGEST_RANGE_BYTES if bounds.get("last", 0) > bounds.get("first", 0) else None
        answer, size = self.endpoint.call_sized("eth_getLogs", params, list[Log], largest)
        try:
            found, removed = validate.logs(answer, wanted, **bounds)
        except ValueError as error:
            raise self._bad(str(error)) from error
        if removed and self._on_removed:
            self._on_removed(removed)
        return found, size

    def _header(
        self, found: Header | None, *, number: int | None = None, block_hash: str | None = None
    ) -> Header | None:
        try:
            return None if found is None else validate.header(found, number=number, block_hash=block_hash)
        except ValueError as error:
            raise self._bad(str(error)) from error

    def _quantity(self, method: str) -> int:
        found = self.endpoint.call(method, [], str | int)  # type: ignore[arg-type]
        try:
            return quantity.parse(found)
        except ValueError as error:
            raise self._bad(str(error)) from error

    def _bad(self, found: str) -> errors.RpcError:
        return errors.make(Kind.BAD_ANSWER, f"{self.name} answered {errors.clean(found)}")
