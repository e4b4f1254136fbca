"""What is seen while the play goes on: a live picture on a terminal, plain lines elsewhere."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import psycopg
from chainfirst.ops.demo import cast, ledger
from chainfirst.ops.demo.cast import Cast
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

REFRESH_SECONDS = 0.1
RATE_SECONDS = 2.0
LATEST = 6
STATUSES = (
    "pending", "waiting", "signed", "sent", "included", "confirmed",
    "rejected", "failed", "cancelled", "expired",
)  # fmt: skip
PACE_SECONDS, LOUD_PACE_SECONDS = 0.2, 1.5  # so that a person can read along


class View(Protocol):
    """Shows what is being done and how the database follows."""

    def say(self, doing: str) -> None:
        """The play goes on with this."""

    def refresh(self) -> None:
        """Time has passed."""

    def close(self) -> None:
        """No more to see."""


class Plain:
    """A line for each step, for logs and pipes."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console, self._clock, self._began = console, clock, clock()

    def say(self, doing: str) -> None:
        line = f"{self._clock() - self._began:6.1f} s  {doing}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        pass

    def close(self) -> None:
        pass


class Picture:
    """A picture of head, cursor, ledger and intents, drawn anew a few times a second."""

    def __init__(
        self,
        console: Console,
        connection: psycopg.Connection[Any],
        head: Callable[[], int],
        cast: Cast,
        clock: Callable[[], float],
    ) -> None:
        self._connection, self._head, self._cast, self._clock = connection, head, cast, clock
        self._doing, self._drawn_at = "", 0.0
        self._samples: deque[tuple[float, int]] = deque()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def say(self, doing: str) -> None:
        self._doing = doing
        limit = self._clock() + (LOUD_PACE_SECONDS if _is_loud(doing) else PACE_SECONDS)
        while (left := limit - self._clock()) > 0:
            self.refresh()
            time.sleep(min(left, REFRESH_SECONDS))

    def refresh(self) -> None:
        now = self._clock()
        if now - self._drawn_at >= REFRESH_SECONDS:
            self._drawn_at = now
            self._live.update(self._drawn(ledger.glance(self._connection, LATEST), now), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _drawn(self, seen: ledger.Glance, now: float) -> Group:
        cursor = seen.cursor
        facts = {
            "head": self._head(),
            "indexed": None if cursor is None else cursor.indexed_number,
            "final": None if cursor is None else cursor.final_number,
            "events/s": f"{self._rate(seen.events_added, now):.0f}",
            "reorganisations": seen.rollbacks,
            "events taken back": seen.events_removed,
        }
        top = Table.grid(padding=(0, 3))
        top.add_row(
            *(Text.assemble((f"{key} ", "dim"), (f"{value if value is not None else '-'}", "bold"))
              for key, value in facts.items())
        )  # fmt: skip
        counts = Table("ledger", "rows", box=box.SIMPLE, padding=(0, 1))
        counts.columns[1].justify = "right"
        for name, count in seen.counts.items():
            counts.add_row(name, str(count))
        latest = Table("block", "investor", "campaign", "how", "birr", box=box.SIMPLE, padding=(0, 1))
        latest.columns[4].justify = "right"
        for row in seen.latest:
            latest.add_row(*investment(row, self._cast))
        intents = Table("intents", "", box=box.SIMPLE, padding=(0, 1))
        intents.columns[1].justify = "right"
        for status in STATUSES:
            intents.add_row(status, str(seen.intents.get(status, 0)))
        both = Table.grid(padding=(0, 2))
        both.add_row(counts, intents, latest)
        doing = Text(self._doing, style="bold red" if _is_loud(self._doing) else "bold")
        return Group(Panel(Group(top, both, doing), title="chainfirst: the demonstration"))

    def _rate(self, events: int, now: float) -> float:
        """Events per second, over the last two seconds."""
        self._samples.append((now, events))
        while now - self._samples[0][0] > RATE_SECONDS:
            self._samples.popleft()
        then, before = self._samples[0]
        return (events - before) / (now - then) if now > then else 0.0


def _is_loud(doing: str) -> bool:
    return doing.partition(":")[0].isupper()


def investment(row: ledger.Row, who: Cast) -> tuple[str, str, str, str, str]:
    """Block, investor, company, how it was paid, birr."""
    how = "token" if row["payer"] == row["investor"] else "bank"
    company = cast.company(who.name(row["issuer"])).name
    return str(row["block_number"]), who.name(row["investor"]), company, how, cast.birr(row["amount"])
