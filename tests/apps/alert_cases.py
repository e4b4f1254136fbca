"""For each alert what Prometheus sees when it should fire, and when it should be over, minute by minute."""

from collections.abc import Iterable
from dataclasses import dataclass

SCRAPED = '{instance="a:1",job="chainfirst"}'


@dataclass(frozen=True)
class Case:
    """`series`: name and values; at minute `fires` it fires, at `before` (not yet) and `over` it doesn't.
    `step`: minutes between two values."""

    alert: str
    series: tuple[tuple[str, tuple[float, ...]], ...]
    before: int
    fires: int
    over: int
    step: int = 1


def _values(*stretches: tuple[float, int]) -> tuple[float, ...]:
    return tuple(value for value, times in stretches for _ in range(times))


def _name(metric: str, **labels: str) -> str:
    own = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f"{metric}{SCRAPED[:-1]}{own}}}"


def _ours(metric: str, **labels: str) -> str:
    return _name(f"chainfirst_{metric}", **labels)


def _level(
    alert: str, minutes: int, metric: str, bad: float, good: float, *, step: int = 1, **labels: str
) -> Case:
    """A gauge that is bad for a while. `minutes`: the alert's `for`."""
    held = minutes // step + 4
    values = _values((good, 5), (bad, held), (good, 5))
    return Case(
        alert,
        ((_ours(metric, **labels), values),),
        before=4 * step,
        fires=5 * step + minutes + step,
        over=(5 + held + 1) * step,
        step=step,
    )


def _grows(alert: str, minutes: int, metric: str, window: int, by: float, **labels: str) -> Case:
    """A counter that grows for ten minutes, and no more. `window`: what the alert looks back."""
    growing = tuple(by * n for n in range(1, 21))
    values = (*_values((0, 10)), *growing, *_values((growing[-1], window + minutes + 10)))
    return Case(
        alert,
        ((_ours(metric, **labels), values),),
        before=9,
        fires=10 + minutes + 8,
        over=30 + window + minutes + 2,
    )


def _stands(alert: str, metric: str, **labels: str) -> Case:
    """A time that stands still for ten minutes; then it goes on."""
    times = [60.0 * n for n in range(6)] + [300.0] * 10 + [60.0 * n for n in range(16, 25)]
    return Case(alert, ((_ours(metric, **labels), tuple(times)),), before=9, fires=13, over=17)


def _pair(
    alert: str, minutes: int, watched: tuple[str, float, float], other: tuple[str, float], **labels: str
) -> Case:
    """Two gauges with the same labels: the first one's bad and good value, the other's for good."""
    first = _level(alert, minutes, watched[0], watched[1], watched[2], step=1, **labels)
    beside = (_ours(other[0], **labels), _values((other[1], len(first.series[0][1]))))
    return Case(alert, (*first.series, beside), first.before, first.fires, first.over)


def all_cases() -> Iterable[Case]:
    """One for each alert, or more."""
    up = _name("up")
    yield Case("ScrapeFailed", ((up, _values((1, 5), (0, 8), (1, 5))),), before=6, fires=8, over=14)
    yield Case("ScrapeFailed", (("other", _values((1, 20))),), before=1, fires=8, over=0)  # never seen
    starts = tuple(100.0 * (n // 3) if 3 <= n < 15 else (0.0 if n < 3 else 400.0) for n in range(60))
    started = (_name("process_start_time_seconds"), starts)
    yield Case("DaemonFlapping", (started,), before=7, fires=16, over=50)
    for alert, error in (("FatalError", "WrongChain"), ("FinalityViolated", "FinalityViolated")):
        told = (_ours("fatal_error", error=error), (1.0,))
        # then the process is gone, and its series with it
        yield Case(alert, (told, (up, _values((1, 1), (0, 20)))), before=-1, fires=6, over=12)
    yield _level("NobodyLeads", 2, "leader", 0, 1)
    yield _grows("JobFailing", 5, "jobs_failed_total", 60, 1, task="prune_changes")

    yield _stands("HeadNotMoving", "head_arrived_timestamp_seconds")
    yield _pair("IndexerBehindBlocks", 10, ("head_block", 130, 101), ("indexed_block", 100))
    yield _pair(
        "IndexerBehindSeconds", 10, ("head_block_timestamp_seconds", 4_000, 3_010),
        ("indexed_block_timestamp_seconds", 3_000),
    )  # fmt: skip
    yield _stands("IndexerStuck", "last_step_timestamp_seconds", part="indexer")
    deep = (_ours("reorg_depth_blocks_bucket", le="+Inf"), _values((0, 5), (1, 10), (2, 80)))
    shallow = (_ours("reorg_depth_blocks_bucket", le="5.0"), _values((0, 5), (1, 90)))
    yield Case("ReorgDeep", (deep, shallow), before=14, fires=17, over=80)
    yield _level("ReorgSuspected", 5, "reorg_suspected", 1, 0)

    second = (_ours("endpoint_usable", endpoint="http://b"), _values((1, 2), (0, 30)))
    first = _level("NoEndpoint", 1, "endpoint_usable", 0, 1, endpoint="http://a")
    yield Case("NoEndpoint", (*first.series, second), first.before, first.fires, first.over)
    yield _level("EndpointOut", 10, "endpoint_usable", 0, 1, endpoint="http://a")
    minutes = range(60)
    asked = (
        _ours("rpc_requests_total", endpoint="http://a", method="m"),
        tuple(60.0 * n for n in minutes),
    )
    failed = tuple(30.0 * min(max(n - 10, 0), 20) for n in minutes)
    reverted = _ours("rpc_errors_total", endpoint="http://a", method="m", error="reverted")
    refused = _ours("rpc_errors_total", endpoint="http://a", method="m", error="rate_limit")
    yield Case(
        "RpcErrors",
        (asked, (refused, failed), (reverted, tuple(60.0 * n for n in minutes))),
        before=9,
        fires=28,
        over=40,
    )

    yield _grows("UndecodedLogs", 0, "undecoded_total", 60, 1)
    yield _level("SourceSyncing", 360, "source_syncing", 1, 0, step=5, contract="token", event="transfer")
    yield _level("LedgerDiffers", 0, "ledger_differences", 2, 0, relation="escrows")
    yield _level("ReconcileDiffers", 0, "differences", 1, 0, what="raised")
    yield _level("CampaignInsolvent", 0, "differences", 1, 0, what="solvency")

    due = _ours("oldest_open_intent_timestamp_seconds")
    values = _values((0, 5), (240, 75), (0, 5))
    yield Case("IntentTooOld", ((due, values),), before=60, fires=75, over=81)
    needy = _level("IntentNeedsSomebody", 10, "intents_alert", 3, 2)
    waiting = (_ours("intents_waiting_for", what="treasury"), _values((2, 30)))
    yield Case("IntentNeedsSomebody", (*needy.series, waiting), needy.before, needy.fires, needy.over)
    yield _level("IntentWaitsForTreasury", 5, "intents_waiting_for", 1, 0, what="treasury")
    for alert, metric in (("TreasuryBalanceLow", "balance"), ("TreasuryAllowanceLow", "allowance")):
        yield _pair(alert, 5, (f"treasury_{metric}_units", 5, 1_000), ("treasury_wanted_units", 700))
    yield _level("RulesStuck", 10, "rules_stuck", 1, 0, kind="escrow.refund")
    yield _level("LaneStopped", 1, "lane_blocked", 1, 0, lane="default")
    flying = (_ours("lane_in_flight_transactions", lane="default"), _values((0, 20), (3, 30), (0, 10)))
    mined = (_ours("lane_mined_nonce", lane="default"), (*map(float, range(21)), *_values((20, 39))))
    yield Case("LaneStuck", (flying, mined), before=44, fires=47, over=52)
    yield _level("LanePaused", 60, "pauses", 1, 0)
    yield _level("LaneNeedsSomebody", 10, "lane_alert", 1, 0, lane="default", why="other")
    yield _level("FeeCapReached", 5, "lane_alert", 1, 0, lane="default", why="fee_cap")
    yield _level("FeeCapReached", 5, "intents_waiting_for", 1, 0, what="fee_cap")
    yield _pair(
        "SignerBalanceLow", 5, ("lane_balance_wei", 4_000, 400_000), ("lane_transaction_cost_wei", 50),
        lane="default",
    )  # fmt: skip
    yield _level("SignerBalanceLow", 5, "lane_alert", 1, 0, lane="default", why="funds")

    yield _level("DatabaseGone", 1, "database_reachable", 0, 1)
    yield _grows("DatabaseErrors", 5, "database_errors_total", 10, 2, part="indexer")
    sizes = (*_values((1e9, 24)), *(1e9 + 1e9 * n for n in range(1, 13)), *_values((13e9, 40)))
    grown = (_ours("database_bytes"), tuple(sizes))
    yield Case("DatabaseGrowing", (grown,), before=24 * 60, fires=34 * 60, over=62 * 60, step=60)
