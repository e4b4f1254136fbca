"""New heads over WebSocket, as a hint that wakes the indexer: it never decides and never raises into it.

A thread connects, subscribes and calls back with each header. A socket that stays silent while the
head moves over HTTP is given up and opened again; some nodes accept a subscription and never emit.
"""

import random
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec
from chainfirst.indexer.rpc import errors, validate, wording
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.structs import Header
from chainfirst.ops.errors import ChainfirstError
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

SILENT_SECONDS = 30.0
RETRY_SECONDS = (1.0, 60.0)
UNSUPPORTED_RETRY_SECONDS = 600.0
OPEN_TIMEOUT_SECONDS = 5.0
CLOSE_TIMEOUT_SECONDS = 0.4
JOIN_SECONDS = 0.9
LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024
_SUBSCRIBE = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


class State(Enum):
    """Where the subscription is."""

    STARTING = "starting"
    LIVE = "live"  # subscribed
    DOWN = "down"  # will be tried again
    SILENT = "silent"  # given up because the head moved elsewhere; will be tried again
    UNSUPPORTED = "unsupported"  # no WebSocket or no subscriptions here; tried again rarely
    CLOSED = "closed"


class _Params(msgspec.Struct):
    subscription: Any = None
    result: Header | None = None


class _Message(msgspec.Struct):
    id: Any = None
    method: str | None = None
    params: _Params | None = None
    result: Any = None
    error: Any = None


_DECODER = msgspec.json.Decoder(
    _Message
)  # here, because it must not be built while another thread builds one


class _Silent(Exception):
    """The head moved over HTTP, and this socket said nothing."""


class _Unsupported(Exception):
    """No WebSocket at this address, or no such subscription."""


class Heads:
    """newHeads of one endpoint. `state` and `last_error` may be read at any time; `last_error` is cleaned."""

    def __init__(
        self,
        url: str,
        on_header: Callable[[Header], None],
        http_head: Callable[[], int],
        *,
        on_state: Callable[[State, str], None] = lambda _state, _error: None,
        silent_seconds: float = SILENT_SECONDS,
        retry_seconds: tuple[float, float] = RETRY_SECONDS,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The callbacks run in this object's thread. `http_head` may raise any ChainfirstError."""
        self.name = errors.mask(url)
        self.state = State.STARTING
        self.last_error = ""
        self._url = url
        self._on_header, self._on_state, self._http_head = on_header, on_state, http_head
        self._silent_seconds, self._retry_seconds = silent_seconds, retry_seconds
        self._jitter, self._clock = jitter, clock
        self._stop = threading.Event()
        self._connection: ClientConnection | None = None
        self._known_head = -1
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"heads {self.name}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Unsubscribe by closing; returns within a second, even if the other side doesn't answer."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            connection.close()
        if self._thread.is_alive():
            self._thread.join(JOIN_SECONDS - CLOSE_TIMEOUT_SECONDS)
        self.state = State.CLOSED

    def _run(self) -> None:
        while not self._stop.is_set():
            state, pause = State.DOWN, 0.0
            try:
                self._listen()
                problem = "closed"
            except _Silent:
                state, problem = (
                    State.SILENT,
                    f"no head for {self._silent_seconds:g} s while it moved over HTTP",
                )
            except _Unsupported as error:
                state, problem, pause = State.UNSUPPORTED, str(error), UNSUPPORTED_RETRY_SECONDS
            except Exception as error:  # whatever it is, polling goes on without this thread
                problem = f"{type(error).__name__}: {error}"
            if self._stop.is_set():
                break
            self._report(state, problem)
            first, longest = self._retry_seconds
            backoff = min(longest, first * 2.0 ** min(self._failures, 30)) * (0.5 + 0.5 * self._jitter())
            self._failures += 1
            self._stop.wait(max(pause, backoff))

    def _report(self, state: State, problem: str = "") -> None:
        if self._stop.is_set():
            return
        self.state, self.last_error = state, errors.clean(problem)
        try:
            self._on_state(state, self.last_error)
        except Exception as error:
            self.last_error = errors.clean(f"on_state: {type(error).__name__}: {error}")

    def _listen(self) -> None:
        try:
            connection = connect(
                self._url,
                proxy=None,
                compression=None,
                open_timeout=OPEN_TIMEOUT_SECONDS,
                close_timeout=CLOSE_TIMEOUT_SECONDS,
                max_size=LARGEST_MESSAGE_BYTES,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            if status in {400, 404, 405, 426, 501}:
                raise _Unsupported(f"HTTP {status} instead of a WebSocket") from error
            raise
        except InvalidHandshake as error:
            raise _Unsupported(f"no WebSocket: {error}") from error
        with connection:
            self._connection = connection
            try:
                self._known_head = max(self._known_head, self._head_over_http())
                connection.send(_SUBSCRIBE, text=True)
                self._receive(connection)
            finally:
                self._connection = None

    def _receive(self, connection: ClientConnection) -> None:
        deadline = self._clock() + self._silent_seconds
        while not self._stop.is_set():
            try:
                message = _DECODER.decode(connection.recv(timeout=max(0.0, deadline - self._clock())))
            except TimeoutError:
                head = self._head_over_http()
                if head > self._known_head >= 0:
                    raise _Silent from None
                self._known_head = max(self._known_head, head)
                deadline = self._clock() + self._silent_seconds
                continue
            if message.error is not None:
                text = errors.clean(str(message.error))
                if wording.classify(text) in {Kind.METHOD_MISSING, Kind.AUTH, Kind.BILLING}:
                    raise _Unsupported(text)
                raise WebSocketException(text)
            if message.id == 1 and self.state is not State.LIVE:
                self._report(State.LIVE)
            if message.method == "eth_subscription" and message.params and message.params.result:
                header = validate.header(message.params.result)
                self._known_head = int(header.number, 16)
                self._failures = 0
                deadline = self._clock() + self._silent_seconds
                self._on_header(header)

    def _head_over_http(self) -> int:
        """-1 where HTTP doesn't answer: then nothing is known about silence."""
        try:
            return self._http_head()
        except ChainfirstError:
            return -1
