"""systemd's notification protocol: datagrams to the socket that NOTIFY_SOCKET names (sd_notify(3)).

A socket and a few bytes, so no library is needed. Nothing here raises: a service manager that doesn't listen
is no reason to stop indexing, but it is logged.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping

from chainfirst.ops import log

EXTEND_SECONDS = 60.0
EXTEND_EVERY_SECONDS = 15.0
LONGEST_STATUS = 300
READY, WATCHDOG, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


class Notifier:
    """Where the service manager listens; nowhere, where none started this process."""

    def __init__(self, socket_path: str | None, watchdog_seconds: float | None = None) -> None:
        """`socket_path`: a path, or @ and the name of an abstract socket. `watchdog_seconds`: within which
        it wants a sign of life; None: it wants none."""
        self.watchdog_seconds = watchdog_seconds
        self._repeats, self._lock = log.Repeats(log.get("systemd")), threading.Lock()
        self._address = _address(socket_path) if socket_path else None
        if socket_path and self._address is None:
            self._repeats.failed("notify", "notify_failed", error=f"NOTIFY_SOCKET is {socket_path!r}")

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int | None = None) -> "Notifier":
        """From the variables that systemd sets; a watchdog that is another process's is none."""
        pid = os.getpid() if pid is None else pid
        meant = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        microseconds = environ.get("WATCHDOG_USEC", "") if meant else ""
        seconds = int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) > 0 else None
        return cls(environ.get("NOTIFY_SOCKET") or None, seconds)

    @property
    def listened_to(self) -> bool:
        """Whether a service manager wants to hear."""
        return self._address is not None

    def send(self, *assignments: str) -> bool:
        """One datagram with these VARIABLE=value lines; whether it was sent. From any thread."""
        if self._address is None or not assignments:
            return False
        message = "\n".join(assignments).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that hangs must not hold up this process
                sender.sendto(message, self._address)
        except OSError as error:
            with self._lock:
                self._repeats.failed("notify", "notify_failed", error=str(error))
            return False
        with self._lock:
            self._repeats.recovered("notify")
        return True

    @contextlib.contextmanager
    def extending(self, what: str) -> Iterator[None]:
        """While the body runs (`what`, for the status), ask again and again for more time to start."""
        if not self.listened_to:
            yield
            return
        done = threading.Event()

        def ask() -> None:
            while True:
                self.send(f"EXTEND_TIMEOUT_USEC={round(EXTEND_SECONDS * 1e6)}", status(what))
                if done.wait(EXTEND_EVERY_SECONDS):
                    return

        asking = threading.Thread(target=ask, name="extend", daemon=True)
        asking.start()
        try:
            yield
        finally:
            done.set()
            asking.join()


def status(text: str) -> str:
    """The assignment that shows `text`, on one line, in `systemctl status`."""
    return f"STATUS={' '.join(text.split())[:LONGEST_STATUS]}"


def _address(path: str) -> str | None:
    """The address for sendto(); None: of a kind that only virtual machines have (vsock), or none at all."""
    if path.startswith("@"):
        return f"\0{path[1:]}"
    return path if path.startswith("/") else None
