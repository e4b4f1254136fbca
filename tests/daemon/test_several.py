"""Daemons that share a PostgreSQL server can be told apart; and each says what its database needs."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, chainfirst, emit

A_MONTH_AGO = """
INSERT INTO chain.sizes (day, relation, bytes, at, block_time)
VALUES ((now() - interval '73 days')::date, 'event.token_transfer', 0, now() - interval '73 days', now())
"""


def test_a_name_in_log_metrics_and_sessions_and_sizes_in_the_status(
    pg_url: str, fresh_anvil: Anvil, node: Endpoint, free_port: int, tmp_path: Path
) -> None:
    address = emit(node, None)
    emit(node, address, 3)
    more = f"[metrics]\nport = {free_port}\n"
    config = processes.write_config(tmp_path, pg_url, [fresh_anvil.url], address, more=more)
    # as the systemd template does
    with Running(config, CHAINFIRST_INSTANCE="side") as daemon:
        daemon.has_rows(pg_url, 3)
        daemon.hears("leading")
        assert {line.get("instance") for line in daemon.events()} == {"side"}
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
            built = [line for line in answer.read().decode().splitlines() if "chainfirst_build_info{" in line]
        assert len(built) == 1
        assert 'name="side"' in built[0]
        with psycopg.connect(pg_url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT application_name FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
            assert ("chainfirst@side indexer",) in found
            assert all(name.startswith("chainfirst@side ") for (name,) in found)
            facts: dict[str, Any] = json.loads(chainfirst(config, "status", "--json").communicate()[0])
            size = facts["size"]
            assert size["year_bytes"] is None  # nothing to compare with yet
            assert size["database_bytes"] > sum(each["bytes"] for each in size["tables"]) > 0
            connection.execute(A_MONTH_AGO)
        lines = chainfirst(config, "status").communicate()[0].splitlines()
        begin = next(number for number, line in enumerate(lines) if line.startswith("database "))
        assert re.fullmatch(r"database +\d+\.\d MB, \d+\.\d MB more in a year", lines[begin])
        assert re.fullmatch(r" +\w+\.\w+ +\d+\.\d kB, \d+\.\d kB more in a year", lines[begin + 1])
        assert re.fullmatch(r" +\d+ smaller tables +\d+\.\d kB", lines[-1])
        assert daemon.stops() == 0
