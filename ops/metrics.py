"""The daemon's numbers for Prometheus. Labels are only what the configuration and the code bound.

Names follow prometheus.io/docs/practices/naming; no label is called job or instance, which Prometheus gives
its targets. A gauge that would be 0 before its value is known is left out until then; times are Unix times,
never ages.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info, Metric
from prometheus_client import disable_created_metrics as disable_created
from prometheus_client.registry import Collector

BATCH_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
DATABASE_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60)
DEPTH_BUCKETS = (1, 2, 3, 5, 8, 13, 21, 34, 64)
INTENT_BUCKETS = (1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 21_600, 86_400)
JOB_BUCKETS = (0.01, 0.1, 0.5, 2.5, 10, 60, 600)
RPC_BUCKETS = (0.002, 0.01, 0.05, 0.2, 1, 5, 30)
MODES = ("backfill", "follow")
PARTS = ("indexer", "listener", "rules", "page")
STAGES = ("sent", "included", "confirmed")
OPEN_STATUSES = ("pending", "waiting", "signed", "sent", "included")
OUTCOMES = ("confirmed", "failed", "rejected", "cancelled", "expired")
WAITS = ("treasury", "paused", "role", "fee_cap", "other")
"""What intents wait for that does not come by itself."""
LANE_ALERTS = ("funds", "fee_cap", "other")
USUAL_RPC_ERRORS = ("transport", "timeout", "rate_limit")
OTHER = "other"
"""The label of a kind of intent that the configuration has not: anybody may ask for any."""


@dataclass(frozen=True)
class EndpointHealth:
    """What is shown of one endpoint; `name` is masked. `head`, `latency_seconds`: None: not known yet."""

    name: str
    in_use: bool
    usable: bool
    head: int | None
    latency_seconds: float | None
    failures: int


class Known(Collector):
    """A gauge that is there once its value is known."""

    def __init__(self, name: str, what: str, registry: CollectorRegistry) -> None:
        self._gauge, self._known = Gauge(name, what, registry=None), False
        registry.register(self)

    def set(self, value: float) -> None:
        """Its value now."""
        self._gauge.set(value)
        self._known = True

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry."""
        return self._gauge.describe()

    def collect(self) -> Iterable[Metric]:
        """Its value, if it has one."""
        return self._gauge.collect() if self._known else ()


class Metrics:
    """One set of metrics in one registry; a process has one, a test makes its own."""

    def __init__(self, registry: CollectorRegistry = REGISTRY, now: Callable[[], float] = time.time) -> None:
        """`now`: Unix time, for what arrives."""
        disable_created()  # type: ignore[no-untyped-call]  # a second series for each counter, which nothing asks for
        self.registry, self._now = registry, now
        self.head_number: int | None = None
        self._highest, self._lock = -1, threading.Lock()
        self._sources: dict[str, tuple[str, str]] = {}
        self._asked: set[tuple[str, str]] = set()

        def known(name: str, what: str) -> Known:
            return Known(f"chainfirst_{name}", what, registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"chainfirst_{name}", what, labels, registry=registry)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"chainfirst_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"chainfirst_{name}", what, labels, registry=registry, buckets=buckets)

        # the process
        self.build = Info(
            "chainfirst_build", "The version that runs, the chain, and the daemon's name", registry=registry
        )
        self.leader = gauge("leader", "1: this daemon leads; 0: it stands by or has no database")
        self.fatal = gauge("fatal_error", "1: it ended by this error, and is about to exit", "error")
        self.steps_failed = counter("steps_failed", "Steps that raised, by error class", "part", "error")
        self.last_step = gauge("last_step_timestamp_seconds", "When a step last succeeded", "part")
        self.jobs_failed = counter("jobs_failed", "Periodic jobs that raised", "task")
        self.job_seconds = histogram("job_seconds", "How long periodic jobs ran", JOB_BUCKETS, "task")
        self.last_job = gauge("last_job_timestamp_seconds", "When a periodic job last succeeded", "task")

        # the chain
        self.head_block = known("head_block", "Highest block that an endpoint has announced")
        self.head_time = known("head_block_timestamp_seconds", "The head's own timestamp")
        self.head_arrived = gauge(
            "head_arrived_timestamp_seconds", "When a new head last arrived, by this machine's clock; 0: none"
        )
        self.indexed_block = known("indexed_block", "Highest block in the database")
        self.indexed_time = known("indexed_block_timestamp_seconds", "That block's own timestamp")
        self.final_block = known("final_block", "Highest block that can't be reorganised away")
        self.final_time = known("final_block_timestamp_seconds", "That block's own timestamp")
        self.reorg_suspected = gauge("reorg_suspected", "1: the tip may not be canonical any more")
        self.reorgs = counter("reorgs", "Reorganisations rolled back")
        self.reorg_depth_blocks = histogram(
            "reorg_depth_blocks", "Blocks removed by a reorganisation", DEPTH_BUCKETS
        )

        # indexing
        self.children = gauge("children", "Contracts that a factory has announced", "factory")
        self.events = counter("events", "Events stored", "contract", "event")
        self.undecoded = counter("undecoded", "Logs that fit no ABI, stored raw")
        self.foreign_logs = counter("foreign_logs", 'Logs of address "any" that are not ours')
        self.second_answers = counter("second_answers", "Empty answers believed by a second one")
        self.batch_seconds = histogram(
            "batch_seconds", "Reading and decoding a batch, and writing it", BATCH_BUCKETS, "mode", "phase"
        )
        self.source_syncing = gauge(
            "source_syncing", "1: a source that catches up alone", "contract", "event"
        )
        self.source_block = gauge(
            "source_complete_block", "A source that catches up is complete to here", "contract", "event"
        )

        # endpoints
        self.rpc_requests = counter("rpc_requests", "Requests to nodes", "endpoint", "method")
        self.rpc_errors = counter(
            "rpc_errors", "Requests that brought no result, by class", "endpoint", "method", "error"
        )
        self.rpc_seconds = histogram("rpc_seconds", "How long nodes took", RPC_BUCKETS, "endpoint", "method")
        self.endpoint_usable = gauge("endpoint_usable", "0: paused after a failure", "endpoint")
        self.endpoint_in_use = gauge("endpoint_in_use", "1: the one that is asked", "endpoint")
        self.endpoint_head = gauge("endpoint_head_block", "Its head at the last check", "endpoint")
        self.endpoint_latency = gauge("endpoint_latency_seconds", "Of a check, smoothed", "endpoint")
        self.endpoint_failures = gauge("endpoint_failures", "Failures in a row", "endpoint")

        # the database
        self.database_reachable = gauge("database_reachable", "1: the indexer has its session")
        self.database_bytes = known("database_bytes", "Size of the database on disk")
        self.table_bytes = gauge("table_bytes", "Size of an event table with its indexes", "table")
        self.database_seconds = histogram(
            "database_seconds", "How long statements took, by who asked", DATABASE_BUCKETS, "part"
        )
        self.database_errors = counter(
            "database_errors", "Errors of PostgreSQL that ended a step or a job", "part"
        )

        # intents and lanes
        self.intents = gauge("intents", "Intents that have not ended", "kind", "status")
        self.intents_ended = counter("intents_ended", "Intents that ended", "kind", "outcome")
        self.intent_seconds = histogram(
            "intent_seconds", "From being asked to being sent, in a block, confirmed", INTENT_BUCKETS, "stage"
        )
        self.intents_alert = gauge("intents_alert", "Intents that somebody must look at")
        self.intents_waiting = gauge(
            "intents_waiting_for", "Intents that wait for what somebody must do", "what"
        )
        self.oldest_intent = gauge(
            "oldest_open_intent_timestamp_seconds", "When the oldest open one was due; 0: there is none"
        )
        self.differences = gauge("differences", "Values that contracts and ledger differ in", "what")
        self.ledger_differences = gauge(
            "ledger_differences", "Rows of the ledger that its events contradict", "relation"
        )
        self.treasury_balance = known("treasury_balance_units", "Tokens that the treasury has")
        self.treasury_allowance = known("treasury_allowance_units", "Tokens that the factory may take of it")
        self.treasury_wanted = known("treasury_wanted_units", "Tokens that open investments will take of it")
        self.rules_held = gauge(
            "rules_held", "Campaigns that are due, but for investments that wait to be recorded"
        )
        self.rules_stuck = gauge("rules_stuck", "Wishes of rules that ended badly and are not done", "kind")
        self.sends = counter("sends", "Sends of signed transactions, by the node's answer", "lane", "answer")
        self.signed_again = counter(
            "signed_again", "Nonces signed again: call: at a better price; cancel: to take it back", "purpose"
        )
        self.pauses = gauge("pauses", "Signers and kinds that are paused")
        self.lane_paused = gauge("lane_paused", "1: somebody paused all that it signs", "lane")
        self.lane_blocked = gauge("lane_blocked", "1: signs nothing until somebody decides", "lane")
        self.lane_alert = gauge("lane_alert", "1: goes on, but somebody must see to it", "lane", "why")
        self.lane_balance = gauge("lane_balance_wei", "The key's balance when it was last asked", "lane")
        self.lane_cost = gauge(
            "lane_transaction_cost_wei", "What its last ones cost each, on average", "lane"
        )
        self.lane_open = gauge("lane_open_transactions", "Nonces that no final block has used up yet", "lane")
        self.lane_in_flight = gauge(
            "lane_in_flight_transactions", "Those of them that are in no block", "lane"
        )
        self.lane_next_nonce = gauge("lane_next_nonce", "The nonce that it takes next", "lane")
        self.lane_mined_nonce = gauge("lane_mined_nonce", "The first that no indexed block has used", "lane")
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """What is not known by configuration, but by the code alone."""
        for mode in MODES:
            for phase in ("read", "write"):
                self.batch_seconds.labels(mode, phase)
        for each in PARTS:
            self.database_errors.labels(each)
        for each in STAGES:
            self.intent_seconds.labels(each)
        for each in WAITS:
            self.intents_waiting.labels(each)
        for each in ("call", "cancel"):
            self.signed_again.labels(each)
        self.differences.labels("solvency")

    def know_sources(self, sources: Mapping[str, tuple[str, str]]) -> None:
        """The event tables, each with its contract and its event: they begin at 0."""
        self._sources = dict(sources)
        for each in sources.values():
            self.events.labels(*each)

    def source(self, table: str) -> tuple[str, str]:
        """The labels of an event table."""
        return self._sources.get(table, ("", table))

    def know_lanes(self, lanes: Iterable[str], kinds: Iterable[str], answers: Sequence[str]) -> None:
        """The lanes, the kinds that they sign, the classes of nodes' answers: they begin at 0."""
        for lane in lanes:
            self.database_errors.labels(f"lane {lane}")
            for answer in answers:
                self.sends.labels(lane, answer)
        for kind in kinds:
            for outcome in OUTCOMES:
                self.intents_ended.labels(kind, outcome)

    def know_job(self, name: str) -> None:
        """A periodic job: it begins at 0."""
        self.jobs_failed.labels(name)
        self.job_seconds.labels(name)
        self.database_errors.labels(name)

    def head(self, number: int, block_time: float | None = None) -> None:
        """A node has this block as its head, or has announced it. Only one that is higher than all before has
        arrived: others are of nodes that lag."""
        with self._lock:
            if number > self._highest:
                self._highest = number
                self.head_arrived.set(self._now())
            if block_time is not None:
                self.head_time.set(block_time)
            self.head_number = number
            self.head_block.set(number)

    def committed(
        self,
        mode: str,
        rows: Mapping[str, int],
        undecoded: int,
        not_ours: int,
        seconds: float,
        *,
        indexed: int,
        final: int | None,
        head: int,
        write_seconds: float = 0.0,
        indexed_time: float | None = None,
    ) -> None:
        """Count a batch (of `indexer.observe.Observer`)."""
        for table, count in rows.items():
            self.events.labels(*self.source(table)).inc(count)
        self.undecoded.inc(undecoded)
        self.foreign_logs.inc(not_ours)
        self.batch_seconds.labels(mode, "read").observe(seconds - write_seconds)
        self.batch_seconds.labels(mode, "write").observe(write_seconds)
        self.head(head)
        self.indexed_block.set(indexed)
        if indexed_time is not None:
            self.indexed_time.set(indexed_time)
        if final is not None:
            self.final_block.set(final)

    def reorganised(self, depth_blocks: int) -> None:
        """Count a reorganisation that removed `depth_blocks` blocks."""
        self.reorgs.inc()
        self.reorg_depth_blocks.observe(depth_blocks)

    def second_answer(self, block_number: int, block_hash: str) -> None:  # noqa: ARG002
        """Count an empty answer that was believed by a second one."""
        self.second_answers.inc()

    def step_failed(self, part: str, error: BaseException) -> None:
        """Count a step's error by its class, and the database's by the part too."""
        self.steps_failed.labels(part, type(error).__name__).inc()
        self.database_failed(part, error)

    def database_failed(self, part: str, error: BaseException) -> None:
        """Count an error if it is PostgreSQL's, as it is or as the cause of another."""
        if isinstance(error, psycopg.Error) or isinstance(error.__cause__, psycopg.Error):
            self.database_errors.labels(part).inc()

    def asked(self, endpoint: str, method: str, seconds: float, error: str | None) -> None:
        """Count a request to a node; `error`: its class, None: there was a result."""
        if (endpoint, method) not in self._asked:
            self._asked.add((endpoint, method))
            for usual in USUAL_RPC_ERRORS:
                self.rpc_errors.labels(endpoint, method, usual)
        self.rpc_requests.labels(endpoint, method).inc()
        self.rpc_seconds.labels(endpoint, method).observe(seconds)
        if error is not None:
            self.rpc_errors.labels(endpoint, method, error).inc()

    def endpoints(self, found: Iterable[EndpointHealth]) -> None:
        """Show the endpoints, and the highest head among them."""
        heads = []
        for each in found:
            self.endpoint_usable.labels(each.name).set(each.usable)
            self.endpoint_in_use.labels(each.name).set(each.in_use)
            self.endpoint_failures.labels(each.name).set(each.failures)
            if each.latency_seconds is not None:
                self.endpoint_latency.labels(each.name).set(each.latency_seconds)
            if each.head is not None:
                self.endpoint_head.labels(each.name).set(each.head)
                heads.append(each.head)
        if heads:
            self.head(max(heads))


def replace(gauge: Gauge, values: Mapping[Any, float]) -> None:
    """Set a gauge with one label to these values, and what is not among them to 0: it was there before."""
    gone = [sample.labels for family in gauge.collect() for sample in family.samples]
    for labels in gone:
        (label,) = labels.values()
        if label not in values:
            gauge.labels(label).set(0)
    for label, value in values.items():
        gauge.labels(label).set(value)
