"""What programs are told: whether it is well, everything that is known, and each look as it comes."""

import contextlib
import http.client
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog
from chainfirst.ops import errors, log, metrics
from chainfirst.ops.page import app, documents, panels, stream, summary
from chainfirst.ops.page.reader import Connection, Reader
from chainfirst.ops.page.sampler import Sampler
from chainfirst.ops.page.server import HOST, PortTaken, Server
from chainfirst.schema import store
from chainfirst.tests.page.asking import ask, connecting
from prometheus_client import CollectorRegistry

ENDPOINT = summary.Endpoint("http://node", True, True, 7, 0.001, 0, "")
HASH = "0x" + "ab" * 32
OPEN = """
INSERT INTO chain.cursor (chain_id, genesis_hash, indexed_number, indexed_hash, final_number, final_hash)
VALUES (1, %(hash)s, 7, %(hash)s, 5, %(hash)s)
"""


@pytest.fixture(autouse=True)
def _every_look_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a part took, on a machine that is busy."""
    monkeypatch.setattr(panels, "SHARE", 0)


class Station:
    """A server whose sampler looks when it is woken, and once a second or two."""

    def __init__(self, connect: Callable[[], Connection], silent_seconds: float = 20.0) -> None:
        self.live = summary.Live("0.1.0", 7, True, (ENDPOINT,))
        self._wake, self._ends = threading.Event(), threading.Event()
        self.hub = stream.Hub(lambda: tuple(self.sampler.history.points), self._wake.set)
        self.sampler = Sampler(Reader(connect), lambda: self.live, self.hub.watched, self.hub.publish, 5)
        numbers = metrics.Metrics(CollectorRegistry())
        self.app = app.build(numbers, self.hub, hosts=["Status.Example.org"])
        self.server = Server(self.app, [0], silent_seconds)
        self.port = self.server.ports[0]
        self._thread = threading.Thread(target=self._loop)

    def _loop(self) -> None:
        while not self._ends.is_set():
            self._wake.clear()
            self._wake.wait(min(0.05, self.sampler.step()))

    def __enter__(self) -> "Station":
        self.server.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._wake.set()
        self.hub.close()
        self.server.close()
        self._thread.join()
        self.sampler.close()

    def look(self) -> None:
        """Until the next look is there."""
        before = self.hub.latest
        while self.hub.latest is before:
            self._wake.set()

    @contextlib.contextmanager
    def events(self) -> Iterator[Callable[[], tuple[str, Any]]]:
        """A stream; each call waits for the next event: its name and data."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", "/events")
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")

            def following() -> tuple[str, Any]:
                name = ""
                while line := answer.readline().decode().rstrip("\n"):
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        assert answer.readline() == b"\n"
                        return name, json.loads(value)
                    elif field == "retry":
                        assert answer.readline() == b"\n"
                raise EOFError

            yield following


@pytest.fixture
def leading(pg_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A database with a cursor, whose leader this is."""
    with psycopg.connect(pg_url, autocommit=True) as connection:
        connection.execute(OPEN, {"hash": HASH})
        assert store.acquire_leadership(connection) is not None
        yield connection


def test_ready_while_it_is_caught_up(pg_url: str, leading: psycopg.Connection[Any]) -> None:
    with Station(connecting(pg_url)) as station:
        station.look()
        answer = ask(station.port, "/readyz")
        assert (answer.status, answer.json) == (200, {"ready": True, "reasons": []})
        station.live = summary.Live("0.1.0", 20, True, (ENDPOINT,))
        station.look()
        station.look()
        answer = ask(station.port, "/readyz")
        assert (answer.status, answer.json["ready"]) == (503, False)
        assert answer.json["reasons"] == ["13 blocks behind the head, 5 are allowed"]
        assert ask(station.port, "/readyz", "HEAD").status == 503
        assert ask(station.port, "/healthz").status == 200


def test_the_status_is_what_is_committed(pg_url: str, leading: psycopg.Connection[Any]) -> None:
    with Station(connecting(pg_url)) as station:
        found = ask(station.port, "/status").json
        assert (found["verdict"], found["chain"]["indexed"], found["chain"]["final"]) == ("well", 7, 5)
        assert set(found["parts"]) == set(summary.SHOWN_PARTS)
        assert found["parts"]["platform"]["totals"]["campaigns"] == 0
        leading.execute("BEGIN; UPDATE chain.cursor SET indexed_number = 8, indexed_hash = genesis_hash")
        assert ask(station.port, "/status").json["chain"]["indexed"] == 7
        leading.execute("COMMIT")
        station.look()
        station.look()
        assert ask(station.port, "/status").json["chain"]["indexed"] == 8


def test_without_a_database_it_says_so_and_goes_on() -> None:
    def connect() -> Connection:
        raise errors.TransientError("the database went away: connection refused", "See that it runs.")

    with Station(connect) as station:
        found = ask(station.port, "/status").json
        assert (found["verdict"], found["chain"]["indexed"]) == ("down", None)
        assert "connection refused" in found["database_error"]
        assert ask(station.port, "/readyz").json["reasons"] == [found["database_error"]]
        assert ask(station.port, "/").status == 200
        assert ask(station.port, "/metrics").status == 200


def test_a_session_that_was_cut_off_is_a_look_missed(pg_url: str, leading: psycopg.Connection[Any]) -> None:
    with Station(connecting(pg_url)) as station, station.events() as following:
        assert following()[0] == "history"
        verdicts: list[str] = []
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid NOT IN (pg_backend_pid())"
        )
        while verdicts[-2:] != ["down", "well"]:
            name, found = following()
            if name == "summary":
                verdicts.append(found["verdict"])
                if verdicts == ["well"]:
                    leading.execute(cut.encode())
        assert set(verdicts) == {"well", "down"}


def test_each_look_is_sent_to_who_watches(pg_url: str, leading: psycopg.Connection[Any]) -> None:
    with Station(connecting(pg_url)) as station, station.events() as following, station.events() as other:
        assert following()[0] == "history"
        name, found = following()
        assert (name, found["chain"]["indexed"]) == ("summary", 7)
        names = [name]
        while names[-3:] != ["point"] * 3:  # nothing changes any more: only the time goes on
            names.append(following()[0])
        leading.execute("UPDATE chain.cursor SET indexed_number = 9, indexed_hash = genesis_hash")
        for each in (following, other):
            while True:
                name, found = each()
                if name == "summary" and found["chain"]["indexed"] == 9:
                    break
        assert station.hub.streams == 2


def test_so_many_may_watch_and_no_more(quiet_url: str) -> None:
    with Station(connecting(quiet_url)) as station, contextlib.ExitStack() as watching:
        for _ in range(stream.MOST_WATCHERS):
            following = watching.enter_context(station.events())
            assert following()[0] == "history"
        answer = ask(station.port, "/events")
        assert (answer.status, list(answer.json)) == (503, ["error"])
        assert ask(station.port, "/healthz").status == 200
    assert station.hub.streams == 0


def test_a_reader_that_hangs_is_cut_off_and_delays_nobody(quiet_url: str) -> None:
    """It asks, and never reads: 64 kB and more stay in the kernel's buffers, then nothing goes out."""
    with Station(connecting(quiet_url), silent_seconds=1.0) as station:
        big = tuple(log.Trouble("", "error", "part", "event", "x" * 100_000) for _ in range(40))
        with socket.create_connection((HOST, station.port)) as hung:
            hung.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            hung.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            hung.recv(1)
            assert station.hub.streams == 1
            number = 0
            while station.hub.streams:
                number += 1
                station.live = summary.Live(str(number), 7, True, (), big)
                station.look()  # which does not wait for it
                assert ask(station.port, "/healthz").status == 200
        assert ask(station.port, "/status").status == 200


def test_it_stops_within_a_second_while_somebody_watches(quiet_url: str) -> None:
    with Station(connecting(quiet_url)) as station, station.events() as following:
        assert following()[0] == "history"
        station.hub.close()
        station.server.close()
        with pytest.raises((EOFError, http.client.IncompleteRead)):
            while True:
                following()


def test_nothing_can_be_changed(quiet_url: str) -> None:
    with Station(connecting(quiet_url)) as station:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in ("/", "/status", "/readyz", "/events"):
                assert ask(station.port, path, method).status == 405


def test_another_sites_name_is_refused(quiet_url: str) -> None:
    with Station(connecting(quiet_url)) as station:
        for path in ("/", "/status", "/readyz", "/events"):
            for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1].evil.example:80"):
                assert ask(station.port, path, Host=host).status == 421, host
        for host in ("localhost", "LOCALHOST:8480", "127.0.0.1:1", "[::1]:8480", "status.example.org"):
            assert ask(station.port, "/", Host=host).status == 200
        assert ask(station.port, "/metrics", Host="evil.example").status == 200  # numbers, for Prometheus
        assert ask(station.port, "/none").status == 404


def test_the_page_may_load_nothing_but_itself(quiet_url: str) -> None:
    with Station(connecting(quiet_url)) as station:
        answer = ask(station.port, "/")
        html = answer.body.decode()
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert policy == app.policy(html)
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert html.count("<script") == html.count("<style") == 1
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert unsafe not in html
        addresses = {word for word in html.split('"') if word.startswith(("http:", "https:", "//"))}
        assert addresses == {"http://www.w3.org/2000/svg"}  # a name, asked of nobody
        assert ask(station.port, "/events", "HEAD").body == b""


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match="in use") as error:
            Server(app.build(metrics.Metrics(CollectorRegistry())), [0, port])
        assert error.value.port == port


def test_who_asks_nothing_is_cut_off_and_so_many_get_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainfirst.ops.page.server.MOST_CONNECTIONS", 8)
    made = app.build(metrics.Metrics(CollectorRegistry()))
    server = Server(made, [0], idle_seconds=1)
    server.start()
    try:
        with contextlib.ExitStack() as open_ones:
            idle = [
                open_ones.enter_context(socket.create_connection((HOST, server.ports[0]), 20))
                for _ in range(8)
            ]
            idle[0].sendall(b"GET /healthz HT")  # and no more
            while ask(server.ports[0], "/healthz").status != 503:  # as soon as all are accepted
                pass
            for each in idle:
                while each.recv(1000):
                    pass
        assert ask(server.ports[0], "/healthz").status == 200
    finally:
        server.close()


def test_a_bug_of_a_look_is_logged_and_missed_by_readyz(quiet_url: str) -> None:
    seconds = [0.0]
    broken = True

    def live() -> summary.Live:
        if broken:
            raise ValueError("a bug")
        return summary.Live("0.1.0", 7, True, (ENDPOINT,))

    hub = stream.Hub(list, lambda: None, clock=lambda: seconds[0])
    looks = Sampler(
        Reader(connecting(quiet_url)), live, hub.watched, hub.publish, 5, clock=lambda: seconds[0]
    )
    lines = io.StringIO()
    log.configure(lines)
    server = Server(app.build(metrics.Metrics(CollectorRegistry()), hub), [0])
    server.start()
    try:
        assert looks.step() > 0
        assert json.loads(lines.getvalue())["exception"][0]["exc_value"] == "a bug"
        reasons = ask(server.ports[0], "/readyz").json["reasons"]
        assert reasons == ["the database has not been looked at yet"]
        broken = False
        looks.step()
        assert json.loads(lines.getvalue().splitlines()[-1])["event"] == "recovered"
        assert ask(server.ports[0], "/readyz").json["reasons"] == ["nothing is indexed yet"]
        broken = True
        seconds[0] = 100.0
        looks.step()
        reasons = ask(server.ports[0], "/readyz").json["reasons"]
        assert reasons == ["nothing is indexed yet", "the last look at the database was 100 s ago"]
    finally:
        server.close()
        looks.close()
        structlog.reset_defaults()


def test_a_bug_is_an_answer_and_a_line_in_the_log() -> None:
    def find(_: Connection, name: str) -> tuple[str, bytes] | None:
        raise ValueError(name)

    def connect() -> Connection:
        raise AssertionError("a bug of ours")

    with contextlib.closing(documents.Documents(connect, find)) as library:
        server = Server(app.build(metrics.Metrics(CollectorRegistry()), None, library, "/c/"), [0])
        server.start()
        try:
            answer = ask(server.ports[0], "/c/x")
            assert (answer.status, answer.json) == (500, {"error": "this is a bug: see the daemon's log"})
            assert ask(server.ports[0], "/healthz").status == 200
        finally:
            server.close()
