"""`python -m bench [events | folds | latency | children | all]`."""

import typer

from bench import events, folds
from bench.servers import servers

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(name="events")
def events_(
    blocks: int = events.BLOCKS,
    memory: bool = typer.Option(True, help="Also five times as many events."),
) -> None:
    """Backfill of ERC-20 transfers against web3.py and against a bare script."""
    with servers() as running:
        events.run(running, blocks, memory=memory)


@app.command(name="folds")
def folds_(count: int = typer.Option(folds.EVENTS, "--events")) -> None:
    """The platform's events through the ledger's folds."""
    with servers() as running:
        folds.run(running, count)


if __name__ == "__main__":
    app()
