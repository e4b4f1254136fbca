"""Every error of chainfirst: three severities, and messages that say what to do.

Transient: the same step may succeed later; retry with backoff.
Reset: what is held in memory is no longer true; drop it, read the state from the database, go on.
Fatal: nothing in this process can mend it; the process ends with the error's exit code.
"""

from typing import ClassVar

PASSING = 75
"""The exit code of what may pass by itself (sysexits.h, EX_TEMPFAIL)."""


class ChainfirstError(Exception):
    """What was found, what was expected, and (`advice`) what to do.

    `exit_code` is what the process ends with if nothing handles the error (sysexits.h:
    75 passing, 78 configuration; 1 anything else).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}. {self.advice}" if self.advice else self.message


class TransientError(ChainfirstError):
    """May pass by itself: a node that lags, a lost connection, a rate limit."""

    exit_code = PASSING

    def __init__(self, message: str, advice: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, advice)
        self.retry_after_seconds = retry_after_seconds


class ResetError(ChainfirstError):
    """The state in memory is not what the database holds: read it again."""

    exit_code = PASSING


class FatalError(ChainfirstError):
    """Stops the part, and with it the process."""


class ConfigError(FatalError):
    """A setting is wrong; starting again changes nothing."""

    exit_code = 78
