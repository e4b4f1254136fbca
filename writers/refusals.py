"""Whether a call that is reverted block after block has no hope any more. It is made at the head alone.

The first block at which it was reverted is kept with its hash. Once that block is final, and the call is
reverted still, it was reverted at an indexed block at or below the final one: no state of the past is asked
for, which nodes forget. It counts only while nothing of ours can have changed what it was refused for.
"""

from chainfirst.indexer.rpc.client import Client
from chainfirst.writers import store
from chainfirst.writers.desk import Desk
from chainfirst.writers.store import Refusal


class Refusals:
    """One round's look at what was refused before. Asks the node only for what is new, or decides."""

    def __init__(self, desk: Desk, final: int | None) -> None:
        """`final`: the last final block, at or below the indexed one."""
        self._desk, self._final = desk, final
        self._calm_since = store.calm_since(desk.conn)
        self._hashes: dict[int, str | None] = {}

    def judge(self, before: Refusal | None) -> tuple[Refusal | None, bool]:
        """Of a call that was reverted at the head now, and since `before`: since when it is, and whether that
        is for good. The cases, in order:

        1. something of ours is on its way to a block    -> as before, not for good
        2. the block before is not final yet             -> as before, not for good
        3. it is, and is the chain's                     -> as before, for good
        4. nothing before, or it counts no longer (ours came since, or its block is not the chain's)
                                                         -> since the head now, not for good
        """
        if self._calm_since is None:
            return before, False
        if before is not None and before.block >= self._calm_since:
            if self._final is None or before.block > self._final:
                return before, False
            if self._is_canonical(before):
                return before, True
        now = Refusal(self._desk.head, self._desk.head_hash)
        return (now if self._is_canonical(now) else None), False

    def _is_canonical(self, refusal: Refusal) -> bool:
        """Of the head it is asked after the calls: its state answered them, and no other branch's."""
        if refusal.block not in self._hashes:
            header = Client(self._desk.node.endpoint).header_by_number(refusal.block)
            self._hashes[refusal.block] = None if header is None else header.hash
        return self._hashes[refusal.block] == refusal.hash
