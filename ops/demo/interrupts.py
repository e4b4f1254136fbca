"""Ctrl-C, SIGTERM and SIGHUP as KeyboardInterrupt, but not in the middle of starting or stopping a server."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """A context manager: inside it, these signals raise KeyboardInterrupt in the main thread."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._deferrals = 0
        self._pending = False

    def __enter__(self) -> "Interrupts":
        self._before = {each: signal.signal(each, self._asked) for each in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A signal that comes inside is raised after it."""
        self._deferrals += 1
        try:
            yield
        finally:
            self._deferrals -= 1
            if self._pending and not self._deferrals:
                self._pending = False
                raise KeyboardInterrupt

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if self._deferrals:
            self._pending = True
        else:
            raise KeyboardInterrupt
