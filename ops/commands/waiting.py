"""`chainfirst intents wait`: until an intent has ended, and with which exit code."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from chainfirst.ops.commands import asked

if TYPE_CHECKING:
    from chainfirst.ops.session import Connection

EXIT_CODES = {"confirmed": 0, "failed": 2, "rejected": 3, "cancelled": 4, "expired": 5}
TIMED_OUT = 6
USAGE = 64
"""Of wrong arguments (sysexits.h); 2, which other commands have for that, is "failed" here."""
POLL_SECONDS = 2.0
"""What no notification tells of: one that was sent or signed, and one that was lost."""


def until_end(
    connection: "Connection",
    intent: uuid.UUID,
    follow: bool,
    timeout_seconds: float | None,
    clock: Callable[[], float],
    tell: Callable[[str], None],
) -> int:
    """Wait for an intent's end; the exit code. `connection`: autocommit. `tell` hears of each new status.

    `follow`: the key's latest generation is meant, so where the intent was tried again meanwhile, that is
    waited for. Else it ends with this generation.
    """
    from chainfirst.writers import intents

    intents.listen(connection)
    deadline = None if timeout_seconds is None else clock() + timeout_seconds
    shown = None
    while True:
        # after LISTEN, and again after each wake: what ends in between is seen by one of the two
        newest = intents.generations(connection, intent)[-1]
        if follow and newest["id"] != intent:
            intent, shown = newest["id"], None
            tell(f"tried again meanwhile: generation {newest['generation']}, {intent}")
        found = intents.overview(connection, intent)
        if found["status"] != shown:
            shown = found["status"]
            tell(_said(found))
        if shown in EXIT_CODES:
            if newest["id"] != intent:
                tell(f"tried again: generation {newest['generation']}, {newest['id']}, is {newest['status']}")
            return EXIT_CODES[shown]
        left = POLL_SECONDS if deadline is None else min(POLL_SECONDS, deadline - clock())
        if left <= 0:
            tell(f"{intent} still {shown} after {timeout_seconds:g} s")
            return TIMED_OUT
        for _ in connection.notifies(timeout=left, stop_after=1):
            pass


def _said(found: dict[str, object]) -> str:
    words = [f"{found['id']} {found['status']}"]
    if found["waits_for"]:
        words.append(f"waits for {asked.line(found['waits_for'])}")
    if found["error"]:
        words.append(asked.line(found["error"]))
    if found["already_true"] and found["status"] == "confirmed":
        words.append("already true, by somebody else")
    if found["block_number"] is not None:
        words.append(f"block {found['block_number']}")
    return ", ".join(words)
