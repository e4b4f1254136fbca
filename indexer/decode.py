"""Logs to rows: one decoder for each event, compiled once from its layout.

`encode` is generated code (see codegen.py) and gives one line of COPY's text format. What can go wrong:
- Undecodable: a true log that does not fit the ABI. Its raw form goes to event.undecoded.
- LossyText: the row is there (`line`), but its text had to be changed; the raw form is kept too.
- MalformedLog: what the node sent is no log at all. Nothing of it is stored.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from chainfirst.indexer import abi_read, codegen
from chainfirst.indexer.abi_read import Undecodable
from chainfirst.indexer.codegen import LossyText, MalformedLog
from chainfirst.indexer.structs import Log
from chainfirst.schema.layout import EventLayout

__all__ = [
    "LOSSY_TEXT",
    "Decoder",
    "LossyText",
    "MalformedLog",
    "Undecodable",
    "compile_event",
    "undecoded_line",
]

LOSSY_TEXT = "lossy text"
_SURROGATES = re.compile("[\ud800-\udfff]")
MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class Decoder:
    """The decoder of one event.

    `encode(log, block_time)`: the log as one COPY line, newline included, all columns in the table's order.
    `block_time` is a timestamptz literal of ours, e.g. "2023-11-04 16:58:07+00".
    """

    layout: EventLayout
    encode: Callable[[Log, str], str]

    def values(self, log: Log) -> dict[str, object]:
        """The parameters by column name: int, bool, str (text; address, bytesN and hashes as 0x hex),
        bytes, list, dict. The slow path: for tests, tools and errors. Same exceptions but LossyText."""
        codegen.check_log(log)
        if len(log.topics) != self.layout.n_topics:
            raise Undecodable(f"{len(log.topics)} topics, expected {self.layout.n_topics}")
        if not self.layout.anonymous and log.topics[0].lower() != self.layout.topic0:
            raise Undecodable(f"topic {log.topics[0]}, expected {self.layout.topic0}")
        topics = iter(log.topics if self.layout.anonymous else log.topics[1:])
        source = abi_read.Source(bytes.fromhex(log.data[2:]))
        values: dict[str, object] = {}
        head = 0
        for column in self.layout.columns:
            if column.hashed:
                values[column.name] = next(topics).lower()
                continue
            read = abi_read.reader(column.param, as_json=False)
            if column.indexed:
                values[column.name] = read(abi_read.Source(bytes.fromhex(next(topics)[2:])), 0)
                continue
            at = source.uint(head) if column.param.dynamic else head
            values[column.name] = read(source, at)
            head += 32 * column.param.head_words
        return values


def compile_event(layout: EventLayout) -> Decoder:
    """The decoder of an event; compile once, use for every log."""
    return Decoder(layout, codegen.encoder(layout))


def undecoded_line(log: Log, block_time: str, reason: str) -> str:
    """The log as one COPY line of event.undecoded. MalformedLog as `encode`."""
    codegen.check_log(log)
    block, tx_index, log_index = (
        int(text, 16) for text in (log.block_number, log.transaction_index, log.log_index)
    )
    reason = _SURROGATES.sub("\ufffd", reason[:MAX_REASON_CHARS].replace("\0", "\ufffd"))
    fields = (
        f"{block}\t{tx_index}\t{log_index}\t{block_time}",
        log.transaction_hash.lower(),
        log.address.lower(),
        f"{{{','.join(log.topics).lower()}}}",
        f"\\\\x{log.data[2:].lower()}",
        codegen.escape(reason),
    )
    return "\t".join(fields) + "\n"
