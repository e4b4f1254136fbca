"""One look at the database a second, for everybody who watches; none of them is waited for."""

import dataclasses
import time
from collections.abc import Callable

from chainfirst.ops import log
from chainfirst.ops.page import answers, panels, summary
from chainfirst.ops.page.reader import Reader, Unreadable
from chainfirst.ops.page.summary import Point, Summary

WATCHED_SECONDS, UNWATCHED_SECONDS = 1.0, 2.0
SHARE = 10  # a look that took 0.5 s is followed by 5 s of peace


@dataclasses.dataclass(frozen=True)
class Look:
    """What a look gave. `body`: the summary as JSON; `version` grows when more changes than the time."""

    whole: Summary
    point: Point
    body: bytes
    version: int
    watched: bool
    began: float


class Sampler:
    """A part of the daemon: each step is a look. Whatever happens to the database is something to show.

    A bug in it ends nothing, as one of a periodic job: it is logged, and /readyz misses the look.
    """

    name = "page"

    def __init__(
        self,
        reader: Reader,
        live: Callable[[], summary.Live],
        watched: Callable[[], bool],
        publish: Callable[[Look], None],
        behind_blocks: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`live`: what the process knows itself. `watched`: whether somebody wants all parts."""
        self._reader, self._live, self._watched, self._publish = reader, live, watched, publish
        self._behind_blocks, self._clock, self._now = behind_blocks, clock, now
        self._panels = panels.Panels(panels.usual(), clock)
        self._before, self._version = b"", 0
        self._repeats = log.Repeats(log.get(self.name), clock)
        self.history = summary.History()

    def step(self) -> float:
        """Look and publish; the seconds until the next look."""
        try:
            seconds = self._look()
        except Exception as error:
            self._repeats.failed("look", "look_failed", error=str(error), exc_info=True)
            return UNWATCHED_SECONDS
        self._repeats.recovered("look")
        return seconds

    def _look(self) -> float:
        began, watched, failure = self._clock(), self._watched(), None
        try:
            with self._reader.snapshot() as connection:
                self._panels.refresh(connection, watched)
        except Unreadable as error:
            failure = str(error)
        seen = summary.Seen(dict(self._panels.values), dict(self._panels.failed), failure)
        live, at = self._live(), self._now()
        cursor = seen.values.get("cursor") or {}
        point = Point(at, live.head, cursor.get("indexed_number"), seen.values.get("flow", 0))
        self.history.add(point, (seen.values.get("sources") or {}).get("syncing", ()))
        found = summary.compose(live, seen, self.history, self._behind_blocks, at)
        timeless = answers.encode(dataclasses.replace(found, at=0.0))
        self._version += timeless != self._before
        self._before = timeless
        self._publish(Look(found, point, answers.encode(found), self._version, watched, began))
        pause = WATCHED_SECONDS if watched else UNWATCHED_SECONDS
        return max(pause, SHARE * (self._clock() - began))

    def interrupt(self) -> None:
        """From another thread: let the statement that runs end."""
        self._reader.interrupt()

    def close(self) -> None:
        """Give the session up."""
        self._reader.close()
