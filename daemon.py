"""Command line and wiring: reads the config, builds the parts, runs them."""

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
from chainfirst.ops.commands import config, context, database, deploy, dev

if TYPE_CHECKING:
    from chainfirst.indexer.engine import Indexer
    from chainfirst.indexer.rpc.pool import Pool

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(config.app, name="config")
app.add_typer(dev.app, name="dev")
app.add_typer(database.app)
app.add_typer(deploy.app)

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
    context.migrate(found)
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
