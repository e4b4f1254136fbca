"""HTTP connections whose answer must be complete in time.

A socket's time-out starts anew with each byte (socket.settimeout): a peer that sends one now and then holds
its caller for ever. Here whatever is read of an answer, its headers too, has one end.
"""

import io
import time
from collections.abc import Callable
from typing import Any

from urllib3 import connection


class _Reader(io.RawIOBase):
    """The bytes of a socket until a moment of time.monotonic(); TimeoutError after it."""

    def __init__(self, sock: Any, ends_at: float) -> None:
        self._sock, self._ends_at = sock, ends_at
        self._bytes = sock.makefile("rb", buffering=0)  # as http.client: open until it is closed itself

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        waits = self._sock.gettimeout()
        self._sock.settimeout(left if waits is None else min(left, waits))
        found: int | None = self._bytes.readinto(buffer)
        return found

    def close(self) -> None:
        self._bytes.close()
        super().close()


class _Socket:
    """A socket whose files end with the answer's time; all else is the socket's own."""

    def __init__(self, sock: Any, ends_at: Callable[[], float]) -> None:
        self._sock, self._ends_at = sock, ends_at

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, self._ends_at()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class HTTPConnection(connection.HTTPConnection):
    """`total_seconds`: from a request's beginning to its answer's last byte."""

    def __init__(self, *arguments: Any, total_seconds: float, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._total_seconds, self._ends_at = total_seconds, 0.0

    def connect(self) -> None:
        super().connect()
        self.sock: Any = _Socket(self.sock, lambda: self._ends_at)

    def request(self, *arguments: Any, **named: Any) -> None:
        self._ends_at = time.monotonic() + self._total_seconds
        super().request(*arguments, **named)


class HTTPSConnection(HTTPConnection, connection.HTTPSConnection):
    """As HTTPConnection."""
