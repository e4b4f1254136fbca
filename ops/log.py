"""Log lines: an event name and ids. JSON for machines, readable on a terminal, always on stderr."""

import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

import structlog

QUIET_SECONDS = 60.0
REMEMBERED = 50
REMEMBERED_CHARACTERS = 500


@dataclass(frozen=True)
class Trouble:
    """A line of the log that somebody should have seen: a warning, an error, or that one is over."""

    at: str
    level: str
    part: str
    event: str
    details: str


_TROUBLES: deque[Trouble] = deque(maxlen=REMEMBERED)


def troubles() -> tuple[Trouble, ...]:
    """The last ones of this process, newest first. From any thread."""
    return tuple(reversed(tuple(_TROUBLES)))


def _remember(_: object, level: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what the status page shows: no traceback, nothing long."""
    if level in ("warning", "error", "critical", "exception") or "failing" in line:
        known = {"time", "level", "part", "event", "exc_info", "failing", "instance"}
        details = ", ".join(f"{name}: {value}" for name, value in line.items() if name not in known)
        found = Trouble(
            str(line.get("time", "")), str(line.get("level", level)), str(line.get("part", "")),
            str(line.get("event", ""))[:REMEMBERED_CHARACTERS], details[:REMEMBERED_CHARACTERS],
        )  # fmt: skip
        _TROUBLES.append(found)
    return line


def configure(stream: TextIO | None = None, as_json: bool | None = None, instance: str | None = None) -> None:
    """Set up every log line of the process; `as_json` left out: unless `stream` is a terminal. `instance`
    stands in each line; None: nothing does."""
    stream = stream or sys.stderr
    as_json = not stream.isatty() if as_json is None else as_json
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _remember,
    ]
    if instance is not None:
        shared.insert(0, lambda _logger, _level, line: {"instance": instance, **line})
    if as_json:
        # no local variables in tracebacks: URLs with keys are among them
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        shared += [
            structlog.processors.ExceptionRenderer(tracebacks),
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        shared += [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(),
                timestamp_key="time",
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=shared,
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # tests and commands may configure again
    )


def get(part: str) -> Any:
    """The logger of a part of the program: `log.get("indexer").info("batch", block=7)`."""
    return structlog.get_logger(part=part)


@dataclass
class _Failure:
    since: float
    logged: float
    unlogged: int = 0


@dataclass
class Repeats:
    """A failure that repeats is logged at once, then once a minute with its count; its end is logged too.

    `key` tells failures apart, such as the endpoint. Not shared between threads.
    """

    logger: Any
    clock: Callable[[], float] = time.monotonic
    quiet_seconds: float = QUIET_SECONDS
    _failures: dict[str, _Failure] = field(default_factory=dict)

    def failed(self, key: str, event: str, **ids: Any) -> bool:
        """Note a failure; True if a line was written."""
        now = self.clock()
        known = self._failures.get(key)
        if known is None:
            self._failures[key] = _Failure(now, now)
            self.logger.warning(event, failing=key, **ids)
            return True
        known.unlogged += 1
        if now - known.logged < self.quiet_seconds:
            return False
        self.logger.warning(
            event, failing=key, repeated=known.unlogged, for_seconds=round(now - known.since), **ids
        )
        known.logged, known.unlogged = now, 0
        return True

    def recovered(self, key: str, event: str = "recovered", **ids: Any) -> bool:
        """Note that it works; True if it had failed, and a line was written."""
        known = self._failures.pop(key, None)
        if known is None:
            return False
        self.logger.info(event, failing=key, for_seconds=round(self.clock() - known.since), **ids)
        return True
