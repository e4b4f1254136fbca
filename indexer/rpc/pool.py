"""Several endpoints in order of preference; one of them at a time is the one in use.

The first healthy endpoint is used until it fails or falls behind (sticky); a better-placed one is
returned to after a probation of good checks. No endpoint is used before its chain is checked.
Nothing sleeps here: an endpoint that failed is left alone until a time, and `pinned` says how long.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from chainfirst.indexer.rpc import errors, http, quantity
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.ops.errors import ConfigError

BACKOFF_SECONDS = (0.25, 60.0)  # the first pause and the longest; each failure doubles it
LONG_PAUSE_SECONDS = 300.0  # a wrong key or a used-up plan
TOLERATED_LAG_BLOCKS = 5
TOLERATED_LATENCY_RATIO = 10.0
PROBATION_CHECKS = 3
SMOOTHING = 0.2

# faults of the question, which say nothing against the endpoint
NOT_THE_ENDPOINT = frozenset(
    {
        Kind.RANGE_TOO_LARGE, Kind.TOO_MANY_RESULTS, Kind.TOO_MANY_ADDRESSES, Kind.BATCH_TOO_LARGE,
        Kind.INVALID_PARAMS, Kind.NOT_YET_FINAL, Kind.TAG_UNSUPPORTED, Kind.METHOD_MISSING,
        Kind.BLOCK_UNKNOWN,
    }
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """One endpoint for the log, the metrics and the status page; `name` is masked."""

    name: str
    in_use: bool
    head: int | None
    latency_seconds: float | None
    failures: int
    paused_until: float
    last_error: str


class _Member:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.checked = False
        self.head: int | None = None
        self.latency: float | None = None
        self.failures = 0
        self.good_checks = PROBATION_CHECKS
        self.paused_until = float("-inf")
        self.last_error = ""
        self.last_kind: Kind | None = None


class Pool:
    """Endpoints of one chain. Safe for threads; times are of `clock`, in seconds."""

    def __init__(
        self,
        clients: Sequence[Client],
        *,
        chain_id: int,
        clock: Callable[[], float],
        genesis_hash: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`genesis_hash`: None takes the first endpoint's and holds the others to it. `jitter`: 0 to 1."""
        if not clients:
            raise ConfigError("no endpoint is set", "Set chain.rpc to at least one URL.")
        self._members = [_Member(client) for client in clients]
        self._chain_id = chain_id
        self._genesis = genesis_hash.lower() if genesis_hash else None
        self._clock = clock
        self._jitter = jitter
        self._current: _Member | None = None
        self._lock = threading.RLock()

    @classmethod
    def from_urls(
        cls,
        urls: Sequence[str],
        *,
        chain_id: int,
        clock: Callable[[], float],
        on_asked: http.Asked = http.unheard,
    ) -> "Pool":
        """A pool with the usual limits. `on_asked` hears of each request."""
        return cls(
            [Client(http.Endpoint(url, on_asked=on_asked)) for url in urls], chain_id=chain_id, clock=clock
        )

    def close(self) -> None:
        """Close all connections."""
        for member in self._members:
            member.client.close()

    @contextmanager
    def pinned(self) -> Iterator[Client]:
        """One endpoint for a whole decision: head and logs from the same. Its errors count against it.

        Raises ConfigError for an endpoint of another chain, RpcTransientError (with the seconds to
        wait) while none may be used.
        """
        member = self._choose()
        try:
            yield member.client
        except errors.RpcError as error:
            self._failed(member, error)
            if error.kind in {Kind.AUTH, Kind.PRUNED} and len(self._members) > 1:
                # fatal for this endpoint, but another one may answer
                raise errors.RpcTransientError(error.kind, error.message, text=error.text) from error
            raise
        else:
            with self._lock:
                member.failures = 0
                member.last_error = ""

    def second(self, than: Client) -> Client | None:
        """Another endpoint than this one whose chain is checked and that is near the head, for a second
        answer; None while there is none. Asks nothing; errors of the endpoint are the caller's."""
        with self._lock:
            usable = self._usable(self._clock())
            highest = _highest(usable)
            return next(
                (
                    each.client
                    for each in usable
                    if each.client is not than and each.checked and _near(each, highest)
                ),
                None,
            )

    def everyone(self) -> list[tuple[Client, bool]]:
        """All endpoints, in order of preference; whether one's chain is checked, and nothing has failed there
        since. Asks nothing; errors of the endpoint are the caller's."""
        with self._lock:
            usable = self._usable(self._clock())
            return [
                (each.client, each.checked and not each.failures and each in usable) for each in self._members
            ]

    def check(self) -> None:
        """Ask every endpoint that isn't paused for its head: health, probation, the way back to the first."""
        for member in self._members:
            with self._lock:
                if member.paused_until > self._clock():
                    continue
            started = self._clock()
            try:
                self._verify(member)
                head = member.client.block_number()
            except errors.RpcError as error:
                self._failed(member, error)
                continue
            with self._lock:
                seconds, before = self._clock() - started, member.latency
                member.latency = seconds if before is None else before + SMOOTHING * (seconds - before)
                member.head = head
                member.good_checks += 1
                member.failures = 0
                member.last_error = ""
        with self._lock:
            if self._current is not None:
                self._current = self._best(self._clock()) or self._current

    def states(self) -> list[State]:
        """All endpoints, in order of preference."""
        with self._lock:
            return [
                State(
                    each.client.name, each is self._current, each.head, each.latency, each.failures,
                    each.paused_until, each.last_error,
                )
                for each in self._members
            ]  # fmt: skip

    def _choose(self) -> _Member:
        """The one in use, or the best that can be used now, after its chain is checked."""
        for _ in self._members:
            with self._lock:
                now = self._clock()
                member = self._current
                if member is None or member.paused_until > now:
                    member = self._best(now)
            if member is None:
                break
            try:
                self._verify(member)
            except errors.RpcError as error:
                self._failed(member, error)
                continue
            with self._lock:
                self._current = member
            return member
        raise self._all_paused()

    def _all_paused(self) -> errors.RpcError:
        with self._lock:
            wait = max(0.0, min(each.paused_until for each in self._members) - self._clock())
            said = "; ".join(each.last_error for each in self._members)
            refused = all(each.last_kind is Kind.AUTH for each in self._members)
        return errors.make(
            Kind.AUTH if refused else Kind.TRANSPORT,
            f"none of {len(self._members)} endpoints can be used: {said}",
            retry_after_seconds=wait,
        )

    def _best(self, now: float) -> _Member | None:
        """The first usable one that is near the highest head, not very slow, and through its probation.

        Where none is that good: the first usable one.
        """
        usable = self._usable(now)
        highest = _highest(usable)
        fastest = min((each.latency for each in usable if each.latency is not None), default=0.0)
        for each in usable:
            slow = each.latency is not None and each.latency > max(1.0, fastest * TOLERATED_LATENCY_RATIO)
            if _near(each, highest) and not slow and each.good_checks >= PROBATION_CHECKS:
                return each
        return usable[0] if usable else None

    def _usable(self, now: float) -> list[_Member]:
        return [each for each in self._members if each.paused_until <= now]

    def _verify(self, member: _Member) -> None:
        """Chain id and genesis hash, before the first use and after a lost connection."""
        if member.checked:
            return
        name = member.client.name
        found = member.client.chain_id()
        if found != self._chain_id:
            raise ConfigError(
                f"{name} is on chain {found}, chain.chain_id is {self._chain_id}",
                "Correct chain.chain_id or the endpoint.",
            )
        try:
            genesis = member.client.header_by_number(0)
        except errors.RpcError as error:
            if error.kind not in {Kind.PRUNED, Kind.BLOCK_UNKNOWN}:
                raise
            genesis = None  # a pruned node has no block 0; the chain id has to do
        with self._lock:
            if genesis is not None and quantity.is_hash(genesis.hash):
                self._genesis = self._genesis or genesis.hash
                if genesis.hash != self._genesis:
                    raise ConfigError(
                        f"{name} has genesis block {genesis.hash}, expected {self._genesis}",
                        "Another chain with the same id: remove the endpoint, or see if the node was reset.",
                    )
            member.checked = True

    def _failed(self, member: _Member, error: errors.RpcError) -> None:
        """Pause the endpoint: doubling with jitter, at least Retry-After; long where waiting is vain."""
        if error.kind in NOT_THE_ENDPOINT:
            return
        with self._lock:
            now, pause = self._clock(), 0.0
            if member.paused_until <= now:  # many calls that fail together are one failure
                first, longest = BACKOFF_SECONDS
                pause = min(longest, first * 2.0 ** min(member.failures, 30)) * (0.5 + 0.5 * self._jitter())
                member.failures += 1
            if error.kind in {Kind.AUTH, Kind.BILLING}:
                pause = LONG_PAUSE_SECONDS
            pause = max(pause, error.retry_after_seconds or 0.0)
            member.paused_until = max(member.paused_until, now + pause)
            member.last_error, member.last_kind = error.message, error.kind
            member.good_checks = 0
            if error.kind in {Kind.TRANSPORT, Kind.BAD_ANSWER}:
                member.checked = False


def _highest(members: Sequence[_Member]) -> int:
    return max((each.head for each in members if each.head is not None), default=0)


def _near(member: _Member, highest: int) -> bool:
    return member.head is None or highest - member.head <= TOLERATED_LAG_BLOCKS
