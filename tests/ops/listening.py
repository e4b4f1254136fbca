"""A service manager's ear: a real datagram socket, as systemd's NOTIFY_SOCKET."""

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path


class Ear:
    """What arrives, one message after the other; `with` closes it."""

    def __init__(self, abstract: bool = False) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="chainfirst-notify-")
        path = str(Path(self._directory.name) / "socket")
        self.address = f"@{path}" if abstract else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{path}" if abstract else path)
        self.heard: list[str] = []
        self._looked_at = 0

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._directory.cleanup()

    def next(self, seconds: float | None = None) -> list[str] | None:
        """The assignments of the next message; None: there was none for so long."""
        self._socket.settimeout(seconds)
        try:
            lines = self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return None
        self.heard += lines
        return lines

    def until(self, wanted: Callable[[str], bool]) -> str:
        """Hear on, from where the last such call found its own, until an assignment is as wanted; the test's
        own time-out is the limit."""
        while True:
            while self._looked_at < len(self.heard):
                self._looked_at += 1
                if wanted(self.heard[self._looked_at - 1]):
                    return self.heard[self._looked_at - 1]
            self.next()

    def hears(self, line: str) -> None:
        """Hear on until exactly this is said."""
        self.until(lambda said: said == line)
