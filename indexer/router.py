"""Which log is whose: from logs to the rows of event tables. Pure; compiled once from the configuration.

A log is matched by topic 0, number of topics and address; it may belong to several contracts of the
configuration, and then becomes a row of each. Nothing is dropped in silence: what a configured address
emits under a configured topic, and what fits no ABI, is a row of event.undecoded with its reason.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chainfirst.indexer import decode
from chainfirst.indexer.children import Children
from chainfirst.indexer.decode import Decoder
from chainfirst.indexer.rpc.validate import LogFilter
from chainfirst.indexer.structs import Log
from chainfirst.ops.errors import ConfigError, FatalError

ADDRESSES_IN_FILTER = 500
"""Above so many addresses a filter names topics only and the rest is done here. Measured on anvil (`python -m
bench children`): where half of the logs are foreign, a list is faster up to 5,000 addresses; where none are,
topics alone are somewhat faster at any number. So the nodes decide: geth and erigon refuse above 1,000."""

REASONS = "; "
"""Between the reasons of a row of event.undecoded, one for each source, in alphabetical order."""


class LogIdentityQuirk(FatalError):
    """Two different logs under one key: this chain numbers its logs in a way that nothing here knows."""


@dataclass(frozen=True)
class Source:
    """One event of one contract. `addresses`: fixed ones; None for "any" and for a factory's children.

    Logs below `start_block` are not its own.
    """

    decoder: Decoder
    addresses: frozenset[str] | None
    children: Children | None = None
    start_block: int = 0

    @property
    def table(self) -> str:
        """Its table in the schema event."""
        return self.decoder.layout.table

    @property
    def any_address(self) -> bool:
        """Whether logs of every address are asked for."""
        return self.addresses is None and self.children is None

    def owns(self, log: Log) -> bool:
        """Whether the log's address is this source's, at the log's position."""
        if self.start_block and int(log.block_number, 16) < self.start_block:
            return False
        if self.children is not None:
            position = (int(log.block_number, 16), int(log.transaction_index, 16))
            return self.children.covers(log.address, position)
        return self.addresses is None or log.address in self.addresses


@dataclass
class Rows:
    """COPY lines by event table, those of event.undecoded, and how many logs were nobody's."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    undecoded: list[str] = field(default_factory=list)
    not_ours: int = 0


class Router:
    """Matches logs with sources."""

    def __init__(self, sources: Sequence[Source], most_addresses: int | None = None) -> None:
        """`most_addresses` in a filter; None: ADDRESSES_IN_FILTER."""
        self.sources = tuple(sources)
        self._most_addresses = most_addresses
        self._by_topic: dict[str, list[Source]] = {}
        self._anonymous: list[Source] = []
        for source in self.sources:
            layout = source.decoder.layout
            if not layout.anonymous:
                self._by_topic.setdefault(layout.topic0, []).append(source)
                continue
            if source.any_address:
                raise ConfigError(
                    f"{layout.contract}: the anonymous event {layout.event} can't be told apart at address "
                    '"any"',
                    "Give the contract an address, or leave the event out.",
                )
            self._anonymous.append(source)

    def filter(self, last: int) -> LogFilter:
        """What to ask a node for in blocks up to `last`.

        All topics where an anonymous event is configured; all addresses for "any", and where there are
        so many that filtering here is cheaper.
        """
        started = [source for source in self.sources if source.start_block <= last]
        anonymous = any(source.decoder.layout.anonymous for source in started)
        topics = {source.decoder.layout.topic0 for source in started}
        most = ADDRESSES_IN_FILTER if self._most_addresses is None else self._most_addresses
        return LogFilter(_addresses(started, most), None if anonymous else tuple(sorted(topics)))

    def rows(self, logs: Iterable[Log], times: Mapping[str, str]) -> Rows:
        """The rows of `logs`, which are in chain order; `times`: a literal for each block number in hex."""
        rows = Rows()
        # An address that is a source's at one log is so at all later ones: its owner need be found only once.
        alone: dict[tuple[str, str], tuple[Callable[[Log, str], str], Callable[[str], None]]] = {}
        for log in distinct(logs):
            topic = log.topics[0] if log.topics else ""
            known = alone.get((log.address, topic))
            if known is not None:
                encode, append = known
                try:
                    append(encode(log, times[log.block_number]))
                except (decode.LossyText, decode.Undecodable):
                    pass  # to where its words are kept
                else:
                    continue
            possible = [
                source
                for source in (*self._by_topic.get(topic, ()), *self._anonymous)
                if source.addresses is None or log.address in source.addresses
            ]
            owners = [source for source in possible if source.owns(log)]
            if not owners:
                rows.not_ours += 1
                continue
            if len(possible) == 1:
                lines = rows.lines.setdefault(owners[0].table, [])
                alone[log.address, topic] = (owners[0].decoder.encode, lines.append)
            self._add(rows, log, times[log.block_number], owners)
        rows.lines = {table: lines for table, lines in rows.lines.items() if lines}
        return rows

    def _add(self, rows: Rows, log: Log, time: str, owners: Sequence[Source]) -> None:
        reasons: list[tuple[Source, str]] = []
        fitted = False
        for source in owners:
            layout = source.decoder.layout
            try:
                line = source.decoder.encode(log, time)
            except decode.LossyText as lossy:
                line = lossy.line
                reasons.append((source, decode.LOSSY_TEXT))
            except decode.Undecodable as misfit:
                reasons.append((source, str(misfit)))
                continue
            fitted = True
            rows.lines.setdefault(layout.table, []).append(line)
        kept = [
            f"{source.decoder.layout.contract}.{source.decoder.layout.event}: {reason}"
            for source, reason in reasons
            # ERC-20 and ERC-721 share a topic: a log that fits one of an address's events is no misfit
            # of the other, and at address "any" a log that fits nothing is simply not ours.
            if reason == decode.LOSSY_TEXT or not (fitted or source.any_address)
        ]
        if kept:
            rows.undecoded.append(decode.undecoded_line(log, time, REASONS.join(sorted(kept))))
        elif not fitted:
            rows.not_ours += 1


def _addresses(sources: Sequence[Source], most: int) -> tuple[str, ...] | None:
    wanted: set[str] = set()
    for source in sources:
        if source.any_address:
            return None
        wanted.update(source.addresses or ())
        if source.children is not None:
            if len(source.children.since) > most:
                return None
            wanted.update(source.children.since)
    return None if len(wanted) > most else tuple(sorted(wanted))


def distinct(logs: Iterable[Log]) -> Iterable[Log]:
    """`logs`, in chain order, without identical repetitions.

    LogIdentityQuirk for two different logs with the same block number, transaction index and log index.
    """
    before: Log | None = None
    for log in logs:
        if (
            before is None
            or log.log_index != before.log_index
            or log.transaction_index != before.transaction_index
            or log.block_number != before.block_number
        ):
            before = log
            yield log
        elif log != before:
            raise LogIdentityQuirk(
                f"two different logs of block {int(log.block_number, 16)} have transaction index "
                f"{int(log.transaction_index, 16)} and log index {int(log.log_index, 16)} "
                f"(transactions {before.transaction_hash} and {log.transaction_hash})",
                "Ask another node for the block's receipts; if it says the same, the chain can't be indexed.",
            )
