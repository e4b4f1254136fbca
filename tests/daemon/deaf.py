"""A way to PostgreSQL that loses notifications, as a pooler of transactions does."""

import contextlib
import socket
import struct
import threading


class Deaf:
    """Listens on a port of 127.0.0.1 and passes all on to the server's Unix socket, but NotificationResponse
    (PostgreSQL 55.7) not back."""

    def __init__(self, socket_path: str) -> None:
        self._upstream = socket_path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._upstream)
            self._open += [client, server]
            threading.Thread(target=self._forward, args=[client, server], daemon=True).start()
            threading.Thread(target=self._back, args=[server, client], daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), server.makefile("rb") as messages:
            while head := messages.read(5):
                kind, length = struct.unpack("!cI", head)
                body = messages.read(length - 4)
                if kind != b"A":
                    client.sendall(head + body)
            client.shutdown(socket.SHUT_RDWR)
