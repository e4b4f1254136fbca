"""What every command starts from: the file that --config names, and the settings in it."""

import os
from pathlib import Path
from typing import cast

import typer
from chainfirst.ops import config, reach


def config_path(context: typer.Context) -> Path:
    """What --config names."""
    return cast(Path, context.find_root().obj)


def load_config(context: typer.Context) -> config.Config:
    """The checked settings of --config and the environment."""
    return config.load(config_path(context), os.environ)


def migrate(found: config.Config) -> None:
    """Bring the database to this version's schema, under a lock."""
    from chainfirst.schema import migrate as migrations

    migrations.migrate(migrations.engine(reach.database_url(found)), platform_enabled=found.platform.enabled)
