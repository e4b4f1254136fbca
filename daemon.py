"""Command line and wiring: reads the config, builds the parts, runs them."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from chainfirst.ops import errors
from chainfirst.ops.commands import config, dev

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(config.app, name="config")
app.add_typer(dev.app, name="dev")


@app.callback(epilog="Example: chainfirst --config /etc/chainfirst/config.toml config check")
def root(
    context: typer.Context,
    config_file: Annotated[
        Path, typer.Option("--config", envvar="CHAINFIRST_CONFIG", help="The settings' file.")
    ] = Path("config.toml"),
) -> None:
    """One daemon that keeps a PostgreSQL database true to an EVM chain."""
    context.obj = config_file


def main() -> None:
    """Entry point of the console script and of `python daemon.py`."""
    try:
        app(prog_name="chainfirst")
    except errors.ChainfirstError as error:
        typer.echo(f"chainfirst: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
