"""What only the database knows, as numbers: read now and then by every daemon, whoever leads."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chainfirst.ops import metrics, session
from chainfirst.schema import queries
from psycopg.rows import dict_row

LATE_SECONDS = 30.0
"""A line of the history may come into sight after one with a higher number: its writer committed later."""
_SQL = queries.load("sampling.sql", "chainfirst.ops")


class Sampler:
    """Reads on the connection that it is given; remembers how far it has counted the history of intents."""

    def __init__(self, numbers: metrics.Metrics, kinds: Iterable[str] = ()) -> None:
        """`kinds`: those that this configuration has; intents of others are counted together."""
        self._numbers = numbers
        self._kinds = sorted(kinds)
        self._after: int | None = None
        self._counted: set[int] = set()

    def sample(self, connection: session.Connection) -> None:
        """Show all of it. psycopg.Error: what was read before stands."""
        self._chain(connection)
        self._intents(connection)
        self._lanes(connection)
        self._history(connection)

    def _chain(self, connection: session.Connection) -> None:
        numbers = self._numbers
        for indexed, indexed_at, final, final_at, suspected in connection.execute(_SQL["cursor"]):
            numbers.reorg_suspected.set(suspected)
            for gauge, value in ((numbers.indexed_block, indexed), (numbers.final_block, final)):
                if value is not None:
                    gauge.set(value)
            for gauge, at in ((numbers.indexed_time, indexed_at), (numbers.final_time, final_at)):
                if at is not None:
                    gauge.set(at.timestamp())
        numbers.database_bytes.set(_one(connection, "database"))
        for table, size in connection.execute(_SQL["sizes"]):
            numbers.table_bytes.labels(table).set(size)
        for table, joined, complete_to in connection.execute(_SQL["sources"]):
            labels = numbers.source(table)
            numbers.source_syncing.labels(*labels).set(not joined)
            if not joined:
                numbers.source_block.labels(*labels).set(complete_to)

    def _intents(self, connection: session.Connection) -> None:
        numbers = self._numbers
        found = {
            (kind, status): count for kind, status, count in connection.execute(_SQL["open"], self._bound())
        }
        for kind in (*self._kinds, metrics.OTHER):
            for status in metrics.OPEN_STATUSES:
                numbers.intents.labels(kind, status).set(found.get((kind, status), 0))
        numbers.oldest_intent.set(_one(connection, "oldest"))
        numbers.intents_alert.set(_one(connection, "alerts"))
        metrics.replace(numbers.intents_waiting, dict(connection.execute(_SQL["waiting"]).fetchall()))
        metrics.replace(numbers.differences, dict(connection.execute(_SQL["differences"]).fetchall()))
        if _one(connection, "has_rules"):
            metrics.replace(numbers.rules_stuck, dict(connection.execute(_SQL["stuck"]).fetchall()))
            numbers.treasury_wanted.set(_one(connection, "wanted"))

    def _lanes(self, connection: session.Connection) -> None:
        numbers = self._numbers
        numbers.pauses.set(_one(connection, "pauses"))
        with connection.cursor(row_factory=dict_row) as rows:
            for row in rows.execute(_SQL["lanes"]):
                lane = row["name"]
                numbers.lane_blocked.labels(lane).set(row["blocked"])
                numbers.lane_paused.labels(lane).set(row["paused"])
                numbers.lane_open.labels(lane).set(row["opened"])
                numbers.lane_in_flight.labels(lane).set(row["in_flight"])
                why = alert_class(row["alert"])
                for each in metrics.LANE_ALERTS:
                    numbers.lane_alert.labels(lane, each).set(each == why)
                for gauge, value in (
                    (numbers.lane_balance, row["balance_wei"]),
                    (numbers.lane_cost, row["cost_wei"]),
                    (numbers.lane_next_nonce, row["next_nonce"]),
                    (numbers.lane_mined_nonce, row["mined_nonce"]),
                ):
                    if value is not None:
                        gauge.labels(lane).set(float(value))

    def _history(self, connection: session.Connection) -> None:
        """Count what happened to intents since the last time, each once: counters of this process."""
        if self._after is None:
            self._after = int(_one(connection, "newest"))
            return
        bound = {"after": self._after, "seconds": LATE_SECONDS}
        passed = int(_one(connection, "passed", bound))
        bound |= self._bound() | {"outcomes": list(metrics.OUTCOMES)}
        for seq, stage, kind, seconds, again in connection.execute(_SQL["history"], bound):
            if seq not in self._counted:
                self._counted.add(seq)
                self._happened(stage, kind, seconds, again)
        self._after = passed
        self._counted = {seq for seq in self._counted if seq > passed}

    def _happened(self, stage: str, kind: str, seconds: float, again: bool) -> None:
        numbers = self._numbers
        if stage == "cancel" or (stage == "signed" and again):
            numbers.signed_again.labels("cancel" if stage == "cancel" else "call").inc()
        if again:
            return
        if stage in metrics.OUTCOMES:
            numbers.intents_ended.labels(kind, stage).inc()
        if stage in metrics.STAGES:
            numbers.intent_seconds.labels(stage).observe(max(0.0, seconds))

    def _bound(self) -> dict[str, Any]:
        return {"kinds": self._kinds, "other": metrics.OTHER}


def alert_class(alert: str | None) -> str | None:
    """Which of metrics.LANE_ALERTS a lane's alert is (writers.plan.alert has the words); None: no alert."""
    if alert is None:
        return None
    if "fee cap" in alert or "own cap" in alert:
        return "fee_cap"
    return "funds" if "waits for funds" in alert or "don't pay more" in alert else "other"


def ledger(numbers: metrics.Metrics, relations: Iterable[str], differing: Iterable[str]) -> None:
    """Show in which of these relations rows differ from what their events say, and how many."""
    counts = Counter(differing)
    for each in relations:
        numbers.ledger_differences.labels(each).set(counts[each])


def _one(connection: session.Connection, name: str, bound: dict[str, Any] | None = None) -> Any:
    row = connection.execute(_SQL[name], bound).fetchone()
    assert row is not None
    return row[0]
