"""What the pools of all endpoints hold of a key, as far as they say.

A transaction that a restored database forgot may lie in the pool of a node that is not the one in use. If its
nonce were given to another intent, and the one it was for got the next, both could be mined, and what it does
be done twice. So a lane takes no nonce before each endpoint was asked, and none while any has more than ours.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.errors import Kind, RpcError
from chainfirst.ops import log
from chainfirst.writers.desk import Desk
from chainfirst.writers.node import Node

PATIENCE = timedelta(seconds=30)
"""So long an endpoint that can't be asked is waited for when a lane starts, and so long what one has said
counts when none says it any more: a replica behind the same address knows less, or the pool lost it."""
LONGEST_PAUSE = timedelta(minutes=10)
PASSES = frozenset({Kind.RATE_LIMIT, Kind.TIMEOUT, Kind.BILLING, Kind.AUTH, Kind.LAG, Kind.TRANSPORT})

Everyone = Callable[[], Sequence[tuple[Client, bool]]]
"""All endpoints; whether one is well, so that asking it takes no time-out (`rpc.pool.Pool.everyone`)."""

logger = log.get("lane")


class Pools:
    """One lane's, from its start on. What is here is gone with the process, and asked for again."""

    def __init__(self, everyone: Everyone) -> None:
        self._everyone = everyone
        self._began: datetime | None = None
        self._told: set[int] = set()  # the endpoints' places
        self._failures: dict[int, tuple[int, datetime]] = {}  # how many, and until when it is left alone
        self._highest, self._by = 0, ""
        self._at: datetime | None = None  # when that was last said
        self._noted = False

    def beyond(self, desk: Desk, ours: int) -> str | None:
        """Which pool holds transactions of the key from nonce `ours` on, or may; None: none that could be
        asked. Raises what goes wrong at the endpoint in use."""
        self._began = self._began or desk.now
        said = [(_pending(desk.node, desk.signer.address), "the node's pool")]
        silent: list[str] = []
        for place, (client, is_well) in enumerate(self._everyone()):
            if client.endpoint is desk.node.endpoint:
                self._told.add(place)
            elif place not in self._told or self._highest > ours:
                found = self._ask(desk, place, client) if is_well else None
                if found is not None:
                    said.append((found, f"the pool of {client.name}"))
                elif place not in self._told:
                    silent.append(client.name)
        highest, by = max(said)
        if self._at is None or highest >= self._highest or desk.now >= self._at + PATIENCE:
            self._highest, self._by, self._at = highest, by, desk.now
        if self._highest > ours:
            return f"{self._by} holds"
        if silent and desk.now < self._began + PATIENCE:
            return f"{', '.join(silent)} can't be asked yet, whose pool may hold"
        if silent and not self._noted:
            self._noted = True
            logger.warning("pools_unknown", signer=desk.signer.address, endpoints=silent)
        return None

    def _ask(self, desk: Desk, place: int, client: Client) -> int | None:
        """None: it can't say now. One that hangs must not hold up each round."""
        failures, until = self._failures.get(place, (0, desk.now))
        if desk.now < until:
            return None
        try:
            found = _pending(Node(client.endpoint), desk.signer.address)
        except RpcError as error:
            pause = min(timedelta(seconds=2**failures), LONGEST_PAUSE)
            self._failures[place] = failures + 1, desk.now + pause
            logger.info("pool_not_told", endpoint=client.name, why=error.message)
            return None
        self._failures.pop(place, None)
        self._told.add(place)
        return found


def _pending(node: Node, address: str) -> int:
    """The nonce after those in the node's pool; 0: it has none, or doesn't tell."""
    try:
        return node.nonce(address, "pending")
    except RpcError as error:
        if error.code is None or error.kind in PASSES:
            raise
        return 0
