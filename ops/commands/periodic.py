"""What the running daemon does periodically: each job with a session of its own, most while it leads."""

import dataclasses
import functools
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
from chainfirst.ops import config as settings
from chainfirst.ops import log
from chainfirst.ops.commands import sessions
from chainfirst.ops.systemd import watch

if TYPE_CHECKING:
    from chainfirst.indexer.rpc.pool import Pool
    from chainfirst.ops import jobs, session
    from chainfirst.ops.metrics import Metrics
    from chainfirst.writers.wiring import Lanes

CHECK_ENDPOINTS_SECONDS = 10.0


def build(
    found: settings.Config,
    pool: "Pool",
    leader: "session.Leader",
    writers: "Lanes | None",
    numbers: "Metrics",
    told: watch.Watch,
) -> "jobs.Jobs":
    """What is periodic: endpoints' health, numbers from database and contracts, pruning."""
    from chainfirst.ops import jobs, metrics, sampling, session
    from chainfirst.schema import store

    kinds = {kind for _, lane in writers.lanes.values() for kind in lane.kinds} if writers else set[str]()
    sampler = sampling.Sampler(numbers, kinds)

    def check() -> None:
        pool.check()
        now = time.monotonic()
        numbers.endpoints(
            metrics.EndpointHealth(
                each.name,
                each.in_use,
                each.paused_until <= now,
                each.head,
                each.latency_seconds,
                each.failures,
            )
            for each in pool.states()
        )
        told.head(max((each.head for each in pool.states() if each.head is not None), default=0))

    def sample() -> None:
        with sessions.connect(found, f"{session.APPLICATION}: metrics", numbers) as connection:
            sampler.sample(connection)

    def compare_ledger() -> None:
        from chainfirst.schema import folds

        with sessions.connect(found, f"{session.APPLICATION}: ledger", numbers) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                syncing = {table for table, each in store.read_sources(connection).items() if not each.joined}
                whole = [
                    each.name
                    for each in folds.FOLDS
                    if not any(table in syncing for table, _ in each.sources)
                ]
                differing = folds.verify_ledger(connection)
        for each in differing:
            if each.relation in whole:
                log.get("ledger").error("difference", relation=each.relation, kind=each.kind)
        sampling.ledger(numbers, whole, (each.relation for each in differing))

    def treasury() -> None:
        from chainfirst.writers import node
        from chainfirst.writers import treasury as treasuries

        assert writers is not None
        with pool.pinned() as client:
            has = treasuries.funds(node.Node(client.endpoint), writers.contracts)
        numbers.treasury_balance.set(has.balance)
        numbers.treasury_allowance.set(has.allowance)

    places: dict[str, int] = {}

    def prune() -> None:
        epoch = leader.epoch
        if epoch is None:
            return
        with sessions.connect(found, f"{session.APPLICATION}: pruning", numbers) as connection:
            gone = jobs.prune(connection, epoch, datetime.now(UTC), found.database, places)
        if gone:
            log.get("jobs").info("pruned", **gone)

    def reconcile() -> None:
        from chainfirst.writers import node
        from chainfirst.writers import reconcile as reconciling

        epoch = leader.epoch
        if epoch is None:
            return
        name = f"{session.APPLICATION}: reconcile"
        with sessions.connect(found, name, numbers) as connection, pool.pinned() as client:
            report = reconciling.reconcile(connection, node.Node(client.endpoint), epoch)
        for each in report.differences:
            log.get("reconcile").error("difference", **dataclasses.asdict(each))

    def give_up_files(keep_days: int) -> None:
        epoch = leader.epoch
        if epoch is None:
            return
        with sessions.connect(found, f"{session.APPLICATION}: files", numbers) as connection:
            files = jobs.give_up_kyc_files(connection, epoch, datetime.now(UTC), keep_days)
        if files:
            log.get("jobs").info("kyc_files_to_delete", files=files, see="platform.kyc_files_to_delete")

    periodic = jobs.Jobs(numbers)
    if found.platform.enabled and found.platform.keep_kyc_days is not None:
        give_up = functools.partial(give_up_files, found.platform.keep_kyc_days)
        periodic.every(jobs.GIVE_UP_FILES_SECONDS, "give_up_kyc_files", give_up)
    if found.platform.enabled:
        periodic.every(jobs.RECONCILE_SECONDS, "reconcile", reconcile)
        periodic.every(jobs.LEDGER_SECONDS, "compare_ledger", compare_ledger)
        if writers is not None:
            periodic.every(jobs.TREASURY_SECONDS, "treasury", treasury)
    periodic.every(CHECK_ENDPOINTS_SECONDS, "check_endpoints", check)
    periodic.every(jobs.SAMPLE_SECONDS, "sample_database", sample)
    periodic.every(jobs.PRUNE_SECONDS, "prune", prune)
    return periodic
