"""What a node says about blocks is believed only when it holds together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chainfirst.indexer import decode, fetch, prefetch, receipts, router, scope
from chainfirst.indexer.rpc import errors
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import Header, Log
from chainfirst.ops.errors import TransientError
from chainfirst.schema import layout

DATA = Path(__file__).parent.parent / "data"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
NOBODY = "0x" + "12" * 20


def real(kind: str) -> bytes:
    """The mainnet block 18,500,000 or its receipts, as the node answered."""
    answer = json.loads((DATA / f"ethereum-18500000.{kind}.json").read_text())
    if isinstance(answer, dict):
        answer = answer.get("result", answer)
    if kind == "block":
        answer["transactions"] = []
    return json.dumps(answer).encode()


HEADER = msgspec.json.decode(real("block"), type=Header)
RECEIPTS = msgspec.json.decode(real("receipts"), type=list[receipts.Receipt])
LOGS = receipts.logs_from_receipts(RECEIPTS)
NUMBER = 18_500_000


class Node:
    """A reader that says what a test lets it say; `forget_logs` is the load balancer's sin."""

    def __init__(
        self,
        *,
        forget_logs: bool = False,
        headers: list[Header | None] | None = None,
        get_receipts: Callable[[], list[receipts.Receipt]] = lambda: RECEIPTS,
        logs: list[Log] = LOGS,
    ) -> None:
        self.forget_logs, self.headers, self.logs = forget_logs, headers or [], logs
        self.get_receipts = get_receipts

    def header_by_number(self, block: int | str) -> Header | None:
        return self.headers.pop(0) if self.headers else HEADER

    def logs_by_range(self, wanted: LogFilter, first: int, last: int) -> tuple[list[Log], int]:
        return self.logs_by_hash(wanted, ""), 1000

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        return [] if self.forget_logs else [log for log in self.logs if log.address in wanted.address_set]

    def receipts_by_hash(self, block_hash: str) -> list[receipts.Receipt]:
        return self.get_receipts()


def no_method() -> list[receipts.Receipt]:
    raise errors.make(errors.Kind.METHOD_MISSING, "the method does not exist")


def test_logs_by_hash_are_believed() -> None:
    found = fetch.block(Node(), LogFilter((WETH,)), HEADER)
    assert found.proof == "answer"
    assert len(found.logs) == sum(log.address == WETH for log in LOGS)
    assert found.ref.number == NUMBER


def test_an_empty_answer_that_the_bloom_excludes_is_believed() -> None:
    free = next(
        address
        for address in (f"0x{n:040x}" for n in range(1, 1000))
        if fetch.block(Node(forget_logs=True), LogFilter((address,)), HEADER).proof == "bloom"
    )
    assert fetch.block(Node(), LogFilter((free,)), HEADER).logs == ()


def test_logs_that_an_endpoint_forgot_come_from_the_receipts() -> None:
    found = fetch.block(Node(forget_logs=True), LogFilter((WETH,)), HEADER)
    assert found.proof == "receipts"
    assert found.logs == tuple(log for log in LOGS if log.address == WETH)


def test_receipts_that_contradict_the_header_are_not_believed() -> None:
    node = Node(forget_logs=True, get_receipts=lambda: RECEIPTS[:-1])
    with pytest.raises(TransientError, match="root"):
        fetch.block(node, LogFilter((WETH,)), HEADER)


def test_without_receipts_the_other_endpoint_is_asked() -> None:
    node = Node(forget_logs=True, get_receipts=no_method)
    found = fetch.block(node, LogFilter((WETH,)), HEADER, second=Node())
    assert found.proof == "second answer"
    assert found.logs
    alone = fetch.block(node, LogFilter((WETH,)), HEADER)
    assert (alone.logs, alone.proof) == ((), "asked twice")


def test_without_a_root_in_the_header_receipts_prove_nothing() -> None:
    header = msgspec.structs.replace(HEADER, receipts_root=None)
    node = Node(forget_logs=True, get_receipts=lambda: RECEIPTS[:-1])
    assert fetch.block(node, LogFilter((WETH,)), header).proof == "asked twice"
    assert fetch.block(node, LogFilter((WETH,)), header, second=Node()).proof == "second answer"


def test_logs_are_believed_although_the_bloom_excludes_them() -> None:
    """Logs of Polygon's state sync are in no bloom; some chains leave it zero."""
    header = msgspec.structs.replace(HEADER, logs_bloom="0x" + "00" * 256)
    found = fetch.block(Node(), LogFilter((WETH,)), header)
    assert (found.proof, bool(found.logs)) == ("answer", True)
    assert fetch.block(Node(forget_logs=True), LogFilter((WETH,)), header).proof == "bloom"


class Failing:
    """Another endpoint that answers with an error."""

    def __init__(self, kind: errors.Kind) -> None:
        self.kind = kind

    def logs_by_hash(self, wanted: LogFilter, block_hash: str) -> list[Log]:
        raise errors.make(self.kind, "no answer")


def test_a_second_endpoint_without_the_block_is_waited_for_and_one_that_fails_is_none() -> None:
    node = Node(forget_logs=True, get_receipts=no_method)
    for kind in (errors.Kind.BLOCK_UNKNOWN, errors.Kind.LAG):
        with pytest.raises(TransientError, match="hasn't got it yet") as caught:
            fetch.block(node, LogFilter((WETH,)), HEADER, second=Failing(kind))
        assert not isinstance(caught.value, errors.RpcError)  # the endpoint in use isn't to blame
    for kind in (errors.Kind.TRANSPORT, errors.Kind.AUTH):
        assert fetch.block(node, LogFilter((WETH,)), HEADER, Failing(kind)).proof == "asked twice"


def test_another_failure_of_the_receipts_call_is_no_answer() -> None:
    def broken() -> list[receipts.Receipt]:
        raise errors.make(errors.Kind.TRANSPORT, "connection reset")

    with pytest.raises(errors.RpcTransientError):
        fetch.block(Node(forget_logs=True, get_receipts=broken), LogFilter((WETH,)), HEADER)


def test_a_range_with_one_hash_before_and_after_is_believed() -> None:
    found = fetch.final_range(Node(), LogFilter((WETH,)), NUMBER - 5, NUMBER)
    assert (found.first, found.last, found.tip.hash) == (NUMBER - 5, NUMBER, HEADER.hash)
    assert found.logs


def test_a_range_whose_last_block_changes_is_refused() -> None:
    other = msgspec.structs.replace(HEADER, hash="0x" + "ab" * 32)
    with pytest.raises(TransientError, match="before its logs were read"):
        fetch.final_range(Node(headers=[HEADER, other]), LogFilter((WETH,)), NUMBER, NUMBER)


def test_a_range_beyond_a_lagging_head_is_refused() -> None:
    node = Node(forget_logs=True, headers=[None])
    with pytest.raises(TransientError, match="no block 18500000 yet"):
        fetch.final_range(node, LogFilter((WETH,)), NUMBER, NUMBER)


def test_logs_of_another_fork_than_the_header_are_refused() -> None:
    other = msgspec.structs.replace(HEADER, hash="0x" + "ab" * 32)
    with pytest.raises(TransientError, match="names the hash"):
        fetch.final_range(Node(headers=[other, other]), LogFilter((WETH,)), NUMBER, NUMBER)


def test_a_range_read_again_must_end_in_the_same_block() -> None:
    wanted = LogFilter((WETH,))
    first = prefetch.Fetched(fetch.final_range(Node(), wanted, NUMBER, NUMBER), wanted, None)
    event = layout.event_layouts("token", [{"type": "event", "name": "Paid", "inputs": []}])[0]
    source = router.Source(decode.compile_event(event), frozenset([WETH, "0x" + "ab" * 20]))
    asked = scope.Scope.of(router.Router([source]), (), frozenset([event.table]))
    other = msgspec.structs.replace(HEADER, hash="0x" + "ab" * 32)
    node: Any = Node(logs=[], headers=[other, other])
    with pytest.raises(TransientError, match="then 0xabab"):
        scope.range_logs(asked, node, first)
