"""`chainfirst export`: the ledger as of a final block, for an auditor."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors
from chainfirst.ops.commands import context, csvs, parts

if TYPE_CHECKING:
    from chainfirst.schema.store import Connection, Cursor

app = typer.Typer()

SUMS = "SHA256SUMS"
PARTS = ("held_birr", "released_birr", "fee_withdrawn_birr", "refunded_birr")
"""What a campaign's money becomes: they add up to what it raised."""


@dataclass(frozen=True)
class Stamp:
    """Of which chain and block an export is."""

    chain_id: int
    number: int
    hash: str
    time: datetime

    def __str__(self) -> str:
        return f"chain_id={self.chain_id} block={self.number} hash={self.hash} time={csvs.moment(self.time)}"


@app.command(epilog="Example: chainfirst export --as-of 1200000 --out audit-2026")
def export(
    context_: typer.Context,
    number: Annotated[int, typer.Option("--as-of", min=0, metavar="BLOCK", help="A final block.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A new folder; left out: ledger-BLOCK.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Write the ledger as it was at a block as CSV files, with totals that must agree and SHA-256 sums; exit
    code 1 if the totals don't agree.

    It is made anew from the events up to that block: the same block gives the same bytes. The daemon may run
    meanwhile. The hash of a block before the last final one is asked of the node.
    """
    found = context.load_config(context_)
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there is no ledger", "Set it to true.")
    folder = Path(f"ledger-{number}") if out is None else out
    if folder.exists():
        raise errors.ConfigError(f"{folder} exists already", "Name a new folder with --out.")
    with parts.database(found, "chainfirst export") as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        # one snapshot: what the daemon commits meanwhile is not in it
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            stamp, counts, disagreeing = _export(found, connection, number, folder)
    if as_json:
        typer.echo(json.dumps(_facts(stamp, counts, disagreeing, folder)))
    else:
        for line in _lines(stamp, counts, disagreeing, folder):
            typer.echo(line)
    if disagreeing:
        raise typer.Exit(1)


def disagreements(rows: list[Mapping[str, Any]]) -> list[str]:
    """Where raised is not what became of it, or not what was invested; a line for each."""
    lines = []
    for row in rows:
        became = sum(row[part] for part in PARTS)
        for what, other in (("held, released, withdrawn and refunded are", became),
                            ("the investments are", row["invested_birr"])):  # fmt: skip
            if other != row["raised_birr"]:
                lines.append(
                    f"{row['campaign']} {row['address']}: raised {csvs.birr(row['raised_birr'])}, "
                    f"but {what} {csvs.birr(other)}"
                )
    return lines


def _export(
    found: settings.Config, connection: "Connection", number: int, folder: Path
) -> tuple[Stamp, dict[str, int], list[str]]:
    from chainfirst.schema import as_of, store

    cursor = as_of.check(connection, store.read_cursor(connection), number)
    stamp = _stamp(found, connection, cursor, number)
    totals: list[Mapping[str, Any]] = []
    counts, sums = {}, []
    folder.parent.mkdir(parents=True, exist_ok=True)
    # whole or not at all: a folder beside it becomes it at the end
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        for name in as_of.FILES:
            table = as_of.read(connection, name, number)
            rows: Iterator[tuple[Any, ...]] = table.rows
            columns = table.columns
            if name == "totals":
                totals = [_amounts(dict(zip(columns, _named(columns, row), strict=True))) for row in rows]
                columns = (*columns, "difference_birr")
                rows = iter(_totals(totals))
            counts[name] = 0
            file = f"{name}.csv"
            texts = _counted(columns, rows, counts, name)
            digest = csvs.write(made / file, str(stamp), [_title(column) for column in columns], texts)
            sums.append(f"{digest}  {file}\n")
        (made / SUMS).write_text("".join(sums), encoding="utf-8")
        made.rename(folder)
    return stamp, counts, disagreements(totals)


def _totals(campaigns: list[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """A row for each campaign and, since amounts of one token alone can be added, for each token; with the
    difference, which must be 0."""
    amounts = ("raised_birr", "invested_birr", *PARTS)
    tokens: dict[str, list[Mapping[str, Any]]] = {}
    for row in campaigns:
        tokens.setdefault(row["token"], []).append(row)
    every = [
        {"campaign": "all", "address": None, "token": token}
        | {name: sum(row[name] for row in rows) for name in amounts}
        for token, rows in sorted(tokens.items())
    ]
    return [
        (*row.values(), row["raised_birr"] - sum(row[part] for part in PARTS)) for row in [*campaigns, *every]
    ]


def _stamp(found: settings.Config, connection: "Connection", cursor: "Cursor", number: int) -> Stamp:
    """The block's hash and time: kept for the last final one and those above; else the node says them, if it
    has the final block that the database has."""
    from chainfirst.indexer.rpc import quantity
    from chainfirst.schema import store

    for held in store.read_blocks(connection):
        if held.number == number:
            return Stamp(cursor.chain_id, number, held.hash, held.time)
    assert cursor.final_number is not None
    with parts.node(found) as client:
        final, header = (client.header_by_number(each) for each in (cursor.final_number, number))
    if final is None or header is None:
        raise errors.TransientError(
            f"{client.name} has not got block {number if header is None else cursor.final_number} (yet)",
            "Try again, or ask another endpoint.",
        )
    if final.hash != cursor.final_hash:
        raise errors.FatalError(
            f"{client.name} says that block {cursor.final_number} is {final.hash}, the database holds "
            f"{cursor.final_hash}",
            "It is on another chain, or finality was violated: ask another endpoint.",
        )
    return Stamp(
        cursor.chain_id, number, header.hash, datetime.fromtimestamp(quantity.parse(header.timestamp), UTC)
    )


def _amounts(row: dict[str, Any]) -> dict[str, Any]:
    """With whole numbers: a Decimal's sum is rounded to 28 digits."""
    return {name: int(value) if name.endswith("_birr") else value for name, value in row.items()}


def _title(column: str) -> str:
    return column.removesuffix("_epoch")


def _named(columns: tuple[str, ...], row: tuple[Any, ...]) -> tuple[Any, ...]:
    """With UUIDs in place of ids on chain."""
    return tuple(
        csvs.identifier(value) if column in ("campaign", "investment") and isinstance(value, str) else value
        for column, value in zip(columns, row, strict=True)
    )


def _counted(
    columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]], counts: dict[str, int], name: str
) -> Iterator[list[str]]:
    for row in rows:
        counts[name] += 1
        yield [_cell(column, value) for column, value in zip(columns, _named(columns, row), strict=True)]


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column.endswith("_birr"):
        return csvs.birr(value)
    if column.endswith("_epoch"):
        return _epoch(int(value))
    return csvs.cell(value)


def _epoch(seconds: int) -> str:
    try:
        return csvs.moment(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):  # a contract's uint64 goes beyond any calendar
        return str(seconds)


def _facts(stamp: Stamp, counts: dict[str, int], disagreeing: list[str], folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "chain_id": stamp.chain_id,
        "block": stamp.number,
        "hash": stamp.hash,
        "time": csvs.moment(stamp.time),
        "rows": counts,
        "disagreements": disagreeing,
    }


def _lines(stamp: Stamp, counts: dict[str, int], disagreeing: list[str], folder: Path) -> Iterator[str]:
    yield from disagreeing
    rows = ", ".join(f"{count} {name}" for name, count in counts.items())
    yield f"{folder}: {stamp}"
    yield f"{rows}; {'the totals agree' if not disagreeing else f'{len(disagreeing)} totals disagree'}"
