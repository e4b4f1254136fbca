"""Runs parts in threads until a signal: decides what an error means, backs off, and stops them in time.

A part does one unit of work in each `step()` and knows nothing of loops. A transient error waits and
goes on, a reset error goes on at once, a fatal one ends the process with its exit code, any other
exception is a bug and ends it with 1.
"""

import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from chainfirst.ops import errors, log, metrics, reach

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0
GRACE_SECONDS = 1.0  # for what runs already; then its statement is cancelled
STOP_SECONDS = 3.5  # then what still hangs is left behind
LOOK_SECONDS = 0.25  # between looks for a signal that woke nobody
LINGER_SECONDS = 30.0
"""So long an end that no restart mends is shown to Prometheus, which asks now and then."""
INTERRUPT_SECONDS = 0.2  # between cancels: one may hit the gap between two statements


class Part(Protocol):
    """A long-running part of the daemon, driven by one thread."""

    @property
    def name(self) -> str:
        """For the log and the metrics."""

    def step(self) -> float:
        """One unit of work; the seconds until there may be more, 0: at once."""

    def interrupt(self) -> None:
        """From another thread: let the step that runs now end soon, by an error."""

    def close(self) -> None:
        """Give up what it holds; no step runs."""


class Severity(Enum):
    """What an error means for the loop."""

    TRANSIENT = "transient"
    RESET = "reset"
    FATAL = "fatal"
    BUG = "bug"


class Bug(errors.FatalError):
    """An exception that nothing expects; its traceback is in the log."""


def severity(error: BaseException) -> Severity:
    """By type alone."""
    if isinstance(error, errors.ResetError):
        return Severity.RESET
    if isinstance(error, errors.TransientError):
        return Severity.TRANSIENT
    return Severity.FATAL if isinstance(error, errors.ChainfirstError) else Severity.BUG


@dataclass
class Backoff:
    """How long to wait after the n-th failure in a row."""

    failures: int = 0

    def after(self, error: BaseException) -> float:
        """Seconds: what the error asks for, or twice as long as before. The first reset waits not at all."""
        self.failures += 1
        asked: float | None = getattr(error, "retry_after_seconds", None)
        if asked:  # one that asks for 0 must not be asked without end
            return asked
        doublings = self.failures - 1
        if severity(error) is Severity.RESET:
            if self.failures == 1:
                return 0.0
            doublings -= 1
        return float(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(doublings, 30)))


class Loop:
    """Steps one part until `stop` is set; raises the fatal error or bug that ends it."""

    def __init__(
        self,
        part: Part,
        stop: threading.Event,
        numbers: metrics.Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.part, self._stop, self._numbers = part, stop, numbers
        self._wake = threading.Event()
        self._repeats = log.Repeats(log.get(part.name), clock)
        self._failing: set[str] = set()

    def wake(self) -> None:
        """There may be work: end the waiting. From any thread."""
        self._wake.set()

    def run(self) -> None:
        """The loop."""
        backoff = Backoff()
        while not self._stop.is_set():
            self._wake.clear()
            try:
                idle_seconds = self.part.step()
            except Exception as error:
                passing = severity(error) in (Severity.TRANSIENT, Severity.RESET)
                if passing and self._stop.is_set():
                    return  # interrupted
                self._numbers.step_failed(self.part.name, error)
                if not passing:
                    raise
                self._failed(error)
                self._stop.wait(backoff.after(error))
                continue
            self._numbers.last_step.labels(self.part.name).set_to_current_time()
            while self._failing:
                self._repeats.recovered(self._failing.pop())
            backoff = Backoff()
            if idle_seconds > 0 and not self._stop.is_set():
                self._wake.wait(idle_seconds)

    def _failed(self, error: Exception) -> None:
        event = "database_lost" if isinstance(error, reach.DatabaseUnreachable) else "step_failed"
        self._failing.add(event)
        self._repeats.failed(event, event, error=str(error))


@dataclass(frozen=True)
class Ended:
    """Why it ended (`error` None: it was asked to), and which threads hang: only the process can end them."""

    error: errors.ChainfirstError | None
    abandoned: tuple[str, ...]


class Supervisor:
    """Starts the loops, waits for a signal or a death, and stops everything within 5 seconds."""

    def __init__(self, numbers: metrics.Metrics, linger_seconds: float = 0.0) -> None:
        """`linger_seconds`: so long a fatal error is shown before what is no loop ends too."""
        self._numbers, self._linger_seconds = numbers, linger_seconds
        self._logger = log.get("daemon")
        self._stop = threading.Event()
        # a SimpleQueue, because put() may be called in a signal handler; an Event's set() may not
        self._ended: queue.SimpleQueue[BaseException | str] = queue.SimpleQueue()
        self._loops: list[Loop] = []
        self._threads: list[threading.Thread] = []

    def add(self, part: Part) -> Loop:
        """A loop for this part, begun by `run`."""
        loop = Loop(part, self._stop, self._numbers)
        self._loops.append(loop)
        return loop

    def run(self, started: Callable[[], None], closers: Sequence[tuple[str, Callable[[], Any]]]) -> Ended:
        """Until SIGTERM, Ctrl-C or the death of a thread; a second signal ends the process at once.

        `started` is called once the loops run; `closers`, by name, end what is no loop.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        threading.excepthook = lambda died: self._ended.put(died.exc_value or Bug("a thread ended"))
        for loop in self._loops:
            thread = threading.Thread(target=self._thread, args=[loop], name=loop.part.name, daemon=True)
            self._threads.append(thread)
            thread.start()
        started()
        why = self._wait()
        error = None if isinstance(why, str) else self._as_error(why)
        self._logger.info("stopping", why=why if isinstance(why, str) else type(why).__name__)
        if error is not None and not isinstance(error, Bug) and error.exit_code != errors.PASSING:
            self._numbers.fatal.labels(type(error).__name__).set(1)
            self._linger()
        abandoned = self._stop_all(closers)
        if abandoned:
            self._logger.warning("abandoned", threads=abandoned)
        self._logger.info("stopped")
        return Ended(error, tuple(abandoned))

    def _wait(self) -> BaseException | str:
        # A signal's handler runs only when get() returns. One that comes just before get() blocks, or to
        # another thread, doesn't interrupt it: so it returns now and then.
        while True:
            with contextlib.suppress(queue.Empty):
                return self._ended.get(timeout=LOOK_SECONDS)

    def _linger(self) -> None:
        """With all loops ended, stay until the time is over or a signal comes."""
        until = time.monotonic() + self._linger_seconds
        if self._linger_seconds > 0:
            self._stop_loops(time.monotonic() + STOP_SECONDS)
        while time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                if isinstance(self._ended.get(timeout=LOOK_SECONDS), str):
                    return

    def _asked(self, number: int, _: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        self._ended.put(signal.Signals(number).name)

    def _thread(self, loop: Loop) -> None:
        try:
            loop.run()
        except BaseException as error:
            self._ended.put(error)
        else:
            if not self._stop.is_set():
                self._ended.put(Bug(f"the part {loop.part.name} ended without a reason"))

    def _as_error(self, error: BaseException) -> errors.ChainfirstError:
        if isinstance(error, errors.ChainfirstError):
            self._logger.error("part_stopped", error=str(error), exit_code=error.exit_code)
            return error
        self._logger.error("part_died", exc_info=(type(error), error, error.__traceback__))
        bug = Bug(
            f"unexpected {type(error).__name__}: {error}", "This is a bug: see the traceback in the log."
        )
        bug.__cause__ = error
        return bug

    def _stop_all(self, closers: Sequence[tuple[str, Callable[[], Any]]]) -> list[str]:
        """Stop all; the names of what still hangs afterwards. Closers run side by side, each for itself."""
        deadline = time.monotonic() + STOP_SECONDS
        closing = [threading.Thread(target=close, name=name, daemon=True) for name, close in closers]
        self._stop.set()
        for thread in closing:
            thread.start()
        self._stop_loops(deadline)
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in (*self._threads, *closing) if thread.is_alive()]

    def _stop_loops(self, deadline: float) -> None:
        """End the loops, and give up what those that ended hold."""
        self._stop.set()
        for loop in self._loops:
            loop.wake()
        patience = time.monotonic() + GRACE_SECONDS
        while any(thread.is_alive() for thread in self._threads) and time.monotonic() < deadline:
            for thread, loop in zip(self._threads, self._loops, strict=True):
                thread.join(INTERRUPT_SECONDS)
                if thread.is_alive() and time.monotonic() > patience:
                    loop.part.interrupt()
        for thread, loop in zip(self._threads, self._loops, strict=True):
            if not thread.is_alive():
                loop.part.close()
