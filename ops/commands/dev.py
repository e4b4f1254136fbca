"""chainfirst dev: the embedded PostgreSQL and the local node, as processes that outlive the command."""

import shlex

import typer
from chainfirst.ops import reach
from chainfirst.ops.commands.context import config_path, load_config
from chainfirst.ops.config import Config

KEY_VARIABLE = "DEV_KEY"
NOT_RUNNING = 3  # as of `systemctl status`

app = typer.Typer(
    no_args_is_help=True,
    help="The development servers: PostgreSQL and a local node.",
    epilog="Example: chainfirst dev up",
)


@app.command(epilog="Example: chainfirst dev up && chainfirst config check")
def up(context: typer.Context) -> None:
    """Start the servers that the settings name, unless they run; they go on when this ends."""
    from chainfirst.ops.dev.node import Anvil
    from chainfirst.ops.dev.postgres import Cluster

    config = load_config(context)
    if not _wants_database(config) and not _wants_node(config):
        typer.echo('nothing to start: database.url is not "embedded", no endpoint is "dev"')
    if _wants_database(config):
        cluster = Cluster(config.state_directory)
        started = cluster.start()
        cluster.ensure_database(reach.EMBEDDED_DATABASE)
        _say("PostgreSQL", cluster.pid(), cluster.url(reach.EMBEDDED_DATABASE), started)
    if _wants_node(config):
        node = Anvil(
            config.state_directory,
            chain_id=config.chain.chain_id,
            port=config.dev.port,
            block_time_seconds=config.dev.block_time_seconds,
        )
        started = node.start()
        _say("anvil", node.pid(), node.url, started)


@app.command(epilog="Example: chainfirst dev down")
def down(context: typer.Context) -> None:
    """Stop the servers. The database keeps its data; the node's chain is lost."""
    from chainfirst.ops.dev.node import Anvil
    from chainfirst.ops.dev.postgres import Cluster

    directory = config_path(context).resolve().parent / ".chainfirst"
    for name, pid in (("anvil", Anvil(directory).stop()), ("PostgreSQL", Cluster(directory).stop())):
        typer.echo(f"{name} did not run" if pid is None else f"{name} stopped, pid {pid}")


@app.command(epilog="Example: chainfirst dev status || chainfirst dev up")
def status(context: typer.Context) -> None:
    """Say what runs; exit code 3 if a server that the settings name does not."""
    from chainfirst.ops.dev.node import Anvil
    from chainfirst.ops.dev.postgres import Cluster

    config = load_config(context)
    cluster, node = Cluster(config.state_directory), Anvil(config.state_directory).running()
    cluster_pid = cluster.pid()
    _say("PostgreSQL", cluster_pid, cluster.url(reach.EMBEDDED_DATABASE) if cluster_pid else "")
    _say("anvil", node.process.pid if node else None, node.url if node else "")
    if (_wants_database(config) and not cluster_pid) or (_wants_node(config) and not node):
        raise typer.Exit(NOT_RUNNING)


@app.command(epilog="Example: chainfirst dev env > dev.sh && . ./dev.sh")
def env(context: typer.Context) -> None:
    """Print what a shell needs to work with the servers, and the daemon to sign on the node.

    That is the superuser's DATABASE_URL, the folder of psql, and the key of the node's second account, which
    gets every role of what `chainfirst deploy` puts there; everybody knows it. In a shell:
    eval "$(chainfirst dev env)".
    """
    from chainfirst.ops.dev import postgres
    from chainfirst.ops.dev.node import Anvil

    config = load_config(context)
    if _wants_database(config):
        url = reach.database_url(config)
        typer.echo(f"export DATABASE_URL={shlex.quote(url)}")
        typer.echo(f'export PATH="$PATH:"{shlex.quote(str(postgres.programs()))}')
    if _wants_node(config):
        typer.echo(f"export {KEY_VARIABLE}={Anvil(config.state_directory).writer_key}")
        if config.writer.signer is None:
            typer.echo(f"export CHAINFIRST_WRITER__SIGNER=env:{KEY_VARIABLE}")


def _wants_database(config: Config) -> bool:
    return config.database.url.embedded


def _wants_node(config: Config) -> bool:
    return any(endpoint.dev for endpoint in config.chain.endpoints)


def _say(name: str, pid: int | None, url: str, started: bool | None = None) -> None:
    if pid is None:
        typer.echo(f"{name} does not run")
        return
    how = {True: "started", False: "runs already", None: "runs"}[started]
    typer.echo(f"{name} {how}, pid {pid}, {url}")
