"""The indexer's numbers for Prometheus. Labels are only what the configuration bounds."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

BATCH_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
DEPTH_BUCKETS = (1, 2, 3, 5, 8, 13, 21, 34, 64)


class Metrics:
    """One set of metrics in one registry; a process has one, a test makes its own."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.head_block = Gauge(
            "chainfirst_head_block", "Highest block that an endpoint has announced", registry=registry
        )
        self.indexed_block = Gauge(
            "chainfirst_indexed_block", "Highest block in the database", registry=registry
        )
        self.final_block = Gauge(
            "chainfirst_final_block", "Highest block that can't be reorganised away", registry=registry
        )
        self.events = Counter("chainfirst_events", "Events stored", ["contract", "event"], registry=registry)
        self.undecoded = Counter(
            "chainfirst_undecoded", "Logs that fit no ABI, stored raw", ["contract"], registry=registry
        )
        self.foreign_logs = Counter(
            "chainfirst_foreign_logs",
            'Logs of address "any" that are not ours',
            ["contract"],
            registry=registry,
        )
        self.reorgs = Counter("chainfirst_reorgs", "Reorganisations rolled back", registry=registry)
        self.reorg_depth_blocks = Histogram(
            "chainfirst_reorg_depth_blocks", "Blocks removed by a reorganisation",
            buckets=DEPTH_BUCKETS, registry=registry,
        )  # fmt: skip
        self.batch_seconds = Histogram(
            "chainfirst_batch_seconds", "From the node's answer to the commit", ["mode"],
            buckets=BATCH_BUCKETS, registry=registry,
        )  # fmt: skip

    def reorganised(self, depth_blocks: int) -> None:
        """Count a reorganisation that removed `depth_blocks` blocks."""
        self.reorgs.inc()
        self.reorg_depth_blocks.observe(depth_blocks)
