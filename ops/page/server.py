"""An HTTP server for this machine alone, in a thread of its own."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Iterable

import uvicorn
from chainfirst.ops import log
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"
MOST_CONNECTIONS = 128
IDLE_SECONDS = 15  # on a connection on which nothing is asked
GRACE_SECONDS = 1
BACKLOG = 64
SILENT_SECONDS = 20  # who reads nothing for so long, while there is something to read, is cut off


class PortTaken(Exception):
    """A port can't be listened on; its text says why."""

    def __init__(self, port: int, why: OSError) -> None:
        super().__init__(str(why))
        self.port = port


class Server:
    """Serves one app on one port or more; they are taken at once, answered from `start` on."""

    def __init__(
        self,
        app: ASGIApp,
        ports: Iterable[int],
        silent_seconds: float = SILENT_SECONDS,
        idle_seconds: int = IDLE_SECONDS,
    ) -> None:
        self._sockets: list[socket.socket] = []
        try:
            for port in ports:
                self._sockets.append(_bound(port, silent_seconds))
        except PortTaken:
            self._close_sockets()
            raise
        self.ports = [int(each.getsockname()[1]) for each in self._sockets]
        config = uvicorn.Config(
            app, loop="asyncio", http=_Protocol, ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=idle_seconds,
            timeout_graceful_shutdown=GRACE_SECONDS, proxy_headers=False, backlog=BACKLOG,
        )  # fmt: skip
        _hear_uvicorn()
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Answer from now on; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is being answered has a second."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._close_sockets()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=self._sockets))

    def _close_sockets(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.close()


class _Protocol(H11Protocol):
    """Cuts off who connects and asks nothing, as it does who has asked and asks nothing more: connections are
    counted, and others want one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_a_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_a_request()

    def _wait_for_a_request(self) -> None:
        self._unset_keepalive_if_required()
        handler = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, handler)


def _bound(port: int, silent_seconds: float) -> socket.socket:
    found = socket.socket()
    try:
        # inherited by what it accepts (tcp(7)): the kernel would keep a reader that hangs for ever
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silent_seconds * 1000))
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(BACKLOG)  # who asks before `start` waits
    except OSError as error:
        found.close()
        raise PortTaken(port, error) from None
    return found


class _ToLog(logging.Handler):
    """uvicorn's warnings, and exceptions of the app, as lines of our log: each once a minute at most."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._repeats = log.Repeats(log.get("page"))

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        traceback = {"exc_info": record.exc_info} if record.exc_info else {}
        self._repeats.failed(said, "http_server", **traceback)


def _hear_uvicorn() -> None:
    logger = logging.getLogger("uvicorn")
    if not any(isinstance(each, _ToLog) for each in logger.handlers):
        logger.addHandler(_ToLog())
        logger.propagate = False
