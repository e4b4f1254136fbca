"""What is periodic: each job in a thread of APScheduler's, never twice at once; its errors end nothing."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from chainfirst.ops import config, errors, log, metrics, session
from chainfirst.schema import pruning, sizes, store

THREADS = 4
PRUNE_SECONDS = 600.0
PRUNE_FOR_SECONDS = 2.0  # a daemon that is asked to stop waits for it
SAMPLE_SECONDS = 15.0
RECONCILE_SECONDS = 600.0
TREASURY_SECONDS = 60.0
LEDGER_SECONDS = 21_600.0  # every row is made again and compared
GIVE_UP_FILES_SECONDS = 3_600.0  # a day's would never run in a daemon that is restarted each day

_GIVE_UP_FILES = "SELECT platform.give_up_kyc_files(%s)"


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
        self._numbers.know_job(name)
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
        began = time.perf_counter()
        try:
            work()
        except Exception as error:
            self._numbers.jobs_failed.labels(name).inc()
            self._numbers.database_failed(name, error)
            expected = isinstance(error, errors.ChainfirstError | psycopg.OperationalError)
            repeats.failed(name, "job_failed", error=str(error), **({} if expected else {"exc_info": True}))
        else:
            self._numbers.last_job.labels(name).set_to_current_time()
            repeats.recovered(name)
        finally:
            self._numbers.job_seconds.labels(name).observe(time.perf_counter() - began)
            with self._idle:
                self._running -= 1
                self._idle.notify_all()


def prune(
    connection: session.Connection,
    epoch: int,
    now: datetime,
    keep: config.Database,
    places: dict[str, int],
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """Take away what is older than the settings say, for some seconds: the next run goes on at `places`. What
    went, and how many rows. Before that the tables' sizes are noted, once a day. LeadershipLost as any
    writer."""
    until = clock() + PRUNE_FOR_SECONDS
    sizes.note(connection, epoch, now)
    kept = pruning.Keep(keep.keep_changes_days, keep.keep_history_days, keep.keep_signed_days)
    return pruning.prune(connection, epoch, now, kept, lambda: clock() < until, places)


def give_up_kyc_files(connection: session.Connection, epoch: int, now: datetime, keep_days: int) -> int:
    """Blank the references of files of documents that were rejected, or expired, longer ago: they are listed
    in platform.kyc_files_to_delete then. How many; LeadershipLost as any writer."""
    with connection.transaction():
        store.assert_epoch(connection, epoch)
        row = connection.execute(_GIVE_UP_FILES, [now - timedelta(days=keep_days)]).fetchone()
        assert row is not None
        return int(row[0])
