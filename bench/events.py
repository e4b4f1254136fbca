"""ERC-20 transfers into PostgreSQL: the daemon, the plain web3.py way, and a bare script as the limit."""

import statistics
import subprocess
import sys

from bench import daemon, report
from bench.node import Node
from bench.servers import ROOT, Servers

BLOCKS = 5_000
EVENTS_IN_BLOCK = 100
MANY_IN_BLOCK = 500
EMPTY = 70  # so that all that is counted lies below the final block
PLAIN_PART = 10
RUNS = 3
MIB = 1024 * 1024


def run(servers: Servers, blocks: int = BLOCKS, *, memory: bool = True) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("events")
    with servers.node() as node:
        report.progress(f"preparing {blocks:,} blocks of {EVENTS_IN_BLOCK} transfers")
        emitter = node.deploy("Burst")
        first, last = node.bursts(emitter, blocks, EVENTS_IN_BLOCK)
        node.mine(EMPTY)
        events = blocks * EVENTS_IN_BLOCK
        ours, startups, peaks, limits = [], [], [], []
        for number in range(1, RUNS + 1):
            done = backfill(servers, node, emitter, first, last)
            ours.append(done.rate(first, last, events))
            startups.append(done.startup_seconds)
            peaks.append(done.peak_bytes / MIB)
            limits.append(events / script("bare", servers, node, emitter, first, last))
            report.progress(
                f"run {number}: chainfirst {ours[-1]:,.0f} events/s after {startups[-1]:.2f} s, "
                f"{peaks[-1]:.0f} MiB; the bare script {limits[-1]:,.0f} events/s"
            )
        report.progress(f"the plain way, {blocks // PLAIN_PART:,} blocks")
        end = first + blocks // PLAIN_PART - 1
        plain = events / PLAIN_PART / script("plain", servers, node, emitter, first, end)
        many = None
        if memory:
            report.progress(f"preparing {blocks:,} blocks of {MANY_IN_BLOCK} transfers")
            second = node.deploy("Burst")
            first, last = node.bursts(second, blocks, MANY_IN_BLOCK)
            node.mine(EMPTY)
            report.progress(f"memory over {blocks * MANY_IN_BLOCK:,} events")
            many = backfill(servers, node, second, first, last)
    rate, limit = statistics.median(ours), statistics.median(limits)
    found.add("chainfirst, steady", rate, "events/s", runs=tuple(ours))
    found.add("bare script, the limit", limit, "events/s", runs=tuple(limits))
    found.add("web3.py and SQLAlchemy", plain, "events/s")
    found.add("chainfirst / web3.py", rate / plain, "times", at_least=35)
    found.add("chainfirst / limit", rate / limit, "times", at_least=0.7)
    found.add("start to first commit, empty database", min(startups), "s", at_most=2, runs=tuple(startups))
    found.add(f"peak memory, {events:,} events", max(peaks), "MiB", at_most=200, runs=tuple(peaks))
    if many is not None:
        size = blocks * MANY_IN_BLOCK
        found.add(f"peak memory, {size:,} events", many.peak_bytes / MIB, "MiB", at_most=200)
        found.add(f"steady, {size:,} events", many.rate(first, last, size), "events/s")
    found.remarks.append(
        "ratios are of medians; rates between the first and the last commit seen every 20 ms"
    )
    return found.publish()


def backfill(servers: Servers, node: Node, emitter: str, first: int, last: int) -> daemon.Progress:
    """The daemon's way from an empty database to block `last`."""
    with servers.database() as url:
        token = daemon.Contract("token", "Burst", emitter, ("Transfer",), start_block=first)
        file = daemon.write_config(servers.directory, url, node, [token])
        return daemon.backfill(file, url, last)


def script(name: str, servers: Servers, node: Node, emitter: str, first: int, last: int) -> float:
    """The seconds that one of the scripts says it took, in a process and a database of its own."""
    with servers.database() as url:
        command = [sys.executable, "-m", f"bench.{name}", node.url, url, emitter, str(first), str(last)]
        return float(subprocess.check_output(command, cwd=ROOT, text=True))
