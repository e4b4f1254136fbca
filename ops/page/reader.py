"""A database session for those who only look: it can't write, and no statement of it takes long."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from chainfirst.ops import errors

Connection = psycopg.Connection[Any]
TIMEOUT_SECONDS = 2.0
CANCEL_TIMEOUT_SECONDS = 1.0

_LIMITS = """
SELECT set_config('default_transaction_read_only', 'on', false),
    set_config('statement_timeout', %(timeout)s, false), set_config('lock_timeout', %(timeout)s, false),
    set_config('idle_in_transaction_session_timeout', %(idle)s, false)
"""


class Unreadable(errors.TransientError):
    """The database can't be read just now."""


class Reader:
    """One session, opened when it is first needed and again after it was lost. For one thread at a time."""

    def __init__(self, connect: Callable[[], Connection], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._connect, self._timeout_seconds = connect, timeout_seconds
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One state of the database, whatever is committed meanwhile. Unreadable: there is none to be had."""
        try:
            connection = self._opened()
            with connection.transaction():
                yield connection
        except (psycopg.Error, errors.TransientError) as error:
            if self._connection is None or self._connection.closed or self._connection.broken:
                self.close()
            if isinstance(error, errors.TransientError):
                raise Unreadable(error.message, error.advice) from error
            raise Unreadable(f"the database can't be read: {' '.join(str(error).split())}") from error

    def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            connection = self._connect()
            with self._lock:
                self._connection = connection
            milliseconds = round(self._timeout_seconds * 1000)
            try:
                connection.execute(
                    _LIMITS, {"timeout": f"{milliseconds}ms", "idle": f"{10 * milliseconds}ms"}
                )
            except psycopg.Error:
                self.close()
                raise
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
        return self._connection

    def interrupt(self) -> None:
        """From another thread: cancel the statement that runs, if there is one."""
        with self._lock, contextlib.suppress(psycopg.Error):
            if self._connection is not None and not self._connection.closed:
                self._connection.cancel_safe(timeout=CANCEL_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Give the session up."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
