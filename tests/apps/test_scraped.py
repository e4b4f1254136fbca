"""A real Prometheus scrapes a running daemon: its metrics are as they should be; the RPC is cut and alerts
fire, the daemon is killed and another does; all are over when all is well again."""

import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.apps.programs import free_port
from chainfirst.tests.apps.prometheus import Prometheus
from chainfirst.tests.apps.test_alerts import RULES
from chainfirst.tests.apps.wire import Wire
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit

pytestmark = pytest.mark.apps
LOOK_SECONDS = 0.2
OF_THE_CUT = {"NoEndpoint", "HeadNotMoving"}


def hurried(rules: str) -> str:
    """The same alerts, with less patience: a test has none."""
    text = re.sub(r"\bfor: \d+[mh]", "for: 2s", rules)
    return text.replace("chainfirst_head_arrived_timestamp_seconds > 300", _HEAD)


_HEAD = "chainfirst_head_arrived_timestamp_seconds > 15"


def until(daemon: Running | None, holds: Callable[[], bool]) -> None:
    """Look until it holds; the test's own time-out is the limit."""
    while not holds():
        assert daemon is None or daemon.process.poll() is None, "".join(daemon.lines)
        time.sleep(LOOK_SECONDS)


def test_the_rpc_is_cut_and_the_daemon_killed(pg_url: str, fresh_anvil: Anvil, tmp_path: Path) -> None:
    node = Endpoint(fresh_anvil.url)
    address = emit(node, None)
    emit(node, address, 3)
    port = free_port()
    rules = hurried(RULES.read_text("utf-8"))
    assert _HEAD in rules
    with Wire(fresh_anvil.url) as wire:
        more = f"[metrics]\nport = {port}\n"
        file = processes.write_config(tmp_path, pg_url, [wire.url], address, more=more)
        watching = Prometheus(tmp_path, f"127.0.0.1:{port}", rules)
        with watching as prometheus, Running(file) as daemon:
            daemon.has_rows(pg_url, 3)
            until(daemon, lambda: bool(prometheus.query("chainfirst_endpoint_usable == 1")))
            node.call_optional("anvil_setIntervalMining", [1], object)
            until(daemon, lambda: not prometheus.firing())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                text = answer.read()
            done = subprocess.run(
                ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

            wire.cut()
            until(daemon, lambda: prometheus.firing().keys() >= OF_THE_CUT)
            told = prometheus.firing()["NoEndpoint"]
            assert told["annotations"]["runbook_url"] == "docs/runbook.md#noendpoint"
            assert f"chainfirst 127.0.0.1:{port}" in told["annotations"]["summary"]
            counted = prometheus.query("sum(chainfirst_rpc_errors_total{error='transport'})")
            assert float(counted[0]["value"][1]) > 0
            wire.mend()
            until(daemon, lambda: not prometheus.firing())

            daemon.process.kill()
            until(None, lambda: "ScrapeFailed" in prometheus.firing())
            with Running(file) as again:
                until(again, lambda: not prometheus.firing())
                assert again.stops() == 0
