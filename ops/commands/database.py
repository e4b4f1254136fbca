"""`chainfirst migrate | status | rebuild | verify`: what is asked of the database alone."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Annotated

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, reach
from chainfirst.ops.commands import context, parts, verdicts

app = typer.Typer()

_OPEN_INTENTS = """
SELECT intent.status_of(id) AS status, count(*) FROM intent.intents WHERE outcome IS NULL
GROUP BY status ORDER BY status
"""
_STOPPED_LANES = (
    "SELECT name, blocked_reason FROM intent.lanes WHERE blocked_reason IS NOT NULL ORDER BY name"
)


@app.command(epilog="Example: chainfirst migrate")
def migrate(context_: typer.Context) -> None:
    """Bring the database to this version's schema. `run` does it too."""
    found = context.load_config(context_)
    context.migrate(found)
    typer.echo("the database has this version's schema")


@app.command(epilog="Example: chainfirst status --watch")
def status(
    context_: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until Ctrl-C, as the status page does.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """How far the database is true to the chain, by its committed cursor; what it wants of the chain; how
    large it is, and what a year will need."""
    from chainfirst.ops.commands import growth
    from chainfirst.schema import store

    found = context.load_config(context_)
    if watch:
        from chainfirst.ops.commands import watching
        from rich.console import Console

        watching.watch(found, as_json, Console())
        return
    with psycopg.connect(reach.database_url(found)) as connection:
        size = None
        try:
            cursor = store.read_cursor(connection)
            sources = store.read_sources(connection)
            intents: dict[str, int] = dict(connection.execute(_OPEN_INTENTS).fetchall())
            stopped: dict[str, str] = dict(connection.execute(_STOPPED_LANES).fetchall())
        except psycopg.errors.UndefinedTable:
            cursor = None
        if cursor is not None:
            size = growth.read(connection, datetime.now(UTC))
    if cursor is None or size is None:
        raise errors.ConfigError("this database follows no chain yet", "Start the daemon: chainfirst run.")
    syncing = {name: source.complete_to for name, source in sources.items() if not source.joined}
    facts = dataclasses.asdict(cursor)
    if as_json:
        more = {"syncing": syncing, "intents": intents, "stopped_lanes": stopped, "size": size.facts()}
        typer.echo(json.dumps(facts | more))
        return
    for name, value in facts.items():
        typer.echo(f"{name:16} {'-' if value is None else value}")
    for name, complete_to in syncing.items():
        typer.echo(f"{'syncing':16} event.{name}, complete to {complete_to}")
    if intents:
        counts = ", ".join(f"{count} {name}" for name, count in intents.items())
        typer.echo(f"{'intents':16} {counts}")
    for lane, why in stopped.items():
        typer.echo(f"{'stopped lane':16} {lane}: {why}")
    for name, said in size.lines():
        typer.echo(f"{name:16} {said}")


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


@app.command(epilog="Example: chainfirst verify --from 1000 --to 2000 --json")
def verify(
    context_: typer.Context,
    first: Annotated[int | None, typer.Option("--from", min=0, help="The first block to compare.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=0, help="The last block to compare.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every block from the first start block.")
    ] = False,
    ledger_only: Annotated[bool, typer.Option("--ledger-only", help="Ask no node.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many differences to print.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare the ledger with its events, and the event tables with the node; exit code 1 if they differ.

    Without a choice of blocks: the last 1,000 that are indexed. The daemon may run meanwhile.
    """
    found = context.load_config(context_)
    if ledger_only and (everything or first is not None or last is not None):
        raise errors.ConfigError("--ledger-only compares no blocks", "Leave out --from, --to and --all.")
    if everything and first is not None:
        raise errors.ConfigError("--all begins at the first block", "Leave out --from.")
    if ledger_only:
        _needs_ledger(found)
    with parts.database(found, "chainfirst verify") as connection:
        # one snapshot: a batch that commits meanwhile is no difference
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        if ledger_only:
            verdict = verdicts.Verdict(verdicts.ledger(connection))
        else:
            newest = None if everything else verdicts.NEWEST_BLOCKS
            verdict = verdicts.of_all(found, connection, first, last, newest, limit)
    for line in [verdict.json()] if as_json else verdict.lines(limit):
        typer.echo(line)
    if verdict.count:
        raise typer.Exit(1)


def _needs_ledger(found: settings.Config) -> None:
    if not found.platform.enabled:
        raise errors.ConfigError("platform.enabled is false: there is no ledger", "Set it to true.")
