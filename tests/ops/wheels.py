"""Builds the wheel that users install."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(directory: Path) -> Path:
    """The wheel, made in this folder from a copy: a build leaves folders where it runs."""
    copy = directory / "source"
    ignored = shutil.ignore_patterns(
        ".*", "tests", "bench", "build", "node_modules", "*.egg-info", "__pycache__"
    )
    shutil.copytree(ROOT, copy, ignore=ignored)
    options = ["--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps", "--no-index"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(directory), str(copy)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = directory.glob("chainfirst-*.whl")
    return built
