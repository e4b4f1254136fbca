"""What `chainfirst doctor` finds: one line for each thing that a daemon needs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import psycopg
from chainfirst.ops import errors


@dataclass(frozen=True)
class Finding:
    """`part` was looked at: `good`, or else `advice` says what to do."""

    part: str
    good: bool
    said: str
    advice: str = ""


def good(part: str, said: str) -> Finding:
    """As it should be."""
    return Finding(part, True, said)


def bad(part: str, said: str, advice: str) -> Finding:
    """Not as it should be."""
    return Finding(part, False, said, advice)


def guarded(part: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds; what it can't find out is a finding too."""
    try:
        yield from look()
    except errors.ChainfirstError as error:
        yield bad(part, error.message, error.advice or "See the daemon's log.")
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        yield bad(part, f"the database refused: {said}", "See the lines above, and its log.")
