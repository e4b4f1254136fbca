"""Factories: which addresses a batch of logs announces."""

from collections.abc import Iterable
from dataclasses import dataclass

from chainfirst.indexer.children import Children, Position
from chainfirst.indexer.decode import Undecodable
from chainfirst.indexer.router import Source
from chainfirst.indexer.structs import Log


@dataclass(frozen=True)
class Announcer:
    """An event of a factory whose parameter (its column's name) is the address of a new child."""

    source: Source
    column: str
    children: Children

    def announced(self, logs: Iterable[Log]) -> list[tuple[str, Position]]:
        """Child and position for each announcement; what doesn't decode is the router's to report."""
        topic0 = self.source.decoder.layout.topic0
        found = []
        for log in logs:
            if not log.topics or log.topics[0] != topic0 or not self.source.owns(log):
                continue
            try:
                child = self.source.decoder.values(log)[self.column]
            except Undecodable:
                continue
            position = (int(log.block_number, 16), int(log.transaction_index, 16))
            found.append((str(child).lower(), position))
        return found
