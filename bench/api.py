"""Reads of the schema api in a platform of a million investments, against the bare look-up of such rows."""

import statistics
import time
from typing import Any

import psycopg
from chainfirst.bench import api_rows

from bench import report
from bench.latency import percentile
from bench.servers import Servers

ROUNDS = 200
MS = 1000
LIMIT_MS = 5


def run(servers: Servers, investments: int = api_rows.INVESTMENTS) -> bool:
    """Measure and print; whether all is as wanted."""
    found = report.Report("api")
    with servers.database() as url:
        report.progress(f"making {investments:,} investments")
        api_rows.load(url, investments)
        report.progress("reading")
        read(url, found)
    found.remarks += [
        "as chainfirst_app: all columns, finality and intents too; lists: 20 rows at most",
        "bare: the columns of the one table that has the rows, by its index",
        "prepared statements; planned anew: each read is parsed and planned, as Django has it",
    ]
    return found.publish()


def read(url: str, found: report.Report) -> None:
    """Every read, as an app."""
    with (
        psycopg.connect(url, autocommit=True, prepare_threshold=0) as prepared,
        psycopg.connect(url, autocommit=True, prepare_threshold=None) as planned,
    ):
        keys = api_rows.samples(planned)
        for connection in (prepared, planned):
            connection.execute("SET ROLE chainfirst_app")
        for name, kind in api_rows.names():
            took = measure(prepared, f"{name}__{kind}", keys[kind])
            anew = measure(planned, f"{name}__{kind}", keys[kind])
            bare = measure(prepared, f"{name}__bare", keys[kind])
            shown = name.replace("_", " ")
            found.add(f"{shown}: p50", percentile(took, 50), "ms", at_most=LIMIT_MS)
            found.add(f"{shown}: p99", percentile(took, 99), "ms", at_most=LIMIT_MS)
            found.add(f"{shown}: p50, planned anew", percentile(anew, 50), "ms", at_most=LIMIT_MS)
            times = statistics.median(took) / statistics.median(bare)
            found.add(f"{shown}: p50 / the bare look-up's", times, "times")


def measure(connection: psycopg.Connection[Any], name: str, keys: list[Any]) -> list[float]:
    """Milliseconds of each read, sorted; every key was read before."""
    took = []
    for number in range(2 * ROUNDS):
        key = keys[number % ROUNDS % len(keys)]
        began = time.perf_counter()
        connection.execute(api_rows.READS[name], {"key": key}).fetchall()
        took.append((time.perf_counter() - began) * MS)
    return sorted(took[ROUNDS:])
