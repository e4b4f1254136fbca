"""`python -m bench [events | folds | latency | children | intents | api | all]`."""

import typer

from bench import api, api_rows, children, events, folds, intents, latency
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


@app.command(name="latency")
def latency_(seconds: int = latency.SECONDS) -> None:
    """From a mined block to its visible rows."""
    with servers() as running:
        latency.run(running, seconds)


@app.command(name="children")
def children_() -> None:
    """A factory's children: few, many, and what an address list costs."""
    with servers() as running:
        children.run(running)


@app.command(name="intents")
def intents_(count: int = intents.COUNT) -> None:
    """Intents at once, against one transaction after the other; and from submit to sent."""
    with servers() as running:
        intents.run(running, count)


@app.command(name="api")
def api_(count: int = typer.Option(api_rows.INVESTMENTS, "--investments")) -> None:
    """Reads of the schema api against the bare look-up of the same rows."""
    with servers() as running:
        api.run(running, count)


@app.command(name="all")
def all_(seconds: int = latency.SECONDS) -> None:
    """Everything, on the same node binary and the same PostgreSQL."""
    with servers() as running:
        good = [
            events.run(running),
            folds.run(running),
            latency.run(running, seconds),
            children.run(running),
            intents.run(running),
            api.run(running),
        ]
    raise typer.Exit(0 if all(good) else 1)


if __name__ == "__main__":
    app()
