"""Named points at which a test lets the daemon die as by a power cut. Nothing in operation."""

import os
import signal

VARIABLE = "CHAINFIRST_FAILPOINT"
POINTS = {
    "claim.before": "the lane is about to look for new intents",
    "claim.after": "it has some; the database knows nothing of it",
    "prepare.written": "their calls and events are written, not committed",
    "prepare.committed": "and committed",
    "verdicts.written": "what was refused or waits is written, not committed",
    "verdicts.committed": "and committed",
    "sign.before": "all is known of a transaction but its signature",
    "sign.after": "it is signed, in memory alone",
    "nonces.written": "nonces and signed bytes are written, not committed",
    "nonces.committed": "and committed; nothing is sent",
    "send.before": "stored bytes are about to be sent, for the first time or again",
    "send.after": "the node has answered; the database doesn't know",
    "note.written": "its answer is written, not committed",
    "note.committed": "and committed",
    "bump.signed": "a higher bid for the same nonce is signed, in memory alone",
    "bump.written": "it is written, not committed",
    "bump.committed": "and committed; it is not sent",
    "bump.sent": "and sent, and the answer noted",
    "take_back.signed": "what takes a cancelled intent's nonce is signed, in memory alone",
    "take_back.written": "it is written, not committed",
    "take_back.committed": "and committed; it is not sent",
    "take_back.sent": "and sent, and the answer noted",
    "adopt.written": "a transaction found on the chain is taken for an intent's, not committed",
    "adopt.committed": "and committed, or its nonce accounted for otherwise",
    "settle.before": "a batch of the indexer comes to the intents; its events are written, not committed",
    "settle.unwound": "what the blocks before a reorganisation had settled is taken back, not committed",
    "settle.included": "own transactions in its blocks are noted, not committed",
    "settle.settled": "its events have settled intents, not committed",
    "settle.ended": "final blocks have ended intents, not committed",
    "batch.written": "all of a batch is written, its cursor too, not committed",
    "batch.committed": "and committed",
}
"""All there are, each with what has just happened there."""

_WANTED, _, _COUNT = os.environ.get(VARIABLE, "").partition("*")
_left = int(_COUNT or 1)
if _WANTED and _WANTED not in POINTS:
    raise ValueError(f"{VARIABLE} names no point: {_WANTED}; there are: {', '.join(POINTS)}")


def reach(name: str) -> None:
    """Die here, if the environment names this point (`name` or `name*3`: the third time)."""
    global _left
    if name == _WANTED:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
