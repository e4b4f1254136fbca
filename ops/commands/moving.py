"""`chainfirst import django`: the tables of an older app become the platform's records."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from chainfirst.ops import errors, values
from chainfirst.ops.commands import asked, context, csvs

if TYPE_CHECKING:
    from chainfirst.ops.moving.move import Line, Report

app = typer.Typer(
    no_args_is_help=True,
    help="Move in from another system.",
    epilog="Example: chainfirst import django postgresql://old-host/old --dry-run",
)
COLUMNS = ("table", "row", "what", "why")
PLAIN_WIDTH = 200  # of what is no terminal


@app.callback()
def root() -> None:
    """Keeps `django` a command of its own, however few there are."""


@app.command(epilog="Example: chainfirst import django postgresql://host/old --mapping old.toml --dry-run")
def django(
    context_: typer.Context,
    old_database_url: Annotated[
        str, typer.Argument(envvar="OLD_DATABASE_URL", help="The old PostgreSQL; it is only read.")
    ],
    mapping: Annotated[
        Path | None, typer.Option(help="Other names and older contracts: docs/moving-in.md.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all of it, then take it back.")] = False,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="All lines, as .csv or .json; a new file.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many lines to print.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Take users, companies, campaigns and investments of a Django app into the platform's records, in one
    transaction, and match them and the certificates with what is final on chain.

    Nothing is asked of the chain. Rows that are there already stay as they are. What is left out, and what
    doesn't match, is printed row by row; exit code 1 if there is such a line.
    """
    from chainfirst.ops.moving import mapping as mappings
    from chainfirst.ops.moving import move, old

    found = context.load_config(context_)
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there are no records", "Set it to true.")
    _check_report(report_file)
    wanted = mappings.load(mapping)
    with (
        old.database(_url(old_database_url)) as old_database,
        asked.database(found, "chainfirst import") as connection,
    ):
        report = move.move(old_database, connection, wanted, dry_run)
    if report_file is not None:
        _write(report_file, report)
    if as_json:
        typer.echo(json.dumps(_facts(report)))
    else:
        _print(report.lines, limit)
        for line in _summary(report):
            typer.echo(line)
    if report.lines:
        raise typer.Exit(1)


def _url(text: str) -> values.DatabaseUrl:
    try:
        found = values.DatabaseUrl(text)
    except ValueError as error:
        raise errors.ConfigError(f"the old database's URL is {error}", "Give a postgresql:// URL.") from None
    if found.embedded:
        raise errors.ConfigError('the old database\'s URL is "embedded"', "Give a postgresql:// URL.")
    return found


def _check_report(file: Path | None) -> None:
    """Before anything is done."""
    if file is None:
        return
    if file.suffix not in (".csv", ".json"):
        raise errors.ConfigError(f"{file} ends in neither .csv nor .json", "Name such a file.")
    if file.exists() or not file.absolute().parent.is_dir():
        raise errors.ConfigError(f"{file} exists already, or its folder doesn't", "Name a new file.")


def _write(file: Path, report: "Report") -> None:
    if file.suffix == ".csv":
        rows = ([csvs.cell(cell) for cell in dataclasses.astuple(line)] for line in report.lines)
        csvs.write(file, "", COLUMNS, rows)
    else:
        file.write_text(json.dumps(_facts(report), ensure_ascii=False, indent=1), encoding="utf-8")


def _facts(report: "Report") -> dict[str, object]:
    return dataclasses.asdict(report)


def _print(lines: "list[Line]", limit: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if lines and limit:
        table = Table(*COLUMNS, box=box.SIMPLE)
        for line in lines[:limit]:
            table.add_row(*(Text(asked.line(cell)) for cell in dataclasses.astuple(line)))
        Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)
    if len(lines) > limit:
        typer.echo(f"… and {len(lines) - limit} more: --report writes all")


def _summary(report: "Report") -> Iterator[str]:
    for table, counts in report.counts.items():
        told = [f"{counts.read} read"]
        if table != "certificates":
            told += [f"{counts.stored} stored", f"{counts.there} there already"]
        told.append(f"{counts.left_out} left out")
        told += [f"{count} on chain by {by}" for by, count in counts.matched.items()]
        yield f"{table}: {', '.join(told)}"
        for what, names in (
            ("no column for", counts.without_column),
            ("columns not taken:", counts.not_taken),
        ):
            if names:
                yield f"  {what} {', '.join(names)}"
    if report.dry_run:
        yield "a dry run: nothing was stored"
