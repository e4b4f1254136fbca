"""`chainfirst reconcile`: the ledger against the contracts themselves."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from chainfirst.ops import errors
from chainfirst.ops.commands import context, parts

if TYPE_CHECKING:
    from chainfirst.writers.reconcile import Report

app = typer.Typer()


@app.command(epilog="Example: chainfirst reconcile --json")
def reconcile(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Ask the contracts at the final block for what the ledger says, and whether every campaign holds what it
    owes; exit code 1 if something differs.

    The daemon does it too, and may run meanwhile. What is found is kept in intent.differences.
    """
    from chainfirst.writers import contract, reverts
    from chainfirst.writers import reconcile as reconciling
    from chainfirst.writers.node import Node

    found = context.load_config(context_)
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there is no ledger", "Set it to true.")
    decoder = reverts.Decoder([contract.platform(key).document for key in contract.PLATFORM])
    with parts.database(found, "chainfirst reconcile") as connection, parts.node(found) as client:
        connection.execute("SET ROLE chainfirst_daemon")
        report = reconciling.reconcile(connection, Node(client.endpoint, decoder))
    for line in [json.dumps(_facts(report))] if as_json else _lines(report):
        typer.echo(line)
    if report.differences:
        raise typer.Exit(1)
    if report.unanswered:
        said = next(iter(report.unanswered.values()))
        raise errors.TransientError(
            f"the node left {len(report.unanswered)} rows unanswered: {said}",
            "Try again, or ask another endpoint.",
        )


def _facts(report: "Report") -> dict[str, Any]:
    return {
        "block": report.block,
        "compared": report.compared,
        "changed": len(report.changed),
        "unanswered": len(report.unanswered),
        "syncing": report.syncing,
        "differences": [
            {"subject": each.subject, "what": each.what, "ledger": each.ledger, "chain": each.chain}
            for each in report.differences
        ],
    }


def _lines(report: "Report") -> Iterator[str]:
    if report.block is None:
        yield "nothing is final yet"
        return
    for each in report.differences:
        ledger, chain = ("owed", "held") if each.what == "solvency" else ("ledger", "chain")
        yield f"{each.subject}: {each.what}, {ledger} {each.ledger}, {chain} {each.chain}"
    yield f"compared {report.compared} values with the contracts at block {report.block}"
    if report.changed:
        yield f"{len(report.changed)} rows have changed since, and are left for the next time"
    if report.unanswered:
        yield f"{len(report.unanswered)} rows were not answered"
    if report.syncing:
        yield f"not compared, because sources are syncing: {', '.join(report.syncing)}"
    yield f"{len(report.differences)} differences"
