"""docs/operations.md, followed word by word on a throw-away copy of this Debian: its Python, its PostgreSQL,
its users. Only process 1 is played: what systemctl is asked, tests/apps/systemctl.py does."""

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from chainfirst.ops.dev.node import Anvil
from chainfirst.tests.apps.test_systemd_unit import systemd
from chainfirst.tests.conftest import NODE_INSTALLATION
from chainfirst.tests.ops import wheels

pytestmark = [pytest.mark.apps, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
# anvil's first account
DEPLOYER_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
FREE = ("--hardfork", "london", "--base-fee", "0", "--gas-price", "0")
POSTGRESQL = """
# as Debian does itself where systemd is process 1
pg_lsclusters --no-header | grep -q . || pg_createcluster "$(ls /usr/lib/postgresql | sort -n | tail -1)" main
service postgresql start
"""
PROOF = """
asks="runuser --user chainfirst -- chainfirst --config /etc/chainfirst/main.toml intents"
$asks submit investor.set_verified --key proof \
    '{"investor": "0x00000000000000000000000000000000000000aa", "verified": true}'
$asks wait proof --timeout 120
systemctl status chainfirst@main
stat --format '%A %U %G %n' /etc/chainfirst /etc/chainfirst/*
"""


def commands() -> list[str]:
    """What the reader types, in order."""
    text = (wheels.ROOT / "docs" / "operations.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_bare_debian_gets_a_running_watched_daemon(server_dir: Path) -> None:
    assert os.geteuid() == 0, "only root can make a throw-away copy of this system"
    assert systemd("--version").returncode == 0
    node = Anvil(server_dir, block_time_seconds=1, arguments=FREE, install_directory=NODE_INSTALLATION)
    node.start()
    install = server_dir / "install"
    install.mkdir()
    wheel = wheels.build(server_dir)
    shutil.copy(wheel, install)
    shutil.copy(wheels.ROOT / "requirements.run.lock", install)
    shutil.copy(HERE / "systemctl.py", server_dir)
    packages, *others = commands()
    script = "\n".join(["PS4='+ $SECONDS: '", "set -euxo pipefail", packages, POSTGRESQL, *others, PROOF])
    for ours, theirs in (
        ("http://127.0.0.1:8545", node.url),
        ("8480", str(free_port())),
        ("9464", str(free_port())),
    ):
        assert ours in script
        script = script.replace(ours, theirs)
    (install / "script.sh").write_text(script)
    forwarded = " ".join(f"{k}={v}" for k, v in os.environ.items() if k.startswith("PIP_") and " " not in v)
    done = subprocess.run(
        [
            "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
            "bash", str(HERE / "debian.sh"), str(server_dir), "script.sh",
        ],
        input=f"{DEPLOYER_KEY}\n", env=os.environ | {"FORWARDED": forwarded}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    said = done.stdout
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip(f"no throw-away copy of this system can be made here: {done.stderr[-300:]}")
    assert done.returncode == 0, said[-3000:] + done.stderr[-5000:]
    assert "all is well" in said
    assert "WRONG" not in said
    assert "Active: active (running)" in said
    assert re.search(r'Status: "block \d+, (at|\d+ behind) the head"', said)
    assert "chainfirst_indexed_block" in said
    assert " confirmed" in said
    assert DEPLOYER_KEY[2:] not in said + done.stderr
    assert "-rw------- root chainfirst /etc/chainfirst/main.password" in said
    assert "-rw-r----- root chainfirst /etc/chainfirst/main.toml" in said
    assert "-rw-r----- root chainfirst /etc/chainfirst/main.key.json" in said
