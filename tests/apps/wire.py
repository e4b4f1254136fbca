"""A wire to a server of this machine that can be cut: nobody answers then, as when its process is gone."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit


class Wire:
    """Forwards bytes both ways between `url` here and the server behind it. `with` takes it away."""

    def __init__(self, behind: str) -> None:
        parts = urlsplit(behind)
        assert parts.hostname is not None
        assert parts.port is not None
        self._behind = (parts.hostname, parts.port)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._port = 0
        self._listener: socket.socket | None = None
        self.mend()
        self.url = f"{parts.scheme}://127.0.0.1:{self._port}"

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def mend(self) -> None:
        """From now on it is whole, at the same port."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        self._listener, self._port = listener, int(listener.getsockname()[1])
        self._begin(self._accept, listener)

    def cut(self) -> None:
        """End all connections and refuse new ones; when it returns nothing passes any more."""
        listener, self._listener = self._listener, None
        with self._lock:
            closing = [*self._open, *([] if listener is None else [listener])]
        for each in closing:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in closing:
            each.close()
        self._threads.clear()
        self._open.clear()

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._behind)
            except OSError:
                return
            with self._lock:
                self._open |= {near, far}
            if self._listener is not listener:  # cut meanwhile
                for each in (near, far):
                    each.shutdown(socket.SHUT_RDWR)
            self._begin(_pump, near, far)
            self._begin(_pump, far, near)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while said := source.recv(65_536):
            sink.sendall(said)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
