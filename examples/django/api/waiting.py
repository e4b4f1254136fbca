"""Waiting for one's own write: save and commit, then wait until the chain has answered, then read.

The database says when there is something new, so nobody polls.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection, models

from api.models import View, view_of

Found = TypeVar("Found")
CHANNELS = ("chainfirst_block", "intent_changed")  # a block was indexed; something asked came to its end
BAD_ENDS = ("rejected", "failed", "cancelled", "expired")
WAIT_SECONDS = 120.0
LOOK_AGAIN_SECONDS = 30.0  # a notification is lost with its connection


class NotConfirmed(Exception):
    """What was asked of the chain ended badly, or not in time: the message says which and why."""


def wait_until(look: Callable[[], Found | None], what: str, timeout_seconds: float = WAIT_SECONDS) -> Found:
    """What `look` finds as soon as it finds something. NotConfirmed: it didn't in that time."""
    if connection.in_atomic_block:
        raise RuntimeError("wait after the commit: nobody answers to what is not written yet")
    limit = time.monotonic() + timeout_seconds
    with connection.cursor() as cursor:
        for channel in CHANNELS:  # before the first look: what comes in between is not missed
            cursor.execute(f"LISTEN {channel}")
        try:
            while (found := look()) is None:
                left = limit - time.monotonic()
                if left <= 0:
                    raise NotConfirmed(f"{what}: not within {timeout_seconds:g} s")
                news = connection.connection.notifies(timeout=min(left, LOOK_AGAIN_SECONDS), stop_after=1)
                for _ in news:
                    pass
            return found
        finally:
            for channel in CHANNELS:
                cursor.execute(f"UNLISTEN {channel}")


def confirmed(record: models.Model) -> View | None:
    """The record's row of the schema `api` if all that was asked for it is done; None: not yet.

    NotConfirmed: the chain refused it.
    """
    view = view_of(type(record))
    if view is None:
        raise TypeError(f"nothing is asked of the chain for a {type(record).__name__}")
    row = view.objects.get(pk=record.pk)
    if row.intent_status in BAD_ENDS:
        raise NotConfirmed(f"{record} is {row.intent_status}: {row.intent_error}")
    return row if row.intent_status in (None, "confirmed") else None


def wait_confirmed(record: models.Model, timeout_seconds: float = WAIT_SECONDS) -> View:
    """Wait until what was asked for this record is done, in a final block; its row of the schema `api` then.

    NotConfirmed: the chain refused it, or the time is over. Mend the record then and ask for it again
    (platform.ask_again), as its row says.
    """
    return wait_until(lambda: confirmed(record), str(record), timeout_seconds)
