"""A stand-by on another host takes over when the leader's host falls silent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "silent_host.py"
MOST_SECONDS = 10.0


@pytest.mark.apps
def test_a_leader_whose_host_falls_silent_is_replaced_within_ten_seconds() -> None:
    assert os.geteuid() == 0, "network namespaces need root: run make test-apps as root"
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=120
    )
    if "unshare failed" in done.stderr or "Unknown device type" in done.stderr:
        pytest.skip(f"no network namespace or no cable can be made here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-4000:]
    seconds = float(done.stdout)
    assert seconds < MOST_SECONDS, seconds
