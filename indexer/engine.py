"""The indexer: one `step()` brings the database one batch nearer to the chain.

One cursor and one code path for history and head: far below the final block a step takes a range, near
it and above it linked blocks. The state in memory is an image of the database; whatever goes wrong, it
is dropped and read again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from chainfirst.indexer import announce, chain, commit, fetch, finality, state, times, window
from chainfirst.indexer.commit import Batch
from chainfirst.indexer.router import ADDRESSES_IN_FILTER, Router, Rows
from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.indexer.rpc import quantity, wording
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import BlockRef, Header, Log
from chainfirst.ops.errors import TransientError
from chainfirst.schema.folds import Fold

LINKED_SPAN = 64
"""Blocks in one batch of linked blocks; farther than that below the final block, ranges are faster."""


class Progress(Enum):
    """What a step did."""

    ADVANCED = "advanced"
    IDLE = "idle"


class Reader(fetch.Reader, Protocol):
    """What the engine asks of one endpoint (`rpc.client.Client`)."""

    def header_by_hash(self, block_hash: str) -> Header | None:
        """The header with this hash."""

    def headers_by_number(self, numbers: Sequence[int]) -> list[Header]:
        """The headers in the order asked."""


@dataclass(frozen=True)
class Setup:
    """What is indexed: sources with their tables' columns, factories, first block, finality, and the
    folds of the ledger that are kept true in the same transaction."""

    router: Router
    tables: commit.Tables
    announcers: tuple[announce.Announcer, ...]
    start_block: int
    finality: finality.Policy
    folds: Sequence[Fold] = ()


class Indexer:
    """Owns the schemas `chain` and `event`; `conn` is its own connection, in autocommit."""

    def __init__(
        self, conn: commit.Connection, reader: Reader, setup: Setup, epoch: int, ranges: window.Window
    ) -> None:
        self._conn, self._reader, self._setup, self._epoch = conn, reader, setup, epoch
        self._window = ranges
        self._state: state.State | None = None
        self._tag_known = True

    def use(self, reader: Reader) -> None:
        """Ask this endpoint from the next step on; what it says is checked against the blocks held."""
        self._reader = reader

    def step(self) -> Progress:
        """One batch, or IDLE when the database is at the head. Raises transient, reset and fatal errors;
        after any of them the next step starts from the database."""
        try:
            if self._state is None:
                self._state = state.load(self._conn, self._setup.announcers)
                self._check_identity(self._state)
            return self._advance(self._state)
        except BaseException:
            self._state = None
            raise

    def _check_identity(self, held: state.State) -> None:
        """The chain must be the one that the database holds, up to the final block."""
        known = [("genesis", 0, held.cursor.genesis_hash)]
        if held.final is not None:
            known.append(("final", held.final.number, held.final.hash))
        for name, number, block_hash in known:
            header = self._reader.header_by_number(number)
            if header is None or header.hash == block_hash:
                continue
            raise chain.FinalityViolated(
                f"finality violated: the {name} block {number} is {block_hash} here, "
                f"the node has {header.hash}",
                "A development chain that was reset needs an empty database. Otherwise find out which "
                "chain is true before anything else; nothing was changed here.",
            )

    def _advance(self, held: state.State) -> Progress:
        # The tag before the head: what was final then lies below whatever head comes after it.
        tagged = self._tagged()
        head = self._reader.header_by_number("latest")
        if head is None:
            raise TransientError("the node has no latest block")
        stored, tip = held.final, held.tip
        number = quantity.parse(head.number)
        if held.blocks and number < held.blocks[0].number:
            raise TransientError(
                f"the node's head is {number}, below the oldest block held here, {held.blocks[0].number}",
                "It lags, or it is another chain.",
            )
        final = finality.final_number(
            self._setup.finality, number, tagged, self._tag_known, None if stored is None else stored.number
        )
        position = self._setup.start_block - 1 if tip is None else tip.number
        if final is not None and final - position > LINKED_SPAN and self._is_canonical(held):
            return self._take_range(held, position, final)
        return self._take_linked(held, head, position, final)

    def _tagged(self) -> int | None:
        policy = self._setup.finality
        if not isinstance(policy, finality.Tag) or not self._tag_known:
            return None
        try:
            header = self._reader.header_by_number(policy.tag)
        except rpc_errors.RpcError as error:
            if error.kind is Kind.TAG_UNSUPPORTED and policy.fallback_depth is not None:
                self._tag_known = False
            elif error.kind is not Kind.NOT_YET_FINAL:
                raise
            return None
        return None if header is None else quantity.parse(header.number)

    def _is_canonical(self, held: state.State) -> bool:
        """Whether the tip still is the chain's: a range that follows it carries no parent hash."""
        tip = held.tip
        if tip is None:
            return True
        header = self._reader.header_by_number(tip.number)
        return header is not None and header.hash == tip.hash

    def _take_range(self, held: state.State, position: int, final: int) -> Progress:
        span = window.next_range(position, final, self._window)
        assert span is not None  # the caller saw that final is above position
        first, last = span
        asked, wanted = last - first + 1, self._filter()
        try:
            found = fetch.final_range(self._reader, wanted, first, last)
        except rpc_errors.RpcError as error:
            self._shrink(error, first, last)
            return Progress.ADVANCED
        logs = self._with_children(wanted, found.logs, lambda more: self._range_again(found, more))
        self._write(held, Batch(first, [found.tip], self._rows(logs), found.tip))
        self._window = self._window.after_answer(asked, found.received_bytes)
        return Progress.ADVANCED

    def _range_again(self, found: fetch.Range, more: LogFilter) -> Sequence[Log]:
        """The logs of other addresses in the same range, which must end in the same block."""
        again = fetch.final_range(self._reader, more, found.first, found.last)
        if again.tip.hash != found.tip.hash:
            raise TransientError(f"block {found.last} was {found.tip.hash}, then {again.tip.hash}")
        return again.logs

    def _shrink(self, error: rpc_errors.RpcError, first: int, last: int) -> None:
        """A smaller window where that is the cure; at one block, or for another failure, raise."""
        asked = last - first + 1
        if error.kind not in rpc_errors.SHRINK or asked == 1:
            raise error
        if error.kind is Kind.RANGE_TOO_LARGE:
            self._window = self._window.after_range_refused(asked, wording.range_limit(error.text))
            return
        suggested = wording.suggested_range(error.text, first, last)
        smaller = None if suggested is None else suggested[1] - suggested[0] + 1
        self._window = self._window.after_result_refused(asked, smaller)

    def _take_linked(self, held: state.State, head: Header, position: int, final: int | None) -> Progress:
        claimed = self._claim(held, head, position)
        if not claimed:
            return Progress.IDLE
        try:
            outcome, fresh = self._reconcile(held, claimed)
            if isinstance(outcome, chain.Known):
                return self._only_final(held, final)
            ancestor = outcome.ancestor if isinstance(outcome, chain.Replaces) else None
            if ancestor is not None:
                held.forget_above(ancestor.number)
            logs = [log for header in fresh for log in self._block_logs(header)]
            rows = self._rows(logs)
        except TransientError as error:
            # The old rows stay until their replacement is complete, but readers are told.
            if claimed[0].parent_hash != held.cursor.indexed_hash and held.cursor.indexed_hash is not None:
                commit.suspect(self._conn, self._epoch, held.cursor, str(error))
            raise
        kept = [*held.blocks, *outcome.blocks]
        batch = Batch(outcome.blocks[0].number, outcome.blocks, rows, _final_ref(kept, final), ancestor)
        self._write(held, batch)
        return Progress.ADVANCED

    def _reconcile(
        self, held: state.State, claimed: list[Header]
    ) -> tuple[chain.Extends | chain.Replaces | chain.Known, list[Header]]:
        """The decision, after walking back as far as it needs; and the headers that are news."""
        refs = [fetch.ref(header) for header in claimed]
        if not held.blocks:
            chain.check_linked(refs)
            return chain.Extends(tuple(refs)), claimed
        oldest = held.blocks[0].number
        while isinstance(outcome := chain.reconcile(held.blocks, refs, oldest), chain.NeedsParent):
            parent = self._reader.header_by_hash(outcome.parent_hash)
            if parent is None:
                raise TransientError(f"block {outcome.number} {outcome.parent_hash} is gone already")
            claimed, refs = [parent, *claimed], [fetch.ref(parent), *refs]
        fresh = [] if isinstance(outcome, chain.Known) else claimed[-len(outcome.blocks) :]
        return outcome, fresh

    def _claim(self, held: state.State, head: Header, position: int) -> list[Header]:
        """The next blocks of the node's chain; the head itself where that is at or below the tip."""
        number = quantity.parse(head.number)
        if number <= position + 1 and held.blocks:
            return [head]
        if number <= position:
            return []
        last = min(number, position + LINKED_SPAN)
        return self._reader.headers_by_number(range(position + 1, last + 1))

    def _only_final(self, held: state.State, final: int | None) -> Progress:
        """No new block, but more of the held ones may be final now, or a suspicion has passed."""
        newest = _final_ref(held.blocks, final)
        if newest == held.final and held.cursor.reorg_suspected is None:
            return Progress.IDLE
        held.cursor = commit.finalize(self._conn, self._epoch, held.cursor, newest)
        if newest is not None:
            held.keep_from(newest.number)
        return Progress.ADVANCED

    def _block_logs(self, header: Header) -> list[Log]:
        wanted = self._filter()
        logs = fetch.block(self._reader, wanted, header).logs
        return self._with_children(wanted, logs, lambda more: fetch.block(self._reader, more, header).logs)

    def _with_children(
        self, wanted: LogFilter, found: Sequence[Log], again: Callable[[LogFilter], Sequence[Log]]
    ) -> list[Log]:
        """What `wanted` brought, with the logs of the children announced in it, and of their children."""
        logs, topics = list(found), wanted.topics0
        while new := self._announce(logs):
            if wanted.addresses is None:
                continue  # their logs are here already; they may announce more
            if len(new) > ADDRESSES_IN_FILTER:
                wanted = LogFilter(None, topics)
                logs = list(again(wanted))
            else:
                logs.extend(again(LogFilter(tuple(sorted(new)), topics)))
        logs.sort(key=_place)
        return logs

    def _announce(self, logs: Sequence[Log]) -> set[str]:
        new: set[str] = set()
        for announcer in self._setup.announcers:
            new |= announcer.children.announce(announcer.announced(logs))
        return new

    def _filter(self) -> LogFilter:
        return LogFilter(self._setup.router.addresses(), self._setup.router.topics0())

    def _rows(self, logs: Sequence[Log]) -> Rows:
        return self._setup.router.rows(logs, times.of_logs(logs, self._reader.headers_by_number))

    def _write(self, held: state.State, batch: Batch) -> None:
        held.cursor = commit.apply(
            self._conn, self._epoch, held.cursor, batch, self._setup.tables, self._setup.folds
        )
        held.blocks = [*held.blocks, *batch.blocks]
        if batch.final is not None:
            held.keep_from(batch.final.number)


def _final_ref(blocks: Sequence[BlockRef], final: int | None) -> BlockRef | None:
    """The last of `blocks` (ascending) at or below `final`."""
    return next((block for block in reversed(blocks) if final is not None and block.number <= final), None)


def _place(log: Log) -> tuple[int, int, int]:
    return int(log.block_number, 16), int(log.transaction_index, 16), int(log.log_index, 16)
