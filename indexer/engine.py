"""The indexer: one `step()` brings the database one batch nearer to the chain.

One cursor and one code path for history and head: far below the final block a step takes a range, near
it and above it linked blocks. The state in memory is an image of the database; whatever goes wrong, it
is dropped and read again.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from chainfirst.indexer import (
    announce,
    chain,
    commit,
    fetch,
    finality,
    join,
    observe,
    pipeline,
    prefetch,
    state,
    window,
)
from chainfirst.indexer.commit import Batch
from chainfirst.indexer.router import Router, Rows
from chainfirst.indexer.rpc import errors as rpc_errors
from chainfirst.indexer.rpc import quantity
from chainfirst.indexer.rpc.errors import Kind
from chainfirst.indexer.scope import Reader as Reader
from chainfirst.indexer.scope import Scope, block_logs, next_range
from chainfirst.indexer.settler import Settler
from chainfirst.indexer.structs import BlockRef, Header, Log
from chainfirst.ops.errors import ConfigError, TransientError
from chainfirst.schema import folds
from chainfirst.schema.folds import Fold

LINKED_SPAN = 64
"""Blocks in one batch of linked blocks. Farther than that below the final block ranges are faster; and no
range comes nearer to the head: behind a balancer, a replica that lags leaves its last blocks' logs out."""
ASK_SECONDS = 1.0
"""While ranges are taken, the head is asked for no more often."""


class Progress(Enum):
    """What a step did."""

    ADVANCED = "advanced"
    IDLE = "idle"


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
        self,
        conn: commit.Connection,
        reader: Reader,
        setup: Setup,
        epoch: int,
        ranges: window.Window,
        *,
        ahead: int = 4,
        settler: Settler | None = None,
        observer: observe.Observer = observe.Silent(),  # noqa: B008
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`ranges`: where the adaptive window starts; `ahead`: how many ranges are fetched at once;
        `settler`: settles intents by what is indexed; None: there are none."""
        self._settler = settler
        self._second: fetch.SecondReader | None = None
        self._observer, self._clock = observer, clock
        self._started, self._seen = 0.0, 0  # when this step began, the node's head
        self._settled, self._ask_at = -1, 0.0  # the last block for ranges, and until when that is good
        self._conn, self._reader, self._setup, self._epoch = conn, reader, setup, epoch
        self._ranges = pipeline.Pipeline(prefetch.Prefetch(ranges, ahead=ahead), ahead=ahead > 1)
        self._later = prefetch.Prefetch(ranges, ahead=ahead)
        self._state: state.State | None = None
        self._tag_known = True
        self._most_addresses: int | None = None

    def use(self, reader: Reader, second: fetch.SecondReader | None = None) -> None:
        """Ask this endpoint from the next step on; what it says is checked against the blocks held.
        `second` is asked where an empty answer can't be proven."""
        self._reader, self._second = reader, second

    def step(self) -> Progress:
        """One batch, or IDLE when the database is at the head. Raises transient, reset and fatal errors;
        after any of them the next step starts from the database."""
        try:
            if self._state is None:
                self._state = self._load()
            return self._advance(self._state)
        except BaseException as error:
            self._state = None
            self._settled = -1
            self._ranges.forget()
            self._later.forget()
            if _refuses_addresses(error) and self._most_addresses != 0:
                self._most_addresses = 0  # this node takes so long a list from nobody: by topics from now on
                return Progress.ADVANCED
            raise

    def _load(self) -> state.State:
        held = state.load(self._conn, self._setup.announcers)
        self._check_identity(held)
        self._check_ledger()
        self._head = self._scope(frozenset(self._setup.tables.keys() - held.syncing.keys()))
        self._folds = [
            fold for fold in self._setup.folds if not any(table in held.syncing for table, _ in fold.sources)
        ]
        return held

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
                chain.FINALITY_ADVICE,
            )

    def _check_ledger(self) -> None:
        """A ledger that the database has must be kept: what it missed nobody would add later."""
        stale = [fold.name for fold in folds.present(self._conn) if fold not in self._setup.folds]
        if stale:
            raise ConfigError(
                f"this database has the platform's ledger, which would go stale: {', '.join(stale)}",
                "Set platform.enabled = true, or give this configuration a database of its own.",
            )

    def _advance(self, held: state.State) -> Progress:
        self._started = self._clock()
        tip = held.tip
        position = self._setup.start_block - 1 if tip is None else tip.number
        if self._started < self._ask_at and self._take_range(held, position):
            return Progress.ADVANCED
        # The tag before the head: what was final then lies below whatever head comes after it, of this node.
        tagged = self._tagged()
        head = self._reader.header_by_number("latest")
        if head is None:
            raise TransientError("the node has no latest block")
        stored = held.final
        number = self._seen = quantity.parse(head.number)
        self._observer.saw(number, quantity.parse(head.timestamp))
        if held.blocks and number < held.blocks[0].number:
            raise TransientError(
                f"the node's head is {number}, below the oldest block held here, {held.blocks[0].number}",
                "It lags, or it is another chain.",
            )
        final = finality.final_number(
            self._setup.finality,
            number,
            None if tagged is None else tagged.number,
            self._tag_known,
            None if stored is None else stored.number,
        )
        self._settled = -1 if final is None else min(final, number - LINKED_SPAN)
        self._ask_at = self._started + ASK_SECONDS
        if self._take_range(held, position):
            return Progress.ADVANCED
        self._ranges.forget()
        progress = self._take_linked(held, head, position, final, tagged)
        return Progress.ADVANCED if self._catch_up(held) else progress

    def _tagged(self) -> BlockRef | None:
        policy = self._setup.finality
        if not isinstance(policy, finality.Tag) or not self._tag_known:
            return None
        try:
            header = self._reader.header_by_number(policy.tag)
        except rpc_errors.RpcError as error:
            if error.kind is Kind.TAG_UNSUPPORTED:
                if policy.fallback_depth is None:
                    raise _no_tag(policy.tag, error) from error
                self._tag_known = False
            elif error.kind is not Kind.NOT_YET_FINAL:
                raise
            return None
        return None if header is None else fetch.ref(header)

    def _take_range(self, held: state.State, position: int) -> bool:
        """One range of settled blocks; False: there are too few, or the tip was replaced."""
        if self._settled - position <= LINKED_SPAN:
            return False
        taken = self._ranges.take(self._reader, self._head, position, self._settled, LINKED_SPAN)
        if taken is None:
            return True
        found = taken.found
        if held.tip is not None and found.before != held.tip.hash:
            self._ranges.forget()
            held.forget_above(held.tip.number)
            return False
        mined = (
            []
            if self._settler is None
            else self._settler.look_range(self._conn, self._reader, found.range.first, found.range.last)
        )
        batch = Batch(
            found.range.first, [found.range.tip], taken.rows, found.range.tip, durable=False, inclusions=mined
        )
        self._write(held, batch, "backfill")
        return True

    def _catch_up(self, held: state.State) -> bool:
        """One range of the sources that came later, or their joining; False: nothing to do for them now."""
        group = join.next_group(held.syncing.values(), held.cursor.final_number)
        if group is None:
            return False
        scope = self._scope(group.tables)
        complete: list[Fold] = []
        end = join.range_end(group, held.cursor.final_number)
        if end is not None:
            taken = next_range(self._later, scope, self._reader, group.complete_to, end)
            if taken is None:
                scope.forget_above(group.complete_to)
                return True
            batch = join.of_range(scope, self._reader, group, *taken)
        elif join.may_join(group, held.blocks):
            batch = join.the_rest(scope, self._reader, group, held.blocks, self._second, self._doubted)
            complete = join.completed(self._setup.folds, held.syncing, group.tables)
        else:
            return False
        sources = commit.join(
            self._conn, self._epoch, held.cursor, batch, self._setup.tables, complete, self._settler
        )
        held.syncing.update({source.table_name: source for source in sources})
        if batch.joined:
            self._state = None  # which sources follow the head is read again
        return True

    def _take_linked(
        self, held: state.State, head: Header, position: int, final: int | None, tagged: BlockRef | None
    ) -> Progress:
        claimed = self._claim(held, head, position)
        if not claimed:
            return Progress.IDLE
        try:
            outcome, fresh = self._reconcile(held, claimed)
            if isinstance(outcome, chain.Known):
                return self._only_final(held, final, tagged)
            first = outcome.blocks[0].number
            if isinstance(outcome, chain.Replaces):
                if len(outcome.removed) == len(held.blocks):
                    self._check_identity(held)  # nothing held leads to the replacement
                held.forget_above(first - 1)
            logs = [log for header in fresh for log in self._block_logs(header)]
            rows = self._rows(logs)
            mined = [] if self._settler is None else self._settler.look(self._conn, self._reader, fresh)
        except TransientError as error:
            # The old rows stay until their replacement is complete, but readers are told.
            if claimed[0].parent_hash != held.cursor.indexed_hash and held.cursor.indexed_hash is not None:
                commit.suspect(self._conn, self._epoch, held.cursor, str(error))
            raise
        kept = [*held.blocks, *outcome.blocks]
        replaces = isinstance(outcome, chain.Replaces)
        newest = finality.final_block(kept, final, tagged, held.cursor.final_number)
        batch = Batch(first, outcome.blocks, rows, newest, replaces, inclusions=mined)
        self._write(held, batch, "follow")
        if isinstance(outcome, chain.Replaces):
            self._observer.reorganised(len(outcome.removed))
        return Progress.ADVANCED

    def _reconcile(
        self, held: state.State, claimed: list[Header]
    ) -> tuple[chain.Extends | chain.Replaces | chain.Known, list[Header]]:
        """The decision, after walking back as far as it needs; and the headers that are news."""
        refs = [fetch.ref(header) for header in claimed]
        if not held.blocks:
            chain.check_linked(refs)
            return chain.Extends(tuple(refs)), claimed
        final = held.cursor.final_number
        while isinstance(outcome := chain.reconcile(held.blocks, refs, final), chain.NeedsParent):
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

    def _only_final(self, held: state.State, final: int | None, tagged: BlockRef | None) -> Progress:
        """No new block, but more of the held ones may be final now, or a suspicion has passed."""
        newest = finality.final_block(held.blocks, final, tagged, held.cursor.final_number)
        if newest == held.final and held.cursor.reorg_suspected is None:
            return Progress.IDLE
        held.cursor = commit.finalize(self._conn, self._epoch, held.cursor, newest, self._settler)
        if newest is not None:
            held.keep_from(newest.number)
        return Progress.ADVANCED

    def _block_logs(self, header: Header) -> list[Log]:
        return block_logs(self._head, self._reader, header, self._second, self._doubted)

    def _doubted(self, block: BlockRef) -> None:
        self._observer.second_answer(block.number, block.hash)

    def _scope(self, tables: frozenset[str]) -> Scope:
        return Scope.of(self._setup.router, self._setup.announcers, tables, self._most_addresses)

    def _rows(self, logs: Sequence[Log]) -> Rows:
        return self._head.rows(logs, self._reader)

    def _write(self, held: state.State, batch: Batch, mode: observe.Mode) -> None:
        began = self._clock()
        held.cursor = commit.apply(
            self._conn, self._epoch, held.cursor, batch, self._setup.tables, self._folds, self._settler
        )
        written = self._clock()
        held.blocks = [*held.blocks, *batch.blocks]
        if batch.final is not None:
            held.keep_from(batch.final.number)
        self._observer.committed(
            mode,
            {table: len(lines) for table, lines in batch.rows.lines.items()},
            len(batch.rows.undecoded),
            batch.rows.not_ours,
            written - self._started,
            indexed=batch.blocks[-1].number,
            final=held.cursor.final_number,
            head=self._seen,
            write_seconds=written - began,
            indexed_time=batch.blocks[-1].time,
        )


def _no_tag(tag: str, error: rpc_errors.RpcError) -> ConfigError:
    return ConfigError(
        f'chain.finality: the node knows no tag "{tag}": {error.message}',
        'Set a fallback_depth, or a depth; "instant" for IBFT, QBFT and PolyBFT only.',
    )


def _refuses_addresses(error: BaseException) -> bool:
    return isinstance(error, rpc_errors.RpcError) and error.kind is Kind.TOO_MANY_ADDRESSES
