"""The daemon's database sessions: named, quick to notice a dead peer; and the one session that leads."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from chainfirst.ops import errors, reach
from chainfirst.schema import store

Connection = psycopg.Connection[Any]
Meter = Callable[[float], None]
APPLICATION = "chainfirst indexer"
STANDBY_SECONDS = 1.0
PING_SECONDS = 1.0
LOCK_TIMEOUT_SECONDS = 30
KEEPALIVE_SECONDS = (3, 2, 2)  # idle, between probes, probes: a host that falls silent is noticed in 7 s
SILENCE_SECONDS = KEEPALIVE_SECONDS[0] + KEEPALIVE_SECONDS[1] * KEEPALIVE_SECONDS[2]
CANCEL_TIMEOUT_SECONDS = 1.0

# For the server's side of the same; on a Unix socket it ignores them.
_SETTINGS = """
SELECT set_config('lock_timeout', %s, false), set_config('tcp_keepalives_idle', %s, false),
    set_config('tcp_keepalives_interval', %s, false), set_config('tcp_keepalives_count', %s, false),
    -- where an answer is under way no keepalive is sent: the kernel would repeat it for a quarter of an hour
    set_config('tcp_user_timeout', %s, false)
"""


def connect(url: str, application: str = APPLICATION, meter: Meter | None = None) -> Connection:
    """A session in autocommit. DatabaseUnreachable: none can be had. `meter` hears the seconds of each
    statement."""
    factory = psycopg.Cursor if meter is None else _metered(meter)
    try:
        connection = psycopg.connect(
            attentive(url), autocommit=True, application_name=application, cursor_factory=factory
        )
        values = [f"{LOCK_TIMEOUT_SECONDS}s", *map(str, KEEPALIVE_SECONDS), f"{SILENCE_SECONDS}s"]
        connection.execute(_SETTINGS, values)
        with contextlib.suppress(psycopg.errors.InvalidParameterValue):  # not on every platform
            connection.execute("SET client_connection_check_interval = '5s'")
    except psycopg.Error as error:
        raise _lost(error) from error
    return connection


def named(application: str, instance: str | None) -> str:
    """A session's name, of one daemon among several: "chainfirst indexer" is "chainfirst@main indexer"."""
    program, space, what = application.partition(" ")
    return application if instance is None else f"{program}@{instance}{space}{what}"


def _metered(meter: Meter) -> type[psycopg.Cursor[Any]]:
    class Metered(psycopg.Cursor[Any]):
        def execute(self, *arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return super().execute(*arguments, **options)
            finally:
                meter(time.perf_counter() - began)

    return Metered


def attentive(url: str) -> str:
    """The connection string with what notices a dead peer, in place of libpq's two hours."""
    idle, interval, count = KEEPALIVE_SECONDS
    return psycopg.conninfo.make_conninfo(
        url,
        connect_timeout=reach.TIMEOUT_SECONDS,
        keepalives_idle=idle,
        keepalives_interval=interval,
        keepalives_count=count,
        tcp_user_timeout=SILENCE_SECONDS * 1000,
    )


class Leader:
    """A part whose work needs the database and the leadership, on a session of its own.

    Its steps connect, stand by while another session leads, build the work, and then do it. A session
    that was lost takes all of that with it, and the next step begins anew.
    """

    name = "indexer"

    def __init__(
        self,
        connect: Callable[[], Connection],
        build: Callable[[Connection, int], Callable[[], float]],
        *,
        on_session: Callable[[bool], None],
        on_lead: Callable[[int | None], None],
        on_stand_by: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`build` makes the work from the session and its epoch; the work is called for each step and
        answers in how many seconds there may be more. The callbacks hear whether there is a session, of
        the leadership (its epoch, None: it ended), and that another daemon leads."""
        self._connect, self._build = connect, build
        self._on_session, self._on_lead, self._on_stand_by = on_session, on_lead, on_stand_by
        self._clock, self._ping_at = clock, float("-inf")
        self._connection: Connection | None = None
        self._work: Callable[[], float] | None = None
        self._stands_by = False
        self._lock = threading.Lock()
        self.epoch: int | None = None

    def step(self) -> float:
        """Seconds until there may be more to do. DatabaseUnreachable: the session is gone;
        TransientError: the database refused for now; all that the work itself raises."""
        try:
            return self._step()
        except psycopg.Error as error:
            connection = self._connection
            if (
                connection is None
                or connection.closed
                or isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
            ):
                self.close()
                raise _lost(error) from error
            if isinstance(error, psycopg.OperationalError):
                raise errors.TransientError(f"the database refused: {_said(error)}") from error
            raise
        except reach.DatabaseUnreachable:
            self.close()
            raise

    def _step(self) -> float:
        if self._connection is None:
            connection = self._connect()
            with self._lock:
                self._connection = connection
            self._on_session(True)
        if self.epoch is None:
            self.epoch = store.acquire_leadership(self._connection)
            if self.epoch is None:
                if not self._stands_by:
                    self._on_stand_by()
                self._stands_by = True
                return STANDBY_SECONDS
            self._stands_by = False
            self._on_lead(self.epoch)
        if self._work is None:
            self._work = self._build(self._connection, self.epoch)
        idle_seconds = self._work()
        if idle_seconds > 0 and self._clock() >= self._ping_at:
            # a chain without news asks nothing of the database: a session that is gone would look alive
            self._connection.execute("SELECT 1")
            self._ping_at = self._clock() + PING_SECONDS
        return idle_seconds

    def interrupt(self) -> None:
        """From another thread: cancel the statement that the step waits for, if there is one."""
        with self._lock, contextlib.suppress(psycopg.Error):
            if self._connection is not None:
                self._connection.cancel_safe(timeout=CANCEL_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Give up session and leadership; the next step begins anew."""
        with self._lock:
            connection, self._connection = self._connection, None
        if self.epoch is not None:
            self._on_lead(None)
        self.epoch, self._work, self._stands_by = None, None, False
        if connection is not None:
            connection.close()
            self._on_session(False)


def _lost(error: psycopg.Error) -> reach.DatabaseUnreachable:
    return reach.DatabaseUnreachable(f"the database went away: {_said(error)}", "See that it runs.")


def _said(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
