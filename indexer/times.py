"""Block times as PostgreSQL literals: from the logs where the node gives them, else from the headers."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from chainfirst.indexer.rpc import quantity
from chainfirst.indexer.structs import Header, Log
from chainfirst.ops.errors import FatalError, TransientError


def literal(seconds: int) -> str:
    """A timestamptz literal for Unix seconds. FatalError where the chain counts something else."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ")
    except (ValueError, OverflowError, OSError):
        raise FatalError(
            f"a block's timestamp is {seconds}, which is no time in seconds since 1970",
            "This chain counts time in another unit; it can't be indexed as it is.",
        ) from None


def of_logs(
    logs: Iterable[Log], headers_by_number: Callable[[Sequence[int]], Sequence[Header]]
) -> dict[str, str]:
    """The time of each block of `logs`, by the block number as the logs spell it.

    Headers are asked for only where the logs say nothing; one of another block than the log's is a
    TransientError, since the node reorganised in between.
    """
    times: dict[str, str] = {}
    missing: dict[str, Log] = {}
    for log in logs:
        if log.block_number in times or log.block_number in missing:
            continue
        if log.block_timestamp is None:
            missing[log.block_number] = log
        else:
            times[log.block_number] = literal(quantity.parse(log.block_timestamp))
    if not missing:
        return times
    numbers = [quantity.parse(number) for number in missing]
    for (spelled, log), header in zip(missing.items(), headers_by_number(numbers), strict=True):
        if header.hash != log.block_hash:
            raise TransientError(
                f"block {int(spelled, 16)} is {header.hash}, its logs were of {log.block_hash}"
            )
        times[spelled] = literal(quantity.parse(header.timestamp))
    return times
