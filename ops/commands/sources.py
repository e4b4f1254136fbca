"""`chainfirst sources list | drop`: the event tables that are indexed."""

import dataclasses
import json
from typing import Annotated

import psycopg
import typer
from chainfirst.ops import errors, reach
from chainfirst.ops.commands import context

app = typer.Typer(
    no_args_is_help=True,
    help="The events that are indexed, one table for each.",
    epilog="Example: chainfirst sources list",
)


@app.command("list", epilog="Example: chainfirst sources list")
def list_sources(
    context_: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Every event table, its contract and event, and how far it is complete."""
    from chainfirst.schema import store

    with psycopg.connect(reach.database_url(context.load_config(context_))) as connection:
        try:
            found = store.read_sources(connection).values()
        except psycopg.errors.UndefinedTable:
            raise errors.ConfigError("this database was never migrated", "Run chainfirst migrate.") from None
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(source) for source in found]))
        return
    for source in found:
        state = "joined" if source.joined else f"syncing, complete to {source.complete_to}"
        typer.echo(f"event.{source.table_name:50} {source.contract}.{source.event}  {state}")


@app.command(epilog="Example: chainfirst sources drop old_token_transfer")
def drop(
    context_: typer.Context,
    table: Annotated[str, typer.Argument(help="Its name in the schema event.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Give up an event table and its rows. The daemon must not run; if the event is (still, or again)
    configured, it is indexed anew from its start block."""
    from chainfirst.schema import store

    name = table.removeprefix("event.")
    with psycopg.connect(reach.database_url(context.load_config(context_)), autocommit=True) as connection:
        epoch = store.acquire_leadership(connection)
        if epoch is None:
            raise errors.TransientError("a daemon leads this database", "Stop it first.")
        if name not in store.read_sources(connection):
            raise errors.ConfigError(f"{table} is no indexed table", "See chainfirst sources list.")
        if not yes:
            typer.confirm(f"Drop event.{name} with all its rows?", abort=True)
        with connection.transaction():
            store.assert_epoch(connection, epoch)
            store.drop_source(connection, name)
    typer.echo(f"dropped event.{name}")
