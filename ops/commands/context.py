"""What every command starts from: the file that --config names, and the settings in it."""

import os
from pathlib import Path
from typing import cast

import typer
from chainfirst.ops import config, mistakes, reach, settings


def config_path(context: typer.Context) -> Path:
    """What --config names."""
    return cast(Path, context.find_root().obj)


def load_config(context: typer.Context) -> config.Config:
    """The checked settings of --config and the environment, the kinds of intents in them too."""
    path = config_path(context)
    found = config.load(path, os.environ)
    if found.writer.lanes or found.writer.kinds:
        from chainfirst.writers import catalogue, contract_call

        platform = catalogue.PLATFORM if found.platform.enabled else ()
        kinds = (*platform, contract_call.kind(found.writer.calls))
        problems = list(mistakes.kind_mistakes(found.writer, {each.name: each.counts for each in kinds}))
        if problems:
            raise settings.SettingsError(str(path), problems)
    return found


def migrate(found: config.Config) -> None:
    """Bring the database to this version's schema, under a lock."""
    from chainfirst.ops import session
    from chainfirst.schema import migrate as migrations

    url = session.attentive(reach.database_url(found))
    migrations.migrate(migrations.engine(url), platform_enabled=found.platform.enabled)
