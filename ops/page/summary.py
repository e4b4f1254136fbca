"""How the daemon and its database stand, from plain values: for the page, for programs, for a terminal."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from chainfirst.ops import log

Row = Mapping[str, Any]
Verdict = Literal["well", "behind", "attention", "down"]
Level = Literal["alarm", "warning", "note"]
HISTORY_POINTS = 600
RATE_SECONDS = 30.0
STALE_SECONDS = 15.0


@dataclass(frozen=True)
class Endpoint:
    """A node as the daemon sees it; `name` is masked. `head`, `latency_seconds`: None: not known yet."""

    name: str
    in_use: bool
    usable: bool
    head: int | None
    latency_seconds: float | None
    failures: int
    last_error: str


class State(Protocol):
    """What a pool of endpoints says of one."""

    @property
    def name(self) -> str: ...
    @property
    def in_use(self) -> bool: ...
    @property
    def head(self) -> int | None: ...
    @property
    def latency_seconds(self) -> float | None: ...
    @property
    def failures(self) -> int: ...
    @property
    def paused_until(self) -> float: ...
    @property
    def last_error(self) -> str: ...


def endpoint(state: State, now: float) -> Endpoint:
    """As it is shown; `now`: of the pool's clock."""
    return Endpoint(
        state.name, state.in_use, state.paused_until <= now, state.head, state.latency_seconds,
        state.failures, state.last_error,
    )  # fmt: skip


@dataclass(frozen=True)
class Live:
    """What the process knows itself. `head`: None: not known. `leads`: None: it never does."""

    version: str
    head: int | None = None
    leads: bool | None = None
    endpoints: tuple[Endpoint, ...] = ()
    troubles: tuple[log.Trouble, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was read of the database. `values`: by panel; `failed`: why a panel can't be read; `failure`: why
    nothing can."""

    values: Mapping[str, Any]
    failed: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Point:
    """One look: `at` in Unix seconds, `rows` added since the first look."""

    at: float
    head: int | None
    indexed: int | None
    rows: int


class History:
    """The last looks, for rates and for the picture of them."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=HISTORY_POINTS)
        self.head_seen_at: float | None = None
        self._syncing: dict[str, deque[tuple[float, int]]] = {}

    def add(self, point: Point, syncing: Iterable[Row]) -> None:
        """One more look; `head_seen_at` is when the head was first seen as it is."""
        if point.head is not None and (not self.points or self.points[-1].head != point.head):
            self.head_seen_at = point.at
        self.points.append(point)
        before, self._syncing = self._syncing, {}
        for row in syncing:
            steps = before.get(row["table_name"], deque(maxlen=60))
            steps.append((point.at, row["complete_to"]))
            self._syncing[row["table_name"]] = steps

    def rate(self, name: Literal["head", "indexed", "rows"]) -> float:
        """How much it grows in a second, over the last half a minute; 0 if it goes back."""
        known = [(each.at, getattr(each, name)) for each in self.points if getattr(each, name) is not None]
        return _rate(known)

    def sync_rate(self, table: str) -> float:
        """Blocks a second of a table that catches up alone."""
        return _rate(self._syncing.get(table, ()))


@dataclass(frozen=True)
class Progress:
    """A stretch of blocks that is being read: from `first`, up to `done`, until `last`. `what`: the table, if
    it is one alone. `eta_seconds`: None: not to be said."""

    what: str | None
    first: int
    done: int
    last: int
    blocks_per_second: float
    eta_seconds: int | None


@dataclass(frozen=True)
class Notice:
    """Something that somebody should see to; a note may stay for good, and spoils no verdict."""

    level: Level
    what: str
    detail: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Chain:
    """The committed cursor, and the head beside it; times in Unix seconds."""

    id: int | None
    genesis_hash: str | None
    head: int | None
    head_seen_at: float | None
    indexed: int | None
    indexed_hash: str | None
    indexed_time: float | None
    final: int | None
    final_hash: str | None
    behind_blocks: int | None
    reorg_suspected: str | None


@dataclass(frozen=True)
class Summary:
    """Everything that is shown. `parts`: rows as page.sql gives them, those that were read yet."""

    at: float
    version: str
    verdict: Verdict
    ready: bool
    reasons: tuple[str, ...]
    notices: tuple[Notice, ...]
    leads: bool | None
    led: bool
    database_error: str | None
    chain: Chain
    progress: Progress | None
    syncing: tuple[Progress, ...]
    blocks_per_second: float
    rows_per_second: float
    endpoints: tuple[Endpoint, ...]
    troubles: tuple[log.Trouble, ...]
    parts: Mapping[str, Any]
    unreadable: Mapping[str, str]


SHOWN_PARTS = ("recent", "open", "ended", "stuck", "latest", "lanes", "platform", "tables", "size")


def compose(live: Live, seen: Seen, history: History, behind_blocks: int, at: float) -> Summary:
    """The whole, from what is known; `behind_blocks`: so far behind the head counts as caught up."""
    cursor = seen.values.get("cursor") or {}
    sources = seen.values.get("sources") or {}
    chain = _chain(live, cursor, history)
    progress = _progress(chain, sources, history, behind_blocks)
    syncing = tuple(
        _stretch(
            each["table_name"], each["start_block"], each["complete_to"],
            chain.final if chain.final is not None else each["complete_to"],
            history.sync_rate(each["table_name"]), 0.0,
        )
        for each in sources.get("syncing", ())
    )  # fmt: skip
    reasons = tuple(not_ready(live, seen, chain, syncing, behind_blocks))
    notices = tuple(_notices(live, seen, chain))
    return Summary(
        at=at,
        version=live.version,
        verdict=_verdict(seen, notices, reasons),
        ready=not reasons,
        reasons=reasons,
        notices=notices,
        leads=live.leads,
        led=bool(cursor.get("led")),
        database_error=seen.failure,
        chain=chain,
        progress=progress,
        syncing=syncing,
        blocks_per_second=round(history.rate("indexed"), 2),
        rows_per_second=round(history.rate("rows"), 2),
        endpoints=live.endpoints,
        troubles=live.troubles,
        parts={name: seen.values[name] for name in SHOWN_PARTS if name in seen.values},
        unreadable=seen.failed,
    )


def not_ready(
    live: Live, seen: Seen, chain: Chain, syncing: Sequence[Progress], behind_blocks: int
) -> Iterable[str]:
    """Why a reader of the database should not rely on it yet, or not now; nothing: it is caught up.

    Whether this process leads is no reason: its database is as good while it stands by.
    """
    if seen.failure is not None:
        yield seen.failure
        return
    if "cursor" in seen.failed:
        yield f"the cursor can't be read: {seen.failed['cursor']}"
        return
    if chain.indexed is None:
        yield "nothing is indexed yet"
    if live.head is None:
        yield "no head is known"
    if live.endpoints and not any(each.usable for each in live.endpoints):
        yield "no endpoint answers"
    if chain.behind_blocks is not None and chain.behind_blocks > behind_blocks:
        yield f"{chain.behind_blocks} blocks behind the head, {behind_blocks} are allowed"
    if chain.reorg_suspected is not None:
        yield f"the tip may not be canonical any more: {chain.reorg_suspected}"
    for each in syncing:
        yield f"event.{each.what} is complete only to block {each.done}"


def _chain(live: Live, cursor: Row, history: History) -> Chain:
    indexed, time = cursor.get("indexed_number"), cursor.get("indexed_time")
    behind = None if indexed is None or live.head is None else max(0, live.head - indexed)
    return Chain(
        id=cursor.get("chain_id"),
        genesis_hash=cursor.get("genesis_hash"),
        head=live.head,
        head_seen_at=history.head_seen_at,
        indexed=indexed,
        indexed_hash=cursor.get("indexed_hash"),
        indexed_time=None if time is None else time.timestamp(),
        final=cursor.get("final_number"),
        final_hash=cursor.get("final_hash"),
        behind_blocks=behind,
        reorg_suspected=cursor.get("reorg_suspected"),
    )


def _progress(chain: Chain, sources: Row, history: History, behind_blocks: int) -> Progress | None:
    """Of catching up; None: there is nothing to speak of."""
    if chain.head is None or chain.behind_blocks is None or chain.behind_blocks <= behind_blocks:
        return None
    assert chain.indexed is not None
    first = min(sources.get("start_block") or 0, chain.indexed)
    return _stretch(None, first, chain.indexed, chain.head, history.rate("indexed"), history.rate("head"))


def _stretch(
    what: str | None, first: int, done: int, last: int, per_second: float, runs_away: float
) -> Progress:
    closing = per_second - runs_away
    left = max(0, last - done)
    return Progress(
        what, first, done, last, round(per_second, 2), round(left / closing) if closing > 0 else None
    )


def _notices(live: Live, seen: Seen, chain: Chain) -> Iterable[Notice]:
    if seen.failure is not None:
        yield Notice(
            "alarm", "The database can't be read", seen.failure, "What follows is the last that was."
        )
    elif "cursor" in seen.values and seen.values["cursor"] is None:
        yield Notice("alarm", "The database has no schema", "", "chainfirst migrate")
    elif seen.values.get("cursor") and not seen.values["cursor"]["led"]:
        yield Notice(
            "alarm", "No daemon leads this database", "nothing is indexed and sent", "chainfirst run"
        )
    if chain.reorg_suspected is not None:
        yield Notice("warning", "The tip may not be canonical any more", chain.reorg_suspected)
    yield from _endpoint_notices(live.endpoints)
    concerns = seen.values.get("concerns") or {}
    for lane in concerns.get("lanes", ()):
        if lane["blocked_reason"]:
            what = f"The lane {lane['name']} signs nothing"
            yield Notice("alarm", what, lane["blocked_reason"], f"chainfirst lanes accept {lane['signer']}")
        if lane["alert"]:
            yield Notice("warning", f"The lane {lane['name']} needs somebody", lane["alert"], lane["signer"])
    for name, level, one, many, advice in _CONCERNS:
        count = concerns.get(name, 0)
        if count:
            yield Notice(level, one if count == 1 else f"{count} {many}", "", advice)
    for name, why in seen.failed.items():
        yield Notice("warning", f"A part of this page can't be read: {name}", why)


_CONCERNS: tuple[tuple[str, Level, str, str, str], ...] = (
    ("differences", "alarm", "A value differs between ledger and contracts",
     "values differ between ledger and contracts", "chainfirst reconcile"),
    ("alerts", "warning", "An intent needs somebody", "intents need somebody",
     "chainfirst intents list --alert"),
    ("rules", "warning", "What a rule asked for ended badly", "wishes of rules ended badly",
     "SELECT * FROM intent.stuck; chainfirst intents retry"),
    ("undecoded", "note", "A log fits no ABI", "logs fit no ABI", "SELECT * FROM event.undecoded"),
)  # fmt: skip


def _endpoint_notices(endpoints: Sequence[Endpoint]) -> Iterable[Notice]:
    out = [each for each in endpoints if not each.usable]
    if out and len(out) == len(endpoints):
        yield Notice("alarm", "No endpoint answers", out[0].last_error, "See that the nodes run.")
    else:
        for each in out:
            yield Notice("warning", f"The endpoint {each.name} is out", each.last_error)


def _verdict(seen: Seen, notices: Sequence[Notice], reasons: Sequence[str]) -> Verdict:
    if seen.failure is not None:
        return "down"
    if any(each.level != "note" for each in notices):
        return "attention"
    return "behind" if reasons else "well"


def _rate(steps: Iterable[tuple[float, int]]) -> float:
    """Growth a second from the first step within `RATE_SECONDS` of the last to the last."""
    known = list(steps)
    if not known:
        return 0.0
    now, last = known[-1]
    then, first = next((at, value) for at, value in known if now - at <= RATE_SECONDS)
    return max(0.0, (last - first) / (now - then)) if now > then else 0.0
