"""Command line and wiring: reads the config, builds the parts, runs them."""

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.callback()
def root() -> None:
    """One daemon that keeps a PostgreSQL database true to an EVM chain."""


def main() -> None:
    """Entry point of the console script and of `python daemon.py`."""
    app()


if __name__ == "__main__":
    main()
