"""What the indexer tells whoever settles intents by it, in its own transaction.

The indexer knows no writers: the daemon hands it one of these. A batch that adds, replaces or finalizes
blocks calls `settle` before its commit, so that events and what they settle are seen together (law 1).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from chainfirst.indexer.structs import Header, Receipt

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Inclusion:
    """A signed attempt in a block. `gas_price_wei`: what a unit of gas cost; None: the node doesn't say."""

    attempt: int
    block_number: int
    block_hash: str
    ok: bool
    gas_used: int
    gas_price_wei: int | None


@dataclass(frozen=True)
class Settling:
    """What a batch changed: rows of `tables` in the blocks `first` to `last`; `replaces`: everything from
    `first` on went before. `final` is the last final block now."""

    first: int
    last: int
    final: int | None
    tables: Collection[str] = ()
    inclusions: Sequence[Inclusion] = ()
    replaces: bool = False


class Reader(Protocol):
    """What is asked of the endpoint in use (`rpc.client.Client`)."""

    def header_by_number(self, block: int | str) -> Header | None:
        """The header at a number or tag; None if the node hasn't got it."""

    def transaction_receipt(self, transaction_hash: str) -> Receipt | None:
        """The receipt; None: no block of the node's chain holds the transaction."""


class Settler(Protocol):
    """Looks for own transactions before the batch's transaction, and settles in it."""

    def look(self, conn: Connection, reader: Reader, headers: Sequence[Header]) -> list[Inclusion]:
        """Own attempts in these linked blocks. TransientError: the node can't say now."""

    def look_range(self, conn: Connection, reader: Reader, first: int, last: int) -> list[Inclusion]:
        """Own attempts in a range of final blocks. TransientError as `look`."""

    def settle(self, conn: Connection, change: Settling) -> None:
        """Write what the change settles."""
