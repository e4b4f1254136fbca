"""Command line and wiring: reads the config, builds the parts, runs them."""

import dataclasses
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, log, reach
from chainfirst.ops.commands import config, context, dev

if TYPE_CHECKING:
    from chainfirst.indexer.engine import Indexer
    from chainfirst.indexer.rpc.pool import Pool

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(config.app, name="config")
app.add_typer(dev.app, name="dev")

POLL_SECONDS = 0.25  # without WebSocket, and behind it: some reorganisations announce nothing
CHECK_ENDPOINTS_SECONDS = 10.0
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


@app.command(epilog="Example: chainfirst --config config.toml run")
def run(context_: typer.Context) -> None:
    """Index until SIGTERM or Ctrl-C."""
    from chainfirst.indexer.rpc.pool import Pool
    from chainfirst.indexer.rpc.ws import Heads

    log.configure()
    found = context.load_config(context_)
    if found.undeployed:
        raise errors.ConfigError(
            f"no address is known for the contracts {', '.join(found.undeployed)}",
            "Give each an address, or remove it.",
        )
    reach.check_database(found)
    urls = _checked_urls(found)
    _migrate(found)
    stop = threading.Event()
    wake = threading.Event()

    def asked_to_stop(*_: object) -> None:
        stop.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked_to_stop)
    pool = Pool.from_urls(urls["http"], chain_id=found.chain.chain_id, clock=time.monotonic)
    heads = [Heads(url, lambda _: wake.set(), _head_of(pool)) for url in urls["ws"]]
    with psycopg.connect(reach.database_url(found), autocommit=True) as connection:
        indexer = _indexer(found, connection, pool)
        for each in heads:
            each.start()
        try:
            _drive(indexer, pool, stop, wake)
        finally:
            for each in heads:
                each.close()
            pool.close()


def _checked_urls(found: settings.Config) -> dict[str, list[str]]:
    """The endpoints by transport. An endpoint on another chain is fatal; one that doesn't answer only
    where no other does."""
    urls: dict[str, list[str]] = {"http": [], "ws": []}
    missing: list[errors.ChainfirstError] = []
    endpoints = reach.endpoint_urls(found)
    for endpoint in endpoints:
        urls["http" if endpoint.full.startswith("http") else "ws"].append(endpoint.full)
        try:
            reach.check_endpoint(found, endpoint)
        except reach.EndpointUnreachable as error:
            missing.append(error)
            log.get("rpc").warning("endpoint_unreachable", error=str(error))
    if len(missing) == len(endpoints):
        raise missing[0]
    if not urls["http"]:
        raise errors.ConfigError("chain.endpoints has no http(s):// URL", "Add one; blocks are read there.")
    return urls


def _head_of(pool: "Pool") -> Callable[[], int]:
    def head() -> int:
        with pool.pinned() as client:
            return client.block_number()

    return head


def _migrate(found: settings.Config) -> None:
    from chainfirst.schema import migrate as migrations

    migrations.migrate(migrations.engine(reach.database_url(found)), platform_enabled=found.platform.enabled)


def _indexer(found: settings.Config, connection: psycopg.Connection[Any], pool: "Pool") -> "Indexer":
    """The indexer of these settings, on this connection: tables made, database bound, leadership taken."""
    from chainfirst.indexer import engine, window, wiring
    from chainfirst.ops import mistakes
    from chainfirst.schema import store

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
    with pool.pinned() as client:
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


def _drive(indexer: "Indexer", pool: "Pool", stop: threading.Event, wake: threading.Event) -> None:
    """Step until `stop`: transient and reset errors wait and go on, all others end the process."""
    from chainfirst.indexer.engine import Progress

    logger = log.get("indexer")
    repeats, pause = log.Repeats(logger, time.monotonic), POLL_SECONDS
    logger.info("started")
    checked_at = time.monotonic()
    while not stop.is_set():
        wake.clear()
        try:
            if time.monotonic() - checked_at >= CHECK_ENDPOINTS_SECONDS:
                pool.check()
                checked_at = time.monotonic()
            with pool.pinned() as client:
                indexer.use(client)
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
            wake.wait(0 if stop.is_set() else POLL_SECONDS)
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
