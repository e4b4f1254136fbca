"""Command line and wiring: reads the config, builds the parts, runs them."""

import dataclasses
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, log, reach
from chainfirst.ops.commands import config, context, dev

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(config.app, name="config")
app.add_typer(dev.app, name="dev")

POLL_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0


@app.callback(epilog="Example: chainfirst --config /etc/chainfirst/config.toml config check")
def root(
    context: typer.Context,
    config_file: Annotated[
        Path, typer.Option("--config", envvar="CHAINFIRST_CONFIG", help="The settings' file.")
    ] = Path("config.toml"),
) -> None:
    """One daemon that keeps a PostgreSQL database true to an EVM chain."""
    context.obj = config_file


@app.command(epilog="Example: chainfirst migrate")
def migrate(context_: typer.Context) -> None:
    """Bring the database to this version's schema. `run` does it too."""
    found = context.load_config(context_)
    _migrate(found)
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


@app.command(epilog="Example: chainfirst --config config.toml run")
def run(context_: typer.Context) -> None:
    """Index until SIGTERM or Ctrl-C."""
    log.configure()
    found = context.load_config(context_)
    if found.undeployed:
        raise errors.ConfigError(
            f"no address is known for the contracts {', '.join(found.undeployed)}",
            "Give each an address, or remove it.",
        )
    reach.check_database(found)
    endpoints = reach.endpoint_urls(found)
    for endpoint in endpoints:
        reach.check_endpoint(found, endpoint)
    _migrate(found)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with psycopg.connect(reach.database_url(found), autocommit=True) as connection:
        _drive(_indexer(found, connection, [e.full for e in endpoints if e.full.startswith("http")]), stop)


def _migrate(found: settings.Config) -> None:
    from chainfirst.schema import migrate as migrations

    migrations.migrate(migrations.engine(reach.database_url(found)), platform_enabled=found.platform.enabled)


def _indexer(found: settings.Config, connection: psycopg.Connection[Any], urls: list[str]) -> Any:
    """The indexer of these settings, on this connection: tables made, database bound, leadership taken."""
    from chainfirst.indexer import engine, window, wiring
    from chainfirst.indexer.rpc.client import Client
    from chainfirst.indexer.rpc.http import Endpoint
    from chainfirst.ops import mistakes
    from chainfirst.schema import store

    if not urls:
        raise errors.ConfigError("chain.endpoints has no http(s):// URL", "Add one; heads are read there.")
    contracts = [
        wiring.Contract(
            key=key,
            abi=mistakes.load_abi(found.path(contract.abi)),
            addresses=None if contract.address == "any" else frozenset(contract.addresses),
            start_block=contract.start_block,
            events=contract.events,
            factory=None
            if contract.factory is None
            else (contract.factory.contract, contract.factory.event, contract.factory.parameter),
        )
        for key, contract in found.contracts.items()
    ]
    setup, layouts = wiring.build(
        contracts, wiring.policy(found.chain.finality), platform=found.platform.enabled
    )
    client = Client(Endpoint(urls[0]))
    genesis = client.header_by_number(0)
    if genesis is None:
        raise errors.TransientError(f"{client.name} has no block 0")
    with connection.transaction():
        store.create_event_tables(connection, layouts)
    connection.execute("SET ROLE chainfirst_daemon")
    with connection.transaction():
        cursor = store.open_cursor(connection, found.chain.chain_id, genesis.hash)
        wiring.register(connection, cursor, contracts, layouts)
    epoch = store.acquire_leadership(connection)
    if epoch is None:
        raise errors.TransientError("another daemon leads this database", "Stop it first.")
    return engine.Indexer(connection, client, setup, epoch, window.Window(100, 10_000, 8_000_000))


def _drive(indexer: Any, stop: threading.Event) -> None:
    """Step until `stop`: transient and reset errors wait and go on, all others end the process."""
    from chainfirst.indexer.engine import Progress

    logger = log.get("indexer")
    repeats, pause = log.Repeats(logger, time.monotonic), POLL_SECONDS
    logger.info("started")
    while not stop.is_set():
        try:
            progress = indexer.step()
        except (errors.TransientError, errors.ResetError) as error:
            repeats.failed("step", "step_failed", error=str(error))
            asked = getattr(error, "retry_after_seconds", None)
            stop.wait(pause if asked is None else asked)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            continue
        except psycopg.OperationalError as error:
            said = " ".join(str(error).split())
            raise reach.DatabaseUnreachable(f"the database went away: {said}", "Start again.") from None
        repeats.recovered("step")
        pause = POLL_SECONDS
        if progress is Progress.IDLE:
            stop.wait(POLL_SECONDS)
    logger.info("stopped")


def main() -> None:
    """Entry point of the console script and of `python daemon.py`."""
    try:
        app(prog_name="chainfirst")
    except errors.ChainfirstError as error:
        typer.echo(f"chainfirst: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
