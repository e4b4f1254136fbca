"""The wheel in an empty virtual environment, without the repository: its help, and the demonstration."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from chainfirst.ops.dev import node
from chainfirst.tests.conftest import NODE_INSTALLATION
from chainfirst.tests.ops import wheels

pytestmark = pytest.mark.apps


def test_the_wheel_alone_plays_the_demonstration(server_dir: Path) -> None:
    wheel = wheels.build(server_dir)
    # the versions that the other tests have, instead of today's newest
    pinned = re.findall(
        r"^[a-z0-9.-]+==[^ ;\\]+", (wheels.ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    constraints = server_dir / "constraints.txt"
    constraints.write_text("\n".join(pinned))
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHAINFIRST_", "PYTHON"))
    }
    environ = plain | {"PIP_CONSTRAINT": str(constraints), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    home = server_dir / "home"
    (home / ".chainfirst" / "node").mkdir(parents=True)
    node.install(NODE_INSTALLATION)
    (home / ".chainfirst" / "node" / "anvil").symlink_to(NODE_INSTALLATION)  # else npm brings it

    def runs(*command: str) -> str:
        done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    venv = server_dir / "venv"
    runs(sys.executable, "-m", "venv", str(venv))
    runs(str(venv / "bin" / "pip"), "install", "--quiet", str(wheel))
    assert "Usage: chainfirst" in runs(str(venv / "bin" / "chainfirst"), "--help")
    said = runs(str(venv / "bin" / "chainfirst"), "demo")
    assert "right" in said
    assert "WRONG" not in said
