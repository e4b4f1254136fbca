"""ERC-20 transfers into PostgreSQL: the daemon, the plain web3.py way, and a bare script as the limit."""

import subprocess
import sys
from collections.abc import Sequence

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
MICROS = 1e6


def run(servers: Servers, blocks: int = BLOCKS, *, memory: bool = True) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("events")
    events = blocks * EVENTS_IN_BLOCK
    with servers.node() as node:
        report.progress(f"preparing {blocks:,} blocks of {EVENTS_IN_BLOCK} transfers")
        emitter = node.deploy("Burst")
        first, last = node.bursts(emitter, blocks, EVENTS_IN_BLOCK)
        node.mine(EMPTY)
        runs, limits = [], []
        for number in range(1, RUNS + 1):
            runs.append(backfill(servers, node, emitter, first, last))
            limits.append(script("bare", servers, node, emitter, first, last))
            rate, limit = runs[-1].rate(first, last, events), events / limits[-1][0]
            report.progress(f"run {number}: chainfirst {rate:,.0f} events/s, the bare script {limit:,.0f}")
        report.progress(f"the plain way, {blocks // PLAIN_PART:,} blocks")
        end = first + blocks // PLAIN_PART - 1
        plain, plain_cpu = script("plain", servers, node, emitter, first, end)
        compare(found, runs, limits, events / PLAIN_PART / plain, first, last, events)
        cost = plain_cpu / events * PLAIN_PART * MICROS
        found.add("CPU of the script: web3.py and SQLAlchemy", cost, "µs/event")
        if memory:
            many(found, servers, node, blocks)
    found.remarks.append("the best of the runs counts: other work on the machine only slows them")
    found.remarks.append("rates between the first and the last commit, seen every 20 ms")
    return found.publish()


def compare(
    found: report.Report,
    runs: Sequence[daemon.Progress],
    limits: Sequence[tuple[float, float]],
    plain: float,
    first: int,
    last: int,
    events: int,
) -> None:
    """The figures of the three ways."""
    ours = tuple(run.rate(first, last, events) for run in runs)
    bare = tuple(events / seconds for seconds, _ in limits)
    startups = tuple(run.startup_seconds for run in runs)
    peaks = tuple(run.peak_bytes / MIB for run in runs)
    found.add("chainfirst, steady", max(ours), "events/s", runs=ours)
    found.add("bare script, the limit", max(bare), "events/s", runs=bare)
    found.add("web3.py and SQLAlchemy", plain, "events/s")
    found.add("chainfirst / web3.py", max(ours) / plain, "times", at_least=35)
    found.add("chainfirst / limit", max(ours) / max(bare), "times", at_least=0.7)
    found.add("start to first commit, empty database", min(startups), "s", at_most=2, runs=startups)
    found.add(f"peak memory, {events:,} events", max(peaks), "MiB", at_most=200, runs=peaks)
    costs = tuple(run.cpu_micros(first, last, events) for run in runs)
    found.add("CPU of the daemon", min(costs), "µs/event", runs=costs)
    costs = tuple(cpu / events * MICROS for _, cpu in limits)
    found.add("CPU of the script: bare", min(costs), "µs/event", runs=costs)


def many(found: report.Report, servers: Servers, node: Node, blocks: int) -> None:
    """More events in the same number of blocks: the memory must not grow with them."""
    events = blocks * MANY_IN_BLOCK
    report.progress(f"preparing {blocks:,} blocks of {MANY_IN_BLOCK} transfers")
    emitter = node.deploy("Burst")
    first, last = node.bursts(emitter, blocks, MANY_IN_BLOCK)
    node.mine(EMPTY)
    report.progress(f"memory over {events:,} events")
    done = backfill(servers, node, emitter, first, last)
    found.add(f"peak memory, {events:,} events", done.peak_bytes / MIB, "MiB", at_most=200)
    found.add(f"steady, {events:,} events", done.rate(first, last, events), "events/s")


def backfill(servers: Servers, node: Node, emitter: str, first: int, last: int) -> daemon.Progress:
    """The daemon's way from an empty database to block `last`."""
    with servers.database() as url:
        token = daemon.Contract("token", "Burst", emitter, ("Transfer",), start_block=first)
        file = daemon.write_config(servers.directory, url, node, [token])
        return daemon.backfill(file, url, last)


def script(
    name: str, servers: Servers, node: Node, emitter: str, first: int, last: int
) -> tuple[float, float]:
    """The seconds and CPU seconds that a script says it took, in a process and a database of its own."""
    with servers.database() as url:
        command = [sys.executable, "-m", f"bench.{name}", node.url, url, emitter, str(first), str(last)]
        seconds, cpu_seconds = subprocess.check_output(command, cwd=ROOT, text=True).split()
        return float(seconds), float(cpu_seconds)
