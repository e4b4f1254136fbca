"""chainfirst demo: the platform's whole life on a local chain, asked for in the database."""

from typing import Annotated

import typer
from chainfirst.ops.commands.context import config_path

app = typer.Typer()


@app.command(epilog="Example: chainfirst demo")
def demo(
    context: typer.Context,
    keep: Annotated[
        bool, typer.Option("--keep", envvar="CHAINFIRST_DEMO_KEEP", help="Leave all running at the end.")
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop what --keep left, and do nothing else.")] = False,
) -> None:
    """Play the platform's life on a chain of its own, show ledger and intents; exit code 1 if they are wrong.

    PostgreSQL, a node and the daemon run in .chainfirst/demo beside the settings' file and are taken down
    at the end. Your development servers and their data are not touched.
    """
    from chainfirst.ops.demo import run
    from rich.console import Console

    state = config_path(context).resolve().parent / ".chainfirst"
    directory, install_directory = state / "demo", state / "node" / "anvil"
    if stop:
        run.stop(directory, install_directory)
        return
    if not run.demonstrate(directory, install_directory, Console(), keep):
        raise typer.Exit(1)
