"""`chainfirst migrate | status | rebuild | verify`: what is asked of the database alone."""

import dataclasses
import json
from typing import Annotated

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach
from chainfirst.ops.commands import context

app = typer.Typer()


@app.command(epilog="Example: chainfirst migrate")
def migrate(context_: typer.Context) -> None:
    """Bring the database to this version's schema. `run` does it too."""
    found = context.load_config(context_)
    context.migrate(found)
    typer.echo("the database has this version's schema")


@app.command(epilog="Example: chainfirst status --json")
def status(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """How far the database is true to the chain, by its committed cursor."""
    from chainfirst.schema import store

    with psycopg.connect(reach.database_url(context.load_config(context_))) as connection:
        try:
            cursor = store.read_cursor(connection)
        except psycopg.errors.UndefinedTable:
            cursor = None
    if cursor is None:
        raise errors.ConfigError("this database follows no chain yet", "Start the daemon: chainfirst run.")
    facts = dataclasses.asdict(cursor)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        typer.echo(f"{name:16} {'-' if value is None else value}")


@app.command(epilog="Example: chainfirst rebuild")
def rebuild(context_: typer.Context) -> None:
    """Make every row of the ledger again from the event tables. The daemon must not run."""
    from chainfirst.schema import folds, store

    found = context.load_config(context_)
    _needs_ledger(found)
    with psycopg.connect(reach.database_url(found), autocommit=True) as connection:
        connection.execute("SET ROLE chainfirst_daemon")
        epoch = store.acquire_leadership(connection)
        if epoch is None:
            raise errors.TransientError("a daemon leads this database", "Stop it first.")
        with connection.transaction():
            store.assert_epoch(connection, epoch)
            folds.rebuild(connection)
    typer.echo(f"rebuilt: {', '.join(fold.name for fold in folds.FOLDS)}")


@app.command(epilog="Example: chainfirst verify --json")
def verify(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Compare every kept table of the ledger with what the event tables say; exit code 1 if they differ."""
    from chainfirst.schema import folds

    found = context.load_config(context_)
    _needs_ledger(found)
    with psycopg.connect(reach.database_url(found)) as connection:
        # one snapshot: a batch that commits meanwhile is no difference
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        differences = folds.verify_ledger(connection)
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(each) for each in differences]))
    else:
        for each in differences:
            typer.echo(f"ledger.{each.relation}: {each.kind} {json.dumps(each.row)}")
        typer.echo(f"{len(differences)} differences")
    if differences:
        raise typer.Exit(1)


def _needs_ledger(found: settings.Config) -> None:
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there is no ledger", "Set it to true.")
