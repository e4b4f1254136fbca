"""Waits until the daemon, in the database, has come as far as something, and lets blocks come meanwhile."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from chainfirst.ops import errors
from chainfirst.ops.demo import ledger
from chainfirst.ops.demo.chain import Chain
from chainfirst.ops.demo.view import View

POLL_SECONDS = 0.02
BLOCK_SECONDS = 0.1
BEHIND_BLOCKS = 1  # on a slow machine blocks come more slowly: the index may be so far behind, for so long
BEHIND_SECONDS = 1.0
PATIENCE_SECONDS = 60.0


class Pace:
    """`check` raises if daemon or intents went wrong; `advice`: what to look at if it takes too long."""

    def __init__(
        self,
        chain: Chain,
        connection: psycopg.Connection[Any],
        seen: View,
        check: Callable[[], None],
        advice: Callable[[], str],
    ) -> None:
        self._chain, self._connection, self._seen = chain, connection, seen
        self._check, self._advice = check, advice
        self._mined_at = time.monotonic()

    def until(self, done: Callable[[], bool], what: str, *, blocks: bool = True) -> None:
        """Until `done`; with `blocks`, they come steadily. FatalError: the daemon didn't `what`."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not done():
            self._check()
            if time.monotonic() > limit:
                raise errors.FatalError(
                    f"the daemon did not {what} within {PATIENCE_SECONDS:g} s", self._advice()
                )
            if blocks:
                self._mine()
            self._seen.refresh()
            time.sleep(POLL_SECONDS)

    def to_head(self) -> None:
        """Until the newest block is indexed: that one, not another of its height."""
        wanted = self._chain.header()["hash"]

        def indexed() -> bool:
            cursor = ledger.cursor(self._connection)
            return cursor is not None and cursor.indexed_hash == wanted

        self.until(indexed, "index the head", blocks=False)

    def to_final(self) -> None:
        """Until what is the newest block now is final."""
        number = self._chain.head()

        def final() -> bool:
            cursor = ledger.cursor(self._connection)
            return cursor is not None and (cursor.final_number or 0) >= number

        self.until(final, f"make block {number} final")

    def _mine(self) -> None:
        since = time.monotonic() - self._mined_at
        if since < BLOCK_SECONDS or (since < BEHIND_SECONDS and self._behind() > BEHIND_BLOCKS):
            return
        self._chain.mine(1)
        self._mined_at = time.monotonic()

    def _behind(self) -> int:
        cursor = ledger.cursor(self._connection)
        indexed = -1 if cursor is None or cursor.indexed_number is None else cursor.indexed_number
        return self._chain.head() - indexed
