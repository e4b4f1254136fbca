"""From a mined block to its rows, seen by another connection, while the daemon follows by WebSocket."""

import time
from typing import Any

import psycopg

from bench import daemon, report
from bench.node import Node
from bench.servers import Servers

SECONDS = 60
EVENTS_IN_BLOCK = 100
PERIOD_SECONDS = 1.0
POLL_SECONDS = 0.001
LONGEST_SECONDS = 5.0
WARM_UP = 5  # blocks that aren't counted
MS = 1000


def run(servers: Servers, seconds: int = SECONDS) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("latency")
    report.progress(f"a block of {EVENTS_IN_BLOCK} transfers each second, for {seconds} s")
    with servers.node() as node, servers.database() as url:
        emitter = node.deploy("Burst")
        node.mine(3)
        token = daemon.Contract("token", "Burst", emitter, ("Transfer",))
        file = daemon.write_config(servers.directory, url, node, [token])
        with psycopg.connect(url, autocommit=True) as connection, daemon.running(file) as process:
            wait(connection, process, node.head())
            for _ in range(WARM_UP):
                once(connection, process, node, emitter)
            times = [once(connection, process, node, emitter) for _ in range(seconds)]
            rows = connection.execute("SELECT count(*) FROM event.token_transfer").fetchone()
    expected = ((seconds + WARM_UP) * EVENTS_IN_BLOCK,)
    if rows != expected:
        raise RuntimeError(f"{rows} rows, expected {expected}")
    whole, after = [one for one, _ in times], [two for _, two in times]
    found.add("p50 from the end of the mining call", percentile(after, 50), "ms", at_most=12)
    found.add("p99 from the end of the mining call", percentile(after, 99), "ms", at_most=30)
    found.add("slowest", max(after), "ms")
    found.add("p50 from its start: with running and mining the block", percentile(whole, 50), "ms")
    found.add("p99 from its start", percentile(whole, 99), "ms")
    found.remarks.append(
        f"visible: the cursor, which commits with the rows, polled each {POLL_SECONDS * MS:g} ms"
    )
    return found.publish()


def once(
    connection: psycopg.Connection[Any], process: daemon.Daemon, node: Node, emitter: str
) -> tuple[float, float]:
    """One block; milliseconds until it is seen, from the start of the mining call and from its end."""
    began = time.monotonic()
    wanted = node.head() + 1
    node.send(emitter, "emitBurst(uint256)", EVENTS_IN_BLOCK)
    started = time.monotonic()
    node.mine()
    mined = time.monotonic()
    wait(connection, process, wanted)
    seen = time.monotonic()
    time.sleep(max(0.0, PERIOD_SECONDS - (seen - began)))
    return (seen - started) * MS, (seen - mined) * MS


def wait(connection: psycopg.Connection[Any], process: daemon.Daemon, block: int) -> None:
    """Until the cursor is there."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while (found := daemon.cursor(connection)) is None or found < block:
        process.check()
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"block {block} is not indexed yet: {found}; {process.log.read_text()[-2000:]}"
            )
        time.sleep(POLL_SECONDS)


def percentile(values: list[float], percent: int) -> float:
    """The smallest value that so many percent of the values don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
