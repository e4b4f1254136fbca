"""The sources that are asked for together: those that follow the head, or a group that catches up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chainfirst.indexer import fetch, prefetch, times
from chainfirst.indexer.announce import Announcer
from chainfirst.indexer.router import Router, Rows
from chainfirst.indexer.rpc import errors, quantity
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import BlockRef, Header, Log, Receipt, place
from chainfirst.ops.errors import TransientError


class Reader(prefetch.Reader, Protocol):
    """What is asked of one endpoint (`rpc.client.Client`)."""

    def header_by_hash(self, block_hash: str) -> Header | None:
        """The header with this hash."""

    def headers_by_number(self, numbers: Sequence[int]) -> list[Header]:
        """The headers in the order asked."""

    def transaction_receipt(self, transaction_hash: str) -> Receipt | None:
        """What became of a transaction; None: no block holds it."""


@dataclass(frozen=True)
class Scope:
    """`asked` are its sources, `announcers` those that announce children in its logs.

    `everything` routes all configured sources: whether a log is undecoded depends on all of them, only
    the rows of `asked` are this scope's.
    """

    asked: Router
    announcers: Sequence[Announcer]
    everything: Router

    @classmethod
    def of(
        cls,
        everything: Router,
        announcers: Sequence[Announcer],
        tables: frozenset[str],
        most_addresses: int | None = None,
    ) -> "Scope":
        """The scope of these event tables; its filters name `most_addresses` at most (`Router`)."""
        asked = Router([source for source in everything.sources if source.table in tables], most_addresses)
        return cls(asked, [each for each in announcers if each.source.table in tables], everything)

    def filter(self, last: int) -> LogFilter:
        """What to ask a node for in blocks up to `last`, children known so far included."""
        return self.asked.filter(last)

    def complete(
        self, found: Sequence[Log], have: LogFilter, last: int, again: Callable[[LogFilter], Sequence[Log]]
    ) -> list[Log]:
        """The logs that `have` brought, with those of children it did not name: announced since it was
        asked, or in these very logs (and their children in turn). In chain order."""
        logs, whole = list(found), True
        while True:
            for announcer in self.announcers:
                announcer.children.announce(announcer.announced(logs))
            want = self.filter(last)
            gap = missing(have, want)
            if gap is None:
                break
            if gap.addresses is None:
                logs = list(again(gap))
            else:
                logs.extend(again(gap))
                whole = False
            have = want
        if not whole:
            logs.sort(key=place)
        return logs

    def forget_above(self, number: int) -> None:
        """Forget the children that blocks above `number` announced: these blocks are read again."""
        for announcer in self.announcers:
            announcer.children.forget_above(number)

    def rows(self, logs: Sequence[Log], reader: Reader) -> Rows:
        """The rows of the scope's own tables, and what is undecoded by all sources together."""
        rows = self.everything.rows(logs, times.of_logs(logs, reader.headers_by_number))
        own = {source.table for source in self.asked.sources}
        rows.lines = {table: lines for table, lines in rows.lines.items() if table in own}
        return rows


def next_range(
    ranges: prefetch.Prefetch, scope: Scope, reader: Reader, position: int, final: int
) -> tuple[prefetch.Fetched, list[Log]] | None:
    """The next range above `position` as `Prefetch.take`, and its logs. None: the node refused it as too
    large, if only for the children that it announces; they are announced again by the smaller one."""
    found = ranges.take(reader, scope.filter, position, final)
    if found is None:
        return None
    try:
        return found, range_logs(scope, reader, found)
    except errors.RpcError as error:
        ranges.refused(error, found.range.first, found.range.last)
        return None


def range_logs(scope: Scope, reader: Reader, found: prefetch.Fetched) -> list[Log]:
    """A range's logs with those of children that it was not asked for, which must end in the same block."""
    taken = found.range

    def again(more: LogFilter) -> Sequence[Log]:
        answer = fetch.final_range(reader, more, taken.first, taken.last)
        if answer.tip.hash != taken.tip.hash:
            raise TransientError(f"block {taken.last} was {taken.tip.hash}, then {answer.tip.hash}")
        return answer.logs

    return scope.complete(taken.logs, found.wanted, taken.last, again)


def block_logs(
    scope: Scope,
    reader: Reader,
    header: Header,
    second: fetch.SecondReader | None = None,
    doubted: Callable[[BlockRef], None] = lambda _: None,
) -> list[Log]:
    """One block's logs, those of children announced in it included. `doubted` hears of a block whose empty
    answer was believed for a second answer alone."""
    last = quantity.parse(header.number)

    def ask(wanted: LogFilter) -> Sequence[Log]:
        found = fetch.block(reader, wanted, header, second)
        if found.proof in {"second answer", "asked twice"}:
            doubted(found.ref)
        return found.logs

    wanted = scope.filter(last)
    return scope.complete(ask(wanted), wanted, last, ask)


def missing(have: LogFilter, want: LogFilter) -> LogFilter | None:
    """What must still be asked to have `want`'s logs; None: nothing. Addresses None: all of them again.

    Topics are of the sources, which don't change; only addresses grow.
    """
    if have.addresses is None or have.addresses == want.addresses:
        return None
    if want.addresses is None:
        return want
    new = tuple(address for address in want.addresses if address not in have.address_set)
    return LogFilter(new, want.topics0) if new else None
