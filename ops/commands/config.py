"""chainfirst config: are the settings right, and does what they name answer?"""

import os
from typing import Annotated

import typer
from chainfirst.ops import reach
from chainfirst.ops.commands.context import config_path, load_config
from chainfirst.ops.config import Config, Lane

app = typer.Typer(no_args_is_help=True, help="The settings.", epilog="Example: chainfirst config check")


@app.command(epilog="Example: chainfirst --config /etc/chainfirst/config.toml config check --offline")
def check(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Only the settings themselves.")] = False,
) -> None:
    """Check the settings, the ABI files, the database, every endpoint's chain and every lane's signer.

    Exit codes: 78 wrong settings or signer, 69 no database, 68 no endpoint, 76 another chain,
    75 no remote signer.
    """
    config = load_config(context)
    typer.echo(f"{config_path(context)} is right: {len(config.contracts)} contracts")
    if config.undeployed:
        typer.echo(f"not deployed yet: {', '.join(config.undeployed)} (there is no {config.deployment})")
    for name, lane in config.writer.every_lane.items():
        kinds = ", ".join(map(str, lane.kinds)) or "all other kinds"
        typer.echo(f"lane {name}: {lane.signer} signs {kinds}")
    if offline:
        return
    typer.echo(f"database: PostgreSQL {reach.check_database(config)} at {config.database.url}")
    for endpoint in reach.endpoint_urls(config):
        reach.check_endpoint(config, endpoint)
        typer.echo(f"endpoint: chain {config.chain.chain_id} at {endpoint}")
    _check_signers(config)


def _check_signers(config: Config) -> None:
    from chainfirst.writers import signers

    opened = {}
    for name, lane in config.writer.every_lane.items():
        if is_for_systemd(lane):
            typer.echo(f"signer: that of lane {name} isn't opened, only the service gets its password")
            continue
        opened[name] = signers.open(lane, config.directory, os.environ)
        typer.echo(f"signer: {opened[name].address} in lane {name}")
    signers.check_accounts(opened)


def is_for_systemd(lane: Lane) -> bool:
    """Whether the password is a credential that a shell, unlike the service, hasn't got."""
    from chainfirst.writers.signers import keystore

    missing = lane.password_file is None and keystore.credential(os.environ) is None
    return lane.signer.kind == "keystore" and missing
