"""Named points at which a test lets the daemon die as by a power cut. Nothing in operation."""

import os
import signal

VARIABLE = "CHAINFIRST_FAILPOINT"
_WANTED, _, _COUNT = os.environ.get(VARIABLE, "").partition("*")
_left = int(_COUNT or 1)


def reach(name: str) -> None:
    """Die here, if the environment names this point (`name` or `name*3`: the third time)."""
    global _left
    if name == _WANTED:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
