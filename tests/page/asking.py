"""A server in this process, and questions over HTTP to it."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from chainfirst.ops import metrics
from chainfirst.ops.page import app, documents
from chainfirst.ops.page.server import HOST, Server
from chainfirst.writers import metadata
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

PREFIX = "/certificates/"


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
def serving(served: ASGIApp) -> Iterator[int]:
    """The app on a free port."""
    server = Server(served, [0])
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


@contextlib.contextmanager
def library(url: str, find: documents.Find = metadata.find) -> Iterator[int]:
    """A server of documents alone; its port."""
    with contextlib.closing(documents.Documents(connecting(url), find)) as found:
        numbers = metrics.Metrics(CollectorRegistry())
        with serving(app.build(numbers, None, found, PREFIX)) as port:
            yield port
