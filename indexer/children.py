"""The children of factories: which addresses are indexed, and from which position on. Pure.

The list of children is the factory's event table; this is its image in memory, read from there at
start and after a rollback, grown by what is about to be committed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Position = tuple[int, int]
"""Block number and transaction index: a child counts from the transaction that announced it, with
that transaction's earlier logs (a constructor's events come before the factory's announcement)."""


@dataclass
class Children:
    """Addresses (lower-case hex) of one factory's children, each with its first announcement."""

    since: dict[str, Position] = field(default_factory=dict)

    def announce(self, children: Iterable[tuple[str, Position]]) -> frozenset[str]:
        """Add children; announced twice, the earlier position counts. Returns the addresses that are new."""
        new = set()
        for address, position in children:
            held = self.since.get(address)
            if held is None:
                new.add(address)
            if held is None or position < held:
                self.since[address] = position
        return frozenset(new)

    def covers(self, address: str, position: Position) -> bool:
        """Whether a log of this address at this position is a child's."""
        since = self.since.get(address)
        return since is not None and position >= since

    def forget_above(self, number: int) -> None:
        """Forget the children that were announced in blocks above `number`."""
        self.since = {child: place for child, place in self.since.items() if place[0] <= number}

    def unwind(self, announced: Mapping[str, Position]) -> None:
        """Take what the factory's event table says after a rollback."""
        self.since = dict(announced)
