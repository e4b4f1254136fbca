"""Children of a factory: the backfill's rate by their number, and when an address list stops paying."""

import itertools
import time
from collections.abc import Sequence

from chainfirst.indexer.router import ADDRESSES_IN_FILTER
from chainfirst.indexer.rpc.client import Client
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.indexer.rpc.validate import LogFilter
from eth_hash.auto import keccak

from bench import daemon, report
from bench.node import Node
from bench.servers import Servers

COUNTS = (10, 100, 500, 10_000)
EVENTS = 100_000
EVENTS_IN_BLOCK = 250  # few blocks: with 10,000 accounts the node takes 60 ms for any
CREATED_IN_CALL = 250
EMPTY = 70
LISTED = (100, 250, 500, 1_000, 2_000, 5_000)
FOREIGN = (0, 50, 90)  # percent of the logs with the topic that are nobody's child
PROBE_BLOCKS = 10
PROBES = 5
MS = 1000
INVEST = "invest(uint256,uint256,uint256,uint256)"
RECORDED = "InvestmentRecorded(bytes32,address,address,uint256,bytes32,uint256,uint256,uint256,uint32)"


def run(servers: Servers, counts: Sequence[int] = COUNTS, events: int = EVENTS) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("children")
    with servers.node() as node:
        rates = {}
        for count in counts:
            report.progress(f"{count:,} children, {events:,} events")
            factory = node.deploy("LedgerBurst")
            start = node.head()
            create(node, factory, count)
            first, last = emit(node, factory, events // EVENTS_IN_BLOCK, count, EVENTS_IN_BLOCK)
            node.mine(EMPTY)
            rates[count] = backfill(servers, node, factory, start, first, last)
            found.add(f"steady, {count:,} children", rates[count], "events/s")
        most, few = max(counts), min(counts)
        found.add(f"{most:,} children / {few:,} children", rates[most] / rates[few], "times")
        report.progress("lists of addresses against topics alone")
        children = addresses(node, factory, max(LISTED))
        for foreign in FOREIGN:
            probe(found, node, factory, children, foreign)
    found.remarks.append(f"indexer/router.py: ADDRESSES_IN_FILTER = {ADDRESSES_IN_FILTER}")
    return found.publish()


def create(node: Node, factory: str, count: int) -> None:
    """Announce that many children."""
    for made in range(0, count, CREATED_IN_CALL):
        sent = node.send(factory, "create(uint256)", min(CREATED_IN_CALL, count - made))
        node.mine()
        node.check(sent)


def emit(node: Node, factory: str, blocks: int, children: int, own: int, foreign: int = 0) -> tuple[int, int]:
    """Blocks with `own` events of the first `children` in turn, and `foreign` ones: the first, the last."""
    first = node.head() + 1
    for number in range(blocks):
        sent = node.send(factory, INVEST, number * own, own, 0, children)
        if foreign:
            sent = node.send(factory, "foreign(uint256)", foreign)
        node.mine()
    node.check(sent)
    return first, node.head()


def backfill(servers: Servers, node: Node, factory: str, start: int, first: int, last: int) -> float:
    """Events a second over the blocks first to last."""
    announced = ("campaign_factory", "CampaignCreated", "campaign")
    contracts = [
        daemon.Contract("campaign_factory", "CampaignFactory", factory, ("CampaignCreated",), start),
        daemon.Contract(
            "campaign", "CampaignImplementation", None, ("InvestmentRecorded",), start, announced
        ),
    ]
    with servers.database() as url:
        file = daemon.write_config(servers.directory, url, node, contracts)
        done = daemon.backfill(file, url, last)
    return done.rate(first, last, (last - first + 1) * EVENTS_IN_BLOCK)


def addresses(node: Node, factory: str, count: int) -> list[str]:
    """The first children, in order."""
    topic = "0x" + keccak(b"IssuerCampaignChanged(bytes32,address,address)").hex()
    wanted = {"address": factory, "topics": [topic], "fromBlock": "0x0", "toBlock": "latest"}
    return ["0x" + log["data"][-40:] for log in node.call("eth_getLogs", wanted)][:count]


def probe(
    found: report.Report, node: Node, factory: str, children: Sequence[str], foreign_percent: int
) -> None:
    """The time for one range, by a list of N addresses and by topics alone, and where the two cross."""
    client = Client(Endpoint(node.url))
    topics = ("0x" + keccak(RECORDED.encode()).hex(),)
    foreign = EVENTS_IN_BLOCK * foreign_percent // 100
    times = []
    for count in LISTED:
        listed = tuple(children[:count])
        own = frozenset(listed)
        first, last = emit(node, factory, PROBE_BLOCKS, count, EVENTS_IN_BLOCK - foreign, foreign)
        by_list = fastest(client, LogFilter(listed, topics), own, first, last)
        by_topic = fastest(client, LogFilter(None, topics), own, first, last)
        times.append((count, by_list, by_topic))
        name = f"{foreign_percent} % foreign, {count:,} addresses: list / topics alone"
        found.add(name, by_list / by_topic, "times", runs=(by_list * MS, by_topic * MS))
    client.close()
    at = crossing(times)
    if at is None:
        side = "topics alone are" if times[0][1] > times[0][2] else "the list is"
        found.remarks.append(f"{foreign_percent} % foreign: {side} faster for every number tried")
    else:
        found.add(f"{foreign_percent} % foreign: topics alone are faster from", at, "addresses")


def fastest(client: Client, wanted: LogFilter, own: frozenset[str], first: int, last: int) -> float:
    """Seconds to have the logs of `own`, fetched, checked and filtered; the best of some tries."""
    best = float("inf")
    for _ in range(PROBES):
        began = time.monotonic()
        logs, _ = client.logs_by_range(wanted, first, last)
        kept = [log for log in logs if log.address in own]
        best = min(best, time.monotonic() - began)
    if not kept:
        raise RuntimeError(f"no log of the children in {first} to {last}")
    return best


def crossing(times: Sequence[tuple[int, float, float]]) -> float | None:
    """Between which numbers the two times swap, by a straight line."""
    for (n, one, two), (m, three, four) in itertools.pairwise(times):
        before, after = one - two, three - four
        if before < 0 <= after:
            return n + (m - n) * before / (before - after)
    return None
