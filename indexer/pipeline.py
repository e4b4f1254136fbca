"""The next range becomes rows while the one before it is being written.

PostgreSQL takes about as long over a row as the decoder: side by side they take half of it. The order is
kept, so a range finds all children that earlier ones announced.
"""

from concurrent.futures import Future
from dataclasses import dataclass

from chainfirst.indexer import prefetch
from chainfirst.indexer.router import Rows
from chainfirst.indexer.scope import Reader, Scope, next_range


@dataclass(frozen=True)
class Prepared:
    """A range and its rows."""

    found: prefetch.Fetched
    rows: Rows


@dataclass(frozen=True)
class _Next:
    position: int
    reader: Reader
    scope: Scope
    future: "Future[Prepared | None]"


class Pipeline:
    """Takes ranges in order. One thread calls; the scope must not be used by another meanwhile."""

    def __init__(self, ranges: prefetch.Prefetch, *, ahead: bool = True) -> None:
        self._ranges, self._ahead = ranges, ahead
        self._next: _Next | None = None

    def forget(self) -> None:
        """Throw away what is prepared, once nothing works on it any more, with the children it announced."""
        self._drop()
        self._ranges.forget()

    def _drop(self) -> None:
        ahead, self._next = self._next, None
        if ahead is not None:
            ahead.future.exception()
            ahead.scope.forget_above(ahead.position)

    def take(self, reader: Reader, scope: Scope, position: int, final: int, shortest: int) -> Prepared | None:
        """The range above `position`, as `Prefetch.take`; the next one is begun if more than `shortest`
        blocks are left to `final`. An error leaves the scope's children to be read again."""
        if self._next is not None and (self._next.position != position or self._next.reader is not reader):
            self._drop()
        ahead, self._next = self._next, None
        prepared = self._prepare(reader, scope, position, final) if ahead is None else ahead.future.result()
        if self._ahead and prepared is not None and final - prepared.found.range.last > shortest:
            position = prepared.found.range.last
            future = prefetch.in_background(
                f"rows above {position}", lambda: self._prepare(reader, scope, position, final)
            )
            self._next = _Next(position, reader, scope, future)
        return prepared

    def _prepare(self, reader: Reader, scope: Scope, position: int, final: int) -> Prepared | None:
        taken = next_range(self._ranges, scope, reader, position, final)
        if taken is None:
            scope.forget_above(position)
            return None
        found, logs = taken
        return Prepared(found, scope.rows(logs, reader))
