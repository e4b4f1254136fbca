"""The daemon's numbers for Prometheus. Labels are only what the configuration and the code bound."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Info

BATCH_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
DEPTH_BUCKETS = (1, 2, 3, 5, 8, 13, 21, 34, 64)


@dataclass(frozen=True)
class EndpointHealth:
    """What is shown of one endpoint; `name` is masked. `head`, `latency_seconds`: None: not known yet."""

    name: str
    in_use: bool
    usable: bool
    head: int | None
    latency_seconds: float | None
    failures: int


class Metrics:
    """One set of metrics in one registry; a process has one, a test makes its own."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry

        def gauge(name: str, what: str, labels: Iterable[str] = ()) -> Gauge:
            return Gauge(f"chainfirst_{name}", what, labels, registry=registry)

        def counter(name: str, what: str, labels: Iterable[str] = ()) -> Counter:
            return Counter(f"chainfirst_{name}", what, labels, registry=registry)

        self.build = Info("chainfirst_build", "The version that runs", registry=registry)
        self.head_block = gauge("head_block", "Highest block that an endpoint has announced")
        self.indexed_block = gauge("indexed_block", "Highest block in the database")
        self.final_block = gauge("final_block", "Highest block that can't be reorganised away")
        self.reorg_suspected = gauge("reorg_suspected", "1: the tip may not be canonical any more")
        self.children = gauge("children", "Contracts that a factory has announced", ["factory"])
        self.events = counter("events", "Events stored", ["table"])
        self.undecoded = counter("undecoded", "Logs that fit no ABI, stored raw")
        self.foreign_logs = counter("foreign_logs", 'Logs of address "any" that are not ours')
        self.second_answers = counter("second_answers", "Empty answers believed by a second one")
        self.reorgs = counter("reorgs", "Reorganisations rolled back")
        self.reorg_depth_blocks = Histogram(
            "chainfirst_reorg_depth_blocks", "Blocks removed by a reorganisation",
            buckets=DEPTH_BUCKETS, registry=registry,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "chainfirst_batch_seconds", "From the first question to the commit", ["mode"],
            buckets=BATCH_BUCKETS, registry=registry,
        )  # fmt: skip
        self.endpoint_usable = gauge("endpoint_usable", "0: paused after a failure", ["endpoint"])
        self.endpoint_in_use = gauge("endpoint_in_use", "1: the one that is asked", ["endpoint"])
        self.endpoint_head = gauge("endpoint_head_block", "Its head at the last check", ["endpoint"])
        self.endpoint_latency = gauge("endpoint_latency_seconds", "Of a check, smoothed", ["endpoint"])
        self.endpoint_failures = gauge("endpoint_failures", "Failures in a row", ["endpoint"])
        self.rpc_errors = counter("rpc_errors", "Errors of nodes that a step ended with", ["kind"])
        self.steps_failed = counter("steps_failed", "Steps that raised, by error class", ["part", "error"])
        self.last_step = gauge("last_step_timestamp_seconds", "When a step last succeeded", ["part"])
        self.jobs_failed = counter("jobs_failed", "Periodic jobs that raised", ["job"])
        self.last_job = gauge("last_job_timestamp_seconds", "When a periodic job last succeeded", ["job"])
        self.database_reachable = gauge("database_reachable", "1: the indexer has its session")
        self.database_bytes = gauge("database_bytes", "Size of the database on disk")
        self.table_bytes = gauge("table_bytes", "Size of an event table with its indexes", ["table"])
        self.sends = counter(
            "sends", "Sends of signed transactions, by the node's answer", ["lane", "answer"]
        )
        self.intents = gauge("intents", "Intents that have not ended, by status", ["status"])
        self.intents_alert = gauge("intents_alert", "Intents that somebody must look at")
        self.oldest_intent = gauge(
            "oldest_open_intent_timestamp_seconds", "When the oldest open one was asked"
        )
        self.differences = gauge("differences", "Values that contracts and ledger differ in, last compared")
        self.rules_held = gauge(
            "rules_held", "Campaigns that are due, but for investments that wait to be recorded"
        )
        self.rules_stuck = gauge("rules_stuck", "Wishes of rules that ended badly and are not done", ["kind"])
        self.lane_blocked = gauge("lane_blocked", "1: signs nothing until somebody decides", ["lane"])
        self.lane_alert = gauge("lane_alert", "1: goes on, but somebody must see to it", ["lane"])
        self.lane_balance = gauge("lane_balance_wei", "The key's balance when it was last asked", ["lane"])
        self.lane_open = gauge(
            "lane_open_transactions", "Nonces that no final block has used up yet", ["lane"]
        )
        self.leader = gauge("leader", "1: this daemon leads; 0: it stands by or has no database")

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
    ) -> None:
        """Count a batch (of `indexer.observe.Observer`)."""
        for table, count in rows.items():
            self.events.labels(table).inc(count)
        self.undecoded.inc(undecoded)
        self.foreign_logs.inc(not_ours)
        self.batch_seconds.labels(mode).observe(seconds)
        self.head_block.set(head)
        self.indexed_block.set(indexed)
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
        """Count a step's error by its class; a node's by its kind too."""
        self.steps_failed.labels(part, type(error).__name__).inc()
        kind = getattr(error, "kind", None)
        if kind is not None:
            self.rpc_errors.labels(getattr(kind, "value", str(kind))).inc()

    def endpoints(self, found: Iterable[EndpointHealth]) -> None:
        """Show the endpoints, and the highest head among them."""
        heads = [0]
        for each in found:
            self.endpoint_usable.labels(each.name).set(each.usable)
            self.endpoint_in_use.labels(each.name).set(each.in_use)
            self.endpoint_failures.labels(each.name).set(each.failures)
            if each.latency_seconds is not None:
                self.endpoint_latency.labels(each.name).set(each.latency_seconds)
            if each.head is not None:
                self.endpoint_head.labels(each.name).set(each.head)
                heads.append(each.head)
        if max(heads):
            self.head_block.set(max(heads))
