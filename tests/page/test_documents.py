"""Certificates' documents over HTTP: byte for byte what the chain has the hash of."""

import contextlib
import threading
import uuid

import psycopg
import pytest
from chainfirst.ops import errors, metrics
from chainfirst.ops.page import app, documents
from chainfirst.ops.page.reader import Connection
from chainfirst.tests.page.asking import PREFIX, ask, library, serving
from chainfirst.writers import metadata
from prometheus_client import CollectorRegistry

URI = f"{PREFIX}{uuid.UUID(int=7 << 64)}"


NO_NAMES = (
    str(uuid.uuid4()), "x", "%00", "%ff", "..%2f..%2fetc", "'%20OR%20true", "0x" + "ab" * 32, "a" * 9000,
)  # fmt: skip


def test_paths_of_no_certificate(quiet_url: str) -> None:
    with library(quiet_url) as port:
        for name in NO_NAMES:
            found = ask(port, PREFIX + name)
            assert (found.status, list(found.json)) == (404, ["error"]), name
            assert found.headers["Cache-Control"] == "no-store"


def test_nothing_can_be_changed(quiet_url: str) -> None:
    with library(quiet_url) as port:
        for path in (URI, "/metrics", "/healthz"):
            for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
                refused = ask(port, path, method)
                assert (refused.status, list(refused.json)) == (405, ["error"])


def test_its_session_can_not_write(quiet_url: str) -> None:
    def find(connection: Connection, name: str) -> tuple[str, bytes] | None:
        connection.execute("DELETE FROM intent.intents")
        return None

    with library(quiet_url, find) as port:
        assert ask(port, URI).status == 503


def test_a_database_that_is_away() -> None:
    def connect() -> Connection:
        raise errors.TransientError("the database went away")

    found = documents.Documents(connect, metadata.find)
    with (
        contextlib.closing(found),
        serving(app.build(metrics.Metrics(CollectorRegistry()), None, found, PREFIX)) as port,
    ):
        answer = ask(port, URI)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert ask(port, "/healthz").json == {"alive": True}


def test_a_session_that_was_cut_off_is_replaced(quiet_url: str) -> None:
    pids: list[int] = []

    def find(connection: Connection, name: str) -> tuple[str, bytes] | None:
        pids.append(connection.info.backend_pid)
        if len(pids) == 1:
            with psycopg.connect(quiet_url) as superuser:
                superuser.execute("SELECT pg_terminate_backend(%s)", pids)
            connection.execute("SELECT 1")
        return "application/json", b"{}"

    with library(quiet_url, find) as port:
        assert [ask(port, URI).status for _ in range(3)] == [503, 200, 200]
    assert pids[0] != pids[1] == pids[2]


def test_a_statement_that_hangs_ends_with_the_server(quiet_url: str) -> None:
    hangs = threading.Event()

    def find(connection: Connection, name: str) -> tuple[str, bytes] | None:
        connection.execute("SET statement_timeout = 0")
        hangs.set()
        connection.execute("SELECT pg_sleep(1000)")
        return None

    with library(quiet_url, find) as port:
        thread = threading.Thread(target=ask, args=[port, URI])
        thread.start()
        assert hangs.wait(20)
    thread.join(20)
    assert not thread.is_alive()


def test_too_many_at_once_are_told_to_come_back(quiet_url: str) -> None:
    goes_on, begun = threading.Event(), threading.Semaphore(0)

    def find(connection: Connection, name: str) -> tuple[str, bytes] | None:
        begun.release()
        assert goes_on.wait(20)
        return "application/json", b"{}"

    statuses: list[int] = []
    refused = threading.Event()

    def one(port: int) -> None:
        statuses.append(ask(port, URI).status)
        refused.set()

    with library(quiet_url, find) as port:
        threads = [threading.Thread(target=one, args=[port]) for _ in range(documents.MOST_WAITING + 3)]
        for thread in threads:
            thread.start()
        assert refused.wait(20)
        assert statuses[0] == 503
        assert ask(port, "/healthz").status == 200
        goes_on.set()
        for thread in threads:
            thread.join(20)
    assert sorted(statuses) == [200] * documents.MOST_WAITING + [503] * 3


@pytest.mark.parametrize(
    ("header", "is_it"),
    [("", False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False),
     ("a", False), ('"b",*', False)],
)  # fmt: skip
def test_if_none_match(header: str, is_it: bool) -> None:
    assert documents.matches(header, '"a"') is is_it
