"""chainfirst config: are the settings right, and does what they name answer?"""

from typing import Annotated

import typer
from chainfirst.ops import reach
from chainfirst.ops.commands.context import config_path, load_config

app = typer.Typer(no_args_is_help=True, help="The settings.", epilog="Example: chainfirst config check")


@app.command(epilog="Example: chainfirst --config /etc/chainfirst/config.toml config check --offline")
def check(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Only the settings themselves.")] = False,
) -> None:
    """Check the settings, the ABI files, the database and every endpoint's chain.

    Exit codes: 78 wrong settings, 69 no database, 68 no endpoint, 76 another chain.
    """
    config = load_config(context)
    typer.echo(f"{config_path(context)} is right: {len(config.contracts)} contracts")
    if config.undeployed:
        typer.echo(f"not deployed yet: {', '.join(config.undeployed)} (there is no {config.deployment})")
    if offline:
        return
    typer.echo(f"database: PostgreSQL {reach.check_database(config)} at {config.database.url}")
    for endpoint in reach.endpoint_urls(config):
        reach.check_endpoint(config, endpoint)
        typer.echo(f"endpoint: chain {config.chain.chain_id} at {endpoint}")
