"""What a node is and can do, asked before there are settings: for `chainfirst init`.

Nothing is guessed that can be asked. What the node says of finality decides the setting: its tags where they
work, at once where validators sign every block, a depth otherwise.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from chainfirst.indexer.rpc import errors as rpc
from chainfirst.indexer.rpc import http, wording
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.errors import Kind

T = TypeVar("T")
RANGES = (1_000, 10_000, 100_000)
NOBODY = "0x000000000000000000000000000000000000dead"
DEFAULT_DEPTH = 64
WEBSOCKET_SECONDS = 5.0
READ_SECONDS = 15.0
_SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


@dataclass(frozen=True)
class Finality:
    """The setting's value in TOML, and why it is that."""

    toml: str
    why: str


@dataclass(frozen=True)
class Range:
    """Blocks of one eth_getLogs: as many as were `allowed`; `known`: the node said that it is the most."""

    allowed: int
    known: bool


@dataclass(frozen=True)
class Facts:
    """A node. `websocket`: the URL at which it sends new heads; None: none was found."""

    version: str
    chain_id: int
    genesis_hash: str | None
    head: int
    finality: Finality
    logs: Range | None
    base_fee_wei: int | None
    receipts: bool
    websocket: str | None


def probe(url: str, websockets: Iterable[str]) -> Facts:
    """Ask the node at this http(s) URL. RpcError: it doesn't answer what every node does."""
    endpoint = http.Endpoint(url, read_timeout_seconds=READ_SECONDS)
    client = Client(endpoint)
    try:
        chain_id, head = client.chain_id(), client.block_number()
        newest = _optional(lambda: client.header_by_number("latest"))
        raw: Any = endpoint.call("eth_getBlockByNumber", ["latest", False], dict[str, Any])
        base_fee = raw.get("baseFeePerGas")
        genesis = _optional(lambda: client.header_by_number(0))
        return Facts(
            version=_optional(lambda: endpoint.call("web3_clientVersion", [], str))
            or "a node without a name",
            chain_id=chain_id,
            genesis_hash=None if genesis is None else genesis.hash,
            head=head,
            finality=finality(client, raw.get("difficulty")),
            logs=_range(endpoint, head),
            base_fee_wei=int(base_fee, 16) if isinstance(base_fee, str) else None,
            receipts=newest is not None
            and _optional(lambda: client.receipts_by_hash(newest.hash)) is not None,
            websocket=next((each for each in websockets if sends_heads(each, chain_id)), None),
        )
    finally:
        client.close()


def finality(client: Client, difficulty: object) -> Finality:
    """What is final on this chain. `difficulty`: the newest block's, as the node writes it; proof of stake
    and chains of validators' votes have none."""
    endpoint = client.endpoint
    for family in ("qbft", "ibft"):
        method = f"{family}_getValidatorsByBlockNumber"
        if _optional(functools.partial(endpoint.call, method, ["latest"], list[str])):
            return Finality('"instant"', f"{family.upper()}: the validators sign each block")
    signers = _optional(lambda: endpoint.call("clique_getSigners", ["latest"], list[str]))
    if signers:
        depth = len(signers) // 2 + 1
        return Finality(str(depth), f"Clique with {len(signers)} signers: half of them and one more block")
    if "polygon-edge" in (_optional(lambda: endpoint.call("web3_clientVersion", [], str)) or "").lower():
        return Finality('"instant"', "Polygon Edge: the validators sign each block")
    try:
        tagged = client.header_by_number("finalized")
    except rpc.RpcError as error:
        if error.kind is Kind.NOT_YET_FINAL and _number(difficulty):
            return Finality(str(DEFAULT_DEPTH), "the node knows the tag, but its chain finalizes nothing")
        if error.kind is Kind.NOT_YET_FINAL:
            return _tag("the node knows the tag; nothing is final yet")
        return Finality(str(DEFAULT_DEPTH), "the node knows no tag for it: so many blocks on top")
    if tagged is None and _number(difficulty):
        return Finality(str(DEFAULT_DEPTH), "the node finalizes nothing: so many blocks on top")
    return _tag("the node's own word")


def websocket_urls(url: str) -> list[str]:
    """Where a node that answers at this http(s) URL has its WebSocket, as far as clients and providers have
    habits: the same place, or the next port."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    found = [urlunsplit((scheme, *parts[1:]))]
    if parts.port is not None:
        place = parts.netloc.rpartition(":")[0]
        found.append(urlunsplit((scheme, f"{place}:{parts.port + 1}", *parts[2:])))
    return found


def sends_heads(url: str, chain_id: int) -> bool:
    """Whether the node at this ws(s) URL is on the chain and takes a subscription to new heads."""
    import websockets.sync.client

    try:
        with websockets.sync.client.connect(
            url, open_timeout=WEBSOCKET_SECONDS, close_timeout=1.0, proxy=None
        ) as connection:
            connection.send('{"jsonrpc":"2.0","id":0,"method":"eth_chainId","params":[]}')
            if int(json.loads(connection.recv(timeout=WEBSOCKET_SECONDS))["result"], 16) != chain_id:
                return False
            connection.send(_SUBSCRIBE)
            return isinstance(json.loads(connection.recv(timeout=WEBSOCKET_SECONDS)).get("result"), str)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return False
    except websockets.exceptions.WebSocketException:
        return False


def first_block_with_code(url: str, address: str, head: int) -> int | None:
    """The block in which the contract was created, by halving; None: the node has thrown the old states away,
    or there is no code even now."""
    endpoint = http.Endpoint(url, read_timeout_seconds=READ_SECONDS)

    def has_code(number: int) -> bool:
        return endpoint.call("eth_getCode", [address, hex(number)], str) not in ("0x", "0x0")

    try:
        if not has_code(head):
            return None
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if has_code(middle) else (middle + 1, high)
    except rpc.RpcError:
        return None
    finally:
        endpoint.close()
    return high


def has_code(url: str, address: str) -> bool:
    """Whether there is a contract at the address now. RpcError."""
    endpoint = http.Endpoint(url, read_timeout_seconds=READ_SECONDS)
    try:
        return endpoint.call("eth_getCode", [address, "latest"], str) not in ("0x", "0x0")
    finally:
        endpoint.close()


def _range(endpoint: http.Endpoint, head: int) -> Range | None:
    """The blocks that one eth_getLogs takes, tried with an address that has no events."""
    allowed = 0
    for size in RANGES:
        size = min(size, head + 1)
        asked = {"fromBlock": hex(head + 1 - size), "toBlock": hex(head), "address": NOBODY}
        try:
            endpoint.call("eth_getLogs", [asked], list[Any])
        except rpc.RpcError as error:
            limit = wording.range_limit(error.text)
            if limit is not None:
                return Range(limit, known=True)
            return Range(allowed, known=True) if allowed else None
        allowed = size
        if size == head + 1:
            break
    return Range(allowed, known=False)


def _tag(why: str) -> Finality:
    return Finality(f'{{ tag = "finalized", fallback_depth = {DEFAULT_DEPTH} }}', why)


def _number(quantity: object) -> int:
    try:
        return int(quantity, 16) if isinstance(quantity, str) else 0
    except ValueError:
        return 0


def _optional(ask: Callable[[], T]) -> T | None:
    """The answer; None: the node has none, or not such a method."""
    try:
        return ask()
    except rpc.RpcError:
        return None
