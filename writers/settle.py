"""What the chain made of intents: inclusions and settlements, written in the indexer's own transaction.

The indexer calls `look` before that transaction (it asks the node) and `settle` in it. An intent's status is
computed from these rows; only a final block ends one. Law 5.
"""

import dataclasses
import uuid
from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from chainfirst.indexer.settler import Inclusion, Reader, Settling
from chainfirst.indexer.structs import Header, Receipt
from chainfirst.ops import failpoint
from chainfirst.ops.errors import TransientError
from chainfirst.schema import queries
from chainfirst.writers import rows
from psycopg import sql

Connection = psycopg.Connection[Any]
_SQL = queries.load("settle.sql", "chainfirst.writers")


class Settler:
    """The callback that the daemon hands to the indexer."""

    def look(self, conn: Connection, reader: Reader, headers: Sequence[Header]) -> list[Inclusion]:
        """The open attempts in these blocks, by the blocks' transaction hashes.

        TransientError: the node has no receipt for a transaction of the block, or one of another block.
        """
        attempts = _open_attempts(conn)
        if not attempts:
            return []
        return [
            _in_block(reader, attempts[each.lower()], each, header)
            for header in headers
            for each in header.transactions
            if each.lower() in attempts
        ]

    def look_range(self, conn: Connection, reader: Reader, first: int, last: int) -> list[Inclusion]:
        """The open attempts in a range of final blocks, by their receipts. TransientError as `look`."""
        found = []
        for transaction_hash, attempt in _open_attempts(conn).items():
            receipt = reader.transaction_receipt(transaction_hash)
            if receipt is None or not first <= receipt.block_number <= last:
                continue
            header = reader.header_by_number(receipt.block_number)
            if header is None or header.hash != receipt.block_hash:
                raise TransientError(
                    f"the receipt of {transaction_hash} names block {receipt.block_number} "
                    f"{receipt.block_hash}, the node's chain has {header.hash if header else 'none'}"
                )
            found.append(inclusion(attempt, receipt))
        return found

    def settle(self, conn: Connection, change: Settling) -> None:
        """In the indexer's transaction: take back, include, settle, end; wake whoever waits."""
        changed = 0
        if change.replaces:  # also what intents that have ended left there
            changed += conn.execute(_SQL["unwind_settlements"], [change.first]).rowcount
            changed += conn.execute(_SQL["unwind_inclusions"], [change.first]).rowcount
            if changed:
                failpoint.reach("settle.unwound")
        if not rows.value(conn.execute(_SQL["anything_open"])):
            return
        failpoint.reach("settle.before")
        for each in change.inclusions:
            changed += include(conn, each)
            failpoint.reach("settle.included")
        settled = _settle(conn, change.tables, change.first, change.last)
        if settled:
            failpoint.reach("settle.settled")
        ended = end(conn, change.final)
        if ended:
            failpoint.reach("settle.ended")
        changed += settled + ended
        if changed:
            conn.execute(_SQL["tell"], [change.last])


def include(conn: Connection, inclusion: Inclusion) -> int:
    """Note a block that holds an attempt; 0: it was noted before."""
    return conn.execute(_SQL["include"], dataclasses.asdict(inclusion)).rowcount


def already_true(
    conn: Connection, intents: Sequence[uuid.UUID], first: int, last: int, final: int | None
) -> None:
    """Settle intents that were just prepared, or adopted, by what the blocks `first` to `last` hold.

    The caller's transaction must hold the cursor (FOR SHARE) since before they were prepared: else an
    event could come in between and be seen by neither side.
    """
    if not intents:
        return
    tables = [name for (name,) in conn.execute(_SQL["expected_tables"], [list(intents)])]
    if _settle(conn, tables, first, last, intents):
        end(conn, final)
        conn.execute(_SQL["tell"], [last])


def end(conn: Connection, final: int | None) -> int:
    """End what final blocks decide; how many."""
    if final is None:
        return 0
    values = {"final": final}
    conn.execute(_SQL["close"], values)
    return (
        conn.execute(_SQL["end_settled"], values).rowcount + conn.execute(_SQL["end_mined"], values).rowcount
    )


def anything_overdue(conn: Connection, final: int | None) -> bool:
    """Whether `end` may find any: an app held them while the indexer's batch passed by."""
    return final is not None and bool(rows.value(conn.execute(_SQL["overdue"], {"final": final})))


def _settle(
    conn: Connection,
    tables: Collection[str],
    first: int,
    last: int,
    only: Sequence[uuid.UUID] | None = None,
) -> int:
    if not tables:
        return 0
    count = 0
    for table, column, kind in conn.execute(_SQL["expected"], {"tables": list(tables)}).fetchall():
        statement = sql.SQL(_SQL["settle"].decode()).format(
            table=sql.Identifier(table),
            column=sql.Identifier(column),
            type=sql.SQL(kind),
        )
        values = {
            "table": table,
            "column": column,
            "first": first,
            "last": last,
            "only": None if only is None else list(only),
        }
        count += conn.execute(statement, values).rowcount
    return count


def _open_attempts(conn: Connection) -> dict[str, int]:
    return dict(conn.execute(_SQL["open_attempts"]).fetchall())


def _in_block(reader: Reader, attempt: int, transaction_hash: str, header: Header) -> Inclusion:
    receipt = reader.transaction_receipt(transaction_hash)
    if receipt is None or receipt.block_hash != header.hash:
        raise TransientError(
            f"block {int(header.number, 16)} {header.hash} holds the transaction {transaction_hash}, whose "
            f"receipt is {'missing' if receipt is None else 'of block ' + receipt.block_hash}"
        )
    return inclusion(attempt, receipt)


def inclusion(attempt: int, receipt: Receipt) -> Inclusion:
    """What a receipt says of an attempt."""
    return Inclusion(
        attempt,
        receipt.block_number,
        receipt.block_hash,
        receipt.ok,
        receipt.gas_used,
        receipt.gas_price_wei,
    )
