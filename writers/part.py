"""Lanes, rules and the listener as parts of the daemon: their sessions, and whom they follow.

They write only while this daemon leads: each takes the leader's epoch, works on a session of its own, and
begins anew when either is another.
"""

import abc
import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import psycopg
from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.indexer.rpc.client import Client
from chainfirst.ops import errors, log, session
from chainfirst.schema.store import LeadershipLost
from chainfirst.writers.answers import Class
from chainfirst.writers.desk import Settings
from chainfirst.writers.lane import Lane
from chainfirst.writers.node import Node
from chainfirst.writers.reverts import Decoder
from chainfirst.writers.signers import Signer

STANDBY_SECONDS = 0.5
POLL_SECONDS = 1.0  # heads and NOTIFY wake sooner
LISTEN_SECONDS = 1.0

Connect = Callable[[str], session.Connection]


class Leads(Protocol):
    """Who knows whether this daemon leads (`ops.session.Leader`)."""

    @property
    def epoch(self) -> int | None:
        """The leader's epoch; None: another daemon leads, or nobody."""


class Endpoints(Protocol):
    """Where the endpoint in use comes from, and the others (`rpc.pool.Pool`)."""

    def pinned(self) -> contextlib.AbstractContextManager[Client]:
        """The endpoint to ask, for one step."""

    def everyone(self) -> Sequence[tuple[Client, bool]]:
        """All of them; whether one is well."""


class Following(abc.ABC):
    """A part that works on a session of its own while this daemon leads."""

    def __init__(self, name: str, leader: Leads, connect: Connect) -> None:
        self.name = name
        self._leader, self._connect = leader, connect
        self._lock = threading.Lock()
        self._connection: session.Connection | None = None
        self._epoch: int | None = None

    def step(self) -> float:
        """Seconds until there may be more to do. DatabaseUnreachable: the session is gone."""
        epoch = self._leader.epoch
        if epoch is None:
            self.close()
            return STANDBY_SECONDS
        try:
            if self._connection is None or epoch != self._epoch:
                self.close()
                connection = self._connect(f"{session.APPLICATION}: {self.name}")
                with self._lock:
                    self._connection, self._epoch = connection, epoch
                self._begin(connection, epoch)
            return self._work(self._connection, epoch)
        except psycopg.Error as error:
            lost = self._connection is None or self._connection.closed
            if lost:
                self.close()
            if lost or isinstance(error, psycopg.OperationalError):
                raise errors.TransientError(
                    f"the database refused: {' '.join(str(error).split())}"
                ) from error
            raise

    def interrupt(self) -> None:
        """From another thread: cancel the statement that the step waits for."""
        with self._lock, contextlib.suppress(psycopg.Error):
            if self._connection is not None:
                self._connection.cancel_safe(timeout=session.CANCEL_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Give the session up; the next step begins anew."""
        with self._lock:
            connection, self._connection, self._epoch = self._connection, None, None
        if connection is not None:
            connection.close()

    def _begin(self, connection: session.Connection, epoch: int) -> None:  # noqa: B027
        """A new session, or a new epoch: nothing, for most."""

    @abc.abstractmethod
    def _work(self, connection: session.Connection, epoch: int) -> float:
        """One unit of work, while this daemon leads; the seconds until there may be more."""


class LanePart(Following):
    """A lane."""

    def __init__(
        self,
        signer: Signer,
        settings: Settings,
        decoder: Decoder,
        pool: Endpoints,
        leader: Leads,
        connect: Connect,
        on_answer: Callable[[Class], None],
    ) -> None:
        super().__init__(f"lane {settings.name}", leader, connect)
        self._signer, self._settings, self._decoder = signer, settings, decoder
        self._pool, self._on_answer = pool, on_answer
        self._lane: Lane | None = None

    def _begin(self, connection: session.Connection, epoch: int) -> None:
        self._lane = Lane(
            connection,
            self._signer,
            self._settings,
            epoch,
            lambda: datetime.now(UTC),
            self._pool.everyone,
            self._on_answer,
        )

    def _work(self, connection: session.Connection, epoch: int) -> float:  # noqa: ARG002
        assert self._lane is not None
        with self._pool.pinned() as client:
            try:
                more = self._lane.step(Node(client.endpoint, self._decoder))
            except LeadershipLost:
                raise
            except rpc_errors.RpcFatalError as error:
                # what one node refuses is no reason to stop indexing
                raise errors.TransientError(error.message, error.advice) from error
            except errors.FatalError as error:
                # a signer that signs something else, a node that changes what is sent: this lane alone stops
                self._lane.stop(str(error))
                return POLL_SECONDS
        return 0.0 if more else POLL_SECONDS


class RulesPart(Following):
    """What follows from the ledger: runs after each batch that wakes it, and every few seconds."""

    def __init__(
        self,
        run: Callable[[session.Connection, int], dict[str, int]],
        leader: Leads,
        connect: Connect,
        poll_seconds: float = 5.0,
    ) -> None:
        super().__init__("rules", leader, connect)
        self._run, self._poll_seconds = run, poll_seconds

    def _work(self, connection: session.Connection, epoch: int) -> float:
        made = {kind: count for kind, count in self._run(connection, epoch).items() if count}
        if made:
            log.get("rules").info("submitted", **made)
        return self._poll_seconds


class Listener(Following):
    """Wakes the lanes when somebody submits, cancels or approves; they poll anyway."""

    def __init__(self, leader: Leads, connect: Connect, wake: Sequence[Callable[[], None]]) -> None:
        super().__init__("listener", leader, connect)
        self._wake = wake

    def _begin(self, connection: session.Connection, epoch: int) -> None:  # noqa: ARG002
        connection.execute("LISTEN intent_new")
        self._tell()  # what came before

    def _work(self, connection: session.Connection, epoch: int) -> float:  # noqa: ARG002
        if any(True for _ in connection.notifies(timeout=LISTEN_SECONDS, stop_after=1)):
            self._tell()
        return 0.0

    def _tell(self) -> None:
        for wake in self._wake:
            wake()
