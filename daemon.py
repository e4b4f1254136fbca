"""Command line and wiring: reads the config, builds the parts, runs them."""

import faulthandler
import gc
import importlib.metadata
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from chainfirst.ops import config as settings
from chainfirst.ops import errors, log, reach
from chainfirst.ops.commands import (
    config,
    context,
    database,
    demo,
    deploy,
    dev,
    doctor,
    export,
    init,
    intents,
    keys,
    lanes,
    moving,
    parts,
    periodic,
    persons,
    reconcile,
    rewind,
    roles,
    serving,
    sessions,
    sources,
)
from chainfirst.ops.systemd import notify, watch

if TYPE_CHECKING:
    from chainfirst.indexer.rpc.pool import Pool
    from chainfirst.indexer.structs import Header
    from chainfirst.indexer.wiring import Contract
    from chainfirst.ops import running, session
    from chainfirst.ops.metrics import Metrics
    from chainfirst.writers.answers import Class
    from chainfirst.writers.wiring import Lanes

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(init.app)
app.add_typer(doctor.app)
app.add_typer(config.app, name="config")
app.add_typer(dev.app, name="dev")
app.add_typer(database.app)
app.add_typer(roles.app, name="database")
app.add_typer(rewind.app)
app.add_typer(reconcile.app)
app.add_typer(sources.app, name="sources")
app.add_typer(intents.app, name="intents")
app.add_typer(lanes.app, name="lanes")
app.add_typer(keys.app, name="key")
app.add_typer(deploy.app)
app.add_typer(export.app)
app.add_typer(persons.app)
app.add_typer(moving.app, name="import")
app.add_typer(demo.app)

POLL_SECONDS = 0.25  # without WebSocket, and behind it: some reorganisations announce nothing
FIRST_RANGES = (10, 10_000, 4_000_000)  # blocks in the first range, in the largest one, bytes aimed at


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
def run(
    context_: typer.Context,
    reset_dev: Annotated[
        bool,
        typer.Option(
            "--reset-dev", help="If the development chain began anew, empty what was indexed first."
        ),
    ] = False,
) -> None:
    """Index until SIGTERM or Ctrl-C; while another daemon leads this database, stand by."""
    log.configure()
    faulthandler.enable()  # the watchdog's SIGABRT: where each thread hangs goes to the log
    notifier = notify.Notifier.of(os.environ)
    try:
        _run(context_, reset_dev, notifier)
    except errors.ChainfirstError as error:
        notifier.send(notify.status(str(error)))
        raise


def _run(context_: typer.Context, reset_dev: bool, notifier: notify.Notifier) -> None:
    from chainfirst.indexer.rpc import quantity
    from chainfirst.indexer.rpc.pool import Pool
    from chainfirst.indexer.rpc.ws import Heads
    from chainfirst.ops import metrics, running

    _tune()
    found = context.load_config(context_)
    log.configure(instance=found.instance)
    contracts = parts.contracts(found)
    writers = _lanes(found, contracts)
    reach.check_database(found)
    urls = _checked_urls(found)
    with notifier.extending("migrating the database"):
        context.migrate(found)
    if reset_dev:
        with parts.database(found, "chainfirst run --reset-dev") as connection:
            log.get("daemon").info("reset_dev", did=rewind.reset_dev(connection, found))
    numbers = metrics.Metrics()
    version = importlib.metadata.version("chainfirst")
    numbers.build.info(
        {"version": version, "chain_id": str(found.chain.chain_id), "name": found.instance or ""}
    )
    pool = Pool.from_urls(
        urls["http"], chain_id=found.chain.chain_id, clock=time.monotonic, on_asked=numbers.asked
    )
    woken: list[Callable[[], None]] = []  # by each batch
    told = watch.Watch(notifier.watchdog_seconds)
    leader = _leader(found, contracts, pool, numbers, woken, told)
    scraped = found.metrics.port is not None
    supervisor = running.Supervisor(numbers, running.LINGER_SECONDS if scraped else 0.0)
    loop = supervisor.add(watch.Watched(leader, told))
    if writers is not None:
        woken += _write(found, writers, pool, leader, supervisor, numbers)

    def new_head(header: "Header") -> None:
        numbers.head(int(header.number, 16), quantity.parse(header.timestamp))
        told.head(int(header.number, 16))
        loop.wake()

    heads = [Heads(url, new_head, _head_of(pool)) for url in urls["ws"]]
    jobs = periodic.build(found, pool, leader, writers, numbers, told)
    teller = watch.Teller(notifier, told)
    closers: list[tuple[str, Callable[[], None]]] = [("systemd", teller.close)]
    closers += [(f"heads {each.name}", each.close) for each in heads]
    closers += [("endpoints", pool.close), ("jobs", jobs.close)]
    live = serving.live(version, pool, numbers, lambda: leader.epoch is not None)
    served = serving.build(
        found, numbers, lambda name: sessions.connect(found, name, numbers, "page"), live, supervisor.add
    )
    closers += served.closers

    def started() -> None:
        teller.start()
        for each in heads:
            each.start()
        jobs.start()
        served.start()
        log.get("daemon").info("started", metrics_port=found.metrics.port, page_port=found.page.port)

    ended = supervisor.run(started, closers)
    if ended.abandoned:  # a thread that hangs in a library would hold up the interpreter's own end
        _exit_at_once(ended.error, notifier)
    if ended.error is not None:
        raise ended.error


def _tune() -> None:
    """Threads that decode must not keep the one that writes waiting (5 ms for each statement otherwise),
    nor the garbage collector walk through all logs in memory again and again: they are no cycles."""
    sys.setswitchinterval(0.0005)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _lanes(found: settings.Config, contracts: "list[Contract]") -> "Lanes | None":
    """The lanes with their keys; None: read only. Before anything is asked of chain or database."""
    if found.writer.signer is None:
        return None
    from chainfirst.writers import wiring

    return wiring.build(found, contracts, os.environ)


def _write(
    found: settings.Config,
    writers: "Lanes",
    pool: "Pool",
    leader: "session.Leader",
    supervisor: "running.Supervisor",
    numbers: "Metrics",
) -> list[Callable[[], None]]:
    """Lanes, rules and the listener as parts; what wakes them when a batch is there."""
    from chainfirst.writers import answers, part

    kinds = {kind for _, lane in writers.lanes.values() for kind in lane.kinds}
    numbers.know_lanes(writers.lanes, kinds, [each.value for each in answers.Class])

    def counts(lane: str) -> "Callable[[Class], None]":
        return lambda answer: numbers.sends.labels(lane, answer.value).inc()

    def connect(application: str) -> psycopg.Connection[Any]:
        return sessions.connect(found, application, numbers)

    wakes = [
        supervisor.add(part.LanePart(signer, lane, writers.decoder, pool, leader, connect, counts(name))).wake
        for name, (signer, lane) in writers.lanes.items()
    ]
    supervisor.add(part.Listener(leader, connect, list(wakes)))
    if found.platform.enabled:
        from chainfirst.writers import node, rules

        def voting_unit() -> int:
            with pool.pinned() as client:
                return writers.voting_unit(node.Node(client.endpoint))

        ours = rules.Rules(voting_unit)

        def follow(connection: psycopg.Connection[Any], epoch: int) -> dict[str, int]:
            made = ours.run(connection, epoch)
            numbers.rules_held.set(ours.held)
            return made

        wakes.append(supervisor.add(part.RulesPart(follow, leader, connect)).wake)
    return wakes


def _leader(
    found: settings.Config,
    contracts: "list[Contract]",
    pool: "Pool",
    numbers: "Metrics",
    woken: list[Callable[[], None]],
    told: watch.Watch,
) -> "session.Leader":
    """The indexer as a part: its session, the leadership, and steps on one endpoint after the other.
    `woken` are called at the head, after steps that did something; `told` hears how far it is."""
    from chainfirst.indexer import engine, window, wiring
    from chainfirst.ops import progress, session
    from chainfirst.schema import store
    from chainfirst.writers import settle

    logger = log.get("indexer")
    observer = progress.Progress(numbers, logger, on_block=told.committed)
    # before anything runs: what can't be indexed must not be found out at a takeover
    policy = wiring.policy(found.chain.finality)
    setup, layouts = wiring.build(contracts, policy, platform=found.platform.enabled)
    numbers.know_sources(
        {each.table: (each.contract, each.table.removeprefix(f"{each.contract}_")) for each in layouts}
    )

    def build(connection: psycopg.Connection[Any], epoch: int) -> Callable[[], float]:
        with pool.pinned() as client:
            genesis = client.header_by_number(0)
        if genesis is None:
            raise errors.TransientError(f"{client.name} has no block 0")
        with connection.transaction():
            store.assert_epoch(connection, epoch)
            store.create_event_tables(connection, layouts)
            cursor = store.open_cursor(connection, found.chain.chain_id, genesis.hash)
            wiring.register(connection, cursor, contracts, layouts)
        told.resumed(cursor.indexed_number)
        ranges = window.Window(*FIRST_RANGES)
        indexer = engine.Indexer(
            connection, client, setup, epoch, ranges, settler=settle.Settler(), observer=observer
        )

        news = True

        def step() -> float:
            with pool.pinned() as client:
                indexer.use(client, pool.second(client))
                did = indexer.step()
            for announcer in setup.announcers:
                factory = announcer.source.decoder.layout.contract
                numbers.children.labels(factory).set(len(announcer.children.since))
            nonlocal news
            if did is engine.Progress.ADVANCED:
                news = True
                return 0.0
            if news:  # at the head again: nobody signs before
                for wake in woken:
                    wake()
            news = False
            return POLL_SECONDS

        return step

    def lead(epoch: int | None) -> None:
        numbers.leader.set(epoch is not None)
        if epoch is not None:
            logger.info("leading", epoch=epoch)

    def stand_by() -> None:
        told.standing_by()
        logger.info("standing_by", why="another daemon leads this database")

    return session.Leader(
        lambda: sessions.connect(found, session.APPLICATION, numbers, "indexer"),
        build,
        on_session=lambda reachable: numbers.database_reachable.set(reachable),
        on_lead=lead,
        on_stand_by=stand_by,
    )


def _exit_at_once(error: errors.ChainfirstError | None, notifier: notify.Notifier) -> None:
    if error is not None:
        notifier.send(notify.status(str(error)))
        typer.echo(f"chainfirst: {error}", err=True)
    sys.stderr.flush()
    os._exit(0 if error is None else error.exit_code)


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
    return urls


def _head_of(pool: "Pool") -> Callable[[], int]:
    def head() -> int:
        with pool.pinned() as client:
            return client.block_number()

    return head


def main() -> None:
    """Entry point of the console script and of `python daemon.py`."""
    try:
        app(prog_name="chainfirst")
    except errors.ChainfirstError as error:
        typer.echo(f"chainfirst: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
