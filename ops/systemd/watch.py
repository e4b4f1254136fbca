"""What systemd is told of the daemon: ready, block and lag, and a sign of life for real progress alone.

Progress is a step of the indexer that ended. One that found no new block counts: an idle chain is alive.
One that never ends doesn't, and neither do heads that arrive meanwhile. A step that failed counts too, but
not for ever: while database or node are away a restart mends nothing and takes the status page with it, and
after half an hour it is worth a try.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chainfirst.ops.systemd import notify

if TYPE_CHECKING:
    from chainfirst.ops.running import Part

FAILING_SECONDS = 1800.0
PASSING_SECONDS = 5.0
"""A failure that is over sooner is no news."""
TICK_SECONDS = 1.0
FEEDS = 4
"""So many signs of life in the time for one: sd_watchdog_enabled(3) recommends two."""


class Watch:
    """Hears of the daemon's parts from any thread, and says what systemd must be told now."""

    def __init__(
        self, watchdog_seconds: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._feed_seconds = None if watchdog_seconds is None else watchdog_seconds / FEEDS
        self._clock = clock
        self._lock = threading.Lock()
        self._said = ""
        self._ready = self._said_ready = self._alive = self._stands_by = False
        self._fed_at = float("-inf")
        self._good_at = clock()
        self._failing = ""
        self._indexed: int | None = None
        self._head = 0
        self.news = threading.Event()
        """Set when it is ready: that is told at once."""

    def head(self, number: int) -> None:
        """A node has announced this block, or has it."""
        with self._lock:
            self._head = max(self._head, number)

    def committed(self, indexed: int, head: int) -> None:
        """The cursor is at `indexed`; the batch saw the head there."""
        with self._lock:
            self._indexed, self._head = indexed, head

    def resumed(self, indexed: int | None) -> None:
        """This daemon leads, and goes on from this block; None: from nothing."""
        with self._lock:
            self._indexed, self._stands_by = indexed, False

    def standing_by(self) -> None:
        """Another daemon leads this database."""
        with self._lock:
            self._stands_by = True

    def ended(self) -> None:
        """A step of the indexer ended well."""
        with self._lock:
            self._good_at = self._clock()
            self._alive, self._failing = True, ""
            first, self._ready = not self._ready, True
        if first:
            self.news.set()

    def failed(self, error: Exception) -> None:
        """A step of the indexer ended by an error."""
        with self._lock:
            self._failing = str(error)
            if self._clock() - self._good_at < FAILING_SECONDS:
                self._alive = True

    def due(self) -> list[str]:
        """The assignments to send now, each told once."""
        with self._lock:
            told = []
            if self._ready and not self._said_ready:
                told.append(notify.READY)
                self._said_ready = True
            now = self._clock()
            if self._feed_seconds is not None and self._alive and now - self._fed_at >= self._feed_seconds:
                told.append(notify.WATCHDOG)
                self._fed_at, self._alive = now, False
            if self._text() != self._said:
                self._said = self._text()
                told.append(notify.status(self._said))
            return told

    def _text(self) -> str:
        if self._failing and self._clock() - self._good_at >= PASSING_SECONDS:
            return f"trying again: {self._failing}"
        if self._stands_by:
            return "stands by: another daemon leads this database"
        if self._indexed is None:
            return "no block is indexed yet" if self._ready else "starting"
        behind = max(0, self._head - self._indexed)
        return f"block {self._indexed}, " + (f"{behind} behind the head" if behind else "at the head")


class Watched:
    """A part whose steps are watched; all else is the part's own."""

    def __init__(self, part: "Part", watch: Watch) -> None:
        self._part, self._watch = part, watch

    @property
    def name(self) -> str:
        """The part's."""
        return self._part.name

    def step(self) -> float:
        """The part's."""
        try:
            idle_seconds = self._part.step()
        except Exception as error:
            self._watch.failed(error)
            raise
        self._watch.ended()
        return idle_seconds

    def interrupt(self) -> None:
        """The part's."""
        self._part.interrupt()

    def close(self) -> None:
        """The part's."""
        self._part.close()


class Teller:
    """A thread that tells systemd what is due."""

    def __init__(self, notifier: notify.Notifier, watch: Watch) -> None:
        self._notifier, self._watch = notifier, watch
        self._stop = False
        wanted = notifier.watchdog_seconds
        self._tick_seconds = TICK_SECONDS if wanted is None else min(TICK_SECONDS, wanted / FEEDS)
        self._thread = threading.Thread(target=self._run, name="systemd", daemon=True)

    def start(self) -> None:
        """Begin; where nobody listens, not even that."""
        if self._notifier.listened_to:
            self._thread.start()

    def close(self) -> None:
        """The daemon stops: say so, and nothing more."""
        self._stop = True
        self._watch.news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._notifier.send(notify.STOPPING, notify.status("stopping"))

    def _run(self) -> None:
        while not self._stop:
            self._notifier.send(*self._watch.due())
            self._watch.news.wait(self._tick_seconds)
            if not self._stop:
                self._watch.news.clear()
