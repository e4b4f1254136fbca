"""What is periodic: each job in a thread of APScheduler's, never twice at once; its errors end nothing."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from chainfirst.ops import errors, log, metrics, session
from chainfirst.schema import store

THREADS = 4
PRUNE_SECONDS = 600.0
SAMPLE_SECONDS = 15.0
RECONCILE_SECONDS = 600.0
GIVE_UP_FILES_SECONDS = 3_600.0  # a day's would never run in a daemon that is restarted each day

_SIZES = """
SELECT table_name, pg_total_relation_size(format('event.%I', table_name)::regclass)
FROM chain.sources WHERE to_regclass(format('event.%I', table_name)) IS NOT NULL
"""


OPEN_STATUSES = ("pending", "waiting", "signed", "sent", "included")
_OPEN_INTENTS = """
SELECT s.status, count(*) FROM intent.intents i CROSS JOIN LATERAL intent.status_of(i.id) AS s (status)
WHERE i.outcome IS NULL GROUP BY s.status
"""
_INTENTS = """
SELECT coalesce(extract(epoch FROM min(submitted_at) FILTER (WHERE outcome IS NULL)), 0),
    count(*) FILTER (WHERE alert)
FROM intent.intents WHERE outcome IS NULL OR alert
"""
_HAS_RULES = "SELECT to_regclass('intent.stuck') IS NOT NULL"
_GIVE_UP_FILES = "SELECT platform.give_up_kyc_files(%s)"
_STUCK = "SELECT kind, count(*) FROM intent.stuck GROUP BY kind"
_LANES = """
SELECT l.name, l.blocked_reason IS NOT NULL, l.alert IS NOT NULL, l.balance_wei, (
    SELECT count(*) FROM intent.transactions t
    WHERE t.signer = l.signer AND t.closed_block IS NULL AND t.foreign_hash IS NULL
)
FROM intent.lanes l
"""


class Jobs:
    """Periodic jobs. A late run is not made up for; one that fails is logged, counted and tried again."""

    def __init__(self, numbers: metrics.Metrics) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # its warnings of late runs say nothing that the metrics don't
        logging.getLogger("apscheduler").addHandler(logging.NullHandler())
        logging.getLogger("apscheduler").propagate = False
        self._numbers = numbers
        self._idle = threading.Condition()
        self._running = 0
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, name: str, work: Callable[[], Any]) -> None:
        """Run `work` now (once `start` was called) and every so many seconds."""
        repeats = log.Repeats(log.get("jobs"))
        self._scheduler.add_job(
            self._guarded, "interval", seconds=seconds, id=name, args=[name, work, repeats],
            next_run_time=datetime.now(UTC),
        )  # fmt: skip

    def start(self) -> None:
        """Begin; returns at once."""
        self._scheduler.start()

    def close(self) -> None:
        """Start no more, and wait for what runs, however long it hangs: the interpreter would too."""
        self._scheduler.shutdown(wait=False)
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)

    def _guarded(self, name: str, work: Callable[[], Any], repeats: log.Repeats) -> None:
        with self._idle:
            self._running += 1
        try:
            work()
        except Exception as error:
            self._numbers.jobs_failed.labels(name).inc()
            expected = isinstance(error, errors.ChainfirstError | psycopg.OperationalError)
            repeats.failed(name, "job_failed", error=str(error), **({} if expected else {"exc_info": True}))
        else:
            self._numbers.last_job.labels(name).set_to_current_time()
            repeats.recovered(name)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()


def prune(connection: session.Connection, epoch: int, now: datetime, keep_days: int) -> int:
    """Drop the changes that are older than `keep_days`; how many. LeadershipLost as any writer."""
    with connection.transaction():
        store.assert_epoch(connection, epoch)
        return store.prune_changes(connection, now - timedelta(days=keep_days))


def give_up_kyc_files(connection: session.Connection, epoch: int, now: datetime, keep_days: int) -> int:
    """Blank the references of files of documents that were rejected, or expired, longer ago: they are listed
    in platform.kyc_files_to_delete then. How many; LeadershipLost as any writer."""
    with connection.transaction():
        store.assert_epoch(connection, epoch)
        row = connection.execute(_GIVE_UP_FILES, [now - timedelta(days=keep_days)]).fetchone()
        assert row is not None
        return int(row[0])


def sample(connection: session.Connection, numbers: metrics.Metrics) -> None:
    """Show what only the database knows: the cursor, whoever leads, and sizes."""
    cursor = store.read_cursor(connection)
    if cursor is not None:
        numbers.reorg_suspected.set(cursor.reorg_suspected is not None)
        for gauge, value in (
            (numbers.indexed_block, cursor.indexed_number),
            (numbers.final_block, cursor.final_number),
        ):
            if value is not None:
                gauge.set(value)
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    if row is not None:
        numbers.database_bytes.set(row[0])
    for table, size in connection.execute(_SIZES):
        numbers.table_bytes.labels(table).set(size)
    _sample_intents(connection, numbers)


def _sample_intents(connection: session.Connection, numbers: metrics.Metrics) -> None:
    counts = dict.fromkeys(OPEN_STATUSES, 0) | dict(connection.execute(_OPEN_INTENTS).fetchall())
    for status, count in counts.items():
        numbers.intents.labels(status).set(count)
    for oldest, alerts in connection.execute(_INTENTS):
        numbers.oldest_intent.set(oldest)
        numbers.intents_alert.set(alerts)
    if connection.execute(_HAS_RULES).fetchone() == (True,):
        for kind, count in connection.execute(_STUCK):
            numbers.rules_stuck.labels(kind).set(count)
    for lane, blocked, alert, balance, opened in connection.execute(_LANES):
        numbers.lane_blocked.labels(lane).set(blocked)
        numbers.lane_alert.labels(lane).set(alert)
        numbers.lane_open.labels(lane).set(opened)
        if balance is not None:
            numbers.lane_balance.labels(lane).set(float(balance))
