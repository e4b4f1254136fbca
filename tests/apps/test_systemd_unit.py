"""The unit's file: systemd takes it, it exposes little, and the daemon runs within what it allows."""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.apps import confined
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit
from chainfirst.tests.daemon.test_writing import KEY, WRITER, reaches, submit
from chainfirst.tests.ops.listening import Ear

pytestmark = pytest.mark.apps

UNIT = processes.ROOT / "ops" / "systemd" / "chainfirst@.service"
MOST_EXPOSED = "15"  # tenths: 1.5


def systemd(*arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is missing: install Debian's package systemd"
    return subprocess.run([tool, "--no-pager", *arguments], capture_output=True, text=True, check=False)


def test_systemd_takes_it(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    program = confined.directives(UNIT)["ExecStart"][0].split()[0]
    here.write_text(UNIT.read_text().replace(program, sys.executable))
    done = systemd("verify", "--man=no", str(here))
    assert (done.returncode, done.stderr) == (0, "")
    here.write_text(here.read_text().replace("ProtectSystem=strict", "ProtectSystem=very"))
    assert "Failed to parse" in systemd("verify", "--man=no", str(here)).stderr  # it does look


def test_it_exposes_little() -> None:
    done = systemd("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(UNIT))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= 1.5
    assert done.returncode == 0, done.stdout


def test_its_exit_codes_are_the_daemons() -> None:
    found = confined.directives(UNIT)
    assert found["RestartPreventExitStatus"] == ["78"]
    assert found["Restart"] == ["always"]
    assert (found["Type"], found["NotifyAccess"]) == (["notify"], ["main"])


def asked(url: str) -> int:
    """The status of its answer."""
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def reachable(pg_cluster: Cluster) -> Iterator[None]:
    """The server's socket for everybody: it is another user's, and root without capabilities is as all."""
    folder = Path(str(psycopg.conninfo.conninfo_to_dict(pg_cluster.url())["host"]))
    closed = {path: path.stat().st_mode for path in (folder, *folder.glob(".s.PGSQL.*[0-9]"))}
    for path in closed:
        path.chmod(0o777)
    yield
    for path, mode in closed.items():
        path.chmod(mode)


@pytest.mark.usefixtures("reachable")
def test_the_daemon_indexes_signs_and_serves_within_what_it_allows(
    pg_url: str, fresh_anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.geteuid() == 0, "only root can drop what systemd drops"
    node = Endpoint(fresh_anvil.url)
    node.call_optional("evm_setAutomine", [False], object)
    monkeypatch.setenv("WRITING_TEST_KEY", KEY)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    more = f"{WRITER}[metrics]\nport = {port}\n"
    endpoints = [fresh_anvil.url, fresh_anvil.ws_url]
    file = processes.write_config(tmp_path, pg_url, endpoints, emit(node, None), more=more)
    state = tmp_path / "state"
    state.mkdir()
    prefix = [sys.executable, confined.__file__, str(UNIT), str(state), "--"]
    with (
        Ear() as ear,
        psycopg.connect(pg_url, autocommit=True) as app,
        Running(file, prefix, NOTIFY_SOCKET=ear.address, WATCHDOG_USEC="2000000") as daemon,
    ):
        while "READY=1" not in ear.heard:
            assert daemon.process.poll() is None, "".join(daemon.lines)
            ear.next(1.0)
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        for line in (
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
        ):
            assert line in status
        submit(app, "burst")
        reaches(app, "sent", 1, daemon)
        node.call_optional("anvil_mine", ["0x4"], object)
        reaches(app, "confirmed", 1, daemon)
        ear.hears("WATCHDOG=1")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert re.search(r"^chainfirst_leader(\{.*\})? 1.0$", answer.read().decode(), re.MULTILINE)
        while asked(f"http://127.0.0.1:{port}/readyz") != 200:
            assert daemon.process.poll() is None, "".join(daemon.lines)
            app.execute("SELECT pg_sleep(0.05)")
        assert daemon.stops() == 0
        ear.hears("STOPPING=1")
    warned: list[dict[str, Any]] = [line for line in daemon.events() if line["level"] != "info"]
    assert warned == []
