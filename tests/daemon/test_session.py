"""The session that leads: what a database's refusals become, and what its jobs write."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import prometheus_client
import psycopg
import pytest
from chainfirst.ops import config, errors, jobs, metrics, reach, sampling, session
from chainfirst.schema import migrate, store

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.fixture
def migrated(pg_url: str) -> str:
    migrate.migrate(migrate.engine(pg_url), platform_enabled=False)
    return pg_url


@pytest.fixture
def connection(migrated: str) -> Iterator[session.Connection]:
    with session.connect(migrated, "test") as found:
        yield found


class Work:
    """Runs a statement in each step, and remembers what was heard."""

    def __init__(self, url: str) -> None:
        self.statement, self.built, self.heard = "SELECT 1", 0, list[object]()
        self.leader = session.Leader(
            lambda: session.connect(url),
            self.build,
            on_session=self.heard.append,
            on_lead=self.heard.append,
            on_stand_by=lambda: self.heard.append("stands by"),
        )

    def build(self, connection: session.Connection, epoch: int) -> "Work":
        self.connection = connection
        self.built += 1
        return self

    def __call__(self) -> float:
        self.connection.execute(self.statement)
        return 0.0


@pytest.fixture
def work(migrated: str) -> Iterator[Work]:
    found = Work(migrated)
    yield found
    found.leader.close()


def test_sessions_are_named_and_patient_for_so_long(connection: session.Connection) -> None:
    assert connection.info.get_parameters()["application_name"] == "test"
    assert connection.execute("SHOW lock_timeout").fetchone() == ("30s",)
    assert connection.execute("SHOW client_connection_check_interval").fetchone() == ("5s",)


def test_it_leads_stands_by_and_leads_again(work: Work, migrated: str) -> None:
    other = Work(migrated)
    with contextlib.closing(other.leader):
        assert (work.leader.step(), work.leader.epoch) == (0, 1)
        assert other.leader.step() == other.leader.step() == session.STANDBY_SECONDS
        assert other.heard == [True, "stands by"]
        work.leader.close()
        while other.leader.step() == session.STANDBY_SECONDS:
            pass  # the server takes a moment to end a session
        assert work.heard == [True, 1, None, False]
        assert other.heard == [True, "stands by", 2]
        assert (other.built, other.leader.epoch, work.leader.epoch) == (1, 2, None)


def test_a_refusal_is_transient_and_keeps_the_leadership(work: Work, connection: session.Connection) -> None:
    work.leader.step()
    work.connection.execute("SET lock_timeout = '20ms'")
    with connection.transaction():
        connection.execute("LOCK TABLE chain.changes")
        work.statement = "SELECT 1 FROM chain.changes"
        with pytest.raises(errors.TransientError, match="lock timeout") as raised:
            work.leader.step()
        assert not isinstance(raised.value, reach.DatabaseUnreachable)
    assert (work.leader.step(), work.built, work.leader.epoch) == (0, 1, 1)


def test_a_lost_session_takes_the_leadership_with_it(work: Work, connection: session.Connection) -> None:
    work.leader.step()
    connection.execute("SELECT pg_terminate_backend(%s)", [work.connection.info.backend_pid])
    with pytest.raises(reach.DatabaseUnreachable, match="went away"):
        work.leader.step()
    assert work.heard == [True, 1, None, False]
    assert (work.leader.step(), work.built, work.leader.epoch) == (0, 2, 2)


def test_a_server_that_only_reads_is_left(work: Work) -> None:
    work.leader.step()
    work.connection.execute("SET default_transaction_read_only = on")
    work.statement = "DELETE FROM chain.changes"
    with pytest.raises(reach.DatabaseUnreachable, match="read-only"):
        work.leader.step()


def test_a_mistake_in_the_program_stays_what_it_is(work: Work) -> None:
    work.leader.step()
    work.statement = "SELECT nothing_such"
    with pytest.raises(psycopg.errors.UndefinedColumn):
        work.leader.step()


def test_a_statement_is_cancelled(work: Work) -> None:
    work.leader.step()
    work.leader.interrupt()  # nothing runs: no harm
    work.statement = "SELECT pg_sleep(60)"
    with session.connect(work.connection.info.dsn) as observer:

        def cancel() -> None:
            row = None
            while row is None:
                row = observer.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'",
                    [work.connection.info.backend_pid],
                ).fetchone()
            work.leader.interrupt()

        thread = threading.Thread(target=cancel)
        thread.start()
        with pytest.raises(errors.TransientError, match="cancel"):
            work.leader.step()
        thread.join()


def test_changes_are_pruned_by_age_by_the_leader_alone(connection: session.Connection) -> None:
    epoch = store.acquire_leadership(connection)
    assert epoch is not None
    for days in (1, 6, 8, 30):
        connection.execute(
            "INSERT INTO chain.changes (from_block, to_block, kind, at) VALUES (%s, %s, 'add', %s)",
            [days, days, NOW - timedelta(days=days)],
        )
    with pytest.raises(store.LeadershipLost):
        jobs.prune(connection, epoch + 1, NOW, config.Database(), {})
    assert jobs.prune(connection, epoch, NOW, config.Database(keep_changes_days=7), {}) == {"changes": 2}
    kept = connection.execute("SELECT from_block FROM chain.changes ORDER BY 1").fetchall()
    assert kept == [(1,), (6,)]


def test_what_only_the_database_knows(connection: session.Connection) -> None:
    numbers = metrics.Metrics(prometheus_client.CollectorRegistry())
    sampler = sampling.Sampler(numbers)
    sampler.sample(connection)  # no cursor yet
    store.open_cursor(connection, 1, "0x" + "00" * 32)
    connection.execute("UPDATE chain.cursor SET reorg_suspected = 'odd'")
    connection.execute("CREATE TABLE event.a_b (id bigint PRIMARY KEY)")
    store.add_source(connection, store.Source("a_b", "a", "B()", {}, "f"))
    store.add_source(connection, store.Source("not_there", "a", "C()", {}, "f"))
    sampler.sample(connection)
    read = numbers.registry.get_sample_value
    assert read("chainfirst_reorg_suspected") == 1
    assert (read("chainfirst_database_bytes") or 0) > 1_000_000
    assert read("chainfirst_table_bytes", {"table": "a_b"}) == 8192
    assert read("chainfirst_table_bytes", {"table": "not_there"}) is None
