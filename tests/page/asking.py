"""A server in this process, and questions over HTTP to it."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops.page.server import HOST, Server
from starlette.types import ASGIApp


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """One question on a connection of its own; header names with _ for -."""
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[int]:
    """The app on a free port."""
    server = Server(app, [0])
    server.start()
    try:
        yield server.ports[0]
    finally:
        server.close()


def connecting(url: str) -> Callable[[], psycopg.Connection[Any]]:
    """Sessions as the daemon makes them."""

    def connect() -> psycopg.Connection[Any]:
        connection = psycopg.connect(url, autocommit=True)
        connection.execute("SET ROLE chainfirst_daemon")
        return connection

    return connect
