"""`chainfirst doctor`: everything that a running daemon needs, each line ok or what to do."""

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from chainfirst.ops import config as settings
from chainfirst.ops.commands import context

if TYPE_CHECKING:
    from chainfirst.ops.commands.finding import Finding

app = typer.Typer()


@app.command(epilog="Example: chainfirst --config /etc/chainfirst/main.toml doctor")
def doctor(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Check what a daemon needs: database, endpoints, contracts, keys, clock, disk; say what to do.

    Run it as the daemon's user. It changes nothing, and the daemon may run. Exit code 1 if something is not
    as it should be, 78 if the settings themselves are wrong.
    """
    found = context.load_config(context_)
    findings = []
    for each in examine(found):
        findings.append(each)
        if not as_json:
            mark = (
                typer.style("ok   ", fg="green") if each.good else typer.style("WRONG", fg="red", bold=True)
            )
            typer.echo(f"{mark} {each.part:11} {each.said}")
            if each.advice:
                typer.echo(f"      {'':11} -> {each.advice}")
    wrong = sum(not each.good for each in findings)
    if as_json:
        listed = [dataclasses.asdict(each) for each in findings]
        typer.echo(json.dumps({"wrong": wrong, "findings": listed}))
    else:
        typer.echo("all is well" if not wrong else f"{wrong} to be done")
    if wrong:
        raise typer.Exit(1)


def examine(found: settings.Config) -> "Iterator[Finding]":
    """All findings, one after the other."""
    from chainfirst.ops.commands import checks_chain, checks_database
    from chainfirst.ops.commands.finding import good, guarded

    yield good("settings", f"right: {len(found.contracts)} contracts")
    now = checks_database.utc_now
    yield from guarded("database", lambda: checks_database.check(found, now))
    cursor = checks_database.cursor(found)
    yield from guarded("endpoint", lambda: checks_chain.check_endpoints(found, cursor, now))
    yield from guarded("contracts", lambda: checks_chain.check_contracts(found))
    yield from guarded("signer", lambda: checks_chain.check_lanes(found))
