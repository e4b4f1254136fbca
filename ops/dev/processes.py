"""What both development servers need: is that pid really ours, and one starter at a time."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import psutil


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Only one process at a time is inside, on this machine; a killed holder lets go by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find(pid: int, *needles: str, directory: Path | None = None) -> psutil.Process | None:
    """The live process `pid` with all these arguments, working in `directory`; None for a recycled pid."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        command_line = process.cmdline()
        elsewhere = directory is not None and process.cwd() != str(directory)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return process if not elsewhere and all(needle in command_line for needle in needles) else None


def tail(path: Path, lines: int = 3) -> str:
    """The last lines of a log, in one line, for an error's message."""
    if not path.exists():
        return "no log"
    return " | ".join(path.read_text(errors="replace").strip().splitlines()[-lines:])
